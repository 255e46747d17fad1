//! The file in the making: `OUT.part`, and beside it `OUT.part.state`, a few lines that say whose bytes it holds and
//! how many of them are on the disk.

use std::{
    ffi::OsString,
    fmt::Write,
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustix::fs::FlockOperation;

use super::{sparse, taken};
use crate::{
    Error, Result,
    image::Image,
    output::{self, Existing, folder_of},
};

/// Bytes before the point of resumption that are compared.
const COMPARED: u64 = 1 << 20;

/// More than the state file of a set of 255 files has.
const STATE_LEN: usize = 16 << 10;

/// What the bytes come from: the file that was opened, and of a set the others.
#[derive(Debug)]
pub(super) struct Origin {
    /// One line for each property, all of which must be the same for a run to be continued.
    identity: String,
    size: u64,
    /// Of the newest file.
    modified: SystemTime,
    /// Device and inode of each file.
    files: Vec<(u64, u64)>,
}

impl Origin {
    /// # Errors
    /// `Io` when a file cannot be inspected.
    pub(super) fn of(image: &Image, stored: &Path) -> Result<Self> {
        let mut identity = format!(
            "plainiso part 1\nformat {}\nplain size {}\nstored size {}\n",
            image.format().name,
            image.size(),
            image.stored_size()
        );
        let (mut modified, mut files) = (SystemTime::UNIX_EPOCH, Vec::new());
        // Names that cannot be printed, or differ in letter case, do not lead back to their files. What these hold is
        // then known by its length only.
        let parts = image.details().parts.iter().skip(1);
        let parts = parts
            .map(|name| stored.with_file_name(name))
            .filter(|path| path.is_file());
        for path in std::iter::once(stored.to_path_buf()).chain(parts) {
            let cannot = |e| Error::io(e, "cannot inspect the file").in_file(&path);
            let metadata = fs::metadata(&path).map_err(cannot)?;
            modified = modified.max(metadata.modified().map_err(cannot)?);
            files.push((metadata.dev(), metadata.ino()));
            let (seconds, nanos) = (metadata.mtime(), metadata.mtime_nsec());
            writeln!(identity, "modified {seconds}.{nanos:09}").expect("a string takes everything");
        }
        Ok(Self {
            identity,
            size: image.size(),
            modified,
            files,
        })
    }

    /// Whether a file is one of those that the bytes come from.
    pub(super) fn has(&self, file: &Metadata) -> bool {
        self.files.contains(&(file.dev(), file.ino()))
    }

    /// Whether a file has the size and the time of the complete one.
    pub(super) fn is_complete_in(&self, file: &Metadata) -> bool {
        let modified = file.modified().ok();
        file.len() == self.size && modified == Some(self.modified)
    }

    /// The text of the state file. Its length does not depend on `done`.
    pub(super) fn state(&self, done: u64) -> String {
        format!("{}done {done:020}\n", self.identity)
    }

    /// What a state file says, if it is about this origin.
    fn done_in(&self, state: &str) -> Option<u64> {
        let done = state.strip_prefix(&self.identity)?.strip_prefix("done ")?;
        let done = done.trim_end().parse().ok()?;
        (done <= self.size).then_some(done)
    }
}

/// The file in the making, locked.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    path: PathBuf,
    state_path: PathBuf,
    origin: Origin,
    /// How much is known to be on the disk.
    done: u64,
    /// How much was written.
    written: u64,
}

