//! The table of block offsets.

use std::{fmt, ops::Range};

use super::{HEADER_LEN, Header};
use crate::{Error, Result, source::Source};

/// Where each block is, as small as in the file. Any block may turn out not to be there.
#[derive(Debug)]
pub(super) struct Index {
    /// One more than there are blocks.
    offsets: Box<[u32]>,
    place: Range<u64>,
    file_end: u64,
    block_header_len: u64,
    longest: u64,
}

impl Index {
    pub(super) fn read(header: &Header, source: &dyn Source) -> Result<Self> {
        let blocks = header.geometry().blocks();
        let start = u64::from(header.index_at);
        let place = start..start + 4 * (blocks + 1);
        if place.end > source.len() {
            return Err(Error::corrupt(format!(
                "the index of {blocks} blocks at {start} ends at {}, behind the file's end at {}",
                place.end,
                source.len()
            )));
        }
        let block_header_len = u64::from(header.block_header_len);
        Ok(Self {
            offsets: read_offsets(source, &place)?,
            place,
            file_end: source.len(),
            block_header_len,
            longest: block_header_len + longest_data(header.block_size),
        })
    }

    /// The stored bytes of a block with its header, cut to what a block can need. They lie inside the file, and
    /// there is at least one byte behind the block's header.
    pub(super) fn place(&self, block: u64) -> std::result::Result<Range<u64>, Fault> {
        let block = usize::try_from(block).expect("a block of the geometry is in the table");
        let (start, end) = (self.offsets[block], self.offsets[block + 1]);
        let bytes = u64::from(start)..u64::from(end);
        if end <= start {
            return Err(Fault::NotRising { start, end });
        }
        if start < HEADER_LEN {
            return Err(Fault::InHeader { start });
        }
        if bytes.start < self.place.end && self.place.start < bytes.end {
            return Err(Fault::InIndex { start, end });
        }
        if bytes.end > self.file_end {
            let file_end = self.file_end;
            return Err(Fault::PastEnd { end, file_end });
        }
        if bytes.end - bytes.start <= self.block_header_len {
            return Err(Fault::OnlyHeader { start, end });
        }
        Ok(bytes.start..bytes.end.min(bytes.start + self.longest))
    }

    pub(super) fn note_missing(&self) -> Option<String> {
        let blocks = self.offsets.len() as u64 - 1;
        let mut faults = (0..blocks).filter_map(|block| Some((block, self.place(block).err()?)));
        let (first, fault) = faults.next()?;
        Some(format!(
            "{} of {blocks} blocks are not in the file; the first is block {first}: {fault}",
            1 + faults.count()
        ))
    }
}

/// What a block's data can need, so that a lying index costs no long read: incompressible data grows by less than
/// a sixteenth and a few bytes in LZO, by less in deflate. Twice the block is far above both.
fn longest_data(block_size: u16) -> u64 {
    2 * u64::from(block_size) + 64
}

fn read_offsets(source: &dyn Source, place: &Range<u64>) -> Result<Box<[u32]>> {
    let len = usize::try_from(place.end - place.start).expect("an index has a few MiB");
    let mut bytes = vec![0; len];
    source.read_exact_at(&mut bytes, place.start)?;
    let offsets = bytes.chunks_exact(4);
    Ok(offsets
        .map(|bytes| u32::from_le_bytes(bytes.try_into().expect("a chunk of 4 bytes")))
        .collect())
}

/// Why a block is not in the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    NotRising { start: u32, end: u32 },
    InHeader { start: u32 },
    InIndex { start: u32, end: u32 },
    PastEnd { end: u32, file_end: u64 },
    OnlyHeader { start: u32, end: u32 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotRising { start, end } => {
                write!(
                    f,
                    "offset is {start} and the next one {end}, offsets must rise"
                )
            }
            Fault::InHeader { start } => {
                write!(
                    f,
                    "offset is {start}, inside the header of {HEADER_LEN} bytes"
                )
            }
            Fault::InIndex { start, end } => {
                write!(f, "its bytes from {start} to {end} overlap the index")
            }
            Fault::PastEnd { end, file_end } => {
                write!(
                    f,
                    "its bytes end at {end}, behind the file's end at {file_end}"
                )
            }
            Fault::OnlyHeader { start, end } => {
                write!(
                    f,
                    "its bytes from {start} to {end} are no more than a block header"
                )
            }
        }
    }
}
