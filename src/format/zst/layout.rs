//! Where the frames of a file lie, and what that says about the size of its image.

use std::io::Read;

use super::{
    frames::{Frame, check_count, is_skippable},
    plain::Plain,
    seekable,
};
use crate::{
    Error, Result,
    codec::zstd::{Header, MAGIC, MOST_HEADER},
    map::check_size,
    source::{Source, read_array},
    unfold,
};

/// Blocks of a frame that are walked through when a folder is listed. A frame that has more (128 MiB) is taken for the
/// last one, unless its image does not fit in it.
const MOST_WALKED: u64 = 1024;

/// Skippable frames before the first one with data.
const MOST_SKIPPED: usize = 16;

/// Plain bytes at the front that hold a volume descriptor.
const HEAD: u64 = 64 << 10;

/// What is known about a file's frames.
#[derive(Debug)]
pub(super) enum Layout {
    /// Frames that may be decoded each by itself.
    Frames(Box<[Frame]>),
    /// The whole file is one piece.
    OnePiece {
        /// Number of plain bytes.
        size: u64,
        /// Whether that is told by the file.
        is_certain: bool,
    },
}

impl Layout {
    /// What is known without decoding more than the first bytes.
    pub(super) fn of(source: &dyn Source) -> Result<Self> {
        let layout = match seekable::read(source)? {
            Some(frames) => Self::Frames(frames),
            None => walk(source, MOST_WALKED)?,
        };
        check_size(layout.size())?;
        Ok(layout)
    }

    /// Number of plain bytes.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Frames(frames) => frames
                .iter()
                .fold(0, |sum, frame| sum.saturating_add(frame.plain)),
            Self::OnePiece { size, .. } => *size,
        }
    }
}

/// Position of the first frame with data; `None` where another begins, or there are none.
pub(super) fn first(source: &dyn Source) -> Result<Option<u64>> {
    let mut at = 0;
    for _ in 0..MOST_SKIPPED {
        let head = read_array(source, at, "frame")?;
        match skipped(source, at, head)? {
            Some(next) => at = next,
            None => return Ok((head == *MAGIC).then_some(at)),
        }
    }
    Ok(None)
}

/// The end of the frame at `at` that begins with `head`, if it is to be skipped.
fn skipped(source: &dyn Source, at: u64, head: [u8; 4]) -> Result<Option<u64>> {
    if !is_skippable(&head) {
        return Ok(None);
    }
    let len = u32::from_le_bytes(read_array(source, at + 4, "skippable frame")?);
    let end = at + 8 + u64::from(len);
    if end > source.len() {
        return Err(Error::corrupt(format!(
            "the skippable frame at {at} ends at {end}, behind the end of the file"
        )));
    }
    Ok(Some(end))
}

/// Goes from frame to frame by the sizes of their blocks.
fn walk(source: &dyn Source, most_blocks: u64) -> Result<Layout> {
    let (mut at, mut frames, mut skipped_in_a_row) = (0, Vec::new(), 0);
    while at < source.len() {
        let head = read_array(source, at, "frame")?;
        if let Some(next) = skipped(source, at, head)? {
            at = next;
            skipped_in_a_row += 1;
            check_count(skipped_in_a_row)?;
            continue;
        }
        skipped_in_a_row = 0;
        let header = header_at(source, at)?;
        let Some(plain) = header.plain else {
            return unsized_piece(source);
        };
        let Some(end) = end_of(source, at, &header, most_blocks)? else {
            let before = Layout::Frames(frames.into());
            return large_piece(source, before.size().saturating_add(plain));
        };
        if plain > 0 {
            frames.push(Frame {
                at,
                stored: end - at,
                plain,
                sum: None,
            });
        }
        check_count(frames.len())?;
        at = end;
    }
    Ok(Layout::Frames(frames.into()))
}

fn header_at(source: &dyn Source, at: u64) -> Result<Header> {
    let len = (source.len() - at).min(MOST_HEADER as u64);
    let mut bytes = [0; MOST_HEADER];
    let bytes = &mut bytes[..usize::try_from(len).expect("it is at most MOST_HEADER")];
    source.read_exact_at(bytes, at)?;
    Header::parse(bytes).map_err(|err| err.in_context(format_args!("frame at {at}")))
}

/// Where a frame ends; `None` when it has more blocks than `most`.
fn end_of(source: &dyn Source, at: u64, header: &Header, most: u64) -> Result<Option<u64>> {
    let mut at = at + header.len as u64;
    for _ in 0..most {
        let [a, b, c] = read_array(source, at, "block header")?;
        let bits = u32::from_le_bytes([a, b, c, 0]);
        let size = match bits >> 1 & 3 {
            0 | 2 => u64::from(bits >> 3),
            1 => 1,
            _ => return Err(Error::corrupt(format!("the block at {at} is of kind 3"))),
        };
        at += 3 + size;
        if bits & 1 == 1 {
            let end = at + if header.has_checksum { 4 } else { 0 };
            if end > source.len() {
                return Err(Error::corrupt(format!(
                    "the file ends at {}, inside the frame that ends at {end}",
                    source.len()
                )));
            }
            return Ok(Some(end));
        }
    }
    Ok(None)
}

/// A file of which one frame is too long to be walked through when a folder is listed. It has `size` bytes up to that
/// frame's end; where its volume needs more, there are further frames.
fn large_piece(source: &dyn Source, size: u64) -> Result<Layout> {
    if let Some(counted) = unfold::kept_size(source) {
        return Ok(Layout::OnePiece {
            size: counted,
            is_certain: true,
        });
    }
    let mut head = Vec::new();
    // What is damaged here is an error when it is read.
    let _ = plain(source).take(HEAD).read_to_end(&mut head);
    match unfold::volume_size(&head) {
        Some(volume) if volume > size => walk(source, u64::MAX),
        _ => Ok(Layout::OnePiece {
            size,
            is_certain: false,
        }),
    }
}

fn unsized_piece(source: &dyn Source) -> Result<Layout> {
    let (size, is_certain) = unfold::size_of(source, plain(source))?;
    Ok(Layout::OnePiece { size, is_certain })
}

fn plain(source: &dyn Source) -> Plain<std::io::BufReader<unfold::FromStart<'_>>> {
    Plain::new(unfold::FromStart::of(source))
}
