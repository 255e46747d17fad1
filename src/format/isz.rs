//! ISZ ("ISO Zipped"), the compressed images of EZB Systems. All numbers are little-endian, without alignment.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | `IsZ!` |
//! | 4 | 1 | header size: 48 by the specification, 64 in the vendor's files |
//! | 5 | 1 | version, 0 or 1 |
//! | 6 | 4 | volume serial number, the same in all files of a set |
//! | 10 | 2 | bytes per sector |
//! | 12 | 4 | sectors of the image |
//! | 16 | 1 | encryption: 0 none, 1 undocumented, 2 AES-128, 3 AES-192, 4 AES-256 |
//! | 17 | 8 | intended bytes per file of a set, or 0 |
//! | 25 | 4 | number of chunks |
//! | 29 | 4 | bytes per chunk |
//! | 33 | 1 | bytes per entry of the chunk table |
//! | 34 | 1 | number of this file in the set, from 0 |
//! | 35 | 4 | position of the chunk table; 0 when the image is stored raw |
//! | 39 | 4 | position of the segment table; 0 when there is none |
//! | 43 | 4 | position of the first chunk |
//! | 47 | 1 | reserved |
//! | 48 | 4 | CRC-32 of the image, all bits inverted (from a header size of 64 on) |
//! | 52 | 8 | stored bytes of all chunks |
//! | 60 | 4 | CRC-32 of the stored bytes, all bits inverted |
//!
//! Both tables are masked with `B6 8C A5 DE` (exclusive or). The chunks follow each other; their table holds
//! type and length.
//! Encryption covers each chunk's stored bytes; the first three bytes of bzip2 data are replaced by `ISz`.
//!
//! Source: EZB Systems' ISZ File Format Specification 1.00 and the vendor's reader of 2006; offsets 48 to 63, the
//! mask and ECB are not in the specification, but in files and in every reader. That the 8 bytes at 52 are one
//! number is a guess. `docs/formats/isz.md` has the rest.

use std::{ffi::OsStr, sync::Arc};

use super::{Checksum, Details, Format, OpenOptions, Opened, PartOf, Summary};
use crate::{Error, ErrorKind, Result, source::Source};

mod chunks;
mod cipher;
mod header;
mod map;
mod names;
mod pack;
mod password;
mod segments;
mod set;

use chunks::{Chunks, Mask};
use cipher::KeyLen;
use header::{Header, Identity, Table};
use map::{Layout, Map};
use segments::Segment;
use set::Joined;

pub(super) static ISZ: Format = Format {
    name: "isz",
    title: "UltraISO: zlib, bzip2, zero and stored chunks, split sets, AES",
    extensions: &["isz"],
    detect: |head, _| head.starts_with(header::SIGNATURE),
    probe,
    passes_through: false,
    files: None,
    open,
    is_part_extension: names::is_part_extension,
    targets: &[&pack::TARGET],
};

fn probe(source: &dyn Source) -> Result<Summary> {
    let identity = Identity::read(source)?;
    if identity.number != 0 {
        return Ok(Summary {
            size: header::claimed_size(source)?,
            part: PartOf::Later(identity.number.into()),
            encrypted: false,
        });
    }
    let header = Header::read(source)?;
    Ok(Summary {
        size: header.size,
        part: if header.is_split() {
            PartOf::First
        } else {
            PartOf::Whole
        },
        encrypted: header.encryption.is_some(),
    })
}

