//! JISO images, made by `jiso.exe` for the PSP.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | `JISO` |
//! | 4 | 2 | version: 1; 0x103 is a guess |
//! | 6 | 2 | block size in bytes: 2048, 4096, 8192 or 16384 |
//! | 8 | 2 | 1 when each block has a header, or 0 |
//! | 10 | 2 | codec: 0 for LZO1X, 1 for raw deflate |
//! | 12 | 4 | image size in bytes |
//! | 16 | 16 | MD5 of the image |
//! | 32 | 4 | offset of the index, 48 |
//! | 36 | 2 | number of areas that are not compressed, 0 in all files seen |
//! | 38 | 2 | 0 |
//! | 40 | 4 | offset of the table of areas, 0 in all files seen |
//! | 44 | 4 | 0 |
//! | index | 4 (n + 1) | offset of each block, then the end of the last one; n is the image size divided by the block size, rounded up |
//!
//! All numbers are little-endian. A block is stored as it is when its bytes (without the block header) are exactly
//! as many as the block size, else compressed. The last block holds only what is left of the image. The block
//! header is 4 bytes: 1, 4, and in 16 bits how many bytes the next block has; readers need nothing of it.
//!
//! Source: files made by jiso.exe 1.00 with both codecs, all its block sizes, with and without block headers,
//! decoded and compared. Two public readers describe bytes 4 and 5 as 3 and 1 and do not look at them: hence 0x103,
//! of which no file by a known writer was seen.

use std::sync::Arc;

use super::{Checksum, Details, Format, OpenOptions, Opened, PartOf, Summary};
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

pub(super) static JSO: Format = Format {
    name: "jso",
    title: "JISO: LZO or deflate blocks (PSP)",
    extensions: &["jso"],
    detect: |head, _| head.starts_with(b"JISO"),
    probe,
    passes_through: false,
    files: None,
    open,
    is_part_extension: |_| false,
    targets: &[&pack::TARGET],
};

const HEADER_LEN: u32 = 48;

fn probe(source: &dyn Source) -> Result<Summary> {
    Ok(Summary {
        size: Header::read(source)?.size,
        part: PartOf::Whole,
        encrypted: false,
    })
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let header = Header::read(source.as_ref())?;
    let map = Blocks {
        geometry: header.geometry(),
        index: Index::read(&header, source.as_ref())?,
        codec: header.codec,
        block_header_len: header.block_header_len,
    };
    let areas = (header.areas > 0).then(|| {
        format!(
            "the header counts {} areas that are not compressed; they are not looked at",
            header.areas
        )
    });
    let details = Details {
        variant: header.variant(),
        checksums: header.checksum().into_iter().collect(),
        notes: areas.into_iter().chain(map.index.note_missing()).collect(),
        ..Details::default()
    };
    Ok(Opened {
        format: &JSO,
        source,
        map: Box::new(map),
        details,
    })
}

/// A header whose fields keep their rules.
#[derive(Clone, Copy, Debug)]
struct Header {
    size: u64,
    /// A power of two from 512 to 32768.
    block_size: u16,
    /// Bytes in front of each block's data: 0 or 4.
    block_header_len: u32,
    codec: Codec,
    md5: [u8; 16],
    /// At least 48.
    index_at: u32,
    areas: u16,
}

impl Header {
    fn read(source: &dyn Source) -> Result<Self> {
        Self::parse(&read_array(source, 0, "JISO header")?)
    }

    fn parse(bytes: &[u8; HEADER_LEN as usize]) -> Result<Self> {
        check_version(half(bytes, 4))?;
        Ok(Self {
            size: check_size(u64::from(word(bytes, 12)))?,
            block_size: check_block_size(half(bytes, 6))?,
            block_header_len: block_header_len(half(bytes, 8))?,
            codec: codec(half(bytes, 10))?,
            md5: bytes[16..32].try_into().expect("a range of 16 bytes"),
            index_at: check_index_at(word(bytes, 32))?,
            areas: half(bytes, 36),
        })
    }

