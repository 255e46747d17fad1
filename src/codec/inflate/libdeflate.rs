//! Deflate and zlib by libdeflate, which is C: twice as fast on the 2 KiB blocks of most CSO files.

use std::cell::RefCell;

use libdeflater::{DecompressionError, Decompressor};

use super::{Decoded, TOO_LONG};

pub(in crate::codec) fn deflate(src: &[u8], dst: &mut [u8]) -> Decoded {
    inflate(dst, |decompressor, dst| {
        decompressor.deflate_decompress(src, dst)
    })
}

pub(in crate::codec) fn zlib(src: &[u8], dst: &mut [u8]) -> Decoded {
    inflate(dst, |decompressor, dst| {
        decompressor.zlib_decompress(src, dst)
    })
}

/// The trailer is compared where the deflate data ends, wherever that is in `src`.
pub(super) fn gzip(src: &[u8], dst: &mut [u8]) -> Decoded {
    inflate(dst, |decompressor, dst| {
        decompressor.gzip_decompress(src, dst)
    })
}

/// Room behind a block that lets libdeflate keep to its fast loop until the block ends.
const SLACK: usize = 512;

/// Larger blocks are decoded in place: the slow end of the loop is a small part of them, and a copy costs more.
const MOST_COPIED: usize = 32 << 10;

thread_local! {
    static STATE: RefCell<(Decompressor, Vec<u8>)> = RefCell::new((Decompressor::new(), Vec::new()));
}

fn inflate(
    dst: &mut [u8],
    decompress: impl FnOnce(&mut Decompressor, &mut [u8]) -> Result<usize, DecompressionError>,
) -> Decoded {
    STATE.with_borrow_mut(|(decompressor, roomy)| {
        let decoded = if dst.len() > MOST_COPIED {
            decompress(decompressor, dst)
        } else {
            roomy.resize(MOST_COPIED + SLACK, 0);
            let decoded = decompress(decompressor, &mut roomy[..dst.len() + SLACK]);
            if let Ok(n) = decoded {
                let n = n.min(dst.len());
                dst[..n].copy_from_slice(&roomy[..n]);
            }
            decoded
        };
        match decoded {
            Ok(n) if n <= dst.len() => Ok(n),
            Ok(_) | Err(DecompressionError::InsufficientSpace) => Err(TOO_LONG),
            Err(DecompressionError::BadData) => {
                Err("the stream is damaged, or ends before its end mark")
            }
        }
    })
}
