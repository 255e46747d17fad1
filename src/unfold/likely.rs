//! The size of a stream that does not tell it: kept, counted, or that of the volume inside.

use std::io::{self, Read};

use super::{kept_size, reading::from_io};
use crate::{Error, Result, source::Source};

/// Plain bytes at the front that hold a volume descriptor.
const HEAD: u64 = 64 << 10;

/// Images without a volume are counted up to this size when a folder is listed.
const MOST_COUNTED: u64 = 16 << 20;

/// The number of plain bytes of `source`, which `plain` gives from the first on; and whether that is certain.
///
/// It is the one that was counted before, that of a stream which ends soon, or that of the volume inside.
///
/// # Errors
/// `Unsupported` when nothing tells the size, what stands against the first bytes otherwise.
pub fn size_of(source: &dyn Source, plain: impl Read) -> Result<(u64, bool)> {
    if let Some(size) = kept_size(source) {
        return Ok((size, true));
    }
    let mut plain = plain;
    let mut head = Vec::new();
    let read = plain.by_ref().take(HEAD).read_to_end(&mut head);
    let len = head.len() as u64;
    if read.is_ok() && len < HEAD {
        return Ok((len, true));
    }
    if let Some(size) = volume_size(&head) {
        return Ok((size, false));
    }
    read.map_err(from_io)?;
    let rest = io::copy(&mut plain.take(MOST_COUNTED - len + 1), &mut io::sink());
    match len + rest.map_err(from_io)? {
        size if size <= MOST_COUNTED => Ok((size, true)),
        _ => Err(Error::unsupported(
            "the file does not tell the size of its image, and there is no ISO 9660 volume in it that would: \
             compress it again with a tool that stores the size (zstd, xz or lz4 --content-size, from a file)",
        )),
    }
}

/// The size of the ISO 9660 volume that begins with these bytes, in plain sectors or raw ones.
#[must_use]
pub fn volume_size(head: &[u8]) -> Option<u64> {
    let sized = |at: usize, sector: Option<u64>| {
        let descriptor = head.get(at..at + 2048)?;
        if descriptor[..6] != *b"\x01CD001" {
            return None;
        }
        let blocks = u32::from_le_bytes(descriptor[80..84].try_into().ok()?);
        let block = u16::from_le_bytes(descriptor[128..130].try_into().ok()?);
        let size = u64::from(blocks) * sector.unwrap_or(block.into());
        (size > 0).then_some(size)
    };
    let raw = |header: usize| sized(16 * 2352 + header, Some(2352));
    sized(16 * 2048, None)
        .or_else(|| raw(16))
        .or_else(|| raw(24))
}