    fn geometry(&self) -> Geometry {
        Geometry::Uniform {
            size: self.size,
            block_size: u32::from(self.block_size),
        }
    }

    fn variant(&self) -> String {
        let codec = match self.codec {
            Codec::Lzo => "LZO",
            _ => "deflate",
        };
        match self.block_header_len {
            0 => format!("JISO, {codec}"),
            _ => format!("JISO, {codec}, block headers"),
        }
    }

    /// The image's MD5. Sixteen zero bytes are taken for a writer that left it out, which is a guess.
    fn checksum(&self) -> Option<Checksum> {
        let value = format!("{:032x}", u128::from_be_bytes(self.md5));
        (self.md5 != [0; 16]).then_some(Checksum {
            covers: "image",
            algorithm: "md5",
            value,
        })
    }
}

fn half(bytes: &[u8; HEADER_LEN as usize], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn word(bytes: &[u8; HEADER_LEN as usize], at: usize) -> u32 {
    u32::from(half(bytes, at)) | u32::from(half(bytes, at + 2)) << 16
}

fn check_version(version: u16) -> Result<()> {
    match version {
        1 | 0x103 => Ok(()),
        _ => Err(Error::unsupported(format!(
            "version is {version}, JISO has the version 1"
        ))),
    }
}

fn check_block_size(block_size: u16) -> Result<u16> {
    if block_size.is_power_of_two() && block_size >= 512 {
        return Ok(block_size);
    }
    Err(Error::corrupt(format!(
        "block size is {block_size}, not a power of two from 512 to 32768"
    )))
}

fn block_header_len(flag: u16) -> Result<u32> {
    match flag {
        0 => Ok(0),
        1 => Ok(4),
        _ => Err(Error::corrupt(format!(
            "the flag for block headers is {flag}, neither 0 nor 1"
        ))),
    }
}

fn codec(number: u16) -> Result<Codec> {
    match number {
        0 => Ok(Codec::Lzo),
        1 => Ok(Codec::Deflate),
        _ => Err(Error::unsupported(format!(
            "codec is {number}, JISO has 0 (LZO) and 1 (deflate)"
        ))),
    }
}

fn check_index_at(at: u32) -> Result<u32> {
    if at < HEADER_LEN {
        return Err(Error::corrupt(format!(
            "offset of the index is {at}, inside the header of {HEADER_LEN} bytes"
        )));
    }
    Ok(at)
}

#[derive(Debug)]
struct Blocks {
    geometry: Geometry,
    index: Index,
    codec: Codec,
    block_header_len: u32,
}

impl BlockMap for Blocks {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The block's header is among its stored bytes, so that neighbours lie in one piece.
    fn locate(&self, block: u64) -> Stored {
        let Ok(bytes) = self.index.place(block) else {
            return Stored::nowhere(Codec::Missing);
        };
        let whole = self.geometry.largest_block();
        let len = bytes.end - bytes.start;
        let is_whole = self.geometry.len_of(block) == whole;
        let is_plain = is_whole && len == u64::from(self.block_header_len) + whole as u64;
        Stored {
            at: bytes.start,
            len: u32::try_from(len).expect("the index bounds it"),
            codec: if is_plain { Codec::Raw } else { self.codec },
        }
    }

    fn decode(&self, block: u64, stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        if stored.codec == Codec::Missing {
            let fault = self.index.place(block).err();
            let fault = fault.expect("locate found the same fault");
            return Err(Error::corrupt(fault.to_string()));
        }
        let data = &src[self.block_header_len as usize..];
        let whole = self.geometry.largest_block();
        let decoded = decode_block(stored.codec, data, dst, whole);
        // A short last block may by chance be compressed to the length that says "stored", so it is tried first.
        if decoded.is_err() && dst.len() < whole && data.len() == whole {
            return decode_block(Codec::Raw, data, dst, whole);
        }
        decoded
    }
}
