//! By flate2, which takes zlib-rs: the same method as zlib's own.

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::codec::Level;

#[derive(Debug)]
pub(in crate::codec) struct Zlib {
    raw: Compress,
    #[cfg(not(feature = "libdeflate"))]
    wrapped: Compress,
}

impl Zlib {
    pub(in crate::codec) fn new(level: Level) -> Self {
        let level = Compression::new(u32::from(level.number()).min(9));
        Self {
            raw: Compress::new(level, false),
            #[cfg(not(feature = "libdeflate"))]
            wrapped: Compress::new(level, true),
        }
    }

    /// Appends raw deflate.
    pub(in crate::codec) fn deflate(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        compress(&mut self.raw, plain, out);
    }

    /// Appends a zlib stream.
    #[cfg(not(feature = "libdeflate"))]
    pub(in crate::codec) fn zlib(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        compress(&mut self.wrapped, plain, out);
    }
}

fn compress(state: &mut Compress, plain: &[u8], out: &mut Vec<u8>) {
    state.reset();
    // The bound that zlib documents for stored blocks, and room for wrapper and end mark.
    out.reserve(plain.len() + plain.len() / 1000 + 64);
    loop {
        let consumed = usize::try_from(state.total_in()).expect("it is inside a slice");
        let status = state.compress_vec(&plain[consumed..], out, FlushCompress::Finish);
        match status.expect("a state that was reset can compress") {
            Status::StreamEnd => return,
            Status::Ok | Status::BufError => out.reserve(4096),
        }
    }
}
