//! What requests are answered, on whichever thread that is: each is one call of [`Filesystem`], every error one errno,
//! every panic an EIO.

use std::{ffi::OsStr, fs::File, sync::Arc, time::Duration};

use fuser::{
    AccessFlags, Errno, FileHandle, FopenFlags, INodeNo, ReplyAttr, ReplyData, ReplyDirectory,
    ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyXattr,
};

use super::{
    answer,
    attr::{file_attr, file_type, generation, send_xattr},
    buffer, listing,
    opening::Openings,
};
use crate::{
    Result,
    fs::{Filesystem, Ino, Seek},
};

/// How long the kernel may believe a name or an attribute: a change below is seen after this time at the latest.
const TTL: Duration = Duration::from_secs(1);

/// The filesystem, and what is known about its open files.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) filesystem: Arc<Filesystem>,
    pub(super) openings: Openings,
}

impl Server {
    /// Does one request's work.
    fn answer<T>(
        &self,
        request: &str,
        work: impl FnOnce(&Filesystem) -> Result<T>,
    ) -> std::result::Result<T, Errno> {
        answer::guarded(request, || work(&self.filesystem)).map_err(Errno::from_i32)
    }

    /// Does one request's work whose outcome the kernel does not want to know.
    fn tell(&self, request: &str, work: impl FnOnce(&Filesystem)) {
        let _ = self.answer(request, |fs| {
            work(fs);
            Ok(())
        });
    }
}

impl Server {
    pub(super) fn lookup(&self, parent: Ino, name: &OsStr, reply: ReplyEntry) {
        let found = self.answer("lookup", |fs| match name.as_encoded_bytes() {
            b"." => fs.look_up_number(parent),
            b".." => fs.look_up_parent(parent),
            _ => fs.lookup(parent, name),
        });
        match found {
            Ok(found) => reply.entry(&TTL, &file_attr(&found), generation(&found)),
            Err(errno) => reply.error(errno),
        }
    }

    pub(super) fn forget(&self, ino: Ino, lookups: u64) {
        self.tell("forget", |fs| fs.forget(ino, lookups));
    }

    pub(super) fn getattr(&self, ino: Ino, reply: ReplyAttr) {
        match self.answer("getattr", |fs| fs.attributes(ino)) {
            Ok(attributes) => reply.attr(&TTL, &file_attr(&attributes)),
            Err(errno) => reply.error(errno),
        }
    }

    pub(super) fn readlink(&self, ino: Ino, reply: ReplyData) {
        match self.answer("readlink", |fs| fs.read_link(ino)) {
            Ok(target) => reply.data(target.as_encoded_bytes()),
            Err(errno) => reply.error(errno),
        }
    }

    /// Asked only without `default_permissions`. Then nobody but the owner gets in, who may read everything.
    pub(super) fn access(&self, ino: Ino, mask: AccessFlags, reply: ReplyEmpty) {
        match self.answer("access", |fs| fs.attributes(ino)) {
            Err(errno) => reply.error(errno),
            Ok(_) if mask.contains(AccessFlags::W_OK) => reply.error(Errno::EROFS),
            Ok(it) if mask.contains(AccessFlags::X_OK) && it.mode & 0o111 == 0 => {
                reply.error(Errno::EACCES);
            }
            Ok(_) => reply.ok(),
        }
    }

    pub(super) fn open(&self, ino: Ino, reply: ReplyOpen) {
        let back = |file: &File| reply.open_backing(file);
        match self.answer("open", |fs| self.openings.open(fs, ino, back)) {
            Ok(opened) => opened.send(reply),
            Err(errno) => reply.error(errno),
        }
    }

    pub(super) fn read(&self, handle: u64, at: u64, size: u32, reply: ReplyData) {
        buffer::with(size as usize, |out| {
            match self.answer("read", |fs| fs.view(handle, out, at)) {
                Ok(plain) => reply.data(&plain),
                Err(errno) => reply.error(errno),
            }
        });
    }

    pub(super) fn lseek(&self, handle: u64, at: i64, to: Seek, reply: ReplyLseek) {
        // Before the start is as far out of range as behind the end.
        let at = u64::try_from(at).unwrap_or(u64::MAX);
        let found = self.answer("lseek", |fs| fs.seek(handle, at, to));
        match found.and_then(|at| i64::try_from(at).map_err(|_| Errno::EOVERFLOW)) {
            Ok(at) => reply.offset(at),
            Err(errno) => reply.error(errno),
        }
    }

    pub(super) fn release(&self, ino: Ino, handle: u64, reply: ReplyEmpty) {
        self.tell("release", |fs| self.openings.release(fs, ino, handle));
        reply.ok();
    }

    /// The kernel is not asked to keep listings: names may change without the folder's own mtime, when an image is
    /// replaced by something that is none.
    pub(super) fn opendir(&self, ino: Ino, reply: ReplyOpen) {
        match self.answer("opendir", |fs| fs.open_directory(ino)) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(errno) => reply.error(errno),
        }
    }

    pub(super) fn readdir(&self, handle: u64, from: u64, mut reply: ReplyDirectory) {
        let filled = self.answer("readdir", |fs| {
            listing::list(fs, handle, from, |next, line| {
                reply.add(INodeNo(line.ino), next, file_type(line.kind), &line.name)
            })
        });
        match filled {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    pub(super) fn readdirplus(
        &self,
        ino: Ino,
        handle: u64,
        from: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let filled = self.answer("readdirplus", |fs| {
            listing::list_with_attributes(fs, ino, handle, from, |next, line, found| {
                let ttl = found.map_or(Duration::ZERO, |_| TTL);
                let found = found.cloned();
                let found = found.unwrap_or_else(|| listing::placeholder(fs, line));
                let (attr, generation) = (file_attr(&found), generation(&found));
                reply.add(attr.ino, next, &line.name, &ttl, &attr, generation)
            })
        });
        match filled {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    pub(super) fn releasedir(&self, handle: u64, reply: ReplyEmpty) {
        self.tell("releasedir", |fs| fs.release_directory(handle));
        reply.ok();
    }

    pub(super) fn getxattr(&self, ino: Ino, name: &OsStr, room: u32, reply: ReplyXattr) {
        match self.answer("getxattr", |fs| fs.xattr(ino, name)) {
            Ok(Some(value)) => send_xattr(reply, &value, room),
            Ok(None) => reply.error(Errno::NO_XATTR),
            Err(errno) => reply.error(errno),
        }
    }

    pub(super) fn listxattr(&self, ino: Ino, room: u32, reply: ReplyXattr) {
        match self.answer("listxattr", |fs| fs.xattr_names(ino)) {
            Ok(names) => {
                let list: String = names.iter().flat_map(|name| [name, "\0"]).collect();
                send_xattr(reply, list.as_bytes(), room);
            }
            Err(errno) => reply.error(errno),
        }
    }

    pub(super) fn statfs(&self, reply: ReplyStatfs) {
        match self.answer("statfs", Filesystem::space) {
            Ok(it) => reply.statfs(
                it.blocks,
                0,
                0,
                it.files,
                0,
                it.block_size,
                it.name_len,
                it.block_size,
            ),
            Err(errno) => reply.error(errno),
        }
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
