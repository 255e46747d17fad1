//! WBFS files: one disc of a Wii, its blocks in use kept as on the hard disks of USB loaders.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | `WBFS` |
//! | 4 | 4 | hard-disk sectors of all files together; writers differ, so it is not looked at |
//! | 8 | 1 | size of a hard-disk sector as a power of two, from 9 (512 bytes) |
//! | 9 | 1 | size of a block as a power of two, from 15 (32 KiB), most often 21 (2 MiB) |
//! | 10 | 2 | version, unused |
//! | 12 | to the end of the sector | for each slot whether it holds a disc |
//! | a sector | the size of a slot for each | slots: a copy of the disc's first 256 bytes, then its table |
//!
//! The table has 2 bytes for each block of the disc: the number of the block of the file that holds it, counted from
//! the front of the file, or 0 for a block that is not in use. A disc has 286,864 sectors of 32 KiB at most, and so
//! many whole blocks has its table. A slot is filled up to whole hard-disk sectors. All slots lie in the first block.
//!
//! All numbers are big-endian. What is left out reads as zeroes. Files of more than 4 GiB go on in `.wbf1`, `.wbf2`
//! and so on, without a header, cut anywhere.
//!
//! Source: files made by wit and wwt, and what wit makes of them.

use std::{ffi::OsString, path::Path, sync::Arc};

use super::{Details, Format, OpenOptions, Opened, PartOf, Summary};
use crate::{
    Error, Result,
    map::console::{InUse, WII, WII_OF_TWO_LAYERS},
    source::{Part, Parts, Source, read_array},
};

#[cfg(test)]
mod tests;

pub(super) static WBFS: Format = Format {
    name: "wbfs",
    title: "WBFS: the blocks in use of a Wii disc, split sets too",
    extensions: &["wbfs"],
    detect: |head, _| head.starts_with(b"WBFS"),
    probe,
    passes_through: false,
    files: None,
    open,
    is_part_extension,
    targets: &[],
};

/// The most files of a set: more than `.wbf99` nobody makes.
const MOST_FILES: u32 = 100;

/// Sectors of 32 KiB that a table is made for: two layers as the format's makers counted them.
const SECTORS: u64 = 286_864;

/// What stands in front of a slot's table.
const DISC_HEADER: u64 = 256;

