//! What a caller says about a mount.

use std::{path::PathBuf, time::Duration};

use super::patterns::Pattern;

/// What to mount where, and how.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)]
pub struct MountOptions {
    /// An existing directory, or a regular file when the filesystem's root is a file.
    pub mountpoint: PathBuf,
    /// What /proc/mounts shows as the source. Any text, commas and spaces included.
    pub source_name: String,
    /// Let every user in.
    pub allow_other: bool,
    /// Let root in, besides the owner.
    pub allow_root: bool,
    /// Let the kernel check permission bits. Implied by `allow_other` and `allow_root`.
    pub default_permissions: bool,
    /// Unmount even when this process is killed.
    pub auto_unmount: bool,
    /// Mount over a directory that is not empty. Accepted for habit's sake: it is always allowed, as in libfuse 3.
    pub nonempty: bool,
    /// Flags of mount(8) that are passed on: `nosuid`, `nodev`, `noexec`, `noatime` and their opposites.
    pub flags: Vec<String>,
    /// Threads that answer the kernel. Where only one is possible, it is one.
    pub threads: usize,
    /// Most bytes that the kernel may read ahead; `None` leaves its own choice, which is also the most.
    pub readahead: Option<u32>,
    /// What is read around the kernel's cache; a file that one of these matches.
    pub direct_io: Vec<Pattern>,
    /// Unmount when nothing was open for so long.
    pub idle: Option<Duration>,
    /// Called once when nothing was open for ten seconds, for giving back what nobody needs then.
    pub at_rest: Option<fn()>,
    /// The only folders that the threads which answer the kernel may read from now on, with all below them, where the
    /// system can see to that; `None` leaves these threads what the process may do.
    pub confined_to: Option<Vec<PathBuf>>,
    /// The only folder that these threads may write to, for what is kept about images from one mount to the next.
    pub keeps_in: Option<PathBuf>,
}

impl MountOptions {
    /// The kernel knows only everybody and the owner; the session then keeps out all but root.
    pub(super) fn lets_others_in(&self) -> bool {
        self.allow_other || self.allow_root
    }

    pub(super) fn checks_permissions(&self) -> bool {
        self.default_permissions || self.lets_others_in()
    }
}

/// How to unmount.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unmount {
    /// Only when nobody uses it.
    Now,
    /// Detach it even when it is busy.
    Lazy,
}
