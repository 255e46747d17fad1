//! What the operating system tells about files and folders, and how a change is noticed.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, SystemTime},
};

use super::{StableHash, refused};
use crate::{Error, ErrorKind, Result};

/// What a file or folder on disk tells about itself. For a set of files: of all together.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    /// Bytes, of all files of a set together.
    pub stored_size: u64,
    /// Last change, the newest of a set.
    pub mtime: SystemTime,
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Another for each file, however it is written to: device, inode and time of birth, where the file system tells
    /// that; without it a new file may get the number of one that was removed. Of a set, that of the first file.
    pub identity: u64,
    /// Changes whenever a file is replaced or written to.
    pub fingerprint: u64,
}

impl Stat {
    /// Inspects a regular file.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Io` when it cannot be inspected.
    pub(super) fn of_file(path: &Path) -> Result<Self> {
        let cannot = |e| refused(e, path, "cannot inspect the file");
        let metadata = fs::metadata(path).map_err(cannot)?;
        if !metadata.is_file() {
            let gone = Error::new(ErrorKind::NotFound, "this is no regular file");
            return Err(gone.in_file(path));
        }
        Ok(Self::from(&metadata))
    }

    /// Inspects a folder, or what else stands there.
    ///
    /// # Errors
    /// `NotFound` when there is nothing, `Io` when it cannot be inspected.
    pub fn of(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path);
        Ok(Self::from(&metadata.map_err(|e| {
            refused(e, path, "cannot inspect the folder")
        })?))
    }

    /// Inspects a symbolic link itself.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Io` when it cannot be inspected.
    pub fn of_link(path: &Path) -> Result<Self> {
        let metadata = fs::symlink_metadata(path);
        Ok(Self::from(&metadata.map_err(|e| {
            refused(e, path, "cannot inspect the link")
        })?))
    }

    /// Adds a later file of the same set.
    pub(super) fn and(self, part: &Self) -> Self {
        Self {
            stored_size: self.stored_size.saturating_add(part.stored_size),
            mtime: self.mtime.max(part.mtime),
            fingerprint: StableHash::new()
                .number(self.fingerprint)
                .number(part.fingerprint)
                .finish(),
            ..self
        }
    }
}

impl From<&Metadata> for Stat {
    fn from(metadata: &Metadata) -> Self {
        let numbers = [
            metadata.dev(),
            metadata.ino(),
            metadata.len(),
            bits(metadata.mtime()),
            bits(metadata.mtime_nsec()),
            bits(metadata.ctime()),
            bits(metadata.ctime_nsec()),
        ];
        let hash = numbers
            .into_iter()
            .fold(StableHash::new(), StableHash::number);
        Self {
            stored_size: metadata.len(),
            mtime: time(metadata.mtime(), metadata.mtime_nsec()),
            mode: metadata.mode(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            identity: identity(metadata),
            fingerprint: hash.finish(),
        }
    }
}

/// A change within this time before a listing may share its time stamp with one after it: clocks of file systems
/// tick every 10 ms or faster.
const TICK: Duration = Duration::from_millis(20);

/// A folder's identity and times, taken before it was listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct FolderStamp {
    fingerprint: u64,
    changed: SystemTime,
    taken: SystemTime,
}

impl FolderStamp {
    pub(super) fn of(path: &Path) -> Result<Self> {
        let cannot = |e| refused(e, path, "cannot inspect the folder");
        let metadata = fs::metadata(path).map_err(cannot)?;
        let changed = time(metadata.ctime(), metadata.ctime_nsec());
        Ok(Self {
            fingerprint: Stat::from(&metadata).fingerprint,
            changed: changed.max(time(metadata.mtime(), metadata.mtime_nsec())),
            taken: SystemTime::now(),
        })
    }

    /// Whether a listing made after `self` was taken still shows what is there at `later`.
    pub(super) fn still_holds(&self, later: &Self) -> bool {
        self.fingerprint == later.fingerprint && (self.is_settled() || !self.is_older_than(later))
    }

    /// Whether the last change is old enough that a further one gets another time.
    fn is_settled(&self) -> bool {
        let since = self.taken.duration_since(self.changed);
        since.is_ok_and(|since| since > TICK)
    }

    /// Whether it is worth to look again: always soon after a change; but where the folder's clock runs ahead of
    /// ours (a network share), only once a second.
    fn is_older_than(&self, later: &Self) -> bool {
        let ahead = self.changed.duration_since(self.taken).unwrap_or_default();
        let pause = if ahead > TICK {
            Duration::from_secs(1)
        } else {
            Duration::ZERO
        };
        later
            .taken
            .duration_since(self.taken)
            .is_ok_and(|age| age >= pause)
    }
}

fn identity(metadata: &Metadata) -> u64 {
    let born = metadata.created().ok();
    let born = born.and_then(|born| born.duration_since(SystemTime::UNIX_EPOCH).ok());
    let born = born.unwrap_or_default();
    let hash = [
        metadata.dev(),
        metadata.ino(),
        born.as_secs(),
        born.subsec_nanos().into(),
    ];
    let hash = hash.into_iter().fold(StableHash::new(), StableHash::number);
    hash.finish()
}

/// The numbers that tell one folder from another.
pub(super) fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn bits(number: i64) -> u64 {
    u64::from_ne_bytes(number.to_ne_bytes())
}

fn time(seconds: i64, nanos: i64) -> SystemTime {
    let nanos = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let base = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    base.and_then(|base| base.checked_add(nanos))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_000_000;

    /// The stamp of a folder that changed at noon, taken so many milliseconds later (or earlier).
    fn taken(after: i64) -> FolderStamp {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(NOON);
        let distance = Duration::from_millis(after.unsigned_abs());
        FolderStamp {
            fingerprint: 1,
            changed: noon,
            taken: if after < 0 {
                noon - distance
            } else {
                noon + distance
            },
        }
    }

    #[test]
    fn a_listing_made_right_after_a_change_is_not_used_again() {
        assert!(!taken(5).still_holds(&taken(6)));
        assert!(!taken(5).still_holds(&taken(60_000)));
        assert!(taken(25).still_holds(&taken(26)));
    }

    #[test]
    fn a_folder_whose_clock_runs_ahead_is_listed_once_a_second() {
        assert!(taken(-60_000).still_holds(&taken(-59_500)));
        assert!(!taken(-60_000).still_holds(&taken(-59_000)));
    }
}
