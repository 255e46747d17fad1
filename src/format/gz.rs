//! Images compressed by gzip.
//!
//! The layout of the members stands in `src/unfold/gzip.rs`, that of members which tell their lengths in
//! `gz/blocked.rs`; of all others this is what is looked at here:
//!
//! | position | size | field |
//! |---|---|---|
//! | 0 | 3 | `1F 8B 08` |
//! | end − 4 | 4 | number of plain bytes of the last member, its lowest 32 bits |
//! | plain 0x8000 | 2048 | primary volume descriptor; in sectors of 2352 bytes behind their header |
//!
//! Source: RFC 1952, ECMA-119 section 8.4.

use std::sync::Arc;

use super::{Checksum, Details, Format, OpenOptions, Opened, PartOf, Summary, uncompressed};
use crate::{
    Result,
    files::Listed,
    map::{AsStored, check_size},
    source::{Source, read_array},
    unfold::{Deflated, Framing, Stream, volume_size},
};

mod blocked;
#[cfg(test)]
mod tests;

use blocked::Members;

pub(super) static GZ: Format = Format {
    name: "gz",
    title: "gzip of an image, read at any position",
    extensions: &["iso.gz", "img.gz", "bin.gz"],
    detect: |head, _| head.starts_with(&[0x1F, 0x8B, 8]),
    probe: |source| {
        Ok(Summary {
            size: size_in(source)?,
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

/// Plain bytes at the front that hold a volume descriptor.
const HEAD: usize = 64 << 10;

/// Bytes that images have behind their volume, at most, where the size is known by its lowest 32 bits only.
const MOST_BEHIND: u64 = 64 << 20;

/// Bytes that an image may lack at the end of its volume; of a small one a 64th.
const MOST_LACKING: u64 = 1 << 20;

/// What the lowest 32 bits of a size leave open.
const WRAP: u64 = 1 << 32;

fn files(source: &Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Listed> {
    Ok(uncompressed(size_in(source.as_ref())?, options))
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    if let Some(members) = Members::read(source.as_ref())? {
        return Ok(in_blocks(source, members));
    }
    let size = size_of_stream(source.as_ref())?;
    let stream = stream_of(source.as_ref());
    let plain = Deflated::new(source, stream, size);
    let map = AsStored::in_blocks(size, plain.spacing());
    Ok(Opened {
        format: &GZ,
        source: Arc::new(plain),
        map: Box::new(map),
        details: Details {
            variant: "gzip".into(),
            ..Details::default()
        },
    })
}

fn in_blocks(source: Arc<dyn Source>, members: Members) -> Opened {
    let no_end = "the file has no end mark (a member without plain bytes): it may be cut";
    Opened {
        format: &GZ,
        source,
        details: Details {
            variant: format!("gzip in {} blocks (BGZF)", members.count()),
            checksums: vec![Checksum {
                covers: "blocks",
                algorithm: "crc32",
                value: String::new(),
            }],
            notes: (!members.is_ended)
                .then(|| no_end.into())
                .into_iter()
                .collect(),
            ..Details::default()
        },
        map: Box::new(members),
    }
}

fn stream_of(source: &dyn Source) -> Stream {
    Stream {
        at: 0,
        end: source.len(),
        framing: Framing::Gzip,
    }
}

/// The number of plain bytes.
fn size_in(source: &dyn Source) -> Result<u64> {
    match Members::size_in(source)? {
        Some(size) => Ok(size),
        None => size_of_stream(source),
    }
}

/// The number of plain bytes: from a kept index, or as the trailer and the volume inside say.
fn size_of_stream(source: &dyn Source) -> Result<u64> {
    let stream = stream_of(source);
    if let Some(size) = stream.kept_size(source) {
        return check_size(size);
    }
    let (head, is_all) = stream.head(source, HEAD)?;
    if is_all {
        return check_size(head.len() as u64);
    }
    let at = source.len().saturating_sub(4);
    let low = u32::from_le_bytes(read_array(source, at, "gzip trailer")?);
    check_size(likely_size(low, volume_size(&head), source.len()))
}

/// The size whose lowest 32 bits are `low` and that suits the volume; without a volume, that suits the stored bytes.
/// The volume's own where none does: then the file has several members, and `low` is the size of the last.
fn likely_size(low: u32, volume: Option<u64>, stored: u64) -> u64 {
    let at_least = |least: u64| least + (u64::from(low).wrapping_sub(least) & (WRAP - 1));
    let Some(volume) = volume else {
        // What cannot be compressed grows by less than this.
        return at_least((stored - stored / 512).saturating_sub(64 << 10));
    };
    let size = at_least(volume);
    if size < WRAP || size - volume <= MOST_BEHIND {
        return size;
    }
    match size - WRAP {
        shorter if volume - shorter <= MOST_LACKING.min(volume / 64) => shorter,
        _ => volume,
    }
}
