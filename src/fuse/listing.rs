//! Filling the kernel's buffer with a directory's lines.
//!
//! `add` is told where the next listing starts and returns true when the line did not fit.

use crate::{
    Result,
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

/// Adds the lines from `from` on, each with its attributes. The kernel counts each of them as a lookup, except `.`
/// and `..`.
pub(super) fn list_with_attributes(
    fs: &Filesystem,
    directory: Ino,
    handle: u64,
    from: u64,
    mut add: impl FnMut(u64, &DirectoryEntry, &Attributes) -> bool,
) -> Result<()> {
    let mut next = from;
    while let Some(line) = fs.read_directory(handle, next)? {
        next += 1;
        let dots = line.name == "." || line.name == "..";
        let found = if dots {
            fs.attributes(line.ino)
        } else {
            fs.lookup(directory, &line.name)
        };
        // What was deleted since the directory was opened is left out.
        let Ok(attributes) = found else { continue };
        if add(next, &line, &attributes) {
            if !dots {
                fs.forget(attributes.ino, 1);
            }
            break;
        }
    }
    Ok(())
}
