//! Mounting on Linux: by mount(2) where that is allowed, else through fusermount3.
//!
//! Both ways end with the descriptor of a /dev/fuse that the kernel talks through. mount(2) takes the source's name
//! as an argument of its own, so no character in it means anything.

mod confine;
mod fusermount;
mod mountinfo;
mod mountpoint;

use std::{
    ffi::CString,
    fs::{File, OpenOptions},
    io,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    event::{self, PollFd, PollFlags, Timespec},
    io::Errno,
    mount::MountFlags,
};

pub(super) use self::{
    confine::confine,
    mountinfo::ours,
    mountpoint::{clear_dead, unmount},
};
use self::{
    fusermount::Guardian,
    mountinfo::{OURS, mounted_at},
};
use super::options::{MountOptions, Unmount};
use crate::{Error, ErrorKind, Result, fs::Kind};

/// A mount that this process made; dropping it unmounts, lazily when it is busy.
#[derive(Debug)]
pub(super) struct Mount {
    path: PathBuf,
    /// As the table of mounts has it; `None` where there is no /proc to look it up.
    device: Option<String>,
    connection: OwnedFd,
    /// Nothing is left to unmount.
    is_over: bool,
    /// Dropped after the unmounting above it.
    _guardian: Option<Guardian>,
}

impl Mount {
    /// Mounts, and returns the connection on which the kernel waits to be answered.
    pub(super) fn new(root: Kind, options: &MountOptions) -> Result<(OwnedFd, Self)> {
        check_words(options)?;
        let path = mountpoint::prepare(&options.mountpoint, root)?;
        let device = open_device()?;
        let direct = if options.auto_unmount {
            Err(Errno::PERM)
        } else {
            mount_directly(&device, &path, root, options)
        };
        let (connection, guardian) = match direct {
            Ok(()) => (OwnedFd::from(device), None),
            Err(Errno::PERM) => {
                drop(device);
                fusermount::mount(&path, options)?
            }
            Err(err) => return Err(mount_refused(err)),
        };
        let line = mounted_at(&path).unwrap_or_default();
        let again = connection.try_clone();
        let mount = Self {
            path,
            device: line.map(|line| line.device),
            connection: again.map_err(|err| Error::io(err, "cannot be held"))?,
            is_over: false,
            _guardian: guardian,
        };
        Ok((connection, mount))
    }

    /// Whether the kernel has ended the connection: it is unmounted, and nobody uses it any more, or it was aborted.
    pub(super) fn has_ended(&self) -> bool {
        let mut connection = [PollFd::new(&self.connection, PollFlags::empty())];
        let at_once = Timespec::default();
        let looked = event::poll(&mut connection, Some(&at_once));
        looked.is_ok() && connection[0].revents().contains(PollFlags::ERR)
    }

    /// Unmounts, unless somebody did already or mounted something else on top.
    pub(super) fn unmount(&self, how: Unmount) -> Result<()> {
        if self.is_on_top()? {
            mountpoint::detach(&self.path, how)?;
        }
        Ok(())
    }

    /// Ends a mount whose connection to the kernel is closed, or that was unmounted.
    ///
    /// The kernel gives its numbers to the next mount, which may stand at the same path already. So the path is not
    /// even looked at: that would keep the next mount busy for a moment. What an aborted connection leaves dead, the
    /// next mount or `umount` on the path takes away.
    pub(super) fn finish(mut self) {
        self.is_over = true;
    }

    fn is_on_top(&self) -> Result<bool> {
        let Some(ours) = &self.device else {
            return Ok(true);
        };
        let line = mounted_at(&self.path)?;
        Ok(line.is_some_and(|line| line.kind == OURS && line.device == *ours))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        if let Err(err) = self.unmount(Unmount::Lazy) {
            log::warn!("{}", err.in_file(&self.path).sentence());
        }
    }
}

fn open_device() -> Result<File> {
    let device = Path::new("/dev/fuse");
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(device)
        .map_err(|err| {
            let message = match err.raw_os_error() {
                Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
                    "is not there: load the module with 'modprobe fuse'".to_string()
                }
                Some(libc::EACCES | libc::EPERM) => {
                    "permission denied: it should be open to everyone (mode 0666), or to a group that you are in"
                        .to_string()
                }
                _ => format!("cannot be opened: {err}"),
            };
            Error::new(ErrorKind::Fuse, message).in_file(device)
        })
}

fn mount_directly(
    device: &File,
    path: &Path,
    root: Kind,
    options: &MountOptions,
) -> rustix::io::Result<()> {
    let mode = match root {
        Kind::Directory => libc::S_IFDIR,
        Kind::File | Kind::Link => libc::S_IFREG,
    };
    let mut data = format!(
        "fd={},rootmode={mode:o},user_id={},group_id={}",
        device.as_raw_fd(),
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw()
    );
    if options.checks_permissions() {
        data.push_str(",default_permissions");
    }
    if options.lets_others_in() {
        data.push_str(",allow_other");
    }
    let data = CString::new(data).expect("numbers and words hold no zero byte");
    let flags = mount_flags(&options.flags);
    rustix::mount::mount(
        options.source_name.as_str(),
        path,
        OURS,
        flags,
        data.as_c_str(),
    )
}

/// Later words win over earlier ones. Images hold no programs to trust and no devices, so both are off at first.
fn mount_flags(words: &[String]) -> MountFlags {
    let start = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    words.iter().fold(start, |flags, word| {
        match (flag_of(word), word.starts_with("no")) {
            (Some(flag), true) => flags | flag,
            (Some(flag), false) => flags - flag,
            (None, _) => flags,
        }
    })
}

fn flag_of(word: &str) -> Option<MountFlags> {
    match word.strip_prefix("no").unwrap_or(word) {
        "suid" => Some(MountFlags::NOSUID),
        "dev" => Some(MountFlags::NODEV),
        "exec" => Some(MountFlags::NOEXEC),
        "atime" => Some(MountFlags::NOATIME),
        _ => None,
    }
}

/// The words go to programs and system calls that would cut or misread them.
fn check_words(options: &MountOptions) -> Result<()> {
    if let Some(word) = options.flags.iter().find(|word| flag_of(word).is_none()) {
        return Err(Error::new(
            ErrorKind::Usage,
            format!(
                "mount flag '{word}' is not one of suid, dev, exec, atime and their opposites with no"
            ),
        ));
    }
    if options.source_name.contains('\0') {
        return Err(Error::new(
            ErrorKind::Usage,
            "the name of the source holds a zero byte",
        ));
    }
    Ok(())
}

fn mount_refused(err: Errno) -> Error {
    match err {
        Errno::NODEV => Error::new(
            ErrorKind::Fuse,
            "the kernel knows no FUSE: load the module with 'modprobe fuse'",
        ),
        _ => Error::new(
            ErrorKind::Mountpoint,
            format!("cannot be mounted on: {}", io::Error::from(err)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_mount_is_always_read_only_and_without_devices_unless_told_otherwise() {
        let plain = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
        assert_eq!(mount_flags(&[]), plain);
        assert_eq!(mount_flags(&words(&["noexec", "exec"])), plain);
        assert_eq!(
            mount_flags(&words(&["suid", "dev", "noatime"])),
            MountFlags::RDONLY | MountFlags::NOATIME
        );
    }
}