fn open(source: Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Opened> {
    let identity = Identity::read(source.as_ref())?;
    if identity.number != 0 {
        return Err(not_first(identity.number, options.name));
    }
    let header = Header::read(source.as_ref())?;
    let (layout, joined) = lay_out(source, &header, options)?;
    let Joined { source, names, .. } = joined;
    let mut notes = joined.notes;
    let mut map = Map::new(&header, layout, source.len(), joined.data_at, joined.gaps);
    if let Some(key_len) = header.encryption {
        let note = password::unlock(&mut map, source.as_ref(), &header, key_len, options)?;
        notes.extend(note);
    }
    Ok(Opened {
        format: &ISZ,
        source,
        details: Details {
            variant: variant(&header),
            parts: names,
            encryption: header.encryption.map(KeyLen::name),
            checksums: checksums(&header),
            notes,
        },
        map: Box::new(map),
    })
}

/// Reads the tables, and finds the other files of a set.
fn lay_out(
    source: Arc<dyn Source>,
    header: &Header,
    options: &OpenOptions<'_>,
) -> Result<(Layout, Joined)> {
    let Some(table) = header.table else {
        let joined = if header.is_split() {
            set::of_equal_files(source, header, options)
        } else {
            set::alone(source, header.data_at, header.size, options.name)
        };
        return Ok((Layout::Raw, joined?));
    };
    let index = Index::read(source.as_ref(), header, table)?;
    let mut joined = index.join(source, header, options)?;
    joined.notes.extend(index.oddities(header, table));
    Ok((Layout::Chunks(index.chunks), joined))
}

fn not_first(number: u8, name: &OsStr) -> Error {
    let first = match names::first_of(name) {
        Some(first) => format!(": {}", set::display(&first)),
        None => String::new(),
    };
    Error::unsupported(format!(
        "this is file {} of a set, open the first{first}",
        u32::from(number) + 1
    ))
}

/// Both tables, read the same way.
struct Index {
    chunks: Chunks,
    segments: Option<Vec<Segment>>,
    mask: Mask,
}

impl Index {
    /// Reads the tables with the mask that the vendor's files have; or without, when only that makes sense, or when
    /// both do and only that leaves nothing over.
    fn read(source: &dyn Source, header: &Header, table: Table) -> Result<Self> {
        let unmasked = || Self::read_masked(source, header, table, Mask::None);
        match Self::read_masked(source, header, table, Mask::Inverted) {
            Err(err) if err.kind() == ErrorKind::Corrupt => unmasked().map_err(|_| err),
            Ok(masked) if !masked.fills(source, header) => match unmasked() {
                Ok(unmasked) if unmasked.fills(source, header) => Ok(unmasked),
                _ => Ok(masked),
            },
            other => other,
        }
    }

    /// Whether the chunks end where the only file ends.
    fn fills(&self, source: &dyn Source, header: &Header) -> bool {
        let end = self.chunks.stored_before(header.chunks);
        self.segments.is_none() && header.data_at.checked_add(end) == Some(source.len())
    }

    fn read_masked(source: &dyn Source, header: &Header, table: Table, mask: Mask) -> Result<Self> {
        let chunks = Chunks::read(source, header, table, mask)?;
        let segments = header
            .segments_at
            .map(|at| segments::read(source, at, mask, header, &chunks));
        Ok(Self {
            segments: segments.transpose()?,
            chunks,
            mask,
        })
    }

    fn join(
        &self,
        source: Arc<dyn Source>,
        header: &Header,
        options: &OpenOptions<'_>,
    ) -> Result<Joined> {
        if let Some(segments) = &self.segments {
            return set::of_segments(source, header, segments, options);
        }
        let len = self.chunks.stored_before(header.chunks);
        set::alone(source, header.data_at, len, options.name)
    }

    fn oddities(&self, header: &Header, table: Table) -> Vec<String> {
        let mut notes = Vec::new();
        if header.declared_chunks > header.chunks {
            notes.push(format!(
                "the header gives {} chunks, the image has {}",
                header.declared_chunks, header.chunks
            ));
        }
        if self.mask == Mask::None {
            notes.push("the tables are not masked, which UltraISO does not read".into());
        }
        if table.entry_len != 3 {
            notes.push(format!(
                "entries of the chunk table have {} bytes, not 3",
                table.entry_len
            ));
        }
        if self.chunks.odd_zeroes != 0 {
            notes.push(format!(
                "chunks of zeroes whose length is neither 0 nor the chunk's: {}",
                self.chunks.odd_zeroes
            ));
        }
        notes.extend(self.contradiction(header));
        notes
    }

    /// A wrong length in the chunk table moves all later chunks, and stored ones have no checksum to tell.
    fn contradiction(&self, header: &Header) -> Option<String> {
        let stored_len = self.chunks.stored_before(header.chunks);
        let claimed = header.checksums?.stored_len;
        (u64::from(claimed) != stored_len & u64::from(u32::MAX)).then(|| {
            format!(
                "the chunks have {stored_len} stored bytes, the header says {claimed}: some may be read from the wrong place"
            )
        })
    }
}

fn variant(header: &Header) -> String {
    let chunks = match header.table {
        Some(_) => format!("{}-byte chunks", header.block_size),
        None => "no chunk table".into(),
    };
    format!("ISZ, {}-byte header, {chunks}", header.identity.header_size)
}

/// Nobody knows whether the stored bytes of an encrypted image are summed before or after encryption.
fn checksums(header: &Header) -> Vec<Checksum> {
    let Some(sums) = header.checksums else {
        return Vec::new();
    };
    let crc32 = |covers, value: u32| Checksum {
        covers,
        algorithm: "crc32",
        value: format!("{value:08x}"),
    };
    let stored = header
        .encryption
        .is_none()
        .then(|| crc32("stored", sums.stored));
    [crc32("image", sums.image)]
        .into_iter()
        .chain(stored)
        .collect()
}

#[cfg(test)]
mod tests;
