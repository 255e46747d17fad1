//! CISO of `GameCube` and Wii discs, which shares only its magic with CSO: a map of the blocks in use, then these.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | `CISO` |
//! | 4 | 4 | block size in bytes, a multiple of 32 KiB, most often 2 MiB; little-endian |
//! | 8 | 0x7ff8 | for each block of the disc: 1 if it is stored, 0 if not |
//! | 0x8000 | to the end | the stored blocks in their order |
//!
//! What is not stored reads as zeroes. No size is stored: it is that of the disc's kind, which its first block tells;
//! a disc of another kind ends with its last stored block.
//!
//! Source: files made by wit, and what wit makes of them; Dolphin's documentation.

use std::sync::Arc;

use super::super::{Details, Format, OpenOptions, Opened, PartOf, Summary};
use crate::{
    Error, Result,
    map::{
        check_size,
        console::{InUse, SECTOR, size_of_disc},
    },
    source::{Source, read_array},
};

#[cfg(test)]
mod tests;

pub(in crate::format) static CISO: Format = Format {
    name: "ciso",
    title: "CISO: the blocks in use of a GameCube or Wii disc",
    extensions: &["ciso"],
    detect: is_one,
    probe,
    passes_through: false,
    files: None,
    open,
    is_part_extension: |_| false,
    targets: &[],
};

/// Where the map begins.
const MAP_AT: usize = 8;

/// Where the stored blocks begin.
const DATA_AT: u64 = 0x8000;

/// Whether a file is one. Reads 32 KiB, but only where the first bytes look like it.
///
/// A CSO that is longer than this map has other bytes than 0 and 1 in its index.
pub(super) fn is_one(head: &[u8], source: &dyn Source) -> bool {
    let is_map = |bytes: &[u8]| bytes.iter().all(|&used| used <= 1);
    let looks_like = head.starts_with(b"CISO")
        && head.len() > MAP_AT
        && is_map(&head[MAP_AT..])
        && block_size(head).is_ok();
    looks_like && map(source).is_ok_and(|map| is_map(&map) && map.contains(&1))
}

fn block_size(head: &[u8]) -> Result<u64> {
    let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    if size == 0 || size % SECTOR != 0 {
        return Err(Error::corrupt(format!(
            "block size is {size}, it must be a multiple of {SECTOR}"
        )));
    }
    Ok(size.into())
}

fn map(source: &dyn Source) -> Result<Vec<u8>> {
    if source.len() < DATA_AT {
        return Err(Error::corrupt(format!(
            "the file ends at {}, inside the map of blocks, which ends at {DATA_AT}",
            source.len()
        )));
    }
    let mut map = vec![0; 0x8000 - MAP_AT];
    source.read_exact_at(&mut map, MAP_AT as u64)?;
    Ok(map)
}

fn probe(source: &dyn Source) -> Result<Summary> {
    Ok(Summary {
        size: Disc::read(source)?.size,
        part: PartOf::Whole,
        encrypted: false,
    })
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let disc = Disc::read(source.as_ref())?;
    let stored = disc.places.iter().flatten().count() as u64 * disc.block_size;
    let (end, len) = (DATA_AT + stored, source.len());
    let mut details = Details {
        variant: format!("GameCube or Wii CISO, blocks of {} bytes", disc.block_size),
        ..Details::default()
    };
    if end.saturating_sub(len) >= disc.block_size {
        details.notes.push(format!(
            "the stored blocks end at {end}, the file at {len}: what lies behind cannot be read"
        ));
    }
    let map = InUse::new(disc.size, disc.block_size, DATA_AT, disc.places, len);
    Ok(Opened {
        format: &CISO,
        source,
        map: Box::new(map),
        details,
    })
}

#[derive(Debug)]
struct Disc {
    size: u64,
    block_size: u64,
    places: Box<[Option<u16>]>,
}

impl Disc {
    fn read(source: &dyn Source) -> Result<Self> {
        let head: [u8; MAP_AT] = read_array(source, 0, "CISO header")?;
        let block_size = block_size(&head)?;
        let places = places(&map(source)?)?;
        let last = places.iter().rposition(Option::is_some);
        let last = last.expect("it was looked for") as u64 * block_size;
        let disc = match places.first() {
            Some(Some(_)) => read_array(source, DATA_AT, "disc header")?,
            _ => [0; 32],
        };
        let size = match size_of_disc(&disc, last) {
            Some(size) => size,
            None => check_size(last + block_size)?,
        };
        Ok(Self {
            size,
            block_size,
            places,
        })
    }
}

/// Where each block lies among the stored ones.
fn places(map: &[u8]) -> Result<Box<[Option<u16>]>> {
    let mut next = 0;
    let place = |(block, &used): (usize, &u8)| match used {
        0 => Ok(None),
        1 => {
            next += 1;
            Ok(Some(next - 1))
        }
        other => Err(Error::corrupt(format!(
            "the map has {other} for block {block}, it must be 0 or 1"
        ))),
    };
    let places: Box<[Option<u16>]> = map.iter().enumerate().map(place).collect::<Result<_>>()?;
    if next == 0 {
        return Err(Error::corrupt(
            "no block of the disc is stored, one must be",
        ));
    }
    Ok(places)
}
