//! Where each hunk is: the map of each version, in memory as small as the file allows.

use super::{codecs::Method, header::Header};
use crate::{Error, Result, source::Source};

mod compressed;
mod old;
mod plain;

use compressed::Compressed;
use old::Old;
use plain::Plain;

/// Where a hunk's bytes come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Hunk {
    /// From the file itself.
    Stored {
        at: u64,
        len: u32,
        /// How they are compressed; `Nothing` when they are the plain bytes.
        method: Method,
        sum: Sum,
    },
    /// These eight bytes again and again.
    Pattern([u8; 8]),
    /// From the parent, from this plain position on.
    Parent(u64),
    /// Zeroes, for which nothing is stored.
    Zeroes,
}

/// The checksum of a hunk's plain bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sum {
    Crc16(u16),
    Crc32(u32),
    /// The writer left it out.
    None,
}

/// The map of a file.
#[derive(Debug)]
pub(super) enum Hunks {
    /// Version 5 with compressed hunks.
    Compressed(Compressed),
    /// Version 5 without.
    Plain(Plain),
    /// Versions 3 and 4.
    Old(Old),
}

impl Hunks {
    pub(super) fn read(source: &dyn Source, header: &Header) -> Result<Self> {
        Ok(match header.version {
            5 if header.is_compressed() => Self::Compressed(Compressed::read(source, header)?),
            5 => Self::Plain(Plain::read(source, header)?),
            _ => Self::Old(Old::read(source, header)?),
        })
    }

    /// Where a hunk's bytes come from. The number is below the header's; the bytes may lie outside of the file.
    pub(super) fn hunk(&self, number: u32) -> Hunk {
        match self {
            Self::Compressed(map) => map.hunk(number),
            Self::Plain(map) => map.hunk(number),
            Self::Old(map) => map.hunk(number),
        }
    }
}

/// Follows hunks that are copies of others to those that are not, so that no reader has to.
///
/// `copied` gives what a hunk is a copy of; `set` makes it one of another.
fn flatten<M>(
    map: &mut M,
    hunks: u32,
    copied: impl Fn(&M, u32) -> Option<u32>,
    set: impl Fn(&mut M, u32, u32),
) -> Result<()> {
    for hunk in 0..hunks {
        let (mut end, mut steps) = (hunk, 0);
        while let Some(next) = copied(map, end) {
            if next >= hunks {
                return Err(Error::corrupt(format!(
                    "hunk {end} is a copy of hunk {next}, there are {hunks}"
                )));
            }
            steps += 1;
            if steps > hunks {
                return Err(Error::corrupt(format!("hunk {hunk} is a copy of itself")));
            }
            end = next;
        }
        // All on the way are set, so that no hunk is passed again and again.
        let mut at = hunk;
        while let Some(next) = copied(map, at) {
            set(map, at, end);
            if next == end {
                break;
            }
            at = next;
        }
    }
    Ok(())
}

/// The `len` bytes of a table at `at`.
fn table(source: &dyn Source, at: u64, len: u64, what: &str) -> Result<Vec<u8>> {
    let end = at.checked_add(len);
    let size = usize::try_from(len).ok();
    let Some(size) = size.filter(|_| end.is_some_and(|end| end <= source.len())) else {
        return Err(Error::corrupt(format!(
            "{what} has {len} bytes at {at}, the file ends at {}",
            source.len()
        )));
    };
    let mut bytes = vec![0; size];
    source.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}
