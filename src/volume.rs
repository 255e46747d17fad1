//! Where the files of an ISO 9660 volume lie, to tell which of them a damaged block hits.
//!
//! | offset | size | field of the primary volume descriptor |
//! |---|---|---|
//! | 0 | 1 | 1; 255 ends the descriptors |
//! | 1 | 5 | `CD001` |
//! | 128 | 2 | bytes of a logical block |
//! | 156 | 34 | directory record of the root |
//!
//! | offset | size | field of a directory record |
//! |---|---|---|
//! | 0 | 1 | bytes of the record; 0 when the rest of the sector is empty |
//! | 1 | 1 | logical blocks of extended attributes in front of the data |
//! | 2 | 4 | first logical block |
//! | 10 | 4 | bytes of data |
//! | 25 | 1 | flags; 2 for a directory |
//! | 32 | 1 | bytes of the name |
//! | 33 | | the name; 0 for the directory itself, 1 for the one above |
//!
//! Numbers are little-endian here (a big-endian copy follows each). Source: ECMA-119 sections 6.8, 8.4 and 9.1.
//! Joliet, Rock Ridge and UDF are not looked at: they name the same files again.

use std::{collections::HashSet, ops::Range};

use crate::image::Image;

mod record;
#[cfg(test)]
mod tests;

use record::Record;

const SECTOR: usize = 2048;
const FIRST_DESCRIPTOR: u64 = 16;

/// Discs have three or four descriptors; a list without an end must not keep us.
const MOST_DESCRIPTORS: u64 = 32;

/// Files and directories that are remembered. The fullest game discs seen have some ten thousand.
const MOST_ENTRIES: usize = 250_000;

/// Directories that are read. Each may cost the decoding of a block of its own.
const MOST_DIRECTORIES: usize = 16_384;

/// Directories on the way to a file. The standard allows eight; without a limit, the paths of a chain of all
/// directories would fill the memory.
const MOST_DEPTH: u8 = 32;

/// Sectors of all directories together, 32 MiB.
const MOST_SECTORS: u64 = 16_384;

/// Plain bytes of the blocks that are decoded for directories. They stand together on real discs; scattered over
/// blocks of 16 MiB they would cost hours.
const MOST_DECODED: u64 = 512 << 20;

/// Names that are told for one range.
const MOST_NAMES: usize = 16;

/// The files and directories of a volume, as far as they could be read.
#[derive(Debug, Default)]
pub struct Volume {
    entries: Vec<Entry>,
    is_complete: bool,
}

#[derive(Debug)]
struct Entry {
    /// Position of the directory in the entries; the root stands in itself.
    parent: usize,
    /// Directories above it; 0 for the root.
    depth: u8,
    name: String,
    is_directory: bool,
    bytes: Range<u64>,
}

impl Volume {
    /// Reads the directories of an image. `None` when it holds no ISO 9660 volume whose descriptor can be read.
    ///
    /// Directories that are damaged, or more than the limits allow, are left out: see [`Volume::is_complete`].
    #[must_use]
    pub fn read(image: &Image) -> Option<Self> {
        let descriptor = primary_descriptor(image)?;
        let block_size = u64::from(u16::from_le_bytes([descriptor[128], descriptor[129]]));
        if !block_size.is_power_of_two() || !(512..=SECTOR as u64).contains(&block_size) {
            return None;
        }
        let root = Record::parse(&descriptor[156..])?;
        let mut walk = Walk {
            image,
            block_size,
            volume: Self {
                entries: Vec::new(),
                is_complete: true,
            },
            seen: HashSet::new(),
            sectors_left: MOST_SECTORS,
            decoding_left: MOST_DECODED,
            last_block: None,
        };
        walk.add(0, &root);
        walk.run();
        Some(walk.volume)
    }

    /// Whether every directory could be read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// For each of the ranges, the paths of what has bytes in it; 16 at most. A directory ends with `/`.
    ///
    /// `ranges` must rise and not overlap.
    #[must_use]
    pub fn names_in(&self, ranges: &[Range<u64>]) -> Vec<Vec<String>> {
        let mut names = vec![Vec::new(); ranges.len()];
        for (number, entry) in self.entries.iter().enumerate() {
            let first = ranges.partition_point(|range| range.end <= entry.bytes.start);
            let hit = ranges[first..].iter().zip(&mut names[first..]);
            for (_, names) in hit.take_while(|(range, _)| range.start < entry.bytes.end) {
                if names.len() < MOST_NAMES {
                    self.push_path(number, names);
                }
            }
        }
        names
    }

