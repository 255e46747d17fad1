//! The checksum of the stored bytes of all blocks, as they are in the file.

use std::mem;

use crate::{Error, Result, codec::Codec, image::Image};

/// Bytes for one read.
const READ: usize = 1 << 20;

/// The CRC-32 of the stored bytes of all blocks, one after the other.
///
/// # Errors
/// `Io` when they cannot be read, `Corrupt` when the file has no bytes for a block.
pub(super) fn crc32(image: &Image) -> Result<String> {
    let mut crc = Crc {
        image,
        hasher: crc32fast::Hasher::new(),
        buffer: Vec::new(),
    };
    let mut run = 0..0;
    for block in 0..image.geometry().blocks() {
        let stored = image.locate(block);
        if stored.codec == Codec::Missing {
            return Err(Error::corrupt(format!(
                "block {block} has no place in the file"
            )));
        }
        let bytes = stored.at..stored.at + u64::from(stored.len);
        if bytes.is_empty() {
            continue;
        }
        if run.end == bytes.start {
            run.end = bytes.end;
        } else {
            crc.update(mem::replace(&mut run, bytes))?;
        }
    }
    crc.update(run)?;
    Ok(format!("{:08x}", crc.hasher.finalize()))
}

struct Crc<'s> {
    image: &'s Image,
    hasher: crc32fast::Hasher,
    buffer: Vec<u8>,
}

impl Crc<'_> {
    fn update(&mut self, bytes: std::ops::Range<u64>) -> Result<()> {
        let mut at = bytes.start;
        while at < bytes.end {
            let left = usize::try_from(bytes.end - at).unwrap_or(READ);
            self.buffer.resize(READ.min(left), 0);
            self.image.read_stored(&mut self.buffer, at)?;
            self.hasher.update(&self.buffer);
            at += self.buffer.len() as u64;
        }
        Ok(())
    }
}
