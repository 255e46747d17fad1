//! Images compressed by lz4, in frames.
//!
//! | size | field of a frame |
//! |---|---|
//! | 4 | `04 22 4D 18` |
//! | 1 | flags: 6-7 version 1, 5 blocks are independent, 4 blocks have checksums, 3 the next field but one is there, 2 a checksum at the end, 0 a dictionary |
//! | 1 | 4-6 most plain bytes of a block: 4 for 64 KiB, 5 for 256 KiB, 6 for 1 MiB, 7 for 4 MiB |
//! | 0, 8 | number of plain bytes |
//! | 0, 4 | number of a dictionary |
//! | 1 | the second byte of the XXH32 of the fields behind the magic |
//! | | blocks: 4 bytes with the stored size, the highest bit set when it is not compressed; data; 0 or 4 bytes of XXH32 of the data |
//! | 4 | 0 |
//! | 0, 4 | XXH32 of the plain bytes |
//!
//! Numbers are little-endian. Frames may follow each other; `50` to `5F`, `2A 4D 18` and a size of 4 bytes begin one
//! that is skipped. Writers fill every block of a frame but the last.
//! Source: LZ4 Frame Format Description 1.6.4.

use std::sync::Arc;

use super::{Checksum, Details, Format, OpenOptions, Opened, PartOf, Summary, uncompressed};
use crate::{
    Error, Result,
    codec::Codec,
    files::Listed,
    map::{AsStored, BlockMap, Geometry, Stored},
    source::Source,
    unfold::Spilled,
};

mod frames;
mod header;
mod plain;
#[cfg(test)]
mod tests;

use frames::{Block, Frames};
use plain::Plain;

pub(super) static LZ4: Format = Format {
    name: "lz4",
    title: "lz4 of an image, read at any position",
    extensions: &["iso.lz4", "img.lz4", "bin.lz4"],
    detect: |head, _| head.starts_with(MAGIC) || head.starts_with(LEGACY),
    probe: |source| {
        Ok(Summary {
            size: Frames::read(source)?.size,
            part: PartOf::Whole,
            encrypted: false,
        })
    },
    passes_through: true,
    files: Some(files),
    open,
    is_part_extension: |_| false,
    targets: &[],
};

const MAGIC: &[u8; 4] = b"\x04\x22\x4D\x18";

/// Files of the program's first versions, and of `lz4 -l`.
const LEGACY: &[u8; 4] = b"\x02\x21\x4C\x18";

fn is_skippable(head: [u8; 4]) -> bool {
    matches!(head, [0x50..=0x5F, 0x2A, 0x4D, 0x18])
}

fn files(source: &Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Listed> {
    Ok(uncompressed(Frames::read(source.as_ref())?.size, options))
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let frames = Frames::read(source.as_ref())?;
    let details = details(&frames);
    let (source, map): (Arc<dyn Source>, Box<dyn BlockMap>) = if frames.is_one_piece {
        let plain = Spilled::whole(source, frames.size, frames.is_certain, Plain::new);
        (Arc::new(plain), Box::new(AsStored::new(frames.size)))
    } else {
        let geometry = Geometry::Table(frames.starts());
        let blocks = frames.blocks;
        (source, Box::new(Blocks { geometry, blocks }))
    };
    Ok(Opened {
        format: &LZ4,
        source,
        map,
        details,
    })
}

fn details(frames: &Frames) -> Details {
    let has_sums = frames.blocks.iter().any(|block| block.has_sum);
    let checksum = Checksum {
        covers: "blocks",
        algorithm: "xxh32",
        value: String::new(),
    };
    Details {
        variant: if frames.is_one_piece {
            "lz4, in one piece".into()
        } else {
            "lz4".into()
        },
        checksums: has_sums.then_some(checksum).into_iter().collect(),
        ..Details::default()
    }
}

/// Blocks that are decoded one by one.
#[derive(Debug)]
struct Blocks {
    geometry: Geometry,
    blocks: Box<[Block]>,
}

impl BlockMap for Blocks {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let block = &self.blocks[usize::try_from(block).expect("it fits the table")];
        Stored {
            at: block.at,
            len: block.stored + if block.has_sum { 4 } else { 0 },
            codec: if block.is_raw { Codec::Raw } else { Codec::Lz4 },
        }
    }

    fn decode(&self, block: u64, stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        let block = &self.blocks[usize::try_from(block).expect("it fits the table")];
        let (data, sum) = src.split_at(block.stored as usize);
        if block.has_sum {
            compare(data, sum)?;
        }
        stored
            .codec
            .decode(data, dst)
            .map_err(|err| err.in_context("every block but the last of a frame has to be full"))
    }
}

/// Compares the stored bytes of a block with the checksum behind them.
fn compare(data: &[u8], sum: &[u8]) -> Result<()> {
    let found = twox_hash::XxHash32::oneshot(0, data);
    if found.to_le_bytes() == sum {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "the XXH32 of the block's stored bytes is {found:08x}, which is not what is stored behind them"
    )))
}
