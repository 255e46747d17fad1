//! What the programs of the benchmark share.

use std::{num::ParseIntError, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// Reads a number of bytes with an optional `K`, `M` or `G`.
///
/// # Errors
/// When it is no number.
pub fn bytes(text: &str) -> Result<u64, ParseIntError> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    Ok(digits.parse::<u64>()? << shift)
}

/// CPU time that this process has used, all threads together.
#[must_use]
pub fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

/// A small generator of numbers (splitmix64): the same seed gives the same reads on every machine.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// A number below `end`, which must not be 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % end
    }
}

/// Memory that starts on a page, as the kernel likes it for large copies.
#[derive(Debug)]
pub struct PageAligned {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

const PAGE: usize = 4096;

impl PageAligned {
    /// `len` bytes, all touched once, so that no read pays for fresh pages.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let bytes = vec![1; len + PAGE];
        let start = bytes.as_ptr().addr().wrapping_neg() % PAGE;
        Self { bytes, start, len }
    }

    /// The bytes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..][..self.len]
    }
}
