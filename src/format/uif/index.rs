//! The list of blocks: where each is stored, and which sectors it holds.

use super::{Trailer, u32_at};
use crate::{
    Error, ErrorKind, Result,
    codec::Codec,
    map::{Geometry, MAX_BLOCK, Stored},
    source::{Source, read_array},
};

const HEADER: u64 = 16;

const ENTRY: u64 = 24;

/// The most blocks: of one sector each on a disc of 8 GiB.
const MAX_BLOCKS: u32 = 1 << 22;

/// The blocks of an image, in the order of their sectors, without gaps between them.
#[derive(Debug)]
pub(super) struct Index {
    entries: Box<[Entry]>,
    /// The first plain byte of each, and the end of the image.
    starts: Box<[u64]>,
    /// Where the blocks end: the list stands behind them.
    end: u64,
    sector: u32,
}

/// One block.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u64,
    len: u32,
    first: u32,
    sectors: u32,
    kind: u32,
}

impl Index {
    pub(super) fn read(trailer: &Trailer, source: &dyn Source) -> Result<Self> {
        let bytes = entries(trailer, source)?;
        let entries = bytes.chunks_exact(24).map(Entry::parse);
        // Blocks of no sectors hold nothing.
        let mut entries: Vec<Entry> = entries.filter(|entry| entry.sectors > 0).collect();
        entries.sort_by_key(|entry| entry.first);
        let mut next = 0;
        for entry in &entries {
            next = entry.follow(next, trailer.sector)?;
        }
        if next != trailer.sectors {
            return Err(Error::corrupt(format!(
                "the blocks hold {next} sectors, the image has {}",
                trailer.sectors
            )));
        }
        let starts = entries
            .iter()
            .map(|entry| u64::from(entry.first) * u64::from(trailer.sector));
        Ok(Self {
            starts: starts.chain([trailer.size]).collect(),
            entries: entries.into(),
            end: trailer.list_at,
            sector: trailer.sector,
        })
    }

    pub(super) fn geometry(&self) -> Geometry {
        Geometry::Table(self.starts.clone())
    }

    /// Plain bytes of a block, those behind the image's end included.
    pub(super) fn whole_len(&self, block: usize) -> usize {
        self.entries[block].sectors as usize * self.sector as usize
    }

    /// Where a block is stored, or why it is nowhere.
    pub(super) fn place(&self, block: usize) -> std::result::Result<Stored, String> {
        let entry = self.entries[block];
        let (codec, len) = match entry.kind {
            1 => (Codec::Raw, entry.len),
            3 => (Codec::Zero, 0),
            5 => (Codec::Zlib, entry.len),
            other => return Err(format!("its kind is {other}, known are 1, 3 and 5")),
        };
        if codec == Codec::Zero {
            return Ok(Stored { at: 0, len, codec });
        }
        let most = self.whole_len(block) as u64;
        let most = most + most / 256 + 64;
        if len == 0 || u64::from(len) > most {
            return Err(format!(
                "it has {len} stored bytes, it must have from 1 to {most}"
            ));
        }
        match entry.at.checked_add(len.into()) {
            Some(end) if end <= self.end => Ok(Stored {
                at: entry.at,
                len,
                codec,
            }),
            _ => Err(format!(
                "its {len} bytes at {} reach behind the blocks' end at {}",
                entry.at, self.end
            )),
        }
    }

    /// What to say about blocks that have no place.
    pub(super) fn note_missing(&self) -> Option<String> {
        let mut missing =
            (0..self.entries.len()).filter_map(|block| Some((block, self.place(block).err()?)));
        let (block, fault) = missing.next()?;
        Some(format!(
            "{} blocks cannot be read, the first is block {block}: {fault}",
            missing.count() + 1
        ))
    }
}

impl Entry {
    fn parse(bytes: &[u8]) -> Self {
        let low = u64::from(u32_at(bytes, 0));
        Self {
            at: low | u64::from(u32_at(bytes, 4)) << 32,
            len: u32_at(bytes, 8),
            first: u32_at(bytes, 12),
            sectors: u32_at(bytes, 16),
            kind: u32_at(bytes, 20),
        }
    }

    /// Checks that the block begins where the one before ends, and returns where it ends itself.
    fn follow(&self, next: u32, sector: u32) -> Result<u32> {
        if self.first != next {
            return Err(Error::corrupt(format!(
                "a block begins at sector {}, the one before it ends at {next}",
                self.first
            )));
        }
        let most = MAX_BLOCK / sector;
        if self.sectors > most {
            return Err(Error::corrupt(format!(
                "a block has {} sectors, the limit is {most}",
                self.sectors
            )));
        }
        let end = self.first.checked_add(self.sectors);
        end.ok_or_else(|| Error::corrupt("a block ends behind sector 2^32"))
    }
}

/// The bytes of all entries.
fn entries(trailer: &Trailer, source: &dyn Source) -> Result<Vec<u8>> {
    let head: [u8; 16] = read_array(source, trailer.list_at, "list of blocks")?;
    let [len, packed, count] = [4, 8, 12].map(|at| u32_at(&head, at));
    if count > MAX_BLOCKS {
        let message = format!("the list has {count} blocks, the limit is {MAX_BLOCKS}");
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let wanted = u64::from(count) * ENTRY;
    let stored = u64::from(len).checked_sub(8);
    let stored = stored.filter(|stored| trailer.list_at + HEADER + stored <= trailer.at);
    let stored = stored.ok_or_else(|| {
        Error::corrupt(format!(
            "the list of blocks at {} has {len} bytes, and ends behind the trailer at {}",
            trailer.list_at, trailer.at
        ))
    })?;
    let codec = match packed {
        0 => Codec::Raw,
        _ => Codec::Zlib,
    };
    // What zlib makes of equal bytes is a thousandth of them.
    if wanted > stored.saturating_mul(1100) + 4096 || (codec == Codec::Raw && wanted > stored) {
        return Err(Error::corrupt(format!(
            "the list has {count} blocks, for which its {stored} bytes are too few"
        )));
    }
    let mut bytes = vec![0; usize::try_from(stored).expect("it has 32 bits")];
    source.read_exact_at(&mut bytes, trailer.list_at + HEADER)?;
    let mut plain = vec![0; usize::try_from(wanted).expect("it is below 100 MiB")];
    codec
        .decode(&bytes, &mut plain)
        .map_err(|err| err.in_context("list of blocks"))?;
    Ok(plain)
}
