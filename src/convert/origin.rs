//! What the source's files are, to notice when they change.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::{Error, ErrorKind, Result, image::Image};

/// The files that an image was read from.
#[derive(Clone, Debug)]
pub(super) struct Origin(Vec<(PathBuf, Stamp)>);

/// What changes when a file does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    file: (u64, u64),
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Result<Self> {
        let stat = fs::metadata(path)
            .map_err(|e| Error::io(e, "cannot inspect the source").in_file(path))?;
        Ok(Self {
            file: (stat.dev(), stat.ino()),
            len: stat.len(),
            modified: (stat.mtime(), stat.mtime_nsec()),
            changed: (stat.ctime(), stat.ctime_nsec()),
        })
    }
}

impl Origin {
    /// The files of the open image at `path`.
    ///
    /// # Errors
    /// `Io` when one of them cannot be inspected.
    pub(super) fn of(path: &Path, image: &Image) -> Result<Self> {
        let parts = image.details().parts.iter().skip(1);
        let later = parts.map(|name| path.with_file_name(name));
        let paths = std::iter::once(path.to_path_buf()).chain(later);
        let stamped = paths.map(|path| Ok((path.clone(), Stamp::of(&path)?)));
        Ok(Self(stamped.collect::<Result<_>>()?))
    }

    /// # Errors
    /// `Io` when a file is not what it was.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        for (path, stamp) in &self.0 {
            if Stamp::of(path)? != *stamp {
                let message = "the source changed while it was read; nothing was written";
                return Err(Error::new(ErrorKind::Io, message).in_file(path));
            }
        }
        Ok(())
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.0.iter().map(|(path, _)| path.clone()).collect()
    }

    /// Bytes of all files together.
    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(|(_, stamp)| stamp.len).sum()
    }
}