fn is_part_extension(extension: &str) -> bool {
    let number = extension.strip_prefix("wbf");
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn probe(source: &dyn Source) -> Result<Summary> {
    let disc = Disc::read(source)?;
    Ok(Summary {
        size: disc.size,
        part: match disc.stored_end() {
            end if end > source.len() => PartOf::First,
            _ => PartOf::Whole,
        },
        encrypted: false,
    })
}

fn open(source: Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Opened> {
    let disc = Disc::read(source.as_ref())?;
    let (source, names) = joined(source, disc.stored_end(), options)?;
    let (len, end) = (source.len(), disc.stored_end());
    let mut details = Details {
        variant: format!("WBFS, blocks of {} bytes", disc.block_size),
        ..Details::default()
    };
    if end > len {
        let next = part_name(options, names.len());
        details.notes.push(format!(
            "blocks up to {end} are in use, but the bytes end at {len}, and {} is not beside the file: \
             what lies behind cannot be read",
            next.to_string_lossy().escape_debug()
        ));
    }
    if names.len() > 1 {
        details.parts = names;
    }
    let map = InUse::new(disc.size, disc.block_size, 0, disc.places, len);
    Ok(Opened {
        format: &WBFS,
        source,
        map: Box::new(map),
        details,
    })
}

/// The file and those that go on with it, as far as they are needed and there; and their names.
fn joined(
    first: Arc<dyn Source>,
    end: u64,
    options: &OpenOptions<'_>,
) -> Result<(Arc<dyn Source>, Vec<String>)> {
    let mut names = vec![options.name.to_string_lossy().into_owned()];
    let mut parts = vec![whole(Arc::clone(&first), &names[0])];
    let mut len = first.len();
    while len < end && names.len() < MOST_FILES as usize {
        let name = part_name(options, names.len());
        let Some(source) = options.siblings.find(&name)? else {
            break;
        };
        len = len.saturating_add(source.len());
        names.push(name.to_string_lossy().into_owned());
        parts.push(whole(source, &names[names.len() - 1]));
    }
    let source: Arc<dyn Source> = match parts.len() {
        1 => first,
        _ => Arc::new(Parts::new(parts)?),
    };
    Ok((source, names))
}

fn whole(source: Arc<dyn Source>, name: &str) -> Part {
    Part {
        at: 0,
        len: source.len(),
        source,
        name: name.into(),
    }
}

/// `Game.wbf1` for `Game.wbfs`.
fn part_name(options: &OpenOptions<'_>, number: usize) -> OsString {
    let name = Path::new(options.name).with_extension(format!("wbf{number}"));
    name.into_os_string()
}

/// The only disc of a file.
#[derive(Debug)]
struct Disc {
    size: u64,
    block_size: u64,
    /// The block of the file that holds each block of the disc.
    places: Box<[Option<u16>]>,
}

impl Disc {
    fn read(source: &dyn Source) -> Result<Self> {
        let head: [u8; 12] = read_array(source, 0, "WBFS header")?;
        let (sector, block) = (shift(head[8], 9..=15, "hard-disk sector")?, head[9]);
        let block = shift(block, 15..=30, "block")?;
        let table = 2 * (SECTORS >> (block - 15));
        let slot = slot_in_use(source, 1 << sector)?;
        let slot_len = (DISC_HEADER + table).next_multiple_of(1 << sector);
        let at = (1 << sector) + slot * slot_len + DISC_HEADER;
        if at + table > 1 << block {
            return Err(Error::corrupt(format!(
                "the block table ends at {}, it must end in the first block, which has {} bytes",
                at + table,
                1_u64 << block
            )));
        }
        let bytes = bytes(source, at, table, "block table")?;
        let pairs = bytes.chunks_exact(2);
        let places = pairs.map(|pair| match u16::from_be_bytes([pair[0], pair[1]]) {
            0 => None,
            number => Some(number),
        });
        Self::of(1 << block, places.collect())
    }

    fn of(block_size: u64, places: Box<[Option<u16>]>) -> Result<Self> {
        let last = places.iter().rposition(Option::is_some).ok_or_else(|| {
            Error::corrupt("no block of the disc is in use, and its first one always is")
        })?;
        let last = last as u64 * block_size;
        let mut sizes = [WII, WII_OF_TWO_LAYERS].into_iter();
        let size = sizes.find(|&size| last < size).ok_or_else(|| {
            Error::corrupt(format!(
                "the block at {last} of the disc is in use, a disc of two layers ends at {WII_OF_TWO_LAYERS}"
            ))
        })?;
        Ok(Self {
            size,
            block_size,
            places,
        })
    }

    /// Where the stored block that lies furthest behind ends.
    fn stored_end(&self) -> u64 {
        let last = self.places.iter().flatten().max();
        last.map_or(0, |&last| (u64::from(last) + 1) * self.block_size)
    }
}

fn shift(found: u8, allowed: std::ops::RangeInclusive<u8>, what: &str) -> Result<u8> {
    if allowed.contains(&found) {
        return Ok(found);
    }
    Err(Error::corrupt(format!(
        "size of a {what} is 2 to the power of {found}, it must be from {} to {}",
        allowed.start(),
        allowed.end()
    )))
}

/// The number of the only slot that holds a disc.
fn slot_in_use(source: &dyn Source, sector: u64) -> Result<u64> {
    let slots = bytes(source, 12, sector - 12, "list of slots")?;
    let mut used = slots.iter().zip(0..).filter(|(used, _)| **used != 0);
    let Some((_, slot)) = used.next() else {
        return Err(Error::corrupt("no slot holds a disc, one must"));
    };
    match used.count() {
        0 => Ok(slot),
        more => Err(Error::unsupported(format!(
            "the file holds {} discs, only files of one disc are read; wit copies each to a file of its own",
            more + 1
        ))),
    }
}

/// Bytes at the front of the file; `len` is bounded by the header's rules.
fn bytes(source: &dyn Source, at: u64, len: u64, what: &str) -> Result<Vec<u8>> {
    if at + len > source.len() {
        return Err(Error::corrupt(format!(
            "the file ends at {}, inside the {what} ({len} bytes at {at})",
            source.len()
        )));
    }
    let mut bytes = vec![0; usize::try_from(len).expect("it is below 1 MiB")];
    source.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}