impl Part {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// `Io` when that is refused, or another process writes it.
    pub(super) fn open(out: &Path, origin: Origin) -> Result<Self> {
        let path = with_ending(out, ".part");
        let cannot = |e| Error::io(e, "cannot write the file").in_file(&path);
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&path)
            .map_err(cannot)?;
        let busy = || taken("another process extracts to this file").in_file(&path);
        let locked = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
        // A file system without locks has no second writer that it could tell us about.
        if locked == Err(rustix::io::Errno::WOULDBLOCK) {
            return Err(busy());
        }
        let opened = file.metadata().map_err(cannot)?;
        if !opened.is_file() {
            return Err(taken("this is no regular file; remove it").in_file(&path));
        }
        // Between opening and locking, another process may have finished the file and given it its name.
        let there = fs::symlink_metadata(&path).map_err(|_| busy())?;
        if (there.dev(), there.ino()) != (opened.dev(), opened.ino()) {
            return Err(busy());
        }
        Ok(Self {
            file,
            state_path: with_ending(&path, ".state"),
            path,
            origin,
            done: 0,
            written: 0,
        })
    }

    /// Where to go on: a block's start, or the image's end. What lies behind is cut off.
    ///
    /// # Errors
    /// `Io` when the file cannot be cut, or the state cannot be written.
    pub(super) fn resume(&mut self, image: &Image) -> Result<u64> {
        let done = self.kept(image).unwrap_or(0);
        let cannot = |e| Error::io(e, "cannot write the file").in_file(&self.path);
        self.file.set_len(done).map_err(cannot)?;
        self.checkpoint(done)
            .map_err(|e| Error::io(e, "cannot write the file").in_file(&self.state_path))?;
        Ok(done)
    }

    /// How much an earlier run left that is the image's.
    fn kept(&self, image: &Image) -> Option<u64> {
        let state = read_state(&self.state_path)?;
        let done = self.origin.done_in(&state)?;
        let done = if done == image.size() {
            done
        } else {
            let block = image.geometry().block_at(done);
            image.geometry().span(block).start
        };
        if self.file.metadata().ok()?.len() < done {
            return None;
        }
        let from = done.saturating_sub(COMPARED);
        let len = usize::try_from(done - from).ok()?;
        let (mut kept, mut plain) = (vec![0; len], vec![0; len]);
        self.file.read_exact_at(&mut kept, from).ok()?;
        image.read_at(&mut plain, from).ok()?;
        (kept == plain).then_some(done)
    }

    /// How much is on the disk, whatever happens.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// Writes the next plain bytes, of which the file holds none yet.
    pub(super) fn write(&mut self, at: u64, plain: &[u8]) -> io::Result<()> {
        sparse::write(&self.file, plain, at)?;
        self.written = at + plain.len() as u64;
        Ok(())
    }

    /// Brings everything up to `done` to the disk, and then says so in the state file.
    pub(super) fn checkpoint(&mut self, done: u64) -> io::Result<()> {
        // A hole at the end is part of what is done.
        self.file.set_len(done)?;
        self.file.sync_data()?;
        let state = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&self.state_path)?;
        let text = self.origin.state(done);
        // One write of a fixed length, so that an interruption leaves the old text or the new one.
        state.write_all_at(text.as_bytes(), 0)?;
        state.set_len(text.len() as u64)?;
        self.done = done;
        Ok(())
    }

    /// Gives the file its size and time, and brings all of it to the disk.
    pub(super) fn complete(&mut self) -> io::Result<()> {
        self.file.set_len(self.origin.size)?;
        self.file.set_modified(self.origin.modified)?;
        self.file.sync_all()
    }

    /// Gives the complete file its name.
    ///
    /// # Errors
    /// `Io` when that is refused, or the name was taken meanwhile.
    pub(super) fn rename(&self, out: &Path, existing: Existing) -> Result<()> {
        output::rename(&self.path, out, existing)
            .map_err(|e| Error::io(e, "cannot give the finished file its name").in_file(out))?;
        let _ = fs::remove_file(&self.state_path);
        // Some file systems cannot sync a folder; the file's bytes are safe in any case.
        let _ = output::sync_folder(folder_of(out));
        Ok(())
    }

    /// Removes what was written.
    pub(super) fn discard(&self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.state_path);
    }

    /// Keeps what was written before an error of the disk, as far as the disk still allows, and explains the error.
    pub(super) fn interrupted(&mut self, err: io::Error) -> Error {
        if self.written > self.done {
            let _ = self.checkpoint(self.written);
        }
        let place = folder_of(&self.path);
        let place = place.display().to_string();
        let doing = match err.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!(
                "no room is left; free some space in {} and run the same command again, it continues at byte {}",
                place.escape_debug(),
                self.done
            ),
            _ => "cannot write the file".into(),
        };
        Error::io(err, doing).in_file(&self.path)
    }
}

fn read_state(path: &Path) -> Option<String> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    let mut text = vec![0; STATE_LEN];
    let n = file.read_at(&mut text, 0).ok()?;
    text.truncate(n);
    String::from_utf8(text).ok()
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}
