//! How the kernel is to read a file that it opens.

use fuser::FopenFlags;

use super::patterns::Pattern;
use crate::{
    Result,
    fs::{Filesystem, Ino},
};

/// Opens files, and knows which are to be read around the kernel's cache.
#[derive(Debug)]
pub(super) struct Openings {
    direct_io: Vec<Pattern>,
}

impl Openings {
    pub(super) fn new(direct_io: Vec<Pattern>) -> Self {
        Self { direct_io }
    }

    /// Opens a file, and returns its handle and what the kernel is to do with it.
    pub(super) fn open(&self, fs: &Filesystem, ino: Ino) -> Result<(u64, FopenFlags)> {
        let is_direct = self.is_direct(fs, ino)?;
        let file = fs.open(ino)?;
        let mut flags = FopenFlags::empty();
        flags.set(FopenFlags::FOPEN_KEEP_CACHE, file.unchanged);
        flags.set(FopenFlags::FOPEN_DIRECT_IO, is_direct);
        Ok((file.handle, flags))
    }

    fn is_direct(&self, fs: &Filesystem, ino: Ino) -> Result<bool> {
        if self.direct_io.is_empty() {
            return Ok(false);
        }
        let shown = fs.shown_path(ino)?;
        Ok(self.direct_io.iter().any(|it| it.matches(&shown)))
    }
}
