//! Zstandard frames (RFC 8878): by zstd's own library, which is C, or by ruzstd where all code is to be Rust.
//!
//! Both are given the same, and headers, lengths and limits are looked after here, so that nobody else knows which of
//! them it is. Neither takes memory for more than what a header's window says, which [`Header::parse`] limits.

use std::fmt;

mod frame;
mod header;
#[cfg(feature = "zstd")]
mod native;
// The tests compare both.
#[cfg(any(test, not(feature = "zstd")))]
mod pure;
#[cfg(test)]
mod tests;

#[cfg(feature = "zstd")]
use native as chosen;
#[cfg(not(feature = "zstd"))]
use pure as chosen;

pub(crate) use frame::Frame;
pub(crate) use header::{Header, MAGIC, MOST_HEADER};

/// Bytes of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Lengths {
    pub(crate) stored: usize,
    pub(crate) plain: usize,
}

/// Why a frame does not decode.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// It holds more bytes than there is room for.
    TooLong,
    /// Its checksum is this, and its plain bytes have another.
    Checksum(u32),
    /// Anything else.
    Damaged(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str(super::TOO_LONG),
            Self::Checksum(wanted) => write!(
                f,
                "the XXH64 of the frame's plain bytes does not end in {wanted:08x}, as the frame says"
            ),
            Self::Damaged(why) => f.write_str(why),
        }
    }
}

/// Decodes the frame at the front of `src` into the front of `dst`, and compares its checksum if it has one. Bytes
/// behind the frame are not looked at.
pub(crate) fn decode(src: &[u8], dst: &mut [u8]) -> Result<Lengths, Fault> {
    decode_by(chosen::decode, src, dst)
}

/// Decodes the frame with this header; its length, if it is told, fits `dst`.
type Decode = fn(&Header, &[u8], &mut [u8]) -> Result<Lengths, Fault>;

fn decode_by(decode: Decode, src: &[u8], dst: &mut [u8]) -> Result<Lengths, Fault> {
    let header = Header::parse(src).map_err(|why| Fault::Damaged(why.to_string()))?;
    if header.plain.is_some_and(|plain| plain > dst.len() as u64) {
        return Err(Fault::TooLong);
    }
    let lengths = decode(&header, src, dst)?;
    match header.plain {
        Some(told) if told != lengths.plain as u64 => Err(Fault::Damaged(format!(
            "the frame holds {} bytes, its header says {told}",
            lengths.plain
        ))),
        _ => Ok(lengths),
    }
}

/// What frames and seek tables have as checksum: the lower half of the XXH64.
pub(crate) fn checksum(plain: &[u8]) -> u32 {
    low(twox_hash::XxHash64::oneshot(0, plain))
}

fn low(sum: u64) -> u32 {
    let [a, b, c, d, ..] = sum.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
