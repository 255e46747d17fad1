//! Where the parents of CHDs may be that do not stand beside them.

use std::{
    fs,
    path::{self, Path, PathBuf},
};

use clap::Args;

use crate::{Error, ErrorKind, Result, source::Folder};

/// The option of the commands that open images.
#[derive(Args, Clone, Debug)]
pub(super) struct ParentPaths {
    /// A CHD, or a folder of CHDs, that may be the parent of an image and is not beside it. May be given several
    /// times.
    #[arg(long = "parent", value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Files and folders that are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Parents(Vec<PathBuf>);

impl ParentPaths {
    /// # Errors
    /// Those of [`Parents::new`].
    pub(super) fn checked(&self) -> Result<Parents> {
        Parents::new(&self.paths)
    }
}

impl Parents {
    /// Makes the paths absolute.
    ///
    /// # Errors
    /// `Io` for one that is not there or cannot be read, `Usage` for what is neither a file nor a folder.
    pub(super) fn new(paths: &[PathBuf]) -> Result<Self> {
        let paths = paths.iter().map(|path| check(path));
        paths.collect::<Result<_>>().map(Self)
    }

    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.0
    }

    /// What may be found beside an image, and there.
    pub(super) fn folder_around(&self, image: &Path) -> Folder {
        Folder::of(image).with_elsewhere(&self.0)
    }
}

fn check(parent: &Path) -> Result<PathBuf> {
    let cannot = |e| Error::io(e, "cannot open the parent").in_file(parent);
    let metadata = fs::metadata(parent).map_err(cannot)?;
    if metadata.is_dir() {
        fs::read_dir(parent).map_err(cannot)?;
    } else if metadata.is_file() {
        fs::File::open(parent).map_err(cannot)?;
    } else {
        let message = "the parent is neither a file nor a folder";
        return Err(Error::new(ErrorKind::Usage, message).in_file(parent));
    }
    path::absolute(parent).map_err(cannot)
}
