//! What bears a name.

use crate::catalog::{Probe, Seen, Stat};

/// What bears a name, as far as that tells one file from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bearer {
    /// Its state.
    pub(super) fingerprint: u64,
    /// The identity of a file that is shown as it is stored.
    pub(super) plain: Option<u64>,
}

impl Bearer {
    /// A folder.
    pub(super) const NO_FILE: Self = Self {
        fingerprint: 0,
        plain: None,
    };

    pub(super) fn of(seen: &Seen) -> Self {
        let is_plain = matches!(seen.probe, Probe::PassThrough);
        Self {
            fingerprint: seen.stat.fingerprint,
            plain: is_plain.then_some(seen.stat.identity),
        }
    }

    pub(super) fn of_link(stat: &Stat) -> Self {
        Self {
            fingerprint: stat.fingerprint,
            plain: None,
        }
    }

    /// Tells apart what bears a number one after the other, for handles: who has one of an older file is told that it
    /// is stale. It is the same in every run, and of a plain file whatever is written to it. The kernel keeps 32 bits.
    /// Folders have one generation only, as they have no bytes.
    pub(super) fn generation(self) -> u32 {
        // Elsewhere the kernel's cache belongs to the name.
        if !cfg!(target_os = "linux") {
            return 0;
        }
        let state = self.plain.unwrap_or(self.fingerprint);
        u32::try_from((state ^ (state >> 32)) & u64::from(u32::MAX)).expect("32 bits fit")
    }

    /// Whether who reads one reads the other. A plain file that was changed in place, such as a log, is still the same.
    pub(super) fn is_that_of(self, other: Self) -> bool {
        self.fingerprint == other.fingerprint || (self.plain.is_some() && self.plain == other.plain)
    }
}
