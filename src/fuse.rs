//! The adaptor between the filesystem and the kernel: every request becomes one call of [`Filesystem`], every
//! error one errno, every panic an EIO.
//!
//! Requests that would write are answered with EROFS here, although a read-only mount seldom lets them through:
//! the mount can be remounted by root.

mod answer;
mod attr;
mod buffer;
mod features;
mod kernel;
#[cfg(target_os = "linux")]
mod linux;
mod listing;
#[cfg(not(target_os = "linux"))]
mod macos;
mod opening;
mod options;
mod patterns;
mod rest;
mod server;
pub mod session;
mod unused;
mod waiting;
mod ways;

use std::{
    ffi::OsStr,
    fs::File,
    io,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use fuser::{
    AccessFlags, BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, FopenFlags, INodeNo,
    IoctlFlags, KernelConfig, LockOwner, OpenAccMode, OpenFlags, PollEvents, PollFlags,
    PollNotifier, RenameFlags, ReplyAttr, ReplyBmap, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyPoll,
    ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use self::{
    attr::{file_attr, file_type, generation, send_xattr},
    kernel::Kernel,
    opening::Openings,
    options::MountOptions,
    server::{Refusable, Server},
    waiting::{Turn, WaitingRoom, What},
};
use crate::fs::{Filesystem, Seek};

/// How long the kernel may believe a name or an attribute: a change below is seen after this time at the latest.
const TTL: Duration = Duration::from_secs(1);

/// Answers the kernel out of a filesystem.
pub(crate) struct Adaptor {
    server: Arc<Server>,
    room: WaitingRoom,
    readahead: Option<u32>,
}

impl Adaptor {
    fn new(filesystem: Arc<Filesystem>, kernel: Arc<Kernel>, options: &MountOptions) -> Self {
        Self {
            server: Arc::new(Server {
                filesystem,
                openings: Openings::new(options.direct_io.clone(), kernel),
            }),
            room: WaitingRoom::new(session::threads(options)),
            readahead: options.readahead,
        }
    }

    /// Does one request's work, which may touch a source and so may take long: on this thread, or on another if this
    /// is the last one that is free.
    fn serve<R: Refusable>(
        &self,
        ino: INodeNo,
        reply: R,
        work: impl FnOnce(&Server, R) + Send + 'static,
    ) {
        self.serve_what(What::Other, ino, reply, work);
    }

    fn serve_what<R: Refusable>(
        &self,
        what: What,
        ino: INodeNo,
        reply: R,
        work: impl FnOnce(&Server, R) + Send + 'static,
    ) {
        if self.room.enter() {
            work(&self.server, reply);
            return self.room.leave();
        }
        let server = Arc::clone(&self.server);
        let source = server.filesystem.device_of(ino.0);
        self.room.put((source, what), move |turn| match turn {
            Turn::Work => work(&server, reply),
            Turn::Refused => reply.refuse(),
        });
    }
}

/// Requests that get the same answer whatever they ask for.
macro_rules! refuse {
    ($errno:ident: $($request:ident($($argument:ty),*) -> $reply:ty;)*) => {$(
        fn $request(&self, _: &Request, $(_: $argument,)* reply: $reply) {
            reply.error(Errno::$errno);
        }
    )*};
}

impl fuser::Filesystem for Adaptor {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        self.server.openings.ask(config);
        let is_exported = self.server.filesystem.is_exported();
        features::ask(config, self.readahead, is_exported)
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        // A server of NFS has the kernel ask for a number by `.`, and for its folder by `..`.
        let what = match name.as_encoded_bytes() {
            b"." | b".." => What::Number,
            _ => What::Other,
        };
        let name = name.to_os_string();
        self.serve_what(what, parent, reply, move |it, reply| {
            let found = it.answer("lookup", |fs| match name.as_encoded_bytes() {
                b"." => fs.look_up_number(parent.0),
                b".." => fs.look_up_parent(parent.0),
                _ => fs.lookup(parent.0, &name),
            });
            match found {
                Ok(found) => reply.entry(&TTL, &file_attr(&found), generation(&found)),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn forget(&self, _: &Request, ino: INodeNo, lookups: u64) {
        self.server.tell("forget", |fs| fs.forget(ino.0, lookups));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.serve(ino, reply, move |it, reply| {
            match it.answer("getattr", |fs| fs.attributes(ino.0)) {
                Ok(attributes) => reply.attr(&TTL, &file_attr(&attributes)),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        self.serve(ino, reply, move |it, reply| {
            match it.answer("readlink", |fs| fs.read_link(ino.0)) {
                Ok(target) => reply.data(target.as_encoded_bytes()),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn access(&self, _: &Request, ino: INodeNo, mask: AccessFlags, reply: ReplyEmpty) {
        // Asked only without default_permissions. Then nobody but the owner gets in, who may read everything.
        self.serve(ino, reply, move |it, reply| {
            match it.answer("access", |fs| fs.attributes(ino.0)) {
                Err(errno) => reply.error(errno),
                Ok(_) if mask.contains(AccessFlags::W_OK) => reply.error(Errno::EROFS),
                Ok(it) if mask.contains(AccessFlags::X_OK) && it.mode & 0o111 == 0 => {
                    reply.error(Errno::EACCES);
                }
                Ok(_) => reply.ok(),
            }
        });
    }

    fn open(&self, _: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        if flags.acc_mode() != OpenAccMode::O_RDONLY || flags.0 & libc::O_TRUNC != 0 {
            return reply.error(Errno::EROFS);
        }
        self.serve(ino, reply, move |it, reply| {
            let back = |file: &File| reply.open_backing(file);
            match it.answer("open", |fs| it.openings.open(fs, ino.0, back)) {
                Ok(opened) => opened.send(reply),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        handle: FileHandle,
        at: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.serve_what(What::Read, ino, reply, move |it, reply| {
            buffer::with(size as usize, |out| {
                match it.answer("read", |fs| fs.view(handle.0, out, at)) {
                    Ok(plain) => reply.data(&plain),
                    Err(errno) => reply.error(errno),
                }
            });
        });
    }

    fn lseek(
        &self,
        _: &Request,
        ino: INodeNo,
        handle: FileHandle,
        at: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let to = match whence {
            libc::SEEK_DATA => Seek::Data,
            libc::SEEK_HOLE => Seek::Hole,
            _ => return reply.error(Errno::EINVAL),
        };
        // Before the start is as far out of range as behind the end.
        let at = u64::try_from(at).unwrap_or(u64::MAX);
        self.serve(ino, reply, move |it, reply| {
            let found = it.answer("lseek", |fs| fs.seek(handle.0, at, to));
            match found.and_then(|at| i64::try_from(at).map_err(|_| Errno::EOVERFLOW)) {
                Ok(at) => reply.offset(at),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn release(
        &self,
        _: &Request,
        ino: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.serve(ino, reply, move |it, reply| {
            it.tell("release", |fs| it.openings.release(fs, ino.0, handle.0));
            reply.ok();
        });
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // The kernel is not asked to keep listings: names may change without the folder's own mtime, when an image
        // is replaced by something that is none.
        self.serve(ino, reply, move |it, reply| {
            match it.answer("opendir", |fs| fs.open_directory(ino.0)) {
                Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        from: u64,
        mut reply: ReplyDirectory,
    ) {
        let filled = self.server.answer("readdir", |fs| {
            listing::list(fs, handle.0, from, |next, line| {
                reply.add(INodeNo(line.ino), next, file_type(line.kind), &line.name)
            })
        });
        match filled {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn readdirplus(
        &self,
        _: &Request,
        ino: INodeNo,
        handle: FileHandle,
        from: u64,
        reply: ReplyDirectoryPlus,
    ) {
        self.serve(ino, reply, move |it, mut reply| {
            let filled = it.answer("readdirplus", |fs| {
                listing::list_with_attributes(fs, ino.0, handle.0, from, |next, line, found| {
                    let placeholder = || listing::placeholder(&it.filesystem, line);
                    let ttl = found.map_or(Duration::ZERO, |_| TTL);
                    let found = found.cloned().unwrap_or_else(placeholder);
                    let (attr, generation) = (file_attr(&found), generation(&found));
                    reply.add(attr.ino, next, &line.name, &ttl, &attr, generation)
                })
            });
            match filled {
                Ok(()) => reply.ok(),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn releasedir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.server
            .tell("releasedir", |fs| fs.release_directory(handle.0));
        reply.ok();
    }

    fn getxattr(&self, _: &Request, ino: INodeNo, name: &OsStr, room: u32, reply: ReplyXattr) {
        let name = name.to_os_string();
        self.serve(ino, reply, move |it, reply| {
            match it.answer("getxattr", |fs| fs.xattr(ino.0, &name)) {
                Ok(Some(value)) => send_xattr(reply, &value, room),
                Ok(None) => reply.error(Errno::NO_XATTR),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn listxattr(&self, _: &Request, ino: INodeNo, room: u32, reply: ReplyXattr) {
        self.serve(ino, reply, move |it, reply| {
            match it.answer("listxattr", |fs| fs.xattr_names(ino.0)) {
                Ok(names) => {
                    let list: String = names.iter().flat_map(|name| [name, "\0"]).collect();
                    send_xattr(reply, list.as_bytes(), room);
                }
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn statfs(&self, _: &Request, ino: INodeNo, reply: ReplyStatfs) {
        self.serve(ino, reply, move |it, reply| {
            match it.answer("statfs", Filesystem::space) {
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
        });
    }

    refuse! { EROFS:
        setattr(INodeNo, Option<u32>, Option<u32>, Option<u32>, Option<u64>, Option<TimeOrNow>, Option<TimeOrNow>,
            Option<SystemTime>, Option<FileHandle>, Option<SystemTime>, Option<SystemTime>, Option<SystemTime>,
            Option<BsdFileFlags>) -> ReplyAttr;
        mknod(INodeNo, &OsStr, u32, u32, u32) -> ReplyEntry;
        mkdir(INodeNo, &OsStr, u32, u32) -> ReplyEntry;
        unlink(INodeNo, &OsStr) -> ReplyEmpty;
        rmdir(INodeNo, &OsStr) -> ReplyEmpty;
        symlink(INodeNo, &OsStr, &Path) -> ReplyEntry;
        rename(INodeNo, &OsStr, INodeNo, &OsStr, RenameFlags) -> ReplyEmpty;
        link(INodeNo, INodeNo, &OsStr) -> ReplyEntry;
        write(INodeNo, FileHandle, u64, &[u8], WriteFlags, OpenFlags, Option<LockOwner>) -> ReplyWrite;
        setxattr(INodeNo, &OsStr, &[u8], i32, u32) -> ReplyEmpty;
        removexattr(INodeNo, &OsStr) -> ReplyEmpty;
        create(INodeNo, &OsStr, u32, u32, i32) -> ReplyCreate;
        fallocate(INodeNo, FileHandle, u64, u64, i32) -> ReplyEmpty;
        copy_file_range(INodeNo, FileHandle, u64, INodeNo, FileHandle, u64, u64, CopyFileRangeFlags) -> ReplyWrite;
    }

    refuse! { ENOTTY: ioctl(INodeNo, FileHandle, IoctlFlags, u32, &[u8], u32) -> ReplyIoctl; }

    // There is nothing to flush: with this answer the kernel reports success and stops asking.
    refuse! { ENOSYS:
        flush(INodeNo, FileHandle, LockOwner) -> ReplyEmpty;
        fsync(INodeNo, FileHandle, bool) -> ReplyEmpty;
        fsyncdir(INodeNo, FileHandle, bool) -> ReplyEmpty;
        bmap(INodeNo, u32, u64) -> ReplyBmap;
        poll(INodeNo, FileHandle, PollNotifier, PollEvents, PollFlags) -> ReplyPoll;
    }
}
