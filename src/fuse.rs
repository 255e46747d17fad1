//! The adaptor between the filesystem and the kernel. Here stands which thread answers a request; what the answer is
//! stands in `fuse/server.rs`.
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

use std::{ffi::OsStr, io, path::Path, sync::Arc, time::SystemTime};

use fuser::{
    AccessFlags, BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, INodeNo, IoctlFlags,
    KernelConfig, LockOwner, OpenAccMode, OpenFlags, PollEvents, PollFlags, PollNotifier,
    RenameFlags, ReplyAttr, ReplyBmap, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus,
    ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyPoll, ReplyStatfs, ReplyWrite,
    ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use self::{
    kernel::Kernel,
    opening::Openings,
    options::MountOptions,
    server::{Refusable, Server},
    waiting::{Turn, WaitingRoom, What},
};
use crate::fs::{Filesystem, Seek};

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
            it.lookup(parent.0, &name, reply);
        });
    }

    fn forget(&self, _: &Request, ino: INodeNo, lookups: u64) {
        self.server.forget(ino.0, lookups);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.serve(ino, reply, move |it, reply| it.getattr(ino.0, reply));
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        self.serve(ino, reply, move |it, reply| it.readlink(ino.0, reply));
    }

    fn access(&self, _: &Request, ino: INodeNo, mask: AccessFlags, reply: ReplyEmpty) {
        self.serve(ino, reply, move |it, reply| it.access(ino.0, mask, reply));
    }

    fn open(&self, _: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        if flags.acc_mode() != OpenAccMode::O_RDONLY || flags.0 & libc::O_TRUNC != 0 {
            return reply.error(Errno::EROFS);
        }
        self.serve(ino, reply, move |it, reply| it.open(ino.0, reply));
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
            it.read(handle.0, at, size, reply);
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
        self.serve(ino, reply, move |it, reply| {
            it.lseek(handle.0, at, to, reply);
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
            it.release(ino.0, handle.0, reply);
        });
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.serve(ino, reply, move |it, reply| it.opendir(ino.0, reply));
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        from: u64,
        reply: ReplyDirectory,
    ) {
        self.server.readdir(handle.0, from, reply);
    }

    fn readdirplus(
        &self,
        _: &Request,
        ino: INodeNo,
        handle: FileHandle,
        from: u64,
        reply: ReplyDirectoryPlus,
    ) {
        self.serve(ino, reply, move |it, reply| {
            it.readdirplus(ino.0, handle.0, from, reply);
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
        self.server.releasedir(handle.0, reply);
    }

    fn getxattr(&self, _: &Request, ino: INodeNo, name: &OsStr, room: u32, reply: ReplyXattr) {
        let name = name.to_os_string();
        self.serve(ino, reply, move |it, reply| {
            it.getxattr(ino.0, &name, room, reply);
        });
    }

    fn listxattr(&self, _: &Request, ino: INodeNo, room: u32, reply: ReplyXattr) {
        self.serve(ino, reply, move |it, reply| {
            it.listxattr(ino.0, room, reply);
        });
    }

    fn statfs(&self, _: &Request, ino: INodeNo, reply: ReplyStatfs) {
        self.serve(ino, reply, Server::statfs);
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
