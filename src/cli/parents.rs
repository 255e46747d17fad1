//! Where the parents of CHDs may be that do not stand beside them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;

use super::named::check_readable;
use crate::{Result, cache::BlockCache, format::Password, image::Image};

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
    /// Those of [`check_readable`].
    pub(super) fn new(paths: &[PathBuf]) -> Result<Self> {
        let paths = paths.iter().map(|path| check_readable("parent", path));
        paths.collect::<Result<_>>().map(Self)
    }

    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.0
    }

    /// Opens an image whose parent may be beside it, or there.
    ///
    /// # Errors
    /// Those of [`Image::open`].
    pub(super) fn open(
        &self,
        image: &Path,
        cache: BlockCache,
        password: &dyn Fn() -> Result<Option<Password>>,
    ) -> Result<Image> {
        Image::open_with(image, &self.0, Arc::new(cache), password)
    }
}
