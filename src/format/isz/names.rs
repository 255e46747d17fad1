//! What the files of a set are called. The scheme is not in the file, only in its name.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
};

/// A scheme: the number of a file between two pieces of name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Naming {
    before: Vec<u8>,
    /// Digits at least.
    width: usize,
    /// What the first file is numbered.
    first: usize,
    after: Vec<u8>,
}

impl Naming {
    /// The schemes that the first file's name allows, likeliest first.
    pub(super) fn of_first(name: &OsStr) -> Vec<Self> {
        let numbered = parts_of_numbered(name.as_bytes())
            .filter(|(_, digits, _)| number(digits) == 1)
            .map(|(before, digits, after)| Self::numbered(before, digits, after));
        numbered
            .into_iter()
            .chain([Self::extensions(name)])
            .collect()
    }

    /// `Game.part01.isz`, `Game.part02.isz`, ... and the same with three digits.
    fn numbered(before: &[u8], digits: &[u8], after: &[u8]) -> Self {
        Self {
            before: before.to_vec(),
            width: digits.len(),
            first: 1,
            after: after.to_vec(),
        }
    }

    /// `Game.isz`, `Game.i01`, ...
    fn extensions(name: &OsStr) -> Self {
        let (stem, extension) = cut_extension(name.as_bytes());
        let letter = if extension.starts_with(b"I") {
            b".I"
        } else {
            b".i"
        };
        Self {
            before: [stem, letter].concat(),
            width: 2,
            first: 0,
            after: Vec::new(),
        }
    }

    /// The name of a file of the set; `number` counts from 0.
    pub(super) fn name(&self, number: usize) -> OsString {
        let digits = format!("{:0width$}", number + self.first, width = self.width);
        OsString::from_vec([&self.before, digits.as_bytes(), &self.after].concat())
    }
}

/// What the first file of the set is likely called, from the name of a later one.
pub(super) fn first_of(later: &OsStr) -> Option<OsString> {
    let name = later.as_bytes();
    if let Some((before, digits, after)) = parts_of_numbered(name) {
        return Some(Naming::numbered(before, digits, after).name(0));
    }
    let (stem, extension) = cut_extension(name);
    let ending: &[u8] = match extension {
        [b'I', digits @ ..] if is_part_digits(digits) => b".ISZ",
        [b'i', digits @ ..] if is_part_digits(digits) => b".isz",
        _ => return None,
    };
    Some(OsString::from_vec([stem, ending].concat()))
}

/// Whether an extension (lower case) is that of a later file: `i01` to `i99`.
pub(super) fn is_part_extension(extension: &str) -> bool {
    matches!(extension.as_bytes(), [b'i', digits @ ..] if is_part_digits(digits))
}

fn is_part_digits(digits: &[u8]) -> bool {
    digits.len() == 2 && digits.iter().all(u8::is_ascii_digit) && digits != b"00"
}

/// Cuts `Game.part01.isz` into `Game.part`, `01` and `.isz`; two or three digits.
fn parts_of_numbered(name: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    const AFTER: usize = ".isz".len();
    let (rest, after) = name.split_at_checked(name.len().checked_sub(AFTER)?)?;
    let digits = rest
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (before, digits) = rest.split_at(rest.len() - digits);
    let fits = after.eq_ignore_ascii_case(b".isz")
        && (2..=3).contains(&digits.len())
        && before.to_ascii_lowercase().ends_with(b".part");
    fits.then_some((before, digits, after))
}

fn number(digits: &[u8]) -> usize {
    digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'))
}

/// The name before its last dot, and what follows it.
fn cut_extension(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|&byte| byte == b'.') {
        Some(dot) => (&name[..dot], &name[dot + 1..]),
        None => (name, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second_files(first: &str) -> Vec<OsString> {
        let schemes = Naming::of_first(OsStr::new(first));
        schemes.iter().map(|naming| naming.name(1)).collect()
    }

    #[test]
    fn the_suffix_of_the_first_file_names_the_second() {
        assert_eq!(second_files("Game.isz"), ["Game.i01"]);
        assert_eq!(second_files("GAME.V1.ISZ"), ["GAME.V1.I01"]);
        assert_eq!(
            second_files("Game.part01.isz"),
            ["Game.part02.isz", "Game.part01.i01"]
        );
        assert_eq!(
            second_files("GAME.PART001.ISZ"),
            ["GAME.PART002.ISZ", "GAME.PART001.I01"]
        );
        for plain in [
            "part01.isz",
            "Game.part1.isz",
            "Game.part02.isz",
            "Game.part0001.isz",
        ] {
            assert_eq!(second_files(plain).len(), 1, "{plain}");
        }
        assert_eq!(second_files("Game"), ["Game.i01"]);
        assert_eq!(second_files(""), [".i01"]);
    }

    #[test]
    fn numbers_grow_beyond_their_width() {
        let naming = &Naming::of_first(OsStr::new("a.part01.isz"))[0];
        assert_eq!(naming.name(9), "a.part10.isz");
        assert_eq!(naming.name(99), "a.part100.isz");
    }

    #[test]
    fn names_need_not_be_text() {
        let name = OsString::from_vec(b"\xff\xfe.isz".to_vec());
        let naming = &Naming::of_first(&name)[0];
        assert_eq!(naming.name(2).as_bytes(), b"\xff\xfe.i02");
    }

    #[test]
    fn a_later_file_tells_the_first() {
        for (later, first) in [
            ("Game.i01", "Game.isz"),
            ("GAME.I99", "GAME.ISZ"),
            ("Game.part07.isz", "Game.part01.isz"),
            ("Game.Part012.isz", "Game.Part001.isz"),
        ] {
            assert_eq!(first_of(OsStr::new(later)).unwrap(), first);
        }
        assert_eq!(first_of(OsStr::new("Game.isz")), None);
        assert_eq!(first_of(OsStr::new("Game.i00")), None);
        assert_eq!(first_of(OsStr::new("")), None);
    }

    #[test]
    fn part_extensions_are_i01_to_i99() {
        assert!(is_part_extension("i01") && is_part_extension("i99"));
        for other in ["i00", "i1", "i001", "isz", "iso", "", "r01"] {
            assert!(!is_part_extension(other), "{other}");
        }
    }
}
