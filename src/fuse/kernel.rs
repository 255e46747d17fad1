//! What the kernel is told without having asked.

use std::sync::OnceLock;

use fuser::{INodeNo, Notifier};

use crate::fs::Ino;

/// The way to the kernel, once there is one.
#[derive(Debug, Default)]
pub(super) struct Kernel(OnceLock<Notifier>);

impl Kernel {
    pub(super) fn connect(&self, notifier: Notifier) {
        let _ = self.0.set(notifier);
    }

    /// Makes the kernel ask for a file's attributes again, and leave alone those that it is being told at the moment.
    /// Pages stay, so this waits for no reader, and may be called while a request about the file is answered.
    pub(super) fn forget_attributes(&self, ino: Ino) {
        // Elsewhere the kernel asks before each read.
        let Some(notifier) = self.0.get().filter(|_| cfg!(target_os = "linux")) else {
            return;
        };
        if let Err(err) = notifier.inval_inode(INodeNo(ino), -1, 0) {
            log::debug!("the kernel does not forget attributes: {err}");
        }
    }
}
