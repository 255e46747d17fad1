//! UIF of `MagicISO`: blocks of zlib, and what tells where they are at the end.
//!
//! | offset from the end | size | field |
//! |---|---|---|
//! | 64 | 4 | `bbis` |
//! | 60 | 4 | 56 |
//! | 56 | 2 | version: 1, or 2, which may be encrypted; 3 has LZMA |
//! | 54 | 2 | kind of image: 8 one of 2048-byte sectors, 9 of other ones, with a list of tracks |
//! | 48 | 4 | number of sectors |
//! | 44 | 4 | bytes of a sector |
//! | 40 | 4 | bytes of the last sector that belong to the image; 0 for all |
//! | 36 | 8 | position of the list of blocks |
//! | 28 | 4 | size of the list and of what is behind it |
//! | 24 | 16 | hash of the password |
//! | 8 | 8 | how it is encrypted; in the second byte 2, or in the first a number up to 16 |
//!
//! | list of blocks | size | field |
//! |---|---|---|
//! | 0 | 4 | `blhr`; `bsdr` in images with a password |
//! | 4 | 4 | number of bytes behind this field |
//! | 8 | 4 | 1: the entries are a zlib stream; 0: they lie as they are |
//! | 12 | 4 | number of entries |
//!
//! | entry | size | field |
//! |---|---|---|
//! | 0 | 8 | position of the block |
//! | 8 | 4 | its stored bytes |
//! | 12 | 4 | its first sector |
//! | 16 | 4 | its number of sectors |
//! | 20 | 4 | 1: stored, 3: zeroes, 5: zlib |
//!
//! All numbers are little-endian.
//!
//! Source: images that uif2iso and libMirage read the same way, and the text of uif2iso.

use std::sync::Arc;

use super::{Details, Format, OpenOptions, Opened, PartOf, Summary};
use crate::{
    Error, Result,
    codec::Codec,
    map::{BlockMap, Geometry, Stored, check_size, decode_block},
    source::{Source, read_array},
};

mod index;
#[cfg(test)]
mod tests;

use index::Index;

pub(super) static UIF: Format = Format {
    name: "uif",
    title: "UIF of MagicISO: zlib, zero and stored blocks",
    extensions: &["uif"],
    detect: |_, source| trailer(source).is_some(),
    probe,
    passes_through: false,
    files: None,
    open,
    is_part_extension: |_| false,
    targets: &[],
};

const TRAILER: u64 = 64;

/// What the file ends with, if that is a trailer.
fn trailer(source: &dyn Source) -> Option<[u8; 64]> {
    let at = source.len().checked_sub(TRAILER)?;
    let trailer: [u8; 64] = read_array(source, at, "trailer").ok()?;
    trailer.starts_with(b"bbis").then_some(trailer)
}

fn probe(source: &dyn Source) -> Result<Summary> {
    Ok(Summary {
        size: Trailer::read(source)?.size,
        part: PartOf::Whole,
        encrypted: false,
    })
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let trailer = Trailer::read(source.as_ref())?;
    let index = Index::read(&trailer, source.as_ref())?;
    let details = Details {
        variant: format!("UIF v{}", trailer.version),
        notes: index.note_missing().into_iter().collect(),
        ..Details::default()
    };
    Ok(Opened {
        format: &UIF,
        source,
        map: Box::new(Blocks {
            geometry: index.geometry(),
            index,
        }),
        details,
    })
}

/// A trailer whose fields keep their rules.
#[derive(Clone, Copy, Debug)]
struct Trailer {
    version: u16,
    /// Number of plain bytes.
    size: u64,
    sectors: u32,
    sector: u32,
    /// Position of the list of blocks.
    list_at: u64,
    /// Position of the trailer.
    at: u64,
}

impl Trailer {
    fn read(source: &dyn Source) -> Result<Self> {
        let bytes = trailer(source)
            .ok_or_else(|| Error::corrupt("the file does not end with a trailer, bbis"))?;
        let (version, kind) = (u16_at(&bytes, 8), u16_at(&bytes, 10));
        if !(1..=2).contains(&version) {
            return Err(Error::unsupported(format!(
                "version is {version}, only 1 and 2 are read; uif2iso makes an ISO of it"
            )));
        }
        if kind != 8 {
            return Err(Error::unsupported(format!(
                "kind of image is {kind}, only 8, one of 2048-byte sectors, is read; uif2iso takes its tracks out"
            )));
        }
        // Version 1 has anything in these fields.
        let (key, method) = (bytes[56], bytes[57]);
        if version > 1 && (method == 2 || (1..=16).contains(&key)) {
            return Err(Error::unsupported(
                "the image is encrypted, which is not read; uif2iso makes an ISO of it",
            ));
        }
        let trailer = Self {
            version,
            size: size(&bytes)?,
            sectors: u32_at(&bytes, 16),
            sector: u32_at(&bytes, 20),
            list_at: u64::from(u32_at(&bytes, 28)) | u64::from(u32_at(&bytes, 32)) << 32,
            at: source.len() - TRAILER,
        };
        trailer.check_list(source)?;
        Ok(trailer)
    }

    fn check_list(&self, source: &dyn Source) -> Result<()> {
        if self.list_at >= self.at {
            return Err(Error::corrupt(format!(
                "the list of blocks is at {}, behind the trailer at {}",
                self.list_at, self.at
            )));
        }
        let mark: [u8; 4] = read_array(source, self.list_at, "list of blocks")?;
        match &mark {
            b"blhr" => Ok(()),
            b"bsdr" => Err(Error::unsupported(
                "the image has a password, which is not read; uif2iso makes an ISO of it",
            )),
            other => Err(Error::corrupt(format!(
                "the list of blocks begins with {}, it must with blhr",
                other.escape_ascii()
            ))),
        }
    }
}

/// The number of plain bytes.
fn size(bytes: &[u8; 64]) -> Result<u64> {
    let [sectors, sector, last] = [16, 20, 24].map(|at| u32_at(bytes, at));
    if sector != 2048 {
        return Err(Error::corrupt(format!(
            "sector size is {sector}, an image of this kind has 2048"
        )));
    }
    if last > sector {
        return Err(Error::corrupt(format!(
            "the last sector has {last} bytes, a sector has {sector}"
        )));
    }
    let cut = if last == 0 { 0 } else { sector - last };
    check_size((u64::from(sectors) * u64::from(sector)).saturating_sub(cut.into()))
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
        if stored.codec == Codec::Missing {
            let fault = self.index.place(block_number(block)).err();
            return Err(Error::corrupt(fault.expect("locate found the same fault")));
        }
        decode_block(
            stored.codec,
            src,
            dst,
            self.index.whole_len(block_number(block)),
        )
    }
}

fn block_number(block: u64) -> usize {
    usize::try_from(block).expect("a block has an entry in memory")
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
