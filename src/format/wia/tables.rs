//! The tables: partitions, raw data, groups.

use std::io::Read;

use super::{
    areas::{self, Area, Part},
    bytes::{Bytes, array, long, sha1, word},
    groups::{Group, Groups, STORED_SLACK},
    header::{Disc, Head, Table},
    kind::Kind,
    method::{self, Method},
};
use crate::{Error, ErrorKind, Result, source::Source};

/// The most groups: eight times as many as a disc of two layers has in the smallest chunks.
const MOST_GROUPS: u32 = 1 << 21;

/// The most partitions, and stretches of raw data.
const MOST_ENTRIES: u32 = 4096;

/// Bytes of an entry of a partition, as far as it is known.
const PARTITION: usize = 48;

/// The most bytes that an entry of a partition may claim.
const MOST_PARTITION: u32 = 1024;

const RAW: u32 = 24;

/// What the tables tell.
#[derive(Debug)]
pub(super) struct Tables {
    /// They tile the image.
    pub(super) areas: Box<[Area]>,
    /// Title keys, by the number of the partition.
    pub(super) keys: Box<[[u8; 16]]>,
    pub(super) groups: Groups,
}

pub(super) fn read(source: &dyn Source, head: &Head, disc: &Disc) -> Result<Tables> {
    check_count("groups", disc.groups.count, MOST_GROUPS)?;
    check_count("entries of raw data", disc.raw.count, MOST_ENTRIES)?;
    check_count("partitions", disc.partitions.count, MOST_ENTRIES)?;
    let partitions = partitions(source, disc)?;
    let raw = table(source, disc.method, disc.raw, RAW, "table of raw data")?;
    let mut parts: Vec<Part> = raw.chunks_exact(RAW as usize).map(raw_part).collect();
    let mut keys = Vec::new();
    for entry in partitions.chunks_exact(PARTITION) {
        parts.extend(areas::partition(keys.len(), data_parts(entry))?);
        keys.push(array(entry, 0));
    }
    let group_len = head.kind.group_len();
    let groups = table(source, disc.method, disc.groups, group_len, "group table")?;
    let groups = groups.chunks_exact(group_len as usize);
    Ok(Tables {
        areas: areas::lay_out(parts, head.size, disc)?,
        keys: keys.into(),
        groups: Groups {
            entries: groups.map(|entry| group(entry, head.kind)).collect(),
            method: disc.method,
            chunk: disc.chunk,
            lists: disc.lists(),
            most_exceptions: disc.most_exceptions(),
            file_end: source.len(),
        },
    })
}

fn check_count(what: &str, count: u32, most: u32) -> Result<()> {
    if count <= most {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::LimitExceeded,
        format!("number of {what} is {count}, more than the limit of {most}"),
    ))
}

/// The partition table, each entry cut or filled up to [`PARTITION`] bytes.
fn partitions(source: &dyn Source, disc: &Disc) -> Result<Vec<u8>> {
    let table = disc.partitions;
    if table.count == 0 {
        return Ok(Vec::new());
    }
    if table.entry_len == 0 || table.entry_len > MOST_PARTITION {
        return Err(Error::corrupt(format!(
            "an entry of the partition table has {} bytes, it must have 1 to {MOST_PARTITION}",
            table.entry_len
        )));
    }
    let len = u64::from(table.count) * u64::from(table.entry_len);
    let bytes = stored(source, table.at, len, "partition table")?;
    if sha1(&bytes) != table.sha1 {
        return Err(Error::corrupt(
            "the SHA-1 of the partition table is not the one that the header carries",
        ));
    }
    let entry = |entry: &[u8]| {
        let mut known = [0; PARTITION];
        let len = entry.len().min(PARTITION);
        known[..len].copy_from_slice(&entry[..len]);
        known
    };
    Ok(bytes
        .chunks_exact(table.entry_len as usize)
        .flat_map(entry)
        .collect())
}

/// The two stretches of a partition.
fn data_parts(entry: &[u8]) -> [Part; 2] {
    [16, 32].map(|at| Part {
        start: u64::from(word(entry, at)) * u64::from(super::SECTOR),
        len: u64::from(word(entry, at + 4)) * u64::from(super::SECTOR),
        first_group: word(entry, at + 8),
        groups: word(entry, at + 12),
        partition: None,
    })
}

/// What begins inside a sector is stored from the sector on: the first entry leaves out what the header holds.
fn raw_part(entry: &[u8]) -> Part {
    let (start, len) = (long(entry, 0), long(entry, 8));
    let before = start % u64::from(super::SECTOR);
    Part {
        start: start - before,
        len: if len == 0 {
            0
        } else {
            len.saturating_add(before)
        },
        first_group: word(entry, 16),
        groups: word(entry, 20),
        partition: None,
    }
}

fn group(entry: &[u8], kind: Kind) -> Group {
    Group {
        at: word(entry, 0),
        len: word(entry, 4),
        packed: match kind {
            Kind::Wia => None,
            Kind::Rvz => Some(word(entry, 8)),
        },
    }
}

/// Stored bytes that must be there.
fn stored(source: &dyn Source, at: u64, len: u64, what: &str) -> Result<Vec<u8>> {
    if at.checked_add(len).is_none_or(|end| end > source.len()) {
        return Err(Error::corrupt(format!(
            "the file ends at {}, inside the {what} ({len} bytes at {at})",
            source.len()
        )));
    }
    let mut bytes = vec![0; usize::try_from(len).expect("tables are small")];
    source.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

/// A compressed table of entries of `entry_len` bytes.
fn table(
    source: &dyn Source,
    method: Method,
    table: Table,
    entry_len: u32,
    what: &str,
) -> Result<Vec<u8>> {
    let len = u64::from(table.count) * u64::from(entry_len);
    if u64::from(table.stored) > 2 * len + STORED_SLACK {
        return Err(Error::corrupt(format!(
            "the {what} has {} stored bytes, for {len} plain ones",
            table.stored
        )));
    }
    let stored = stored(source, table.at, table.stored.into(), what)?;
    if len == 0 {
        return Ok(Vec::new());
    }
    decompress(method, stored, len)
        .map_err(|why| method::refuse(method, &why))
        .map_err(|err| err.in_context(what))
}

/// Memory grows with what comes out, so that a table that is not there takes none.
fn decompress(method: Method, stored: Vec<u8>, len: u64) -> std::io::Result<Vec<u8>> {
    let stream = method.begin(Bytes::Owned(stored), len)?.go_on();
    let mut plain = Vec::new();
    method::Exactly::new(stream, len, method.has_end()).read_to_end(&mut plain)?;
    if plain.len() as u64 == len {
        return Ok(plain);
    }
    Err(std::io::ErrorKind::UnexpectedEof.into())
}

impl Tables {
    /// Groups that have no place in the file.
    pub(super) fn note_missing(&self) -> Option<String> {
        let used = self.areas.iter().flat_map(Area::groups);
        let mut faults = used.filter_map(|number| Some((number, self.groups.check(number).err()?)));
        let (first, fault) = faults.next()?;
        let count = 1 + faults.count();
        Some(format!(
            "{count} of {} groups are not in the file; the first is group {first}: {fault}",
            self.groups.entries.len()
        ))
    }
}
