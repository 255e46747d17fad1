//! Frames, and how many there may be.

use crate::{Error, ErrorKind, Result, map};

/// The most frames: 64 GiB in pieces of 64 KiB.
pub(super) const MOST_FRAMES: usize = 1 << 20;

/// A frame with data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Frame {
    pub(super) at: u64,
    pub(super) stored: u64,
    /// Number of plain bytes, not 0.
    pub(super) plain: u64,
    /// The checksum that a seek table gives.
    pub(super) sum: Option<u32>,
}

impl Frame {
    /// Whether it is read and decoded as one.
    pub(super) fn is_small(&self) -> bool {
        map::fits_a_block(self.plain, self.stored)
    }
}

/// Whether what begins so is a frame without data.
pub(super) fn is_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..])
}

/// Refuses to keep a row for each of more frames than the limit.
pub(super) fn check_count(count: usize) -> Result<()> {
    if count <= MOST_FRAMES {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::LimitExceeded,
        format!("the file has more than {MOST_FRAMES} frames"),
    ))
}
