//! `rescan`.

use std::path::Path;

use super::{Exit, Tally, arguments::RescanArguments};
use crate::{Error, ErrorKind, Result, fs::RESCAN};

/// Tells each mount, whatever becomes of the others.
pub(super) fn run(arguments: &RescanArguments) -> Exit {
    let mut tally = Tally::default();
    for mountpoint in &arguments.mountpoints {
        if let Err(err) = rescan(mountpoint) {
            tally.failed(&err.in_file(mountpoint));
        }
    }
    tally.exit()
}

fn rescan(mountpoint: &Path) -> Result<()> {
    let mut answer = [0; 16];
    let told = rustix::fs::getxattr(mountpoint, RESCAN, &mut answer);
    told.map(drop).map_err(|errno| match errno {
        rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP => Error::new(
            ErrorKind::Mountpoint,
            "nothing of plainiso is mounted here, or the root of its mount is elsewhere",
        ),
        errno => Error::io(errno.into(), "cannot tell the mount"),
    })
}
