//! Images compressed by bzip2.
//!
//! | size | field |
//! |---|---|
//! | 3 | `BZh` |
//! | 1 | `1` to `9`: most plain bytes of a block, in units of 100,000, after its runs of equal bytes were shortened |
//! | | blocks, each from any bit on: 48 bits 314159265359, the CRC-32 of its plain bytes, its data |
//! | | 48 bits 177245385090, a CRC-32 made of those of all blocks, bits up to a whole byte |
//!
//! Streams may follow each other. Nothing tells the number of plain bytes, or where blocks begin.
//! Source: the documentation of bzip2 1.0.8, and files made by it.

use std::{
    io::{self, Read},
    sync::Arc,
};

use bzip2::read::MultiBzDecoder;

use super::{Details, Format, OpenOptions, Opened, PartOf, Summary, uncompressed};
use crate::{
    Result,
    files::Listed,
    map::{AsStored, check_size},
    source::Source,
    unfold::{self, Refuted, Spilled},
};

#[cfg(test)]
mod tests;

pub(super) static BZ2: Format = Format {
    name: "bz2",
    title: "bzip2 of an image, decoded once",
    extensions: &["iso.bz2", "img.bz2", "bin.bz2"],
    detect: |head, _| matches!(head, [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, ..]),
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

fn files(source: &Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Listed> {
    Ok(uncompressed(size_in(source.as_ref())?, options))
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let size = size_in(source.as_ref())?;
    let plain = Spilled::whole(source, size, false, Plain::new);
    Ok(Opened {
        format: &BZ2,
        source: Arc::new(plain),
        map: Box::new(AsStored::new(size)),
        details: Details {
            variant: "bzip2".into(),
            ..Details::default()
        },
    })
}

fn size_in(source: &dyn Source) -> Result<u64> {
    let (size, _) = unfold::size_of(source, Plain::new(unfold::FromStart::of(source)))?;
    check_size(size)
}

/// The plain bytes of all streams.
struct Plain<R>(MultiBzDecoder<R>);

impl<R: Read> Plain<R> {
    fn new(stored: R) -> Self {
        Self(MultiBzDecoder::new(stored))
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let damage = |err: &io::Error| {
            use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
            matches!(err.kind(), InvalidData | InvalidInput | UnexpectedEof)
        };
        // A block gives its bytes before its checksum is compared, and nothing here tells where it began.
        self.0.read(buf).map_err(|err| {
            if damage(&err) {
                Refuted::error(format!("the bzip2 stream is damaged or cut: {err}"))
            } else {
                err
            }
        })
    }
}
