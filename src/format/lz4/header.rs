//! The header of a frame.

use super::MAGIC;
use crate::{Error, Result};

/// The longest header.
pub(super) const MOST_HEADER: usize = 19;

/// What a frame header says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    /// Bytes of the header.
    pub(super) len: usize,
    /// The most plain bytes of a block.
    pub(super) block: u32,
    pub(super) is_linked: bool,
    pub(super) blocks_have_sums: bool,
    pub(super) has_sum: bool,
    /// Number of plain bytes, where it is stored.
    pub(super) plain: Option<u64>,
}

/// Bytes of a header with these flags.
pub(super) fn len_of(flags: u8) -> usize {
    7 + if flags & 8 == 0 { 0 } else { 8 } + if flags & 1 == 0 { 0 } else { 4 }
}

impl Header {
    /// Reads the header at the front of `bytes`, which may go on behind it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        check_magic(bytes)?;
        let cut = || Error::corrupt("the file ends inside a frame header");
        let flags = *bytes.get(4).ok_or_else(cut)?;
        let len = len_of(flags);
        let bytes = bytes.get(..len).ok_or_else(cut)?;
        if flags & 0xC2 != 0x40 {
            return Err(Error::unsupported(format!(
                "the flags of the frame are {flags:#04x}, bits 6 and 7 must be version 1, bit 1 must be 0"
            )));
        }
        if flags & 1 != 0 {
            return Err(Error::unsupported(
                "the frame needs a dictionary: decompress it with lz4 -D",
            ));
        }
        let sizes = bytes[5];
        if sizes & 0x8F != 0 || sizes < 0x40 {
            return Err(Error::corrupt(format!(
                "the size of blocks is coded as {sizes:#04x}, it must be 0x40, 0x50, 0x60 or 0x70"
            )));
        }
        check_sum(&bytes[4..len - 1], bytes[len - 1])?;
        let plain = bytes[6..len - 1].first_chunk::<8>();
        Ok(Self {
            len,
            block: 1 << (8 + 2 * (sizes >> 4)),
            is_linked: flags & 0x20 == 0,
            blocks_have_sums: flags & 0x10 != 0,
            has_sum: flags & 4 != 0,
            plain: plain.map(|bytes| u64::from_le_bytes(*bytes)),
        })
    }

    /// What the four bytes in front of a block say: its stored bytes, and whether they are the plain ones; `None` at
    /// the end of the frame.
    pub(super) fn block(&self, bytes: [u8; 4]) -> Result<Option<(u32, bool)>> {
        let word = u32::from_le_bytes(bytes);
        let (stored, is_raw) = (word & 0x7FFF_FFFF, word >> 31 == 1);
        match stored {
            _ if word == 0 => Ok(None),
            1.. if stored <= self.block => Ok(Some((stored, is_raw))),
            _ => Err(Error::corrupt(format!(
                "a block has {stored} stored bytes, it must be from 1 to {}",
                self.block
            ))),
        }
    }
}

fn check_magic(bytes: &[u8]) -> Result<()> {
    if bytes.starts_with(super::LEGACY) {
        return Err(Error::unsupported(
            "this is lz4's legacy format: compress the image again without lz4 -l",
        ));
    }
    if bytes.starts_with(MAGIC) {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "there is no lz4 frame where one should begin, but {}",
        bytes.get(..4).unwrap_or(bytes).escape_ascii()
    )))
}

/// Compares what a header says with the byte behind it.
fn check_sum(fields: &[u8], wanted: u8) -> Result<()> {
    let [_, found, ..] = twox_hash::XxHash32::oneshot(0, fields).to_le_bytes();
    if found == wanted {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "the checksum of the frame header is {found:02x}, the file says {wanted:02x}"
    )))
}
