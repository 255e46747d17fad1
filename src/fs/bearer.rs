//! What bears a name.

use crate::catalog::{Probe, Seen};

/// What bears a name, as far as that tells one file from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bearer {
    /// Its state.
    pub(super) fingerprint: u64,
    /// Device and inode of a file that is shown as it is stored.
    pub(super) plain: Option<(u64, u64)>,
}

impl Bearer {
    /// A folder or a link.
    pub(super) const NO_FILE: Self = Self {
        fingerprint: 0,
        plain: None,
    };

    pub(super) fn of(seen: &Seen) -> Self {
        let is_plain = matches!(seen.probe, Probe::PassThrough);
        Self {
            fingerprint: seen.stat.fingerprint,
            plain: is_plain.then_some(seen.stat.id),
        }
    }

    /// Whether who reads one reads the other. A plain file that was changed in place, such as a log, is still the same.
    pub(super) fn is_that_of(self, other: Self) -> bool {
        self.fingerprint == other.fingerprint || (self.plain.is_some() && self.plain == other.plain)
    }
}
