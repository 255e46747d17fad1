//! Images compressed by zstd.
//!
//! | size | field of a frame |
//! |---|---|
//! | 4 | `28 B5 2F FD` |
//! | 1 | flags: 0-1 size of the dictionary's number, 2 a checksum follows, 5 no window, 6-7 size of the number of plain bytes |
//! | 0, 1 | window: exponent in the higher five bits, less 10; eighths in the lower three |
//! | 0 to 4 | number of a dictionary |
//! | 0 to 8 | number of plain bytes |
//! | | blocks: 3 bytes with 1 bit for the last, 2 for the kind (stored, one byte, compressed), 21 for the size; then data |
//! | 0, 4 | lower half of the XXH64 of the plain bytes |
//!
//! | size | field of a skippable frame |
//! |---|---|
//! | 4 | `50` to `5F`, `2A 4D 18` |
//! | 4 | number of bytes that follow |
//!
//! | size | field of a seek table, a skippable frame with `5E` at the end of the file |
//! |---|---|
//! | 4 + 4 | of each frame: stored bytes, plain bytes |
//! | 0, 4 | the lower half of the XXH64 of its plain bytes, if the flag is set |
//! | 4 | number of frames |
//! | 1 | flags: 0x80 for checksums; bits 2 to 6 are 0 |
//! | 4 | `B1 EA 92 8F` |
//!
//! Numbers are little-endian.
//! Source: RFC 8878; the Zstandard Seekable Format 0.1.0.

use std::{io::Read, sync::Arc};

use super::{Details, Format, OpenOptions, Opened, PartOf, Summary, uncompressed};
use crate::{
    Result,
    codec::{Codec, zstd},
    files::Listed,
    map::{self, AsStored, BlockMap, Geometry, Stored},
    source::Source,
    unfold::{Spilled, Stretch},
};

mod frames;
mod layout;
mod plain;
mod seekable;
#[cfg(test)]
mod tests;

use frames::{Frame, is_skippable};
use layout::Layout;
use plain::Plain;

pub(super) static ZST: Format = Format {
    name: "zst",
    title: "zstd of an image, read at any position",
    extensions: &["iso.zst", "img.zst", "bin.zst"],
    detect: |head, source| {
        head.starts_with(zstd::MAGIC)
            || is_skippable(head) && layout::first(source).is_ok_and(|at| at.is_some())
    },
    probe: |source| {
        Ok(Summary {
            size: Layout::of(source)?.size(),
            part: PartOf::Whole,
            encrypted: false,
        })
    },
    passes_through: true,
    files: Some(files),
    open,
    is_part_extension: |_| false,
    targets: &[],
};

fn files(source: &Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Listed> {
    Ok(uncompressed(Layout::of(source.as_ref())?.size(), options))
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let layout = Layout::of(source.as_ref())?;
    let details = Details {
        variant: match &layout {
            Layout::Frames(frames) => format!("zstd, frames: {}", frames.len()),
            Layout::OnePiece { .. } => "zstd, one piece".into(),
        },
        ..Details::default()
    };
    let (source, map): (Arc<dyn Source>, Box<dyn BlockMap>) = match layout {
        Layout::OnePiece { size, is_certain } => {
            let plain = Spilled::whole(source, size, is_certain, Plain::new);
            (Arc::new(plain), Box::new(AsStored::new(size)))
        }
        Layout::Frames(frames) if frames.iter().all(Frame::is_small) => {
            let geometry = Geometry::Table(starts(&frames));
            (source, Box::new(Blocks { geometry, frames }))
        }
        Layout::Frames(frames) => {
            let plain = spilled(&source, frames);
            let map = AsStored::new(plain.len());
            (Arc::new(plain), Box::new(map))
        }
    };
    Ok(Opened {
        format: &ZST,
        source,
        map,
        details,
    })
}

fn spilled(source: &Arc<dyn Source>, frames: Box<[Frame]>) -> Spilled {
    let starts = starts(&frames);
    let stored = Arc::clone(source);
    let open = move |number: usize| {
        let frame = frames[number];
        let span = frame.at..frame.at + frame.stored;
        let plain = Plain::new(Stretch::new(Arc::clone(&stored), span));
        Ok(Box::new(plain) as Box<dyn Read + Send>)
    };
    Spilled::new(source.as_ref(), starts, Box::new(open))
}

/// The first plain byte of each frame, then the size.
fn starts(frames: &[Frame]) -> Box<[u64]> {
    map::starts(frames.iter().map(|frame| frame.plain))
}

/// Frames that are decoded one by one.
#[derive(Debug)]
struct Blocks {
    geometry: Geometry,
    frames: Box<[Frame]>,
}

impl BlockMap for Blocks {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let frame = &self.frames[usize::try_from(block).expect("it fits the table")];
        Stored {
            at: frame.at,
            len: u32::try_from(frame.stored).expect("it is hardly longer than MAX_BLOCK"),
            codec: Codec::Own {
                name: "zstd",
                checksum: None,
            },
        }
    }

    fn decode(&self, block: u64, _: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        let frame = &self.frames[usize::try_from(block).expect("it fits the table")];
        plain::decode(src, dst)?;
        seekable::compare(dst, frame.sum)
    }
}
