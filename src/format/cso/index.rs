//! The index: where each block is stored, and why some blocks have no place.

use std::fmt;

use super::header::{FLAG, Header, INDEX_AT};
use crate::{Error, ErrorKind, Result, codec::Codec, source::Source};

/// The index as it stands in the file, and what had to be found out about it.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) header: Header,
    /// The entries, little-endian: one for each block, and one for the end of the last.
    entries: Box<[u8]>,
    /// Number of blocks that have an entry.
    blocks: u64,
    file_len: u64,
    /// The place of the last block, where its own entry is wrong but its bytes were found.
    found_last: Option<Place>,
    /// The first block that lies in a second file, and where that begins.
    second: Option<(u64, u64)>,
}

/// Where a block is stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) at: u64,
    /// At most what a block can need, and inside the file. Padding may be included.
    pub(super) len: u32,
    pub(super) codec: Codec,
    /// Whether the index says that the block goes on behind the end of the file.
    pub(super) cut: bool,
}

impl Index {
    /// Reads the index whole. Its size is bounded by the file's.
    ///
    /// # Errors
    /// `Io` when it cannot be read, `LimitExceeded` when it does not fit in the address space.
    pub(super) fn read(header: Header, source: &dyn Source) -> Result<Self> {
        let bytes = usize::try_from(4 * (header.indexed + 1)).map_err(|_| {
            let blocks = header.indexed;
            let message = format!("the index of {blocks} blocks does not fit in memory");
            Error::new(ErrorKind::LimitExceeded, message)
        })?;
        let mut entries = vec![0; bytes].into_boxed_slice();
        source.read_exact_at(&mut entries, INDEX_AT)?;
        Ok(Self {
            header,
            entries,
            blocks: header.indexed,
            file_len: source.len(),
            found_last: None,
            second: None,
        })
    }

    /// Number of blocks that have an entry. One less than the image has, when the writer left out its tail.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    pub(super) fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Takes the last entry for what follows the index, because the writer left out the image's tail.
    pub(super) fn drop_tail(&mut self) {
        self.blocks -= 1;
    }

    /// Gives the last block a place that its entry does not tell.
    pub(super) fn set_last(&mut self, place: Place) {
        self.found_last = Some(place);
    }

    /// The entry at `i`, at most [`Self::blocks`].
    pub(super) fn entry(&self, i: u64) -> u32 {
        let i = usize::try_from(i).expect("the index is in memory") * 4;
        let four = self.entries[i..i + 4].try_into();
        u32::from_le_bytes(four.expect("the slice has four bytes"))
    }

    /// Where the entry at `i` points to.
    pub(super) fn position(&self, i: u64) -> u64 {
        let position = self.header.position(self.entry(i));
        match self.second {
            Some((block, at)) if i >= block => at + position,
            _ => position,
        }
    }

    /// The first block whose entry counts from a file without a header.
    pub(super) fn first_at_zero(&self) -> Option<u64> {
        (0..self.blocks).find(|&block| self.entry(block) & !FLAG == 0)
    }

    /// Takes the entries from `block` on for positions in a second file, which is joined to the first at `at`.
    pub(super) fn go_on(&mut self, block: u64, at: u64, joined_len: u64) {
        self.second = Some((block, at));
        self.file_len = joined_len;
    }

    /// Where `block` (one of the image's) is stored, or why it has no place.
    pub(super) fn place(&self, block: u64) -> std::result::Result<Place, Fault> {
        let is_last = block + 1 == self.blocks;
        match self.found_last {
            Some(place) if is_last => return Ok(place),
            _ => {}
        }
        if block >= self.blocks {
            let left_out = self.header.plain_len(block);
            return Err(Fault::LeftOut { left_out });
        }
        let at = self.start_of(block)?;
        let (length, end) = if is_last {
            self.end_of_last(at)
        } else {
            let end = self.end_of(block, at)?;
            (end - at, end)
        };
        let flag = self.entry(block) & FLAG != 0;
        let codec = self.header.codec(flag, length);
        let have = self.file_len.min(end) - at;
        let cut = at + length > self.file_len;
        self.check_stored(block, codec, have, cut)?;
        self.check_overlap(block, codec, at, length)?;
        let len = u32::try_from(have.min(self.header.most_stored())).expect("it is below 33 MiB");
        Ok(Place {
            at,
            len,
            codec,
            cut,
        })
    }

    fn start_of(&self, block: u64) -> std::result::Result<u64, Fault> {
        let (at, entry) = (self.position(block), block);
        let index_end = Header::index_end(self.blocks);
        if at < index_end {
            return Err(Fault::InIndex {
                entry,
                at,
                index_end,
            });
        }
        if at >= self.file_len {
            let file_len = self.file_len;
            return Err(Fault::BehindEnd {
                entry,
                at,
                file_len,
            });
        }
        if block == 0 {
            return Ok(at);
        }
        let previous = self.position(block - 1);
        // Of two entries out of order, the first is the wrong one when it is behind the file or the next entry too.
        let trusted = previous < self.file_len && previous <= self.position(block + 1);
        match at {
            _ if at == previous => Err(Fault::Twin { entry, at }),
            _ if at < previous && trusted => Err(Fault::Back {
                entry,
                at,
                previous,
            }),
            _ => Ok(at),
        }
    }

    fn end_of(&self, block: u64, at: u64) -> std::result::Result<u64, Fault> {
        let (entry, next) = (block, self.position(block + 1));
        match next {
            _ if next == at => Err(Fault::Empty { entry, at }),
            _ if next < at => Err(Fault::NextBack { entry, at, next }),
            _ => Ok(next),
        }
    }

