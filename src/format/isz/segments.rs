//! The segment table: which bytes of each file of a set are chunk data.

use super::{
    chunks::{Chunks, Mask},
    header::Header,
};
use crate::{
    Error, Result,
    source::{Source, read_array},
};

const ENTRY: usize = 24;

/// The first file and `.i01` to `.i99`.
pub(super) const MAX_FILES: usize = 100;

/// The chunk data in one file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Segment {
    /// Bytes that the whole file should have.
    pub(super) file_len: u64,
    /// Where the chunk data begins: with the rest of the previous file's last chunk.
    pub(super) at: u64,
    /// Bytes of chunk data.
    pub(super) len: u64,
}

/// Reads the segment table at `at` and checks it against the chunk table.
///
/// # Errors
/// `Corrupt` naming the segment that breaks a rule, `Io` when the table cannot be read.
pub(super) fn read(
    source: &dyn Source,
    at: u64,
    mask: Mask,
    header: &Header,
    chunks: &Chunks,
) -> Result<Vec<Segment>> {
    let entries = read_entries(source, at, mask)?;
    let mut segments = Vec::with_capacity(entries.len());
    let (mut chunk, mut carried) = (0, 0);
    for (i, entry) in entries.iter().enumerate() {
        let place = if i + 1 == entries.len() {
            Place::Last
        } else {
            Place::Inner
        };
        let segment = entry
            .check(place, chunk, header.chunks)
            .and_then(|()| entry.segment(chunks, carried))
            .map_err(|err| err.in_context(format_args!("segment {i}")))?;
        segments.push(segment);
        chunk += entry.chunks;
        carried = entry.left;
    }
    if chunk != header.chunks {
        return Err(Error::corrupt(format!(
            "the segment table holds {chunk} chunks, the image has {}",
            header.chunks
        )));
    }
    Ok(segments)
}

fn read_entries(source: &dyn Source, at: u64, mask: Mask) -> Result<Vec<Entry>> {
    // The mask starts anew with the table, and an entry is a multiple of its four bytes long.
    let mut entries = Vec::new();
    loop {
        let offset = at + (entries.len() * ENTRY) as u64;
        let mut bytes = read_array::<ENTRY>(source, offset, "segment table")?;
        mask.lift(&mut bytes);
        match (Entry::parse(&bytes), entries.len()) {
            (Ok(None), 0) => return Err(Error::corrupt("the segment table is empty")),
            (Ok(None), _) => return Ok(entries),
            (_, MAX_FILES) => {
                return Err(Error::corrupt(format!(
                    "the segment table has no closing entry behind {MAX_FILES} segments"
                )));
            }
            (Ok(Some(entry)), _) => entries.push(entry),
            (Err(err), i) => return Err(err.in_context(format_args!("segment {i}"))),
        }
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Place {
    Inner,
    Last,
}

/// One entry as it is on disk.
#[derive(Clone, Copy, Debug)]
struct Entry {
    file_len: u64,
    /// Chunks that start in this file.
    chunks: u64,
    first: u64,
    /// Where the first of them starts.
    at: u64,
    /// Bytes of the last of them that are in the next file.
    left: u64,
}

impl Entry {
    /// `None` is the closing entry.
    fn parse(bytes: &[u8; ENTRY]) -> Result<Option<Self>> {
        let file_len = u64::from_le_bytes(bytes[..8].try_into().expect("it is 8 bytes"));
        if file_len == 0 {
            return Ok(None);
        }
        let field = |name, at: usize| {
            let value = i32::from_le_bytes(bytes[at..at + 4].try_into().expect("it is 4 bytes"));
            u64::try_from(value)
                .map_err(|_| Error::corrupt(format!("{name} is {value}, less than 0")))
        };
        Ok(Some(Self {
            file_len,
            chunks: field("number of chunks", 8)?,
            first: field("first chunk", 12)?,
            at: field("chunk offset", 16)?,
            left: field("bytes left for the next file", 20)?,
        }))
    }

    /// Checks the numbers of chunks; `expected` is the chunk that this segment must start with.
    fn check(&self, place: Place, expected: u64, all: u64) -> Result<()> {
        if self.chunks == 0 && place == Place::Inner {
            return Err(Error::corrupt(
                "number of chunks is 0, only the last file may start none",
            ));
        }
        if self.chunks != 0 && self.first != expected {
            return Err(Error::corrupt(format!(
                "first chunk is {}, not {expected}",
                self.first
            )));
        }
        if self.chunks > all - expected {
            return Err(Error::corrupt(format!(
                "number of chunks is {}, the image has only {} more",
                self.chunks,
                all - expected
            )));
        }
        if self.left != 0 && place == Place::Last {
            return Err(Error::corrupt(format!(
                "bytes left for the next file are {}, but this is the last",
                self.left
            )));
        }
        Ok(())
    }

    /// The place of the data; `carried` bytes before the first chunk belong to the previous file's last one.
    fn segment(&self, chunks: &Chunks, carried: u64) -> Result<Segment> {
        let mut own = 0;
        if self.chunks != 0 {
            let end = self.first + self.chunks;
            own = chunks.stored_before(end) - chunks.stored_before(self.first);
            let last = chunks.chunk(end - 1).stored_len();
            if self.left > last {
                return Err(Error::corrupt(format!(
                    "bytes left for the next file are {}, its last chunk has only {last}",
                    self.left
                )));
            }
        }
        let at = self.at.checked_sub(carried).ok_or_else(|| {
            Error::corrupt(format!(
                "chunk offset is {}, but {carried} bytes of the chunk before must precede it",
                self.at
            ))
        })?;
        Ok(Segment {
            file_len: self.file_len,
            at,
            len: carried + own - self.left,
        })
    }
}
