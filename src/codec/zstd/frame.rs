//! A frame that is read from front to end.

use std::{
    hash::Hasher,
    io::{self, BufRead, Read},
};

use twox_hash::XxHash64;

use super::{chosen::Blocks, header::Header, low};
use crate::Error;

/// What follows a frame's header.
pub(crate) struct Frame {
    blocks: Blocks,
    /// Of the plain bytes so far, where it will be compared.
    sum: Option<XxHash64>,
    /// Plain bytes that are left, where the header tells.
    left: Option<u64>,
}

impl Frame {
    /// The frame whose header was read, and whose blocks come next.
    pub(crate) fn new(header: &Header) -> io::Result<Self> {
        Ok(Self {
            blocks: Blocks::new(header.reach())?,
            sum: header.has_checksum.then(|| XxHash64::with_seed(0)),
            left: header.plain,
        })
    }

    /// Some plain bytes, or none at the end of the frame. Those before a damaged block are given out.
    pub(crate) fn read(&mut self, stored: &mut impl BufRead, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.blocks.read(stored, buf)?;
        if let Some(sum) = &mut self.sum {
            sum.write(&buf[..n]);
        }
        if let Some(left) = &mut self.left {
            *left = left
                .checked_sub(n as u64)
                .ok_or_else(|| damage("the frame holds more bytes than its header says"))?;
        }
        Ok(n)
    }

    /// Reads what follows the last block, when all plain bytes were read. Says what the checksum has against them.
    pub(crate) fn finish(self, stored: &mut impl Read) -> io::Result<Option<String>> {
        if let Some(left @ 1..) = self.left {
            return Err(damage(format!(
                "the frame holds {left} bytes fewer than its header says"
            )));
        }
        let Some(sum) = self.sum else {
            return Ok(None);
        };
        let mut wanted = [0; 4];
        stored.read_exact(&mut wanted)?;
        let (found, wanted) = (low(sum.finish()), u32::from_le_bytes(wanted));
        Ok((found != wanted).then(|| {
            format!(
                "the XXH64 of the frame's plain bytes ends in {found:08x}, the frame says {wanted:08x}"
            )
        }))
    }
}

/// What is wrong with a frame, as an error of a reader.
pub(super) fn damage(why: impl Into<String>) -> io::Error {
    io::Error::other(Error::corrupt(why))
}
