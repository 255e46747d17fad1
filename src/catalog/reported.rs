//! What the log was told about files, so that it is told once.

use std::{
    collections::HashMap,
    os::unix::ffi::OsStrExt,
    path::Path,
    sync::{Mutex, PoisonError},
};

use super::StableHash;
use crate::Error;

/// So many files are remembered: 1 MiB at 16 bytes each.
const MOST: usize = 1 << 16;

/// Logs a sentence about a file once for each state of the file.
#[derive(Debug, Default)]
pub struct Reported(Mutex<HashMap<u64, u64>>);

impl Reported {
    /// Warns about a file, unless that was done for the same `fingerprint` before. After 65,536 files it says that
    /// no more are logged.
    pub fn fault(&self, path: &Path, fingerprint: u64, err: &Error) {
        if self.is_new(path, fingerprint) {
            log::warn!("{}", err.sentence());
        }
    }

    /// Says something about a file, likewise once.
    pub fn note(&self, path: &Path, what: &str) {
        if self.is_new(path, StableHash::new().bytes(what.as_bytes()).finish()) {
            let path = path.display().to_string();
            log::warn!("{}: {what}", path.escape_debug());
        }
    }

    fn is_new(&self, path: &Path, fingerprint: u64) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = StableHash::new().bytes(path.as_os_str().as_bytes());
        let full = known.len() >= MOST;
        if let Some(known) = known.get_mut(&file.finish()) {
            return std::mem::replace(known, fingerprint) != fingerprint;
        }
        if full {
            return false;
        }
        known.insert(file.finish(), fingerprint);
        if known.len() == MOST {
            log::warn!("faults of further files are not logged, {MOST} files were");
        }
        true
    }
}
