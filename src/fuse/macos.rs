//! The mount on macOS: macFUSE's library makes it, umount(8) ends it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::options::{MountOptions, Unmount};
use crate::{Error, ErrorKind, Result, fs::Kind};

/// A mount that this process made.
#[derive(Debug)]
pub(super) struct Mount {
    path: PathBuf,
}

impl Mount {
    /// Checks that `root` can be mounted at the mountpoint.
    pub(super) fn prepare(root: Kind, options: &MountOptions) -> Result<Self> {
        let path = options
            .mountpoint
            .canonicalize()
            .and_then(|path| fs::metadata(&path).map(|metadata| (path, metadata)));
        let (path, metadata) =
            path.map_err(|err| refuse(format!("the mountpoint cannot be used: {err}")))?;
        if metadata.is_dir() && root == Kind::Directory {
            return Ok(Self { path });
        }
        Err(refuse(
            "is not a directory, and macFUSE mounts on nothing else",
        ))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Ends a mount whose connection is closed: the library took it away.
    pub(super) fn finish(self) {
        drop(self);
    }

    /// Whether it is gone. The library tells that only to those who take requests.
    #[allow(clippy::unused_self)]
    pub(super) fn has_ended(&self) -> bool {
        false
    }

    /// Unmounts.
    pub(super) fn unmount(&self, how: Unmount) -> Result<()> {
        unmount(&self.path, how)
    }
}

/// Unmounts through umount(8); `Lazy` is its `-f`, as macOS cannot detach a busy mount otherwise.
pub(super) fn unmount(mountpoint: &Path, how: Unmount) -> Result<()> {
    let mut command = Command::new("/sbin/umount");
    if how == Unmount::Lazy {
        command.arg("-f");
    }
    let output = command
        .arg(mountpoint)
        .stdin(Stdio::null())
        .output()
        .map_err(|err| Error::io(err, "cannot start /sbin/umount"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(refuse(String::from_utf8_lossy(&output.stderr).trim()))
}

fn refuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Mountpoint, message)
}
