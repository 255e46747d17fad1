//! What the log was told about files, so that it is told once.

use std::{
    collections::HashMap,
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::StableHash;
use crate::Error;

/// So many sentences are remembered: 1 MiB at 16 bytes each.
const MOST: usize = 1 << 16;

/// A file that did not grow for so long is not being copied any more.
const SETTLED: Duration = Duration::from_secs(5);

/// Logs each sentence about a file once for each state of the file.
#[derive(Debug, Default)]
pub struct Reported {
    sentences: Mutex<HashMap<u64, u64>>,
    faults: Mutex<HashMap<u64, Faulty>>,
}

/// The last state of a file that something stood against.
#[derive(Clone, Copy, Debug)]
struct Faulty {
    fingerprint: u64,
    len: u64,
    /// Since when it has grown to this, if it has.
    grown: Option<Instant>,
}

impl Reported {
    /// Warns about a file, unless the same was said about the same `fingerprint` of it before. After 65,536 such
    /// sentences it says that no more are logged.
    ///
    /// A file that grows is being copied: each state of it is another, and what stands against it is logged when it
    /// has come to rest.
    pub fn fault(&self, path: &Path, fingerprint: u64, err: &Error) {
        let len = fs::metadata(path).map_or(0, |it| it.len());
        if self.grows(path, fingerprint, len, Instant::now()) {
            return;
        }
        let sentence = err.sentence();
        if self.is_new(path, &sentence, fingerprint) {
            log::warn!("{sentence}");
        }
    }

    /// Says something about a file, once.
    pub(super) fn note(&self, path: &Path, what: &str) {
        if self.is_new(path, what, 0) {
            let path = path.display().to_string();
            log::warn!("{}: {what}", path.escape_debug());
        }
    }

    /// Whether a file that was faulty before has just become longer.
    fn grows(&self, path: &Path, fingerprint: u64, len: u64, now: Instant) -> bool {
        let key = StableHash::new().bytes(path.as_os_str().as_bytes());
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let before = faults.get(&key.finish()).copied();
        if before.is_none() && faults.len() >= MOST {
            return false;
        }
        let grown = match before {
            Some(before) if before.fingerprint == fingerprint => before.grown,
            Some(before) if len > before.len => Some(now),
            _ => None,
        };
        let state = Faulty {
            fingerprint,
            len,
            grown,
        };
        faults.insert(key.finish(), state);
        grown.is_some_and(|grown| now.duration_since(grown) < SETTLED)
    }

    fn is_new(&self, path: &Path, sentence: &str, fingerprint: u64) -> bool {
        let path = path.as_os_str().as_bytes();
        let key = StableHash::new().bytes(path).bytes(sentence.as_bytes());
        let mut known = self
            .sentences
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get_mut(&key.finish()) {
            return std::mem::replace(known, fingerprint) != fingerprint;
        }
        if known.len() >= MOST {
            return false;
        }
        known.insert(key.finish(), fingerprint);
        if known.len() == MOST {
            log::warn!("further faults are not logged, {MOST} were");
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_grows_is_left_until_it_has_come_to_rest() {
        let reported = Reported::default();
        let start = Instant::now();
        let grows = |state, len, second| {
            let now = start + Duration::from_secs(second);
            reported.grows(Path::new("a.cso"), state, len, now)
        };
        assert!(!grows(1, 10, 0), "it is new");
        assert!(grows(2, 20, 1));
        assert!(grows(3, 30, 2));
        assert!(grows(3, 30, 6));
        assert!(!grows(3, 30, 7), "it has come to rest");
        assert!(!grows(4, 5, 8), "it is another file");
    }
}
