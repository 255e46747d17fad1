//! Images in a ZIP archive; each is a plain file of its own.
//!
//! | size | field of the end of the directory |
//! |---|---|
//! | 4 | `PK\5\6` |
//! | 2 + 2 | number of this file of a set, and of that with the directory: 0 |
//! | 2 + 2 | entries in this file, and in all |
//! | 4 + 4 | bytes of the directory, and its position |
//! | 2 + n | a comment, up to the end of the file |
//!
//! | size | field of an entry of the directory |
//! |---|---|
//! | 4 | `PK\1\2` |
//! | 2 + 2 | versions |
//! | 2 | flags; 1 for encrypted |
//! | 2 | method: 0 stored, 8 deflate |
//! | 4 | time |
//! | 4 | CRC-32 of the plain bytes |
//! | 4 + 4 | stored and plain bytes |
//! | 2 + 2 + 2 | bytes of name, extra fields and comment |
//! | 2 + 2 + 4 | file of a set, attributes |
//! | 4 | position of the local header |
//!
//! Numbers are little-endian. A number whose bits are all set stands with 8 bytes in the extra field 1 (ZIP64); then
//! `PK\6\7` in front of the end says where the larger end `PK\6\6` stands. A local header begins with `PK\3\4` and
//! says at 26 how long the name and the extra fields are that stand between it and the data.
//! Source: PKWARE's APPNOTE 6.3.10.

use std::sync::Arc;

use super::{Checksum, Details, Format, OpenOptions, Opened, PartOf, Summary};
use crate::{
    Error, Result,
    files::{Content, Listed, PlainFile, PlainName},
    map::AsStored,
    source::Source,
    unfold::{Deflated, Framing, Stream},
};

mod directory;
#[cfg(test)]
mod tests;

use directory::{Member, Method};

pub(super) static ZIP: Format = Format {
    name: "zip",
    title: "images in a ZIP archive, stored or deflated",
    extensions: &["zip"],
    detect: |head, _| head.starts_with(b"PK\x03\x04"),
    probe: |source| {
        Ok(Summary {
            size: member(source, 0)?.size,
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

fn files(source: &Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Listed> {
    let members = directory::images(source.as_ref())?;
    let file = |(number, member): (u32, Member)| PlainFile {
        name: PlainName::Own(member.name),
        content: Content::Blocks {
            size: member.size,
            number,
        },
    };
    Ok(Listed::alone((0..).zip(members).map(file).collect()))
}

fn member(source: &dyn Source, number: u32) -> Result<Member> {
    let mut members = directory::images(source)?.into_iter();
    let member = members.nth(usize::try_from(number).unwrap_or(usize::MAX));
    member
        .ok_or_else(|| Error::corrupt(format!("the archive has no image with the number {number}")))
}

fn open(source: Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Opened> {
    let member = member(source.as_ref(), options.file)?;
    let details = Details {
        variant: format!("ZIP, {}", member.method.name()),
        checksums: vec![Checksum {
            covers: "image",
            algorithm: "crc32",
            value: format!("{:08x}", member.crc32),
        }],
        ..Details::default()
    };
    let stored = member.stored;
    let (source, map): (Arc<dyn Source>, _) = match member.method {
        Method::Stored => (source, AsStored::from(stored.start, member.size)),
        Method::Deflate => {
            let stream = Stream {
                at: stored.start,
                end: stored.end,
                framing: Framing::Raw(member.crc32),
            };
            let plain = Deflated::new(source, stream, member.size);
            let map = AsStored::in_blocks(member.size, plain.spacing());
            (Arc::new(plain), map)
        }
    };
    Ok(Opened {
        format: &ZIP,
        source,
        map: Box::new(map),
        details,
    })
}
