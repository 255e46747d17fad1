//! What is mounted where, as /proc/self/mountinfo tells it: nothing here touches a mount, so a dead one cannot hang
//! or fail it.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// The type of our mounts.
pub(super) const OURS: &str = "fuse.plainiso";

/// One mount.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct MountLine {
    /// Major and minor number, unique among the mounted file systems: `0:53`.
    pub(super) device: String,
    /// Absolute path of its root.
    pub(super) mountpoint: PathBuf,
    /// File system type, with the subtype: `fuse.plainiso`.
    pub(super) kind: String,
    /// What it was mounted from, in its own words.
    pub(super) source: OsString,
}

/// Our mounts that are not hidden by another on top of them, in the order in which they were made.
///
/// # Errors
/// `Io` when /proc is not there.
pub(in crate::fuse) fn ours() -> Result<Vec<(PathBuf, OsString)>> {
    Ok(visible(&table()?))
}

fn visible(table: &[u8]) -> Vec<(PathBuf, OsString)> {
    let lines: Vec<MountLine> = lines(table).collect();
    let mut topmost = HashMap::new();
    for (at, line) in lines.iter().enumerate() {
        topmost.insert(&line.mountpoint, at);
    }
    let visible = |(at, line): &(usize, &MountLine)| {
        line.kind == OURS && topmost.get(&line.mountpoint) == Some(at)
    };
    let visible = lines.iter().enumerate().filter(visible);
    visible
        .map(|(_, line)| (line.mountpoint.clone(), line.source.clone()))
        .collect()
}

/// The topmost mount at `mountpoint`, which must be absolute and without symbolic links.
///
/// # Errors
/// `Io` when /proc is not there.
pub(super) fn mounted_at(mountpoint: &Path) -> Result<Option<MountLine>> {
    Ok(topmost(&table()?, mountpoint))
}

fn table() -> Result<Vec<u8>> {
    let file = Path::new("/proc/self/mountinfo");
    fs::read(file).map_err(|err| Error::io(err, "cannot read the table of mounts").in_file(file))
}

fn lines(table: &[u8]) -> impl DoubleEndedIterator<Item = MountLine> {
    table.split(|&byte| byte == b'\n').filter_map(parse)
}

/// The kernel lists mounts in the order in which they were made, so the last one hides the others.
fn topmost(table: &[u8], mountpoint: &Path) -> Option<MountLine> {
    lines(table).rfind(|line| line.mountpoint == mountpoint)
}

/// `ID PARENT MAJOR:MINOR ROOT MOUNTPOINT FLAGS [OPTIONAL...] - TYPE SOURCE SUPERFLAGS`
fn parse(line: &[u8]) -> Option<MountLine> {
    let mut fields = line.split(|&byte| byte == b' ');
    let device = fields.nth(2)?;
    let mountpoint = fields.nth(1)?;
    let mut fields = fields.skip_while(|&field| field != b"-").skip(1);
    let kind = fields.next()?;
    let source = fields.next().unwrap_or_default();
    Some(MountLine {
        device: String::from_utf8_lossy(device).into_owned(),
        mountpoint: unescape(mountpoint).into(),
        kind: String::from_utf8_lossy(kind).into_owned(),
        source: unescape(source),
    })
}

/// Turns `\040` and its like, three octal digits, back into the byte they stand for.
fn unescape(field: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = tail.first_chunk().and_then(|digits| octal(*digits));
        rest = tail;
        plain.push(match escaped {
            Some(escaped) if byte == b'\\' => {
                rest = &tail[3..];
                escaped
            }
            _ => byte,
        });
    }
    OsString::from_vec(plain)
}

fn octal(digits: [u8; 3]) -> Option<u8> {
    digits.iter().try_fold(0u8, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(digit - b'0'),
        _ => None,
    })
}

/// The path that the kernel lists for `path`, made without looking at what is mounted there: a dead mount answers
/// no question about itself. `None` for paths without a last component, such as `/` and `..`.
pub(super) fn untouched(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().as_bytes().is_empty() => parent,
        _ => Path::new("."),
    };
    Some(parent.canonicalize().ok()?.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw\n\
        40 36 0:53 / /mnt/a\\040b\\012c\\134 ro,nosuid - fuse.sshfs x rw\n\
        41 40 0:54 / /mnt/a\\040b\\012c\\134 ro,nosuid shared:9 unbindable - fuse.plainiso one,\\040two ro\n\
        damaged\n";

    #[test]
    fn the_last_mount_at_a_path_is_the_topmost() {
        let found = topmost(TABLE, Path::new("/mnt/a b\nc\\")).unwrap();
        assert_eq!((found.device.as_str(), found.kind.as_str()), ("0:54", OURS));
        assert_eq!(topmost(TABLE, Path::new("/mnt")).unwrap().kind, "ext3");
        assert_eq!(topmost(TABLE, Path::new("/mnt/a")), None);
    }

    #[test]
    fn our_mounts_that_are_not_hidden_are_listed_with_their_sources() {
        let ours = (PathBuf::from("/mnt/a b\nc\\"), OsString::from("one, two"));
        assert_eq!(visible(TABLE), [ours]);
        let hidden = [
            TABLE,
            b"42 41 0:55 / /mnt/a\\040b\\012c\\134 rw - tmpfs x rw\n",
        ]
        .concat();
        assert_eq!(visible(&hidden), []);
    }

    #[test]
    fn a_backslash_without_three_octal_digits_stands_for_itself() {
        assert_eq!(unescape(b"a\\04"), "a\\04");
        assert_eq!(unescape(b"\\999\\777"), "\\999\\777");
    }

    #[test]
    fn a_path_is_found_without_asking_its_last_component() {
        let here = std::env::current_dir().unwrap().canonicalize().unwrap();
        assert_eq!(untouched(Path::new("nowhere")), Some(here.join("nowhere")));
        assert_eq!(
            untouched(Path::new("./nowhere/")),
            Some(here.join("nowhere"))
        );
        assert_eq!(untouched(Path::new("/")), None);
    }
}
