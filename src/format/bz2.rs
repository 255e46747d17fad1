//! Images compressed by bzip2.
//!
//! | size | field |
//! |---|---|
//! | 3 | `BZh` |
//! | 1 | `1` to `9`: most plain bytes of a block, in units of 100,000, after its runs of equal bytes were shortened |
//! | | blocks, each from any bit on: 48 bits 314159265359, the CRC-32 of its plain bytes, its data |
//! | | 48 bits 177245385090, a CRC-32 made of those of all blocks, bits up to a whole byte |
//!
//! Streams may follow each other; what follows and is none is ignored. Nothing tells the number of plain bytes, or where
//! blocks begin: they are found by their marks when the image is decoded for the first time.
//! Source: the documentation of bzip2 1.0.8, and files made by it.

use std::{io::Read, sync::Arc};

use super::{Checksum, Details, Format, OpenOptions, Opened, PartOf, Summary, uncompressed};
use crate::{
    Result,
    files::Listed,
    map::{self, AsStored, check_size},
    source::Source,
    unfold::{self, Piece, Spilled, Stretch},
};

mod bits;
mod blocks;
#[cfg(test)]
mod tests;

use blocks::Plain;

pub(super) static BZ2: Format = Format {
    name: "bz2",
    title: "bzip2 of an image, decoded once and read at any position from then on",
    extensions: &["iso.bz2", "img.bz2", "bin.bz2"],
    detect: |head, _| matches!(head, [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, ..]),
    probe: |source| {
        Ok(Summary {
            size: size_in(source)?,
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

fn files(source: &Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Listed> {
    Ok(uncompressed(size_in(source.as_ref())?, options))
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let (plain, variant) = match unfold::kept_pieces(source.as_ref()) {
        Some(pieces) => {
            let variant = format!("bzip2, blocks: {}", pieces.len());
            (in_pieces(&source, pieces)?, variant)
        }
        None => (in_order(source)?, "bzip2".into()),
    };
    Ok(Opened {
        format: &BZ2,
        map: Box::new(AsStored::new(plain.len())),
        source: Arc::new(plain),
        details: Details {
            variant,
            checksums: vec![Checksum {
                covers: "blocks",
                algorithm: "crc32",
                value: String::new(),
            }],
            ..Details::default()
        },
    })
}

/// All blocks from front to end; where they are is kept for the next time.
fn in_order(source: Arc<dyn Source>) -> Result<Spilled> {
    let size = size_in(source.as_ref())?;
    let keeps = Arc::clone(&source);
    Ok(Spilled::whole(source, size, false, move |stored| {
        Plain::that_keeps(stored, Arc::clone(&keeps))
    }))
}

/// Each block when it is asked for.
fn in_pieces(source: &Arc<dyn Source>, pieces: Vec<Piece>) -> Result<Spilled> {
    let starts = map::starts(pieces.iter().map(|piece| piece.plain));
    check_size(*starts.last().expect("the size stands at the end"))?;
    let stored = Arc::clone(source);
    let open = move |number: usize| {
        let at = pieces[number].at;
        let behind = Stretch::new(Arc::clone(&stored), at / 8..stored.len());
        let bit = usize::try_from(at % 8).expect("it is below 8");
        Ok(Box::new(Plain::of_block(behind, bit)) as Box<dyn Read + Send>)
    };
    Ok(Spilled::new(source.as_ref(), starts, Box::new(open)))
}

fn size_in(source: &dyn Source) -> Result<u64> {
    let size = match unfold::size_of_kept_pieces(source) {
        Some(size) => size,
        None => unfold::size_of(source, Plain::new(unfold::FromStart::of(source)))?.0,
    };
    check_size(size)
}
