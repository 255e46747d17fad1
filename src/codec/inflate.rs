//! Deflate, raw and in a zlib wrapper. Input behind the end mark is ignored: it is padding. Not so in a gzip member,
//! where something else might be decoded from it.

use super::{Decoded, TOO_LONG};

#[cfg(feature = "libdeflate")]
mod libdeflate;
mod member;
mod zlib_rs;

pub(crate) use member::gzip_member;

#[cfg(feature = "libdeflate")]
pub(super) use libdeflate::{deflate, zlib};
#[cfg(not(feature = "libdeflate"))]
pub(super) use zlib_rs::{deflate, zlib};

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write};

    use super::*;

    fn deflated(plain: &[u8]) -> Vec<u8> {
        let mut encoder = write::DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zlibbed(plain: &[u8]) -> Vec<u8> {
        let mut encoder = write::ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn bytes_behind_the_end_mark_are_ignored() {
        let plain = b"plain plain plain plain".repeat(50);
        for padding in [&b""[..], b"X", b"\0\0\0\0\0", &[0xff; 64]] {
            let mut dst = vec![0; plain.len()];
            let stored = [&deflated(&plain), padding].concat();
            assert_eq!(deflate(&stored, &mut dst), Ok(plain.len()));
            assert_eq!(dst, plain);
            let stored = [&zlibbed(&plain), padding].concat();
            assert_eq!(zlib(&stored, &mut dst), Ok(plain.len()));
        }
    }

    #[test]
    fn rejects_a_stream_longer_than_the_block() {
        let stored = deflated(&[7; 5000]);
        assert_eq!(deflate(&stored, &mut [0; 4999]), Err(TOO_LONG));
        assert_eq!(deflate(&stored, &mut [0; 100]), Err(TOO_LONG));
    }

    #[test]
    fn rejects_a_stream_without_its_end() {
        let stored = deflated(&b"abcdefgh".repeat(40));
        for cut in 1..stored.len() {
            let mut dst = [0; 320];
            assert!(
                deflate(&stored[..stored.len() - cut], &mut dst).is_err(),
                "{cut}"
            );
        }
    }

    #[test]
    fn rejects_a_wrong_adler32() {
        let mut stored = zlibbed(b"some plain bytes");
        *stored.last_mut().unwrap() ^= 1;
        assert!(zlib(&stored, &mut [0; 16]).is_err());
    }

    #[test]
    fn a_short_stream_says_how_short() {
        assert_eq!(deflate(&deflated(&[1; 100]), &mut [0; 2048]), Ok(100));
    }
}
