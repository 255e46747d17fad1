//! What must be true of a mountpoint before something is mounted there, and how a mount leaves it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::{io::Errno, mount::UnmountFlags};

use super::{
    fusermount,
    mountinfo::{OURS, mounted_at, untouched},
};
use crate::{Error, ErrorKind, Result, fs::Kind, fuse::options::Unmount};

/// Mounts that a killed process can have left on top of each other before looking is given up.
const MOST_DEAD_MOUNTS: usize = 16;

/// Checks that `root` can be mounted at `mountpoint`, takes away what a killed plainiso left there, and returns the
/// absolute path without symbolic links.
pub(super) fn prepare(mountpoint: &Path, root: Kind) -> Result<PathBuf> {
    clear_dead(mountpoint)?;
    let metadata = fs::metadata(mountpoint).map_err(|err| match err.kind() {
        io::ErrorKind::NotFound => {
            refuse("does not exist: make the mountpoint first, or mount with '-o mkdir'")
        }
        _ => refuse(format!("the mountpoint cannot be used: {err}")),
    })?;
    match root {
        Kind::Directory if !metadata.is_dir() => Err(refuse(
            "is not a directory, and only one image alone can be mounted over a file",
        )),
        Kind::File | Kind::Link if !metadata.is_file() => Err(refuse(
            "is not a regular file, and the image was to be mounted over one",
        )),
        _ => mountpoint
            .canonicalize()
            .map_err(|err| refuse(format!("the mountpoint cannot be used: {err}"))),
    }
}

fn refuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Mountpoint, message)
}

/// Detaches mounts of ours whose process is gone: they answer everything with ENOTCONN.
pub(in crate::fuse) fn clear_dead(mountpoint: &Path) -> Result<()> {
    for _ in 0..MOST_DEAD_MOUNTS {
        match fs::metadata(mountpoint) {
            Err(err) if err.raw_os_error() == Some(libc::ENOTCONN) => clear_one(mountpoint)?,
            _ => return Ok(()),
        }
    }
    Err(refuse(format!(
        "more than {MOST_DEAD_MOUNTS} dead mounts lie here on top of each other"
    )))
}

fn clear_one(mountpoint: &Path) -> Result<()> {
    let path = untouched(mountpoint).unwrap_or_else(|| mountpoint.to_path_buf());
    match mounted_at(&path)? {
        Some(line) if line.kind == OURS => {
            log::warn!(
                "{}: taking away the mount of a plainiso that was killed",
                path.display()
            );
            detach(&path, Unmount::Lazy)
        }
        Some(line) => Err(refuse(format!(
            "a dead mount of type {} lies here: unmount it first",
            line.kind
        ))),
        None => Err(refuse("lies inside a dead mount")),
    }
}

/// Unmounts what plainiso mounted at `mountpoint`, a path as the user gave it.
pub(in crate::fuse) fn unmount(mountpoint: &Path, how: Unmount) -> Result<()> {
    let path = match untouched(mountpoint) {
        Some(path) if mounted_at(&path)?.is_some() => path,
        _ => mountpoint
            .canonicalize()
            .map_err(|err| refuse(format!("nothing of plainiso is mounted here: {err}")))?,
    };
    match mounted_at(&path)? {
        Some(line) if line.kind == OURS => detach(&path, how),
        Some(line) => Err(refuse(format!(
            "nothing of plainiso is mounted here, but a file system of type {}",
            line.kind
        ))),
        None => Err(refuse("nothing of plainiso is mounted here")),
    }
}

/// Unmounts the topmost mount at an absolute path, by ourselves where that is allowed, else through fusermount3.
pub(super) fn detach(path: &Path, how: Unmount) -> Result<()> {
    let flags = match how {
        Unmount::Now => UnmountFlags::NOFOLLOW,
        Unmount::Lazy => UnmountFlags::NOFOLLOW | UnmountFlags::DETACH,
    };
    match rustix::mount::unmount(path, flags) {
        Ok(()) => Ok(()),
        Err(Errno::PERM) => fusermount::unmount(path, how),
        Err(Errno::BUSY) => Err(fusermount::busy(path)),
        Err(err) => Err(refuse(format!(
            "cannot be unmounted: {}",
            io::Error::from(err)
        ))),
    }
}
