//! WIA, wit's images of `GameCube` and Wii discs, and RVZ, Dolphin's form of it. All numbers are big-endian.
//!
//! | offset | size | first header |
//! |---|---|---|
//! | 0 | 4 | `WIA` or `RVZ`, and 1 |
//! | 4 | 4 | version, `01000000` |
//! | 8 | 4 | oldest version whose readers can read it |
//! | 12 | 4 | bytes of the second header |
//! | 16 | 20 | SHA-1 of the second header |
//! | 36 | 8 | image size in bytes |
//! | 44 | 8 | bytes of this file |
//! | 52 | 20 | SHA-1 of all before |
//!
//! | offset | size | second header, at 72 |
//! |---|---|---|
//! | 0 | 4 | disc: 1 `GameCube`, 2 Wii |
//! | 4 | 4 | compression: 0 none, 1 PURGE (WIA), 2 bzip2, 3 LZMA, 4 LZMA2, 5 zstd (RVZ) |
//! | 8 | 4 | its level |
//! | 12 | 4 | plain bytes of a chunk |
//! | 16 | 128 | the first bytes of the disc |
//! | 144 | 4, 4, 8, 20 | partition table: entries, bytes of an entry, offset, SHA-1 |
//! | 180 | 4, 8, 4 | table of raw data: entries of 24 bytes, offset, stored bytes |
//! | 196 | 4, 8, 4 | table of groups: entries, offset, stored bytes |
//! | 212 | 1, 7 | settings of the compression: how many bytes, and they |
//!
//! An entry of raw data is the place on the disc (8), the bytes (8), the first group (4) and how many (4). One of a
//! partition is its title key (16), and two of: first sector, sectors, first group, groups (4 each). A group is one
//! stored chunk: its offset divided by 4, its stored bytes; in RVZ the top bit of these says that it is compressed,
//! and 4 bytes tell how long its packed form is, or 0. Both tables of the last kind are compressed as chunks are.
//!
//! Partitions are stored without their hashes and decrypted: 0x7c00 bytes of each sector of 0x8000, behind lists of
//! the hashes that differ from those of the data (`wia/partition.rs`).
//!
//! Source: Dolphin's `docs/WiaAndRvz.md`, and files made by dolphin-tool and by wit, decoded and compared.
//! `docs/formats/wia.md` has the rest.

use std::sync::Arc;

use super::{Details, Format, Opened, PartOf, Summary};
use crate::{Result, source::Source};

mod areas;
mod bytes;
mod groups;
mod header;
mod kind;
mod map;
mod method;
mod packing;
mod partition;
mod purge;
mod tables;
#[cfg(test)]
mod tests;
mod zstd;

use header::{Disc, Head};
use kind::Kind;
use map::Map;

/// Bytes of a sector of a disc, hashes included.
const SECTOR: u32 = 0x8000;

pub(super) static RVZ: Format = Format {
    name: "rvz",
    title: "RVZ: zstd, bzip2, LZMA chunks, packed noise (GameCube, Wii)",
    extensions: &["rvz"],
    detect: |head, _| head.starts_with(&Kind::Rvz.magic()),
    probe: |source| probe(source, Kind::Rvz),
    passes_through: false,
    files: None,
    open: |source, _| open(source, Kind::Rvz),
    is_part_extension: |_| false,
    targets: &[],
};

pub(super) static WIA: Format = Format {
    name: "wia",
    title: "WIA: PURGE, bzip2, LZMA chunks (GameCube, Wii)",
    extensions: &["wia"],
    detect: |head, _| head.starts_with(&Kind::Wia.magic()),
    probe: |source| probe(source, Kind::Wia),
    passes_through: false,
    files: None,
    open: |source, _| open(source, Kind::Wia),
    is_part_extension: |_| false,
    targets: &[],
};

fn probe(source: &dyn Source, kind: Kind) -> Result<Summary> {
    Ok(Summary {
        size: Head::read(source, kind)?.size,
        part: PartOf::Whole,
        encrypted: false,
    })
}

fn open(source: Arc<dyn Source>, kind: Kind) -> Result<Opened> {
    let head = Head::read(source.as_ref(), kind)?;
    let disc = Disc::read(source.as_ref(), &head)?;
    let tables = tables::read(source.as_ref(), &head, &disc)?;
    let mut notes = Vec::new();
    if head.file_size != source.len() {
        notes.push(format!(
            "the header says that the file has {} bytes, it has {}",
            head.file_size,
            source.len()
        ));
    }
    notes.extend(tables.note_missing());
    let details = Details {
        variant: variant(&head, &disc),
        notes,
        ..Details::default()
    };
    let format = match kind {
        Kind::Rvz => &RVZ,
        Kind::Wia => &WIA,
    };
    Ok(Opened {
        format,
        map: Box::new(Map::new(Arc::clone(&source), head.size, disc, tables)),
        source,
        details,
    })
}

fn variant(head: &Head, disc: &Disc) -> String {
    let console = match disc.console {
        1 => "GameCube disc",
        2 => "Wii disc",
        _ => "disc of an unknown kind",
    };
    let id = disc.start[..6].escape_ascii();
    let title = disc.start[0x20..0x60].split(|&byte| byte == 0).next();
    let title = title.unwrap_or_default().escape_ascii();
    format!(
        "{}, {console} {id} \"{title}\", {}-byte chunks, {}",
        head.kind.name(),
        disc.chunk,
        disc.method.name()
    )
}
