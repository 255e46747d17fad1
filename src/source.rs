//! Stored bytes at positions: one file, several parts as one, or memory.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{Error, ErrorKind, Result};

mod folder;
mod parts;

pub use folder::{Folder, Links};
pub use parts::{Part, Parts};

/// Stored bytes, read by position. Shared by every thread, so it has no cursor.
pub trait Source: fmt::Debug + Send + Sync {
    /// The number of bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` from `at`, or fails.
    ///
    /// # Errors
    /// `Io` when the bytes cannot be read, or do not exist.
    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> Result<()>;

    /// Numbers that are others when the bytes are: device, inode and both times of a file, of which nobody can set the
    /// second; `None` where there are none.
    fn identity(&self) -> Option<[i128; 4]> {
        None
    }

    /// The bytes on the disk that it comes from, where it is decoded itself.
    fn stored_len(&self) -> u64 {
        self.len()
    }

    /// The bytes from the first on, for who reads all of them once, where that costs less than by position. What is
    /// wrong with the last ones, or with all of them, is said before the last one is given out.
    fn in_order(&self) -> Option<Box<dyn Read + Send>> {
        None
    }
}

/// The `N` bytes at `at`, for headers.
///
/// # Errors
/// `Corrupt` when the source ends before them (`what` names them in the message), `Io` when it cannot be read.
pub fn read_array<const N: usize>(source: &dyn Source, at: u64, what: &str) -> Result<[u8; N]> {
    let len = source.len();
    if at.checked_add(N as u64).is_none_or(|end| end > len) {
        return Err(Error::corrupt(format!(
            "the file ends at {len}, inside the {what} ({N} bytes at {at})"
        )));
    }
    let mut bytes = [0; N];
    source.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

/// A regular file on disk, opened read-only, in the state that it had then.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    /// Device and inode.
    id: (u64, u64),
    state: State,
    /// When its inode changed before it was opened.
    ctime: (i64, i64),
}

/// What changes when a file's content does. Not the time of its inode, which changes with its name as well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct State {
    len: u64,
    mtime: (i64, i64),
}

impl State {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            len: metadata.len(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl FileSource {
    /// Opens a regular file. Its length is taken once.
    ///
    /// # Errors
    /// `Io` when it cannot be opened, `UnknownFormat` when it is a folder, a pipe or a device.
    pub fn open(path: &Path) -> Result<Self> {
        // O_NONBLOCK, so that a pipe that bears an image's name cannot hang us before we see what it is.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
            .map_err(|e| Error::io(e, "cannot open the file").in_file(path))?;
        Self::new(file).map_err(|e| e.in_file(path))
    }

    /// Wraps an open file.
    ///
    /// # Errors
    /// `Io` when it cannot be inspected, `UnknownFormat` when it is no regular file.
    pub fn new(file: File) -> Result<Self> {
        let metadata = file
            .metadata()
            .map_err(|e| Error::io(e, "cannot inspect the file"))?;
        if !metadata.is_file() {
            return Err(Error::new(
                ErrorKind::UnknownFormat,
                if metadata.is_dir() {
                    "this is a folder, not an image"
                } else {
                    "this is a pipe or a device, not an image"
                },
            ));
        }
        Ok(Self {
            file,
            id: (metadata.dev(), metadata.ino()),
            state: State::of(&metadata),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Fails when the file was written to, or cut, since it was opened: its index and what was read before belong to
    /// another content. Asked after each read, since a write changes the time before it changes bytes.
    fn check_unchanged(&self) -> Result<()> {
        let metadata = self.file.metadata();
        let now = metadata.map_err(|e| Error::io(e, "cannot inspect the file"))?;
        if State::of(&now) == self.state {
            return Ok(());
        }
        let stale = io::Error::from_raw_os_error(libc::ESTALE);
        Err(Error::io(
            stale,
            "the file was written to after it was opened",
        ))
    }
}

impl Source for FileSource {
    fn len(&self) -> u64 {
        self.state.len
    }

    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> Result<()> {
        let read = self.file.read_exact_at(buf, at);
        self.check_unchanged()?;
        read.map_err(|e| Error::io(e, format!("cannot read {} bytes at {at}", buf.len())))
    }

    fn identity(&self) -> Option<[i128; 4]> {
        let nanos =
            |(seconds, nanos): (i64, i64)| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let times = [self.state.mtime, self.ctime].map(nanos);
        Some([self.id.0.into(), self.id.1.into(), times[0], times[1]])
    }
}

impl Source for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> Result<()> {
        let bytes = usize::try_from(at)
            .ok()
            .and_then(|at| self.get(at..)?.get(..buf.len()));
        let bytes = bytes.ok_or_else(|| {
            let kind = io::ErrorKind::UnexpectedEof.into();
            Error::io(kind, format!("cannot read {} bytes at {at}", buf.len()))
        })?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}

/// Finds the files that stand beside an image, for formats that spread over several.
pub trait Siblings: fmt::Debug {
    /// The file of that name, whatever its letter case; `None` when there is none.
    ///
    /// # Errors
    /// `Io` when the folder or the file cannot be read.
    fn find(&self, name: &OsStr) -> Result<Option<Arc<dyn Source>>>;

    /// The names of the files, for formats that know another file by its content. No more than [`MOST_NAMES`].
    ///
    /// # Errors
    /// `Io` when the folder cannot be read, `LimitExceeded` when it holds more.
    fn names(&self) -> Result<Vec<OsString>>;

    /// Files and folders that the user named, for what is not beside.
    fn elsewhere(&self) -> &[PathBuf] {
        &[]
    }
}

/// The most names of a folder that are looked through.
pub const MOST_NAMES: usize = 1 << 16;

/// No siblings: for images in memory.
#[derive(Clone, Copy, Debug)]
pub struct NoSiblings;

impl Siblings for NoSiblings {
    fn find(&self, _name: &OsStr) -> Result<Option<Arc<dyn Source>>> {
        Ok(None)
    }

    fn names(&self) -> Result<Vec<OsString>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_refused_without_waiting_for_a_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.cso");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let err = FileSource::open(&path).unwrap_err();
        assert!(
            err.to_string()
                .ends_with("this is a pipe or a device, not an image")
        );
    }

    #[test]
    fn a_file_that_was_written_to_is_stale_and_one_that_was_renamed_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.cso");
        let put = |bytes: &[u8], second: u64| {
            fs::write(&path, bytes).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(second);
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(time).unwrap();
        };
        let is_stale = |source: &FileSource| {
            let read = source.read_exact_at(&mut [0; 2], 0);
            read.is_err_and(|err| err.os_error() == Some(libc::ESTALE))
        };
        put(b"old", 1);
        let source = FileSource::open(&path).unwrap();
        fs::rename(&path, dir.path().join("y.cso")).unwrap();
        fs::remove_file(dir.path().join("y.cso")).unwrap();
        assert!(!is_stale(&source));
        for (bytes, second) in [(&b"new"[..], 2), (b"longer", 1), (b"", 1)] {
            put(b"old", 1);
            let source = FileSource::open(&path).unwrap();
            assert!(!is_stale(&source));
            put(bytes, second);
            assert!(is_stale(&source), "{bytes:?}");
        }
    }

    #[test]
    fn reading_past_the_end_names_the_piece_that_is_cut() {
        let err = read_array::<24>(&vec![0; 10], 0, "header").unwrap_err();
        assert_eq!(
            err.to_string(),
            "the file ends at 10, inside the header (24 bytes at 0)"
        );
    }
}
