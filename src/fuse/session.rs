//! Mounting, threads, signals, unmounting.

use std::path::{Path, PathBuf};

use crate::{Error, ErrorKind, Result, fs::Filesystem};

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
    /// Mount over a directory that is not empty.
    pub nonempty: bool,
    /// Flags of mount(8) that are passed on: `nosuid`, `nodev`, `noexec`, `noatime` and their opposites.
    pub flags: Vec<String>,
    /// Threads that answer the kernel.
    pub threads: usize,
    /// Most bytes that the kernel may read ahead; `None` leaves its own choice.
    pub readahead: Option<u32>,
}

/// A mounted filesystem.
#[derive(Debug)]
pub struct Session {}

impl Session {
    /// Mounts, and returns when the kernel's INIT was answered: from then on the mount answers.
    ///
    /// # Errors
    /// `Mountpoint` or `Fuse`, with a sentence that says what to do.
    pub fn mount(filesystem: Filesystem, options: &MountOptions) -> Result<Self> {
        let _ = (filesystem, options);
        Err(Error::new(ErrorKind::Fuse, "mounting is not built yet"))
    }

    /// Serves until the filesystem is unmounted, by SIGINT or SIGTERM or by someone else.
    ///
    /// # Errors
    /// `Io` when the connection to the kernel breaks.
    pub fn run(self) -> Result<()> {
        Ok(())
    }
}

/// Unmounts a plainiso mount; `Lazy` detaches a busy one from the tree and lets it end with its last user.
///
/// # Errors
/// `Mountpoint` when nothing of ours is mounted there or it is busy, `Fuse` without the permission.
pub fn unmount(mountpoint: &Path, how: Unmount) -> Result<()> {
    let _ = (mountpoint, how);
    Err(Error::new(ErrorKind::Fuse, "unmounting is not built yet"))
}

/// How to unmount.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unmount {
    /// Only when nobody uses it.
    Now,
    /// Detach it even when it is busy.
    Lazy,
}
