//! Files that get their names when they are complete: written beside, synced, renamed.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};

/// What to do with a file that has the name already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Existing {
    /// Leave it alone, and fail.
    Refuse,
    /// Replace it, at the moment when the new file is complete.
    Replace,
}

/// The folder in which a file stands.
#[must_use]
pub fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Gives a file its final name.
///
/// # Errors
/// `AlreadyExists` when there is a file of that name that must not be replaced, and those of the system.
pub fn rename(from: &Path, to: &Path, existing: Existing) -> io::Result<()> {
    if existing == Existing::Replace {
        return fs::rename(from, to);
    }
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot promise it: then a look before has to do.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match fs::symlink_metadata(to) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(from, to),
        },
        other => Ok(other?),
    }
}

/// Brings the names in a folder to the disk.
///
/// # Errors
/// Those of the system; some file systems cannot do it.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a small file: it has these bytes, or is as it was.
///
/// # Errors
/// As [`rename`].
pub fn write(out: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    // What everybody may do with it is left to the user's umask, as with any new file.
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder_of(out))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    // Removed when it did not get its name.
    let beside = file.into_temp_path();
    rename(&beside, out, existing)?;
    beside.keep()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_only_when_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        write(&out, b"first", Existing::Refuse).unwrap();
        let err = write(&out, b"second", Existing::Refuse).unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&out).unwrap(), b"first");
        write(&out, b"third", Existing::Replace).unwrap();
        assert_eq!(fs::read(&out).unwrap(), b"third");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_without_a_folder_stands_in_the_working_one() {
        assert_eq!(folder_of(Path::new("a")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/b")), Path::new("a"));
        assert_eq!(folder_of(Path::new("/b")), Path::new("/"));
    }
}
