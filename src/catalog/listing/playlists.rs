//! Playlists (`.m3u`): their lines name stored files, and are given the names that these are shown under.
//!
//! A line is a name, a path, an address, or behind `#` a comment. Only a name that is that of a file in the same
//! folder is changed; every other byte stays.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use super::{Found, FoundKind, Interest, OneOf};
use crate::{
    Result,
    catalog::{
        Probe,
        known::{Candidate, Extra, Known},
        stat::Stat,
    },
    format::{PLAYLIST, extension_of},
    source::{FileSource, Source},
};

/// A longer file is no list of discs, and is shown as it is.
const MAX_LEN: u64 = 1 << 20;

/// So is one of more lines.
const MAX_LINES: usize = 10_000;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The playlists among the files, by their positions: as they are shown.
pub(super) fn candidates(
    folder: &Path,
    shown: &[Found],
    names: &[Option<OsString>],
) -> HashMap<usize, Candidate> {
    let all = shown.iter().enumerate();
    let playlists: Vec<_> = all.filter(|(_, found)| is_playlist(found)).collect();
    if playlists.is_empty() {
        return HashMap::new();
    }
    let names = shown_names(shown, names);
    let candidate = |(at, found): (usize, &Found)| {
        let path = folder.join(found.stored());
        Some((at, read(&path, &names).ok()?))
    };
    playlists.into_iter().filter_map(candidate).collect()
}

fn is_playlist(found: &Found) -> bool {
    let is_other = matches!(
        found.kind,
        FoundKind::File(Interest::Nothing | Interest::Named, _)
    );
    is_other && matches!(extension_of(&found.name).as_str(), "m3u" | "m3u8")
}

/// What is shown of a playlist. Its state is taken before it is read, so that a change in between is noticed.
fn read(path: &Path, names: &HashMap<&OsStr, &OsStr>) -> Result<Candidate> {
    let fingerprint = Stat::of_file(path)?.fingerprint;
    let source = FileSource::open(path)?;
    let probe = match usize::try_from(source.len()) {
        Ok(len) if source.len() <= MAX_LEN => {
            let mut stored = vec![0; len];
            source.read_exact_at(&mut stored, 0)?;
            match renamed(&stored, names) {
                Some(text) => Probe::Text(&PLAYLIST, text.into()),
                None => Probe::PassThrough,
            }
        }
        _ => Probe::PassThrough,
    };
    Ok(Candidate {
        interest: Interest::Nothing,
        known: Known::new(fingerprint, probe),
        extra: Some(Box::new(Extra {
            parts: Vec::new(),
            share: None,
            is_made: true,
        })),
    })
}

/// The text with the shown names; `None` when no line changes.
fn renamed(stored: &[u8], names: &HashMap<&OsStr, &OsStr>) -> Option<Vec<u8>> {
    let mark = stored.starts_with(BYTE_ORDER_MARK);
    let (front, text) = stored.split_at(if mark { BYTE_ORDER_MARK.len() } else { 0 });
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    if lines.len() > MAX_LINES {
        return None;
    }
    let mut changed = front.to_vec();
    for (number, line) in lines.iter().enumerate() {
        if number > 0 {
            changed.push(b'\n');
        }
        let name = line.trim_ascii();
        match names.get(OsStr::from_bytes(name)) {
            Some(shown) if !name.starts_with(b"#") => {
                let start = line.len() - line.trim_ascii_start().len();
                changed.extend(&line[..start]);
                changed.extend(shown.as_bytes());
                changed.extend(&line[start + name.len()..]);
            }
            _ => changed.extend(*line),
        }
    }
    (changed != stored).then_some(changed)
}

/// The shown name of each stored file that is shown under another.
///
/// A file that is several plain ones goes by its sheet, which leads to all others. One that is shown as stored beside
/// them keeps its name, and so does one of several without a sheet: none of them stands for all.
fn shown_names<'f>(
    shown: &'f [Found],
    names: &'f [Option<OsString>],
) -> HashMap<&'f OsStr, &'f OsStr> {
    let mut files: HashMap<&OsStr, Vec<usize>> = HashMap::new();
    for (at, found) in shown.iter().enumerate() {
        files.entry(&found.name).or_default().push(at);
    }
    let name_of = |(stored, at): (&'f OsStr, Vec<usize>)| {
        let of = match at[..] {
            [only] => only,
            _ => sheet(shown, &at)?,
        };
        let name = names[of].as_deref()?;
        // A name with a line end in it cannot stand in a list.
        let fits = !name
            .as_bytes()
            .iter()
            .any(|byte| matches!(byte, b'\n' | b'\r'));
        fits.then_some((stored, name))
    };
    files.into_iter().filter_map(name_of).collect()
}

/// The only sheet among plain files that come from one stored file, none of which is that itself.
fn sheet(shown: &[Found], of: &[usize]) -> Option<usize> {
    let one = |at: usize| match &shown[at].kind {
        FoundKind::OneOf(one) => Some(one),
        _ => None,
    };
    let keeps_its_name = |at: &usize| one(*at).is_none_or(OneOf::is_stored);
    if of.iter().any(keeps_its_name) {
        return None;
    }
    let mut sheets = of
        .iter()
        .copied()
        .filter(|&at| one(at).is_some_and(OneOf::is_sheet));
    let first = sheets.next();
    first.filter(|_| sheets.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stored: &str) -> Option<String> {
        let names = [
            ("Game.chd", "Game.cue"),
            ("Ä.cso", "Ä.iso"),
            ("#x.cso", "#x.iso"),
        ];
        let names = names.map(|(stored, shown)| (OsStr::new(stored), OsStr::new(shown)));
        let text = renamed(stored.as_bytes(), &names.into_iter().collect());
        text.map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn only_lines_that_are_a_name_change() {
        let text = "\u{feff}Game.chd\r\n# Game.chd\n#x.cso\n\n  Ä.cso \t\r\n./Game.chd\nsub/Game.chd\n/Game.chd\nhttp://x/Game.chd\nGame.chdx\nGame.chd";
        let expected = "\u{feff}Game.cue\r\n# Game.chd\n#x.cso\n\n  Ä.iso \t\r\n./Game.chd\nsub/Game.chd\n/Game.chd\nhttp://x/Game.chd\nGame.chdx\nGame.cue";
        assert_eq!(of(text).unwrap(), expected);
    }

    #[test]
    fn a_text_without_such_a_line_is_as_stored() {
        for text in ["", "\n", "\r\n\r\n", "\u{feff}", "other.chd\n#EXTM3U\n"] {
            assert_eq!(of(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_text_of_too_many_lines_is_as_stored() {
        let lines = "Game.chd\n".repeat(MAX_LINES - 1);
        assert!(of(&lines).is_some());
        assert_eq!(of(&(lines + "\n")), None);
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let names = [(OsStr::new("a"), OsStr::new("b"))].into();
        let stored = b"\xff\xfe\na\n\0a\r";
        assert_eq!(renamed(stored, &names).unwrap(), b"\xff\xfe\nb\n\0a\r");
    }
}
