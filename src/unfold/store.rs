//! Where decoded bytes are put: memory for small images, and a file without a name for others.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use super::kept;
use crate::{Error, Result};

/// Images up to this size are kept in memory.
const SMALL: u64 = 4 << 20;

/// The most that all files of this process take together.
const MOST_SPILLED: u64 = 20 << 30;

/// What they take now, with the room that is set aside for what is not decoded yet.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// Room for the plain bytes of one image.
#[derive(Debug)]
pub(super) enum Store {
    Memory(RwLock<Vec<u8>>),
    File { file: File, _room: Room },
}

/// Room that is set aside until it is dropped.
#[derive(Debug)]
pub(super) struct Room(u64);

impl Store {
    /// Room for an image of `size` bytes. Nothing is taken for it before it is written.
    pub(super) fn of(size: u64) -> Result<Self> {
        if size <= SMALL {
            return Ok(Self::Memory(RwLock::default()));
        }
        let folder = kept::spill_folder().ok_or_else(|| {
            let why = "the image has to be decoded into a file, and there is no folder for it: \
                set XDG_CACHE_HOME or HOME";
            Error::io(io::ErrorKind::NotFound.into(), why)
        })?;
        let shown = folder.display();
        let cannot = |doing: &str, err| Error::io(err, format!("cannot {doing} in {shown}"));
        fs::create_dir_all(&folder).map_err(|err| cannot("make the folder", err))?;
        let free = rustix::fs::statvfs(&folder)
            .map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize));
        let room = Room::set_aside(size, free)?;
        let file = tempfile::tempfile_in(&folder).map_err(|err| cannot("make a file", err))?;
        file.set_len(size).map_err(|err| cannot("make room", err))?;
        Ok(Self::File { file, _room: room })
    }

    /// Puts plain bytes to their place.
    pub(super) fn write(&self, bytes: &[u8], at: u64) -> Result<()> {
        match self {
            Self::Memory(all) => {
                let mut all = all.write().unwrap_or_else(PoisonError::into_inner);
                let at = usize::try_from(at).expect("it is inside a small image");
                let end = at + bytes.len();
                if all.len() < end {
                    all.resize(end, 0);
                }
                all[at..end].copy_from_slice(bytes);
                Ok(())
            }
            // The file is zeroes where nothing was written.
            Self::File { .. } if bytes.iter().all(|&byte| byte == 0) => Ok(()),
            Self::File { file, .. } => file
                .write_all_at(bytes, at)
                .map_err(|err| Error::io(err, "cannot keep the decoded bytes")),
        }
    }

    /// Fills `buf` with bytes that were written.
    pub(super) fn read(&self, buf: &mut [u8], at: u64) -> Result<()> {
        match self {
            Self::Memory(all) => {
                let all = all.read().unwrap_or_else(PoisonError::into_inner);
                let at = usize::try_from(at).expect("it is inside a small image");
                buf.copy_from_slice(&all[at..at + buf.len()]);
                Ok(())
            }
            Self::File { file, .. } => file
                .read_exact_at(buf, at)
                .map_err(|err| Error::io(err, "cannot read the decoded bytes back")),
        }
    }
}

impl Room {
    fn set_aside(size: u64, free: u64) -> Result<Self> {
        let before = TAKEN.fetch_add(size, Ordering::Relaxed);
        let room = Self(size);
        let most = most(before, free);
        if size <= most {
            return Ok(room);
        }
        let message = format!(
            "the image has {size} bytes in one piece, which has to be decoded into a file in the cache folder; \
             only {most} bytes may be taken there (half of what is free, {MOST_SPILLED} for all images): \
             free some space, or compress the image in blocks"
        );
        let full = io::Error::from_raw_os_error(libc::ENOSPC);
        Err(Error::io(full, message))
    }
}

/// The most that may be taken beside what is.
fn most(taken: u64, free: u64) -> u64 {
    MOST_SPILLED.saturating_sub(taken).min(free / 2)
}

impl Drop for Room {
    fn drop(&mut self) {
        TAKEN.fetch_sub(self.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_by_what_is_free_and_by_what_is_taken_already() {
        assert_eq!(most(0, 200 << 20), 100 << 20);
        assert_eq!(most(0, u64::MAX), MOST_SPILLED);
        assert_eq!(most(MOST_SPILLED - 5, u64::MAX), 5);
        assert_eq!(most(MOST_SPILLED + 5, u64::MAX), 0);
        let err = Room::set_aside(101 << 20, 200 << 20).unwrap_err();
        assert_eq!(err.os_error(), Some(libc::ENOSPC));
    }

    #[test]
    fn zeroes_take_no_room_in_the_file_and_are_read_back() {
        use std::os::unix::fs::MetadataExt;
        let size = SMALL + 10;
        let Ok(Store::File { file, .. }) = &Store::of(size) else {
            return eprintln!("left out: there is no folder for caches");
        };
        assert_eq!(file.metadata().unwrap().len(), size);
        let store = Store::of(size).unwrap();
        store.write(&[0; 4096], 4096).unwrap();
        store.write(&[7; 10], SMALL).unwrap();
        let mut read = [1; 12];
        store.read(&mut read, SMALL - 2).unwrap();
        assert_eq!(read, [0, 0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]);
        let Store::File { file, .. } = &store else {
            unreachable!()
        };
        assert!(file.metadata().unwrap().blocks() * 512 < 1 << 20);
    }
}
