//! What the log was told about files, so that it is told once.

use std::{
    collections::HashMap,
    os::unix::ffi::OsStrExt,
    path::Path,
    sync::{Mutex, PoisonError},
};

use super::StableHash;
use crate::Error;

/// So many sentences are remembered: 1 MiB at 16 bytes each.
const MOST: usize = 1 << 16;

/// Logs each sentence about a file once for each state of the file.
#[derive(Debug, Default)]
pub struct Reported(Mutex<HashMap<u64, u64>>);

impl Reported {
    /// Warns about a file, unless the same was said about the same `fingerprint` of it before. After 65,536 such
    /// sentences it says that no more are logged.
    pub fn fault(&self, path: &Path, fingerprint: u64, err: &Error) {
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

    fn is_new(&self, path: &Path, sentence: &str, fingerprint: u64) -> bool {
        let path = path.as_os_str().as_bytes();
        let key = StableHash::new().bytes(path).bytes(sentence.as_bytes());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
