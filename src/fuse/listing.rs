//! Filling the kernel's buffer with a directory's lines.
//!
//! `add` is told where the next listing starts and returns true when the line did not fit.

use std::time::SystemTime;

use crate::{
    ErrorKind, Result,
    fs::{Attributes, DirectoryEntry, Filesystem, Ino},
};

/// Adds the lines from `from` on.
pub(super) fn list(
    fs: &Filesystem,
    handle: u64,
    from: u64,
    mut add: impl FnMut(u64, &DirectoryEntry) -> bool,
) -> Result<()> {
    let mut next = from;
    while let Some(line) = fs.read_directory(handle, next)? {
        next += 1;
        if add(next, &line) {
            break;
        }
    }
    Ok(())
}

/// Adds the lines from `from` on, each with its attributes, `None` where they cannot be had. The kernel counts each
/// of them as a lookup, except `.` and `..`.
pub(super) fn list_with_attributes(
    fs: &Filesystem,
    directory: Ino,
    handle: u64,
    from: u64,
    mut add: impl FnMut(u64, &DirectoryEntry, Option<&Attributes>) -> bool,
) -> Result<()> {
    let within = fs.within(directory);
    let mut next = from;
    while let Some(line) = fs.read_directory(handle, next)? {
        next += 1;
        let dots = line.name == "." || line.name == "..";
        let found = match &within {
            _ if dots => fs.attributes(line.ino).map_err(|err| err.kind()),
            Ok(within) => fs
                .look_up_within(within, &line.name)
                .map_err(|err| err.kind()),
            Err(err) => Err(err.kind()),
        };
        let found = match found {
            // It was deleted since the directory was opened.
            Err(ErrorKind::NotFound) => continue,
            found => found.ok(),
        };
        if add(next, &line, found.as_ref()) {
            if let Some(attributes) = found.filter(|_| !dots) {
                fs.forget(attributes.ino, 1);
            }
            break;
        }
    }
    Ok(())
}

/// What is known of a line by itself. The kernel must not keep it: whoever asks shall get the error.
///
/// The generation must be the one that it knows of the number already: with another, readers of the file would fail.
pub(super) fn placeholder(fs: &Filesystem, line: &DirectoryEntry) -> Attributes {
    Attributes {
        ino: line.ino,
        generation: fs.generation_of(line.ino),
        kind: line.kind,
        size: 0,
        stored_size: 0,
        mtime: SystemTime::UNIX_EPOCH,
        mode: 0,
        uid: 0,
        gid: 0,
        links: 1,
    }
}
