//! By libdeflate.

use std::fmt;

use libdeflater::{CompressionError, CompressionLvl, Compressor};

use crate::codec::Level;

pub(super) struct Libdeflate(Compressor);

impl Libdeflate {
    pub(super) fn new(level: Level) -> Self {
        let level = CompressionLvl::new(i32::from(level.number().min(12)));
        Self(Compressor::new(
            level.expect("libdeflate has levels 0 to 12"),
        ))
    }

    /// Appends raw deflate.
    pub(super) fn deflate(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        let bound = self.0.deflate_compress_bound(plain.len());
        append(out, bound, |room| self.0.deflate_compress(plain, room));
    }

    /// Appends a zlib stream.
    pub(super) fn zlib(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        let bound = self.0.zlib_compress_bound(plain.len());
        append(out, bound, |room| self.0.zlib_compress(plain, room));
    }
}

fn append(
    out: &mut Vec<u8>,
    bound: usize,
    compress: impl FnOnce(&mut [u8]) -> Result<usize, CompressionError>,
) {
    let start = out.len();
    out.resize(start + bound, 0);
    let len = compress(&mut out[start..]).expect("the room is libdeflate's own bound");
    out.truncate(start + len);
}

impl fmt::Debug for Libdeflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Libdeflate")
    }
}
