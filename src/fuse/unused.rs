//! Ending a mount that nobody uses.

use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use super::linux::Mount;
#[cfg(not(target_os = "linux"))]
use super::macos::Mount;
use super::options::Unmount;
use crate::fs::Filesystem;

/// How long nothing was open.
#[derive(Debug)]
pub(super) struct Unused {
    limit: Duration,
    since: Instant,
    /// How much had been opened by then.
    opened: u64,
}

impl Unused {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            since: Instant::now(),
            opened: 0,
        }
    }

    /// Before that nothing is to be done.
    pub(super) fn next_look(&self) -> Instant {
        // A time that no clock reaches never comes.
        self.since
            .checked_add(self.limit)
            .unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400))
    }

    /// Unmounts when nothing was open for the whole time. Somebody whose working folder is in the mount keeps it.
    pub(super) fn look(&mut self, filesystem: &Filesystem, mount: &Mount) {
        if Instant::now() < self.next_look() {
            return;
        }
        let opened = filesystem.opened_so_far();
        let is_unused = !filesystem.has_open() && opened == self.opened;
        *self = Self {
            opened,
            ..Self::new(self.limit)
        };
        if !is_unused {
            return;
        }
        log::info!("nobody uses the mount: unmounting");
        if let Err(err) = mount.unmount(Unmount::Now) {
            log::info!("{}", err.sentence());
        }
    }
}
