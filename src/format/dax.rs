//! DAX images, made for the PSP.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | `DAX\0` |
//! | 4 | 4 | image size in bytes |
//! | 8 | 4 | version: 0, or 1 when areas may follow |
//! | 12 | 4 | number of areas; 0 in version 0 |
//! | 16 | 16 | 0 |
//! | 32 | 4 n | offset of each frame; n is the image size divided by 8192, rounded up |
//! | 32 + 4 n | 2 n | stored length of each frame |
//! | 32 + 6 n | 8 each | version 1: areas of frames that are not compressed, as first frame and number of frames |
//!
//! All numbers are little-endian. A frame is 8192 bytes of the image in a zlib stream of its own, or, in an area, as
//! they are. The last frame holds what is left of the image, or is padded with zeroes to 8192 bytes.
//!
//! Source: files made by DAX Creator 0.4, 7daxcr and maxcso, decoded and compared. DAX Creator keeps room for 192
//! areas whatever their number, so the first frame does not follow the table.

use std::sync::Arc;

use super::{Details, Format, OpenOptions, Opened, PartOf, Summary};
use crate::{
    Error, Result,
    codec::Codec,
    map::{BlockMap, Geometry, Stored, check_size, decode_block},
    source::{Source, read_array},
};

mod index;
mod pack;
#[cfg(test)]
mod tests;

use index::Index;

pub(super) static DAX: Format = Format {
    name: "dax",
    title: "DAX v0 and v1: zlib frames (PSP)",
    extensions: &["dax"],
    detect: |head, _| head.starts_with(b"DAX\0"),
    probe,
    passes_through: false,
    files: None,
    open,
    is_part_extension: |_| false,
    targets: &[&pack::TARGET],
};

const HEADER_LEN: u64 = 32;

const FRAME: u32 = 8192;

fn probe(source: &dyn Source) -> Result<Summary> {
    Ok(Summary {
        size: Header::read(source)?.size,
        part: PartOf::Whole,
        encrypted: false,
    })
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let header = Header::read(source.as_ref())?;
    let (index, notes) = Index::read(&header, source.as_ref())?;
    let map = Frames {
        geometry: Geometry::Uniform {
            size: header.size,
            block_size: FRAME,
        },
        index,
        version: header.version,
    };
    let details = Details {
        variant: header.variant(),
        notes: notes.into_iter().chain(map.note_missing()).collect(),
        ..Details::default()
    };
    Ok(Opened {
        format: &DAX,
        source,
        map: Box::new(map),
        details,
    })
}

/// A header whose fields keep their rules.
#[derive(Clone, Copy, Debug)]
struct Header {
    size: u64,
    version: Version,
    /// Number of areas, at most the number of frames; 0 in version 0.
    areas: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Version {
    Zero,
    One,
}

impl Header {
    fn read(source: &dyn Source) -> Result<Self> {
        Self::parse(&read_array(source, 0, "DAX header")?)
    }

    fn parse(bytes: &[u8; 32]) -> Result<Self> {
        let field = |at: usize| {
            let bytes = bytes[at..at + 4].try_into();
            u32::from_le_bytes(bytes.expect("a range of 4 bytes"))
        };
        let mut header = Self {
            size: check_size(u64::from(field(4)))?,
            version: Version::Zero,
            areas: 0,
        };
        match field(8) {
            0 => return Ok(header),
            1 => header.version = Version::One,
            version => {
                return Err(Error::unsupported(format!(
                    "version is {version}, DAX has the versions 0 and 1"
                )));
            }
        }
        header.areas = field(12);
        if header.areas > header.frames() {
            return Err(Error::corrupt(format!(
                "number of areas is {}, more than the {} frames",
                header.areas,
                header.frames()
            )));
        }
        Ok(header)
    }

    fn frames(&self) -> u32 {
        let frames = self.size.div_ceil(u64::from(FRAME));
        u32::try_from(frames).expect("the size comes from 32 bits")
    }

    fn variant(&self) -> String {
        match (self.version, self.areas) {
            (Version::Zero, _) => "DAX v0".into(),
            (Version::One, 0) => "DAX v1, no areas".into(),
            (Version::One, 1) => "DAX v1, 1 area of stored frames".into(),
            (Version::One, n) => format!("DAX v1, {n} areas of stored frames"),
        }
    }
}

#[derive(Debug)]
struct Frames {
    geometry: Geometry,
    index: Index,
    version: Version,
}

impl BlockMap for Frames {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let Ok(bytes) = self.index.place(frame_number(block)) else {
            return Stored::nowhere(Codec::Missing);
        };
        let len = u32::try_from(bytes.end - bytes.start).expect("a length has 16 bits");
        let is_plain = self.index.in_area(frame_number(block)) && self.is_plain_len(block, len);
        Stored {
            at: bytes.start,
            len,
            codec: if is_plain { Codec::Raw } else { Codec::Zlib },
        }
    }

    fn decode(&self, block: u64, stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        if stored.codec == Codec::Missing {
            let fault = self.index.place(frame_number(block)).err();
            let fault = fault.expect("locate found the same fault");
            return Err(Error::corrupt(fault.to_string()));
        }
        let decoded = decode_block(stored.codec, src, dst, FRAME as usize);
        if decoded.is_err() && self.is_stored_outside_areas(src) {
            return decode_block(Codec::Raw, src, dst, FRAME as usize);
        }
        decoded
    }
}

impl Frames {
    /// Whether a frame of this length can be one that is not compressed: a whole frame, or the image's tail.
    fn is_plain_len(&self, block: u64, len: u32) -> bool {
        len == FRAME || len as usize == self.geometry.len_of(block)
    }

    /// Whether a frame that is no zlib stream is one that the table of areas forgot.
    ///
    /// Version 0 has no such table, so there the frame is damaged. In version 1 it is damaged when it begins as a
    /// zlib stream does: to hand out a damaged stream as the image's bytes would be worse than an error.
    fn is_stored_outside_areas(&self, src: &[u8]) -> bool {
        self.version == Version::One && src.len() == FRAME as usize && !begins_as_zlib(src)
    }

    fn note_missing(&self) -> Option<String> {
        let frames = 0..self.index.frames();
        let mut faults = frames.filter_map(|frame| Some((frame, self.index.place(frame).err()?)));
        let (first, fault) = faults.next()?;
        Some(format!(
            "{} of {} frames are not in the file; the first is frame {first}: {fault}",
            1 + faults.count(),
            self.index.frames()
        ))
    }
}

/// Method 8 and a header that is a multiple of 31, as RFC 1950 has it.
fn begins_as_zlib(src: &[u8]) -> bool {
    match *src {
        [method, flags, ..] => {
            method & 15 == 8 && method >> 4 < 8 && u16::from_be_bytes([method, flags]) % 31 == 0
        }
        _ => false,
    }
}

fn frame_number(block: u64) -> u32 {
    u32::try_from(block).expect("there are fewer frames than bytes in 32 bits")
}
