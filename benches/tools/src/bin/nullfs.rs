//! The least that a FUSE filesystem can do: one file whose bytes lie ready in memory.
//!
//! What plainiso needs on top of this is plainiso's own. Everything that costs time in the transport is set as
//! plainiso sets it: the library, the number of threads, the size of requests, the page cache.

use std::{
    error::Error,
    ffi::OsStr,
    io,
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use clap::Parser;
use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    InitFlags, KernelConfig, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData,
    ReplyDirectory, ReplyEntry, ReplyOpen, Request, Session, SessionACL,
};
use plainiso_bench_tools::bytes;

const NAME: &str = "null.iso";
const FILE: INodeNo = INodeNo(2);
const TTL: Duration = Duration::from_secs(1);
const REQUEST_BYTES: u32 = 1 << 20;

#[repr(align(4096))]
struct Pages([u8; REQUEST_BYTES as usize]);

/// Not zeroes: the kernel would map them all to one page, which is faster than any real data.
static DATA: Pages = Pages([0x5a; REQUEST_BYTES as usize]);

/// Mounts an empty filesystem with one file, null.iso, and serves it until it is unmounted.
#[derive(Parser)]
struct Arguments {
    mountpoint: PathBuf,
    /// Bytes in the file.
    #[arg(long, value_parser = bytes, default_value = "256M")]
    size: u64,
    /// Threads that answer the kernel.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Bypass the page cache.
    #[arg(long)]
    direct_io: bool,
}

struct Null {
    size: u64,
    flags: FopenFlags,
}

impl Null {
    fn attributes(&self, ino: INodeNo) -> FileAttr {
        let is_file = ino == FILE;
        FileAttr {
            ino,
            size: if is_file { self.size } else { 0 },
            blocks: 0,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_file {
                FileType::RegularFile
            } else {
                FileType::Directory
            },
            perm: if is_file { 0o444 } else { 0o555 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for Null {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for feature in [
            InitFlags::FUSE_AUTO_INVAL_DATA,
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_ASYNC_DIO,
        ] {
            let _ = config.add_capabilities(feature);
        }
        config
            .set_max_write(REQUEST_BYTES)
            .map_err(|nearest| io::Error::other(format!("requests of {nearest} bytes at most")))?;
        Ok(())
    }

    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&TTL, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &self.attributes(ino));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(1), self.flags);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        at: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let len = left.min(size as usize).min(DATA.0.len());
        reply.data(&DATA.0[..len]);
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        from: u64,
        mut reply: ReplyDirectory,
    ) {
        if from == 0 {
            let _ = reply.add(FILE, 1, FileType::RegularFile, NAME);
        }
        reply.ok();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let null = Null {
        size: arguments.size,
        flags: if arguments.direct_io {
            FopenFlags::FOPEN_DIRECT_IO
        } else {
            FopenFlags::FOPEN_KEEP_CACHE
        },
    };
    let mut config = Config::default();
    config.mount_options = vec![MountOption::RO, MountOption::FSName("nullfs".into())];
    config.acl = SessionACL::Owner;
    config.n_threads = Some(arguments.threads);
    Session::new(null, &arguments.mountpoint, &config)?
        .spawn()?
        .join()?;
    Ok(())
}
