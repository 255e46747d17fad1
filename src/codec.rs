//! Compressed bytes in, exactly the promised number of plain bytes out; and back.

use std::cell::RefCell;

use crate::{Error, Result};

mod bzip2;
mod chains;
mod deflate;
mod inflate;
mod lz4;
mod lzo;
mod method;
#[cfg(test)]
mod samples;
mod wide;
pub(crate) mod zstd;

pub(crate) use inflate::gzip_member;
pub use method::{Encoder, Level, Method};

/// How a block is stored.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Codec {
    /// The plain bytes.
    Raw,
    /// Nothing is stored; the block is all zeroes.
    Zero,
    /// Raw deflate without a wrapper. Bytes behind its end mark are ignored.
    Deflate,
    /// A zlib stream. Its Adler-32 is checked; bytes behind it are ignored.
    Zlib,
    /// An LZ4 block without a frame. It has no end mark: decoding stops when the wanted bytes are there.
    Lz4,
    /// A bzip2 stream. Its checksums are checked.
    Bzip2,
    /// An LZO1X stream that ends with its end mark.
    Lzo,
    /// Something that the format decodes itself, in [`crate::map::BlockMap::decode`].
    Own {
        /// The name that `info` shows.
        name: &'static str,
        /// The checksum of the block that is compared, if there is one.
        checksum: Option<&'static str>,
    },
    /// The index gives the block no place. Decoding always fails.
    Missing,
}

impl Codec {
    /// The name that `info` shows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Codec::Raw => "stored",
            Codec::Zero => "zero",
            Codec::Deflate => "deflate",
            Codec::Zlib => "zlib",
            Codec::Lz4 => "lz4",
            Codec::Bzip2 => "bzip2",
            Codec::Lzo => "lzo",
            Codec::Own { name, .. } => name,
            Codec::Missing => "missing",
        }
    }

    /// The checksum that each block carries and decoding compares, if there is one.
    #[must_use]
    pub fn checksum(self) -> Option<&'static str> {
        match self {
            Codec::Zlib => Some("adler32"),
            Codec::Bzip2 => Some("crc32"),
            Codec::Own { checksum, .. } => checksum,
            Codec::Raw
            | Codec::Zero
            | Codec::Deflate
            | Codec::Lz4
            | Codec::Lzo
            | Codec::Missing => None,
        }
    }

    /// Decodes `src` so that it fills `dst` exactly.
    ///
    /// # Errors
    /// `Corrupt` when `src` does not decode, or not to `dst.len()` bytes.
    pub fn decode(self, src: &[u8], dst: &mut [u8]) -> Result<()> {
        let want = dst.len();
        match self.decode_into(src, dst)? {
            n if n == want => Ok(()),
            n => Err(Error::corrupt(format!(
                "{} data of {} bytes decodes to {n} bytes, not to {want}",
                self.name(),
                src.len()
            ))),
        }
    }

    /// Decodes the first bytes of a block that may hold up to `most`, and returns how many are in `dst`:
    /// all that it has room for, or fewer when the block ends before.
    ///
    /// Writers pad the last block of an image to the full block size; this cuts it at the image's end.
    ///
    /// # Errors
    /// `Corrupt` when `src` does not decode, or to more than `most` bytes.
    pub fn decode_start(self, src: &[u8], dst: &mut [u8], most: usize) -> Result<usize> {
        if dst.len() >= most || matches!(self, Codec::Raw | Codec::Zero | Codec::Missing) {
            return self.decode_into(src, dst);
        }
        if self == Codec::Lz4 {
            return lz4::decode_start(src, dst, most).map_err(|why| self.refuse(src, why));
        }
        thread_local! {
            static WHOLE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        WHOLE.with_borrow_mut(|whole| {
            whole.resize(most, 0);
            let n = self.decode_into(src, whole)?.min(dst.len());
            dst[..n].copy_from_slice(&whole[..n]);
            if whole.capacity() > KEEP_BUFFER {
                *whole = Vec::new();
            }
            Ok(n)
        })
    }

    /// Decodes all of `src` into the front of `dst`.
    fn decode_into(self, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        let decoded = match self {
            Codec::Raw => {
                let n = src.len().min(dst.len());
                dst[..n].copy_from_slice(&src[..n]);
                Ok(n)
            }
            Codec::Zero => {
                dst.fill(0);
                Ok(dst.len())
            }
            Codec::Deflate => inflate::deflate(src, dst),
            Codec::Zlib => inflate::zlib(src, dst),
            Codec::Lz4 => lz4::decode(src, dst),
            Codec::Bzip2 => bzip2::decode(src, dst),
            Codec::Lzo => lzo::decode(src, dst),
            Codec::Own { .. } => Err("only its format decodes it"),
            Codec::Missing => Err("the index gives the block no place in the file"),
        };
        decoded.map_err(|why| self.refuse(src, why))
    }

    fn refuse(self, src: &[u8], why: &str) -> Error {
        match self {
            Codec::Missing => Error::corrupt(why),
            _ => Error::corrupt(format!(
                "{} data of {} bytes does not decode: {why}",
                self.name(),
                src.len()
            )),
        }
    }
}

/// Decodes an LZ4 block to `dst` from `start` on, with matches that may reach back before that, and returns where it
/// ends.
///
/// # Errors
/// `Corrupt` when `src` does not decode, or to more than there is room for.
pub fn lz4_behind(src: &[u8], dst: &mut [u8], start: usize) -> Result<usize> {
    lz4::decode_behind(src, dst, start).map_err(|why| Codec::Lz4.refuse(src, why))
}

/// The number of plain bytes of an LZ4 block, without decoding it.
///
/// # Errors
/// `Corrupt` when `src` is cut, or holds more than `most` bytes.
pub fn lz4_plain_len(src: &[u8], most: usize) -> Result<usize> {
    lz4::plain_len(src, most).map_err(|why| Codec::Lz4.refuse(src, why))
}

/// A buffer larger than this is given back after use.
const KEEP_BUFFER: usize = 2 << 20;

/// What a decoder says: bytes written, or why it stopped.
type Decoded = std::result::Result<usize, &'static str>;

/// The reason that every codec gives for a stream which holds more than its block.
const TOO_LONG: &str = "it holds more bytes than the block";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn stored_bytes_fill_the_block_and_padding_behind_them_is_ignored() {
        let mut dst = [0; 4];
        Codec::Raw.decode(b"abcdXXXX", &mut dst).unwrap();
        assert_eq!(&dst, b"abcd");
    }

    #[test]
    fn rejects_stored_bytes_shorter_than_the_block() {
        let err = Codec::Raw.decode(b"abc", &mut [0; 4]).unwrap_err();
        assert_eq!(
            err.to_string(),
            "stored data of 3 bytes decodes to 3 bytes, not to 4"
        );
    }

    #[test]
    fn a_missing_block_is_an_error_never_zeroes() {
        let mut dst = [7; 4];
        let err = Codec::Missing.decode(b"", &mut dst).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Corrupt);
        assert_eq!(dst, [7; 4]);
    }
}
