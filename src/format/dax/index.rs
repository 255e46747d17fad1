//! The tables behind the header: offsets, lengths, areas.

use std::{fmt, ops::Range};

use super::{HEADER_LEN, Header};
use crate::{Error, Result, source::Source};

/// Where each frame is, as small as in the file. Any frame may turn out not to be there.
#[derive(Debug)]
pub(super) struct Index {
    offsets: Box<[u32]>,
    lengths: Box<[u16]>,
    /// Frames that are not compressed: rising, apart, inside the image.
    areas: Box<[Range<u32>]>,
    tables_end: u64,
    file_end: u64,
}

impl Index {
    /// Reads the tables, and says what was odd about them.
    pub(super) fn read(header: &Header, source: &dyn Source) -> Result<(Self, Vec<String>)> {
        let frames = u64::from(header.frames());
        let lengths_at = HEADER_LEN + 4 * frames;
        let areas_at = lengths_at + 2 * frames;
        let tables_end = areas_at + 8 * u64::from(header.areas);
        if tables_end > source.len() {
            return Err(Error::corrupt(format!(
                "the tables of {frames} frames and {} areas end at {tables_end}, behind the file's end at {}",
                header.areas,
                source.len()
            )));
        }
        let offsets = table(source, HEADER_LEN..lengths_at, u32::from_le_bytes)?;
        let lengths = table(source, lengths_at..areas_at, u16::from_le_bytes)?;
        let pairs = table(source, areas_at..tables_end, first_and_count)?;
        check_areas_end(
            header,
            areas_at..tables_end,
            u64::from(offsets[0]),
            source.len(),
        )?;
        let (areas, cut) = areas(&pairs, header.frames());
        let index = Self {
            offsets,
            lengths,
            areas,
            tables_end,
            file_end: source.len(),
        };
        Ok((index, cut.into_iter().collect()))
    }

    pub(super) fn frames(&self) -> u32 {
        u32::try_from(self.offsets.len()).expect("their number comes from 32 bits")
    }

    /// The stored bytes of a frame. They lie behind the tables and inside the file.
    pub(super) fn place(&self, frame: u32) -> std::result::Result<Range<u64>, Fault> {
        let at = u64::from(self.offsets[frame as usize]);
        let bytes = at..at + u64::from(self.lengths[frame as usize]);
        if bytes.is_empty() {
            return Err(Fault::Empty);
        }
        if at < self.tables_end {
            return Err(Fault::InTables {
                at,
                tables_end: self.tables_end,
            });
        }
        if bytes.end > self.file_end {
            return Err(Fault::PastEnd {
                bytes_end: bytes.end,
                file_end: self.file_end,
            });
        }
        Ok(bytes)
    }

    /// Whether the table of areas has the frame.
    pub(super) fn in_area(&self, frame: u32) -> bool {
        let next = self.areas.partition_point(|area| area.end <= frame);
        self.areas
            .get(next)
            .is_some_and(|area| area.contains(&frame))
    }
}

/// A table whose place inside the file was checked.
fn table<T, const N: usize>(
    source: &dyn Source,
    place: Range<u64>,
    number: fn([u8; N]) -> T,
) -> Result<Box<[T]>> {
    let len = usize::try_from(place.end - place.start).expect("a table has a few MiB");
    let mut bytes = vec![0; len];
    source.read_exact_at(&mut bytes, place.start)?;
    let numbers = bytes.chunks_exact(N);
    Ok(numbers
        .map(|bytes| number(bytes.try_into().expect("a chunk of N bytes")))
        .collect())
}

/// A number of areas that is too large makes frames out of table, and then their bytes would be taken for areas.
fn check_areas_end(header: &Header, table: Range<u64>, first: u64, file_end: u64) -> Result<()> {
    if (table.start..file_end).contains(&first) && first < table.end {
        return Err(Error::corrupt(format!(
            "number of areas is {}, but their table from {} to {} runs into the first frame at {first}",
            header.areas, table.start, table.end
        )));
    }
    Ok(())
}

fn first_and_count([a, b, c, d, count @ ..]: [u8; 8]) -> (u32, u32) {
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(count))
}

/// Areas in order, each cut at the last frame, and a note when there was something to cut.
fn areas(pairs: &[(u32, u32)], frames: u32) -> (Box<[Range<u32>]>, Option<String>) {
    let mut areas = Vec::with_capacity(pairs.len());
    let mut note = None;
    for &(first, count) in pairs {
        let end = u64::from(first) + u64::from(count);
        if end > u64::from(frames) {
            note = Some(format!(
                "the area of {count} frames from frame {first} runs past the last of {frames} frames"
            ));
        }
        let end = u32::try_from(end).unwrap_or(frames).min(frames);
        if first < end {
            areas.push(first..end);
        }
    }
    (merged(areas), note)
}

fn merged(mut areas: Vec<Range<u32>>) -> Box<[Range<u32>]> {
    areas.sort_unstable_by_key(|area| area.start);
    areas.dedup_by(|area, before| {
        let touches = area.start <= before.end;
        if touches {
            before.end = before.end.max(area.end);
        }
        touches
    });
    areas.into_boxed_slice()
}

/// Why a frame is not in the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    Empty,
    InTables { at: u64, tables_end: u64 },
    PastEnd { bytes_end: u64, file_end: u64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Empty => write!(f, "stored length is 0, a frame has at least one byte"),
            Fault::InTables { at, tables_end } => {
                write!(
                    f,
                    "offset is {at}, inside the tables, which end at {tables_end}"
                )
            }
            Fault::PastEnd {
                bytes_end,
                file_end,
            } => write!(
                f,
                "its bytes end at {bytes_end}, behind the file's end at {file_end}"
            ),
        }
    }
}