    /// The length of the last block by its entries, and where its bytes may end at most.
    ///
    /// A final entry that makes no sense is not used.
    fn end_of_last(&self, at: u64) -> (u64, u64) {
        let end = self.position(self.blocks);
        let most = self.header.last_end(end, self.file_len);
        if most > at {
            (end.saturating_sub(at), most)
        } else {
            (self.file_len - at, self.file_len)
        }
    }

    fn check_stored(
        &self,
        block: u64,
        codec: Codec,
        have: u64,
        cut: bool,
    ) -> std::result::Result<(), Fault> {
        let want = self.header.plain_len(block);
        let may_miss = u64::from(block + 1 == self.header.blocks());
        match codec {
            Codec::Raw if have + may_miss < want => Err(Fault::Short { have, want, cut }),
            _ => Ok(()),
        }
    }

    /// A stored block that begins inside the stored bytes of the one before, and is too long by as much, has an entry
    /// that points too low. Any other codec would notice when it decodes.
    fn check_overlap(
        &self,
        block: u64,
        codec: Codec,
        at: u64,
        length: u64,
    ) -> std::result::Result<(), Fault> {
        let block_size = u64::from(self.header.block_size);
        let too_long = length >= block_size + (1 << self.header.shift);
        if codec != Codec::Raw || !too_long || block == 0 || self.header.version == 2 {
            return Ok(());
        }
        let (entry, previous) = (block, self.position(block - 1));
        let is_stored = self.entry(block - 1) & FLAG != 0;
        if is_stored && (previous..previous + block_size).contains(&at) {
            return Err(Fault::Inside {
                entry,
                at,
                previous,
            });
        }
        Ok(())
    }

    /// The number of blocks without a place, the first of them and its fault; `None` when all that have an entry
    /// have a place too.
    pub(super) fn faults(&self) -> Option<(u64, u64, Fault)> {
        if self.is_orderly() {
            return None;
        }
        let blocks = 0..self.header.blocks();
        let mut faults = blocks.filter_map(|block| Some((block, self.place(block).err()?)));
        let (block, fault) = faults.next()?;
        Some((1 + faults.count() as u64, block, fault))
    }

    /// A quick look at all entries. Where it finds nothing, every block with an entry has a place.
    fn is_orderly(&self) -> bool {
        let Some(last) = self.blocks.checked_sub(1) else {
            return false;
        };
        let ends_inside = self.position(last) < self.file_len && self.place(last).is_ok();
        let starts_behind = self.position(0) >= Header::index_end(self.blocks);
        let stored_units = self.stored_units();
        let used = usize::try_from(4 * self.blocks).expect("the index is in memory");
        let (used, number) = (&self.entries[..used], |four: &[u8]| {
            u32::from_le_bytes([four[0], four[1], four[2], four[3]])
        });
        let nexts = used[4..].chunks_exact(4).map(number);
        // Without a branch, and nothing handed from one pair to the next: so it is done for several at once.
        let pairs = used.chunks_exact(4).map(number).zip(nexts);
        let disorder = pairs.fold(0, |found, (entry, next)| {
            let need = 1 + (entry >> 31) * (stored_units - 1);
            found | u32::from(next & !FLAG < (entry & !FLAG) + need)
        });
        ends_inside && starts_behind && disorder == 0
    }

    /// What two entries are apart at least where the first has the flag, in units of positions.
    fn stored_units(&self) -> u32 {
        // In version 2 no block is short: one below the block size is not stored.
        let units = match self.header.version {
            2 => 1,
            _ => u64::from(self.header.block_size).div_ceil(1 << self.header.shift),
        };
        u32::try_from(units).expect("a block size fits")
    }
}

/// Why a block has no place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    LeftOut { left_out: u64 },
    InIndex { entry: u64, at: u64, index_end: u64 },
    BehindEnd { entry: u64, at: u64, file_len: u64 },
    Back { entry: u64, at: u64, previous: u64 },
    Twin { entry: u64, at: u64 },
    Inside { entry: u64, at: u64, previous: u64 },
    NextBack { entry: u64, at: u64, next: u64 },
    Empty { entry: u64, at: u64 },
    Short { have: u64, want: u64, cut: bool },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Fault::LeftOut { left_out } => write!(
                f,
                "its writer left out the last {left_out} bytes of the image, and the index has no entry for them"
            ),
            Fault::InIndex {
                entry,
                at,
                index_end,
            } => write!(
                f,
                "its index entry {entry} points to {at}, inside the header and index, which end at {index_end}"
            ),
            Fault::BehindEnd {
                entry,
                at,
                file_len,
            } => write!(
                f,
                "its index entry {entry} points to {at}, behind the end of the file at {file_len}"
            ),
            Fault::Back {
                entry,
                at,
                previous,
            } => write!(
                f,
                "its index entry {entry} points back to {at}, before the previous block's {previous}"
            ),
            Fault::Twin { entry, at } => write!(
                f,
                "its index entry {entry} is {at} like the previous one, so one of them is wrong"
            ),
            Fault::Inside {
                entry,
                at,
                previous,
            } => write!(
                f,
                "its index entry {entry} points to {at}, inside the previous block's stored bytes at {previous}"
            ),
            Fault::NextBack { entry, at, next } => write!(
                f,
                "its index entry {entry} points to {at}, but the next one back to {next}"
            ),
            Fault::Empty { entry, at } => write!(
                f,
                "its index entry {entry} and the next one are both {at}, which leaves it no bytes"
            ),
            Fault::Short {
                have,
                want,
                cut: true,
            } => write!(f, "the file ends after {have} of its {want} stored bytes"),
            Fault::Short { have, want, .. } => {
                write!(f, "the index gives it {have} of its {want} stored bytes")
            }
        }
    }
}
