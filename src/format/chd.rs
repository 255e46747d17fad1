//! CHD ("Compressed Hunks of Data"), the images of MAME: DVDs, CDs, GD-ROMs, hard disks. All numbers are big-endian.
//!
//! | v3 | v4 | v5 | size | field |
//! |---|---|---|---|---|
//! | 0 | 0 | 0 | 8 | `MComprHD` |
//! | 8 | 8 | 8 | 4 | header size: 120, 108 or 124 |
//! | 12 | 12 | 12 | 4 | version |
//! | 16 | 16 | | 4 | flags: 1 when there is a parent |
//! | 20 | 20 | | 4 | compression: 0 none, 1 and 2 deflate, 3 laser disc |
//! | | | 16 | 4 x 4 | compressions, four characters each; the first is 0 when there is none |
//! | 24 | 24 | | 4 | number of hunks |
//! | 28 | 28 | 32 | 8 | plain bytes |
//! | | | 40 | 8 | position of the map |
//! | 36 | 36 | 48 | 8 | position of the first metadata, or 0 |
//! | 44 | | | 16 | MD5 of the plain bytes |
//! | 60 | | | 16 | MD5 of the parent |
//! | 76 | 44 | 56 | 4 | plain bytes of a hunk |
//! | | | 60 | 4 | plain bytes of a unit |
//! | 80 | 88 | 64 | 20 | SHA-1 of the plain bytes |
//! | | 48 | 84 | 20 | SHA-1 of these and the metadata; v3 has the one above for both |
//! | 100 | 68 | 104 | 20 | SHA-1 of the parent's (second one) |
//!
//! In v3 and v4 the map follows the header, 16 bytes for each hunk: position 8, CRC-32 4, length 2 and its high byte 1,
//! kind 1 (1 compressed, 2 plain, 3 eight bytes repeated, 4 copy of a hunk, 5 hunk of the parent; 16 is added when the
//! CRC-32 is not there). In v5 it is 4 bytes for each hunk, the position in hunks, or compressed
//! (`chd/hunks/compressed.rs`).
//!
//! Metadata is tag 4, flags 1, length 3, position of the next 8, and a text. Its tags tell discs from disks, and list
//! the tracks of a disc, whose frames of 2352 and 96 bytes (`chd/tracks.rs`) follow each other.
//!
//! Source: the headers of MAME's `chd.cpp` and `cdrom.cpp` as described in public documentation, and files made by
//! `chdman` 0.251 and 0.289 with every compression, decoded and compared. `docs/formats/chd.md` has the rest.

use std::sync::Arc;

use super::{Checksum, Details, Format, OpenOptions, Opened, PartOf, Summary, WHOLE_DISC};
use crate::{Error, Result, files::Listed, source::Source};

mod bits;
mod codecs;
mod content;
mod crc16;
mod disk;
mod header;
mod huffman;
mod hunks;
mod metadata;
mod parents;
mod sheets;
#[cfg(test)]
mod tests;
mod tracks;
mod view;

use codecs::Method;
use content::Content;
use disk::Disk;
use header::Header;
use view::View;

pub(super) static CHD: Format = Format {
    name: "chd",
    title: "MAME's CHD v3 to v5: DVDs, CDs as tracks and image, GD-ROMs, hard disks, parents",
    extensions: &["chd"],
    detect: |head, _| head.starts_with(header::SIGNATURE),
    passes_through: false,
    probe,
    files: Some(files),
    open,
    is_part_extension: |_| false,
    targets: &[],
};

fn probe(source: &dyn Source) -> Result<Summary> {
    let header = Header::read(source)?;
    Ok(Summary {
        size: Content::read(source, &header)?.size(&header),
        part: PartOf::Whole,
        encrypted: false,
    })
}

fn files(source: &Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Listed> {
    let header = Header::read(source.as_ref())?;
    let content = Content::read(source.as_ref(), &header)?;
    Ok(content.files(&header, options.tracks))
}

fn open(source: Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Opened> {
    let header = Header::read(source.as_ref())?;
    let content = Content::read(source.as_ref(), &header)?;
    let disk = Disk::open(Arc::clone(&source), options.siblings)?;
    let details = Details {
        variant: variant(&disk, &content),
        checksums: checksum(&header, &content, options.file)
            .into_iter()
            .collect(),
        ..Details::default()
    };
    Ok(Opened {
        format: &CHD,
        source,
        map: Box::new(view(disk, &content, options.file)?),
        details,
    })
}

/// The plain file of a number: 0 is the image, or the first track where there is none; tracks count from 1, and all
/// hunks are the whole disc.
fn view(stored: Disk, content: &Content, number: u32) -> Result<View> {
    let none = || Error::corrupt(format!("there is no plain file {number} in it"));
    match (content, number) {
        (Content::Plain { .. }, 0) => Ok(View::all(stored)),
        (Content::Plain { .. }, _) => Err(none()),
        (Content::Disc(disc), 0) => Ok(match disc.image() {
            Some(track) => View::image(stored, track),
            None => View::track(stored, &disc.tracks[0]),
        }),
        (Content::Disc(_), WHOLE_DISC) => Ok(View::all(stored)),
        (Content::Disc(disc), number) => {
            let track = disc.tracks.get(number as usize - 1);
            Ok(View::track(stored, track.ok_or_else(none)?))
        }
    }
}

fn variant(stored: &Disk, content: &Content) -> String {
    let header = &stored.header;
    let what = match content {
        Content::Plain { what, .. } => (*what).to_string(),
        Content::Disc(disc) => match (disc.is_gd, disc.tracks.len()) {
            (true, n) => format!("GD-ROM of {n} tracks"),
            (false, 1) => "CD of 1 track".into(),
            (false, n) => format!("CD of {n} tracks"),
        },
    };
    let used = header.methods.iter().filter(|it| **it != Method::Nothing);
    let names: Vec<_> = used.map(|it| it.name()).collect();
    let methods = match &names[..] {
        [] => "not compressed".into(),
        names => names.join(", "),
    };
    let parents = match stored.parents() {
        0 => String::new(),
        1 => ", 1 parent".into(),
        n => format!(", {n} parents"),
    };
    format!(
        "CHD v{}, {what}, {}-byte hunks, {methods}{parents}",
        header.version, header.hunk_len
    )
}

/// The file's own checksum covers all hunks, of which the plain files of a disc are parts.
fn checksum(header: &Header, content: &Content, number: u32) -> Option<Checksum> {
    let sha1 = header.plain_sha1?;
    let has_all = matches!(content, Content::Plain { .. }) || number == WHOLE_DISC;
    Some(Checksum {
        covers: if has_all { "image" } else { "disc" },
        algorithm: "sha1",
        value: header::hex(&sha1),
    })
}
