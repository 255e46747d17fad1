//! How the kernel is to read a file that it opens: through its cache, around it, or past us.
//!
//! Past us is for files that are shown as they are stored, on kernels that can (Linux 6.9) and for mounts by root:
//! reads go to the stored file, and we are not asked.
//!
//! An inode stands for one open file at a time. Another file that takes its name gets another number: the kernel
//! keeps the pages of both, or the stored files of both, apart by their numbers only.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use fuser::{BackingId, FileHandle, FopenFlags, InitFlags, KernelConfig, ReplyOpen};

use super::{kernel::Kernel, patterns::Pattern, ways::Ways};
use crate::{
    Error, ErrorKind, Result,
    fs::{Filesystem, Ino, OpenFile, ROOT, SharedFile},
};

/// Opens files, and knows how each is read that is open.
#[derive(Debug)]
pub(super) struct Openings {
    direct_io: Vec<Pattern>,
    /// Whether the kernel may be told to read past us.
    may_pass: AtomicBool,
    ways: Ways<Reading>,
    kernel: Arc<Kernel>,
}

/// An open file, and how it is read.
#[derive(Debug)]
struct Reading {
    file: SharedFile,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// Through the kernel's cache.
    Cached,
    /// From us, each time.
    Direct,
    /// From the stored file, which has a number at the kernel that ends with this.
    Past(BackingId),
}

/// What the kernel is told about a file that it opened.
#[derive(Debug)]
pub(super) struct Opened {
    file: OpenFile,
    reading: Arc<Reading>,
}

impl Openings {
    pub(super) fn new(direct_io: Vec<Pattern>, kernel: Arc<Kernel>) -> Self {
        Self {
            direct_io,
            may_pass: AtomicBool::new(false),
            ways: Ways::default(),
            kernel,
        }
    }

    /// Asks the kernel for what the ways need. A kernel without it is served as well.
    pub(super) fn ask(&self, config: &mut KernelConfig) {
        let _ = config.add_capabilities(InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP);
        let passes = config.add_capabilities(InitFlags::FUSE_PASSTHROUGH);
        let may_pass = passes.is_ok() && config.set_max_stack_depth(1).is_ok();
        self.may_pass.store(may_pass, Ordering::Relaxed);
    }

    /// Opens a file; `back` gives the kernel a stored file to read from.
    ///
    /// # Errors
    /// What opening reports; ESTALE when the kernel has to look the name up again, which it does by itself.
    pub(super) fn open(
        &self,
        fs: &Filesystem,
        ino: Ino,
        back: impl FnOnce(&File) -> io::Result<BackingId>,
    ) -> Result<Opened> {
        let is_direct = self.is_direct(fs, ino)?;
        let file = fs.open(ino).map_err(|err| stale_if_gone(ino, err))?;
        let shared = fs.shared(file.handle)?;
        let reading = self.ways.enter(ino, || Reading {
            way: if is_direct {
                Way::Direct
            } else {
                self.past_us(ino, &shared, back)
            },
            file: shared.clone(),
        });
        // The root has one number only.
        if cfg!(target_os = "linux") && ino != ROOT && !reading.is_of(&shared) {
            fs.displace(ino, &reading.file);
            self.kernel.forget_attributes(ino);
        }
        if let Err(stale) = fs.check_named(ino) {
            self.release(fs, ino, file.handle);
            return Err(stale);
        }
        // It may believe in the size that another file had under this name, and would cut reads there.
        if !file.unchanged {
            self.kernel.forget_attributes(ino);
        }
        Ok(Opened { file, reading })
    }

    /// Closes a file.
    pub(super) fn release(&self, fs: &Filesystem, ino: Ino, handle: u64) {
        fs.release(handle);
        self.ways.leave(ino);
    }

    fn is_direct(&self, fs: &Filesystem, ino: Ino) -> Result<bool> {
        if self.direct_io.is_empty() {
            return Ok(false);
        }
        let shown = fs.shown_path(ino)?;
        Ok(self.direct_io.iter().any(|it| it.matches(&shown)))
    }

    /// The way past us where it is open, else through the cache.
    fn past_us(
        &self,
        ino: Ino,
        file: &SharedFile,
        back: impl FnOnce(&File) -> io::Result<BackingId>,
    ) -> Way {
        let plain = match file.plain() {
            Some(plain) if ino != ROOT && self.may_pass.load(Ordering::Relaxed) => plain,
            _ => return Way::Cached,
        };
        match takes_o_direct(plain).and_then(|()| back(plain)) {
            Ok(backing) => Way::Past(backing),
            Err(err) => {
                if err.raw_os_error() == Some(libc::EPERM) {
                    self.may_pass.store(false, Ordering::Relaxed);
                }
                log::debug!("plain files are read through us: {err}");
                Way::Cached
            }
        }
    }
}

impl Reading {
    /// Whether who reads this reads `file`. A plain file that was changed in place, such as a log, is still the same.
    fn is_of(&self, file: &SharedFile) -> bool {
        self.file == *file || is_same(self.file.plain(), file.plain())
    }
}

/// Of a file that is gone, the kernel looks the name up again for who opened it by a path, and says that it is not
/// there. Who opened it by a handle is told that the handle is stale.
fn stale_if_gone(ino: Ino, err: Error) -> Error {
    if err.kind() != ErrorKind::NotFound || ino == ROOT || !cfg!(target_os = "linux") {
        return err;
    }
    let stale = io::Error::from_raw_os_error(libc::ESTALE);
    Error::io(stale, "the file is gone")
}

fn is_same(a: Option<&File>, b: Option<&File>) -> bool {
    let id = |file: &File| file.metadata().ok().map(|it| (it.dev(), it.ino()));
    let id_of = |file: Option<&File>| file.and_then(id);
    id_of(a).is_some_and(|a| Some(a) == id_of(b))
}

impl Opened {
    pub(super) fn send(self, reply: ReplyOpen) {
        let handle = FileHandle(self.file.handle);
        if let Way::Past(backing) = &self.reading.way {
            return reply.opened_passthrough(handle, FopenFlags::empty(), backing);
        }
        let is_direct = matches!(self.reading.way, Way::Direct);
        let mut flags = FopenFlags::empty();
        flags.set(FopenFlags::FOPEN_KEEP_CACHE, self.file.unchanged);
        flags.set(FopenFlags::FOPEN_DIRECT_IO, is_direct);
        // Whoever gets the answer may read and close the file before this thread goes on. Nothing holds it then, and
        // it is counted for what it was.
        drop(self.reading);
        reply.opened(handle, flags);
    }
}

/// Past us, the kernel opens the stored file with the reader's own flags. Where it refuses `O_DIRECT` there, the reader
/// would get an error that it does not get from us.
fn takes_o_direct(file: &File) -> io::Result<()> {
    OpenOptions::new()
        .read(true)
        .custom_flags(O_DIRECT)
        .open(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .map(drop)
}

#[cfg(target_os = "linux")]
const O_DIRECT: i32 = libc::O_DIRECT;
/// Nothing is passed there.
#[cfg(not(target_os = "linux"))]
const O_DIRECT: i32 = 0;
