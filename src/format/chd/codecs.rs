//! How hunks are compressed.

use std::{cell::RefCell, fmt};

use crate::{Error, Result, codec::Codec};

mod cd;
mod flac;
mod huff;
mod lzma;
mod zstd;

/// Bytes of a CD sector and of the subcode behind it, which together are a frame.
pub(super) const FRAME: usize = 2448;

/// A way to compress a hunk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Method {
    /// None.
    Nothing,
    /// Raw deflate.
    Deflate,
    /// LZMA without a header: lc 3, lp 0, pb 2.
    Lzma,
    /// A Huffman code over bytes.
    Huffman,
    /// FLAC frames of two channels of 16 bits, behind a byte that tells the order of the bytes.
    Flac,
    /// A zstd frame.
    Zstd,
    /// Sectors and subcode apart, both by deflate.
    CdDeflate,
    /// Sectors by LZMA, subcode by deflate.
    CdLzma,
    /// Sectors by FLAC, subcode by deflate.
    CdFlac,
    /// Both by zstd.
    CdZstd,
}

impl Method {
    /// The method with the four characters of the header.
    pub(super) fn of_tag(tag: u32) -> Result<Self> {
        Ok(match &tag.to_be_bytes() {
            b"\0\0\0\0" => Self::Nothing,
            b"zlib" => Self::Deflate,
            b"lzma" => Self::Lzma,
            b"huff" => Self::Huffman,
            b"flac" => Self::Flac,
            b"zstd" => Self::Zstd,
            b"cdzl" => Self::CdDeflate,
            b"cdlz" => Self::CdLzma,
            b"cdfl" => Self::CdFlac,
            b"cdzs" => Self::CdZstd,
            b"avhu" => {
                return Err(Error::unsupported(
                    "compression is avhu, which is for the pictures and sounds of laser discs; `chdman extractld` makes an AVI of it",
                ));
            }
            other => {
                return Err(Error::unsupported(format!(
                    "compression is {}, which no known writer uses",
                    other.escape_ascii()
                )));
            }
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "stored",
            Self::Deflate => "deflate",
            Self::Lzma => "lzma",
            Self::Huffman => "huffman",
            Self::Flac => "flac",
            Self::Zstd => "zstd",
            Self::CdDeflate => "cd-deflate",
            Self::CdLzma => "cd-lzma",
            Self::CdFlac => "cd-flac",
            Self::CdZstd => "cd-zstd",
        }
    }

    /// Whether it is for frames of CDs only.
    pub(super) fn is_for_frames(self) -> bool {
        matches!(
            self,
            Self::CdDeflate | Self::CdLzma | Self::CdFlac | Self::CdZstd
        )
    }

    /// Decodes a hunk, which fills `dst` exactly.
    pub(super) fn decode(self, src: &[u8], dst: &mut [u8]) -> Result<()> {
        match self {
            Self::Nothing => Codec::Raw.decode(src, dst),
            Self::Deflate => Codec::Deflate.decode(src, dst),
            Self::Lzma => lzma::decode(src, dst).map_err(|why| self.refuse(src, why)),
            Self::Huffman => huff::decode(src, dst).map_err(|why| self.refuse(src, why)),
            Self::Flac => flac::decode_hunk(src, dst).map_err(|why| self.refuse(src, why)),
            Self::Zstd => zstd::decode(src, dst).map_err(|why| self.refuse(src, why)),
            Self::CdDeflate => cd::decode(src, dst, Self::Deflate, Self::Deflate),
            Self::CdLzma => cd::decode(src, dst, Self::Lzma, Self::Deflate),
            Self::CdZstd => cd::decode(src, dst, Self::Zstd, Self::Zstd),
            Self::CdFlac => cd::decode_sounds(src, dst),
        }
    }

    fn refuse(self, src: &[u8], why: impl fmt::Display) -> Error {
        Error::corrupt(format!(
            "{} data of {} bytes does not decode: {why}",
            self.name(),
            src.len()
        ))
    }
}

/// A buffer larger than this is given back after use.
const KEEP_BUFFER: usize = 2 << 20;

/// Lends a thread's own buffer of `len` bytes, whose content is anything.
pub(super) fn with_buffer<T>(
    buffer: &'static std::thread::LocalKey<RefCell<Vec<u8>>>,
    len: usize,
    use_it: impl FnOnce(&mut [u8]) -> T,
) -> T {
    // Taken out, so that one who is lent it twice gets a second one.
    let mut bytes = buffer.take();
    if bytes.len() < len {
        bytes.resize(len, 0);
    }
    let done = use_it(&mut bytes[..len]);
    if bytes.capacity() <= KEEP_BUFFER {
        buffer.set(bytes);
    }
    done
}