    /// A file of several extents has an entry for each, and one name.
    fn push_path(&self, number: usize, names: &mut Vec<String>) {
        let path = self.path(number);
        if names.last() != Some(&path) {
            names.push(path);
        }
    }

    fn path(&self, number: usize) -> String {
        let (mut at, mut names) = (number, Vec::new());
        while at != 0 {
            names.push(self.entries[at].name.as_str());
            at = self.entries[at].parent;
        }
        names.push("");
        names.reverse();
        let end = if self.entries[number].is_directory {
            "/"
        } else {
            ""
        };
        names.join("/") + end
    }
}

/// Looked for in the first descriptors from sector 16 on, because a boot record may stand in front of it.
fn primary_descriptor(image: &Image) -> Option<[u8; SECTOR]> {
    let mut descriptor = [0; SECTOR];
    for sector in FIRST_DESCRIPTOR..FIRST_DESCRIPTOR + MOST_DESCRIPTORS {
        let n = image
            .read_at(&mut descriptor, sector * SECTOR as u64)
            .ok()?;
        if n < descriptor.len() || &descriptor[1..6] != b"CD001" {
            return None;
        }
        match descriptor[0] {
            1 => return Some(descriptor),
            255 => return None,
            _ => {}
        }
    }
    None
}

/// One pass over all directories, breadth first.
struct Walk<'i> {
    image: &'i Image,
    block_size: u64,
    volume: Volume,
    /// First blocks of the directories that were met: none is read twice, so there is no way in circles.
    seen: HashSet<u32>,
    sectors_left: u64,
    decoding_left: u64,
    /// The block that the last sector was in, which a cache holds.
    last_block: Option<u64>,
}

impl Walk<'_> {
    fn run(&mut self) {
        let mut next = 0;
        while next < self.volume.entries.len() {
            if self.volume.entries[next].is_directory {
                self.read_directory(next);
            }
            next += 1;
        }
    }

    fn read_directory(&mut self, number: usize) {
        let bytes = self.volume.entries[number].bytes.clone();
        let mut sector = [0; SECTOR];
        let mut at = bytes.start;
        while at < bytes.end {
            if !self.may_read(at) {
                self.volume.is_complete = false;
                return;
            }
            match self.image.read_at(&mut sector, at) {
                Ok(n) if n == sector.len() => self.add_all(number, &sector),
                Ok(_) => {
                    self.volume.is_complete = false;
                    return;
                }
                Err(_) => self.volume.is_complete = false,
            }
            at += SECTOR as u64;
        }
    }

    /// Counts a sector and what decoding it costs against the limits.
    fn may_read(&mut self, at: u64) -> bool {
        let geometry = self.image.geometry();
        if self.sectors_left == 0 || self.decoding_left == 0 || at >= geometry.size() {
            return false;
        }
        self.sectors_left -= 1;
        let block = Some(geometry.block_at(at));
        if block != self.last_block {
            let cost = geometry.largest_block() as u64;
            self.decoding_left = self.decoding_left.saturating_sub(cost);
            self.last_block = block;
        }
        true
    }

    fn add_all(&mut self, parent: usize, mut sector: &[u8]) {
        while let Some(record) = Record::parse(sector) {
            if !record.is_itself_or_above() {
                self.add(parent, &record);
            }
            sector = &sector[record.len..];
        }
    }

    fn add(&mut self, parent: usize, record: &Record) {
        let directories = self.seen.len();
        let depth = self.volume.entries.get(parent).map_or(0, |it| it.depth + 1);
        if self.volume.entries.len() == MOST_ENTRIES
            || record.is_directory && directories == MOST_DIRECTORIES
            || depth > MOST_DEPTH
        {
            self.volume.is_complete = false;
            return;
        }
        if record.is_directory && !self.seen.insert(record.first_block) {
            return;
        }
        let first = u64::from(record.first_block) + u64::from(record.attribute_blocks);
        let start = first * self.block_size;
        self.volume.entries.push(Entry {
            parent,
            depth,
            name: record.name.clone(),
            is_directory: record.is_directory,
            bytes: start..start + u64::from(record.data_len),
        });
    }
}
