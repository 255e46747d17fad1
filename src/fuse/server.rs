//! What every request needs to be answered, on whichever thread that is.

use std::sync::Arc;

use fuser::{
    Errno, ReplyAttr, ReplyData, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen,
    ReplyStatfs, ReplyXattr,
};

use super::{answer, opening::Openings};
use crate::{Result, fs::Filesystem};

/// The filesystem, and what is known about its open files.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) filesystem: Arc<Filesystem>,
    pub(super) openings: Openings,
}

impl Server {
    /// Does one request's work.
    pub(super) fn answer<T>(
        &self,
        request: &str,
        work: impl FnOnce(&Filesystem) -> Result<T>,
    ) -> std::result::Result<T, Errno> {
        answer::guarded(request, || work(&self.filesystem)).map_err(Errno::from_i32)
    }

    /// Does one request's work whose outcome the kernel does not want to know.
    pub(super) fn tell(&self, request: &str, work: impl FnOnce(&Filesystem)) {
        let _ = self.answer(request, |fs| {
            work(fs);
            Ok(())
        });
    }
}

/// The way back to whoever asked.
pub(super) trait Refusable: Send + 'static {
    /// Says that nothing comes.
    fn refuse(self);
}

macro_rules! refusable {
    ($($reply:ty),*) => {$(
        impl Refusable for $reply {
            fn refuse(self) {
                self.error(Errno::EIO);
            }
        }
    )*};
}

refusable! {
    ReplyAttr, ReplyData, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyXattr
}
