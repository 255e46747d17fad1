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
                let message = "the source changed while it was read; the output was removed";
                return Err(Error::new(ErrorKind::Io, message).in_file(path));
            }
        }
        Ok(())
    }

    /// # Errors
    /// `Usage` when what stands at `output` is one of the files.
    pub(super) fn check_other_than(&self, output: &Path) -> Result<()> {
        let Ok(there) = fs::metadata(output).map(|stat| (stat.dev(), stat.ino())) else {
            return Ok(());
        };
        if self.0.iter().any(|(_, stamp)| stamp.file == there) {
            let message = "the output would replace its own source; give another name with -o";
            return Err(Error::new(ErrorKind::Usage, message).in_file(output));
        }
        Ok(())
    }

    /// Deletes the files, if they are what they were and the output was compared with them.
    ///
    /// # Errors
    /// `Usage` when it was not, `Io` when a file changed or cannot be deleted.
    pub(super) fn delete(&self, compared: bool) -> Result<()> {
        if !compared {
            let message = "a source is deleted only after its output was read back and compared";
            return Err(Error::new(ErrorKind::Usage, message));
        }
        self.check_unchanged()?;
        for (path, _) in &self.0 {
            let deleted = fs::remove_file(path);
            deleted.map_err(|e| Error::io(e, "cannot delete the source").in_file(path))?;
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
