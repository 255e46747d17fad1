//! `umount`.

use super::{Exit, Tally, arguments::UmountArguments};
use crate::fuse::session::{Unmount, unmount};

/// Unmounts each mountpoint, whatever becomes of the others.
pub(super) fn run(arguments: &UmountArguments) -> Exit {
    let how = if arguments.lazy {
        Unmount::Lazy
    } else {
        Unmount::Now
    };
    let mut tally = Tally::default();
    for mountpoint in &arguments.mountpoints {
        if let Err(err) = unmount(mountpoint, how) {
            tally.failed(&err.in_file(mountpoint));
        }
    }
    tally.exit()
}
