//! GCZ images of `GameCube` and Wii discs, made by Dolphin before RVZ.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | 0xb10bc001 |
//! | 4 | 4 | kind of disc; wit writes 1 for any, so it is not looked at |
//! | 8 | 8 | number of bytes of all stored blocks |
//! | 16 | 8 | image size in bytes |
//! | 24 | 4 | block size in bytes |
//! | 28 | 4 | number of blocks n: the image size divided by the block size, rounded up |
//! | 32 | 8 n | offset of each block behind the tables; the top bit says that it is stored as it is |
//! | 32 + 8 n | 4 n | Adler-32 of each block's stored bytes |
//!
//! All numbers are little-endian. A block is a zlib stream of its own. The last one is padded to the block size.
//! A block ends where the next begins, the last one at the end of all stored blocks.
//!
//! Source: files made by dolphin-tool and by wit, decoded and compared; Dolphin decodes them the same way.

use std::sync::Arc;

use super::{Checksum, Details, Format, OpenOptions, Opened, PartOf, Summary};
use crate::{
    Error, Result,
    codec::Codec,
    map::{BlockMap, Geometry, MAX_BLOCK, Stored, check_size, decode_block},
    source::{Source, read_array},
};

mod index;
#[cfg(test)]
mod tests;

use index::Index;

pub(super) static GCZ: Format = Format {
    name: "gcz",
    title: "GCZ: zlib blocks (GameCube, Wii)",
    extensions: &["gcz"],
    detect: |head, _| head.starts_with(&MAGIC.to_le_bytes()),
    probe,
    passes_through: false,
    files: None,
    open,
    is_part_extension: |_| false,
    targets: &[],
};

const MAGIC: u32 = 0xb10b_c001;

const HEADER_LEN: u64 = 32;

fn probe(source: &dyn Source) -> Result<Summary> {
    Ok(Summary {
        size: Header::read(source)?.size,
        part: PartOf::Whole,
        encrypted: false,
    })
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let header = Header::read(source.as_ref())?;
    let index = Index::read(&header, source.as_ref())?;
    let details = Details {
        variant: format!("GCZ, blocks of {} bytes", header.block_size),
        checksums: vec![Checksum {
            covers: "blocks",
            algorithm: "adler32",
            value: String::new(),
        }],
        notes: index.note_missing().into_iter().collect(),
        ..Details::default()
    };
    let map = Blocks {
        geometry: Geometry::Uniform {
            size: header.size,
            block_size: header.block_size,
        },
        index,
    };
    Ok(Opened {
        format: &GCZ,
        source,
        map: Box::new(map),
        details,
    })
}

/// A header whose fields keep their rules.
#[derive(Clone, Copy, Debug)]
struct Header {
    size: u64,
    /// From 1 to [`MAX_BLOCK`].
    block_size: u32,
    blocks: u32,
    /// Bytes of all stored blocks.
    stored: u64,
}

impl Header {
    fn read(source: &dyn Source) -> Result<Self> {
        Self::parse(&read_array(source, 0, "GCZ header")?)
    }

    fn parse(bytes: &[u8; 32]) -> Result<Self> {
        let short = |at: usize| {
            let bytes = bytes[at..at + 4].try_into();
            u32::from_le_bytes(bytes.expect("a range of 4 bytes"))
        };
        let long = |at: usize| u64::from(short(at)) | u64::from(short(at + 4)) << 32;
        let header = Self {
            size: check_size(long(16))?,
            block_size: short(24),
            blocks: short(28),
            stored: long(8),
        };
        if header.block_size == 0 || header.block_size > MAX_BLOCK {
            return Err(Error::corrupt(format!(
                "block size is {}, it must be from 1 to {MAX_BLOCK}",
                header.block_size
            )));
        }
        let needed = header.size.div_ceil(u64::from(header.block_size));
        if u64::from(header.blocks) != needed {
            return Err(Error::corrupt(format!(
                "number of blocks is {}, an image of {} bytes in blocks of {} has {needed}",
                header.blocks, header.size, header.block_size
            )));
        }
        Ok(header)
    }

    /// Where the stored blocks begin.
    fn data_at(&self) -> u64 {
        HEADER_LEN + 12 * u64::from(self.blocks)
    }

    /// The most bytes that a stored block may have: what zlib makes of noise, and some room.
    fn most_stored(&self) -> u64 {
        let block = u64::from(self.block_size);
        block + block / 256 + 64
    }
}

#[derive(Debug)]
struct Blocks {
    geometry: Geometry,
    index: Index,
}

impl BlockMap for Blocks {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let place = self.index.place(block_number(block));
        place.unwrap_or(Stored::nowhere(Codec::Missing))
    }

    fn decode(&self, block: u64, stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        let number = block_number(block);
        if stored.codec == Codec::Missing {
            let fault = self.index.place(number).err();
            return Err(Error::corrupt(fault.expect("locate found the same fault")));
        }
        let (found, wanted) = (adler32(src), self.index.checksum(number));
        if found != wanted {
            return Err(Error::corrupt(format!(
                "the Adler-32 of the stored bytes is {found:08x}, the table says {wanted:08x}"
            )));
        }
        decode_block(stored.codec, src, dst, self.geometry.largest_block())
    }
}

fn block_number(block: u64) -> usize {
    usize::try_from(block).expect("a block number has 32 bits")
}

/// RFC 1950, section 8.2.
fn adler32(bytes: &[u8]) -> u32 {
    /// As many bytes as can be summed up before 32 bits overflow.
    const RUN: usize = 5552;
    let (mut a, mut b) = (1_u32, 0_u32);
    for run in bytes.chunks(RUN) {
        for &byte in run {
            a += u32::from(byte);
            b += a;
        }
        (a, b) = (a % 65521, b % 65521);
    }
    b << 16 | a
}
