//! Images compressed by xz.
//!
//! | size | field of a stream |
//! |---|---|
//! | 6 | `FD 37 7A 58 5A 00` |
//! | 2 | flags: 0, then the kind of check in the lower four bits |
//! | 4 | CRC-32 of the flags |
//! | | blocks, each padded to a multiple of 4 |
//! | | the index |
//! | 4 | CRC-32 of the next two fields |
//! | 4 | bytes of the index divided by 4, less 1 |
//! | 2 | the flags again |
//! | 2 | `YZ` |
//!
//! | size | field of the index |
//! |---|---|
//! | 1 | 0 |
//! | v | number of blocks |
//! | v + v | of each: stored bytes without padding, plain bytes |
//! | | zeroes up to a multiple of 4, then the CRC-32 of all before |
//!
//! | size | field of a block |
//! |---|---|
//! | 1 | bytes of the header divided by 4, less 1 |
//! | 1 | flags: number of filters less 1; 0x40 and 0x80 for the next two fields |
//! | v | stored bytes of the data, if the flag is set |
//! | v | plain bytes, if the flag is set |
//! | | of each filter: its number (v), the bytes of its properties (v), the properties |
//! | | zeroes, then the CRC-32 of the header |
//! | | the data, zeroes up to a multiple of 4, the check of the plain bytes |
//!
//! Numbers are little-endian; v is a number of seven bits a byte, the lowest first, 0x80 set in all but the last.
//! Streams may follow each other, with zeroes between them.
//! Source: The .xz File Format 1.2.1.

use std::{io::Read, sync::Arc};

use super::{Checksum, Details, Format, OpenOptions, Opened, PartOf, Summary, uncompressed};
use crate::{
    Error, Result,
    codec::Codec,
    files::Listed,
    map::{self, AsStored, BlockMap, Geometry, Stored},
    source::Source,
    unfold::{Spilled, Stretch, from_io},
};

mod block;
mod check;
mod index;
mod number;
#[cfg(test)]
mod tests;

use block::Header;
use index::{Block, Index};

pub(super) static XZ: Format = Format {
    name: "xz",
    title: "xz of an image, read at any position",
    extensions: &["iso.xz", "img.xz", "bin.xz"],
    detect: |head, _| head.starts_with(MAGIC),
    probe: |source| {
        Ok(Summary {
            size: Index::read(source)?.size,
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

const MAGIC: &[u8; 6] = b"\xFD7zXZ\0";

fn files(source: &Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Listed> {
    Ok(uncompressed(Index::read(source.as_ref())?.size, options))
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let index = Index::read(source.as_ref())?;
    let details = details(&index);
    let (source, map): (Arc<dyn Source>, Box<dyn BlockMap>) = if index.blocks.iter().all(is_small) {
        let map = Blocks {
            geometry: Geometry::Table(index.starts()),
            blocks: index.blocks,
        };
        (source, Box::new(map))
    } else {
        let map = AsStored::new(index.size);
        let plain = spilled(&source, index);
        (Arc::new(plain), Box::new(map))
    };
    Ok(Opened {
        format: &XZ,
        source,
        map,
        details,
    })
}

fn details(index: &Index) -> Details {
    let count = index.blocks.len();
    let check = index.blocks.first().and_then(|block| block.check.name());
    Details {
        variant: format!("xz, {count} block{}", if count == 1 { "" } else { "s" }),
        checksums: check
            .map(|algorithm| Checksum {
                covers: "blocks",
                algorithm,
                value: String::new(),
            })
            .into_iter()
            .collect(),
        ..Details::default()
    }
}

/// Whether a block is read and decoded as one.
fn is_small(block: &Block) -> bool {
    map::fits_a_block(block.plain, block.padded())
}

fn spilled(source: &Arc<dyn Source>, index: Index) -> Spilled {
    let starts = index.starts();
    let stored = Arc::clone(source);
    let open = move |number: usize| {
        let block = index.blocks[number];
        let mut head = vec![0; block.head_len()];
        stored.read_exact_at(&mut head, block.at)?;
        let header = Header::parse(&head, &block)?;
        let mut check = vec![0; block.check.len()];
        let check_at = block.at + block.padded() - check.len() as u64;
        stored.read_exact_at(&mut check, check_at)?;
        let data = block.at + header.len..block.at + header.len + header.data;
        let data = Stretch::new(Arc::clone(&stored), data);
        Ok(Box::new(header.plain(data, &check)) as Box<dyn Read + Send>)
    };
    Spilled::new(source.as_ref(), starts, Box::new(open))
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
        let block = self.block(block);
        Stored {
            at: block.at,
            len: u32::try_from(block.padded()).expect("it is hardly longer than MAX_BLOCK"),
            codec: Codec::Own {
                name: "xz",
                checksum: block.check.name(),
            },
        }
    }

    fn decode(&self, block: u64, _: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        let block = self.block(block);
        let header = Header::parse(&src[..block.head_len()], block)?;
        let (src, check) = src.split_at(src.len() - block.check.len());
        // What follows is the padding; both lengths were checked against the block's own.
        let from = usize::try_from(header.len).expect("it is inside the block");
        let data = usize::try_from(header.data).expect("it is inside the block");
        let mut plain = header.plain(&src[from..from + data], check);
        plain.read_exact(dst).map_err(from_io)?;
        match plain.read(&mut [0]).map_err(from_io)? {
            0 => Ok(()),
            _ => Err(Error::corrupt(format!(
                "the block holds more than the {} bytes that the index gives it",
                dst.len()
            ))),
        }
    }
}

impl Blocks {
    fn block(&self, number: u64) -> &Block {
        &self.blocks[usize::try_from(number).expect("a block number fits the table")]
    }
}
