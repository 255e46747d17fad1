//! Deflate and zlib by flate2 on zlib-rs: all Rust, and it tells where a stream ends.

use std::cell::RefCell;

use flate2::{Decompress, FlushDecompress, Status};

use super::{Decoded, TOO_LONG};

thread_local! {
    static DEFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

#[cfg(not(feature = "libdeflate"))]
pub(in crate::codec) fn deflate(src: &[u8], dst: &mut [u8]) -> Decoded {
    DEFLATE.with_borrow_mut(|state| {
        state.reset(false);
        inflate(state, src, dst)
    })
}

/// Deflate that ends with the last byte of `src`.
pub(super) fn all_of_deflate(src: &[u8], dst: &mut [u8]) -> Decoded {
    DEFLATE.with_borrow_mut(|state| {
        state.reset(false);
        let decoded = inflate(state, src, dst)?;
        if state.total_in() != src.len() as u64 {
            return Err("it ends before its bytes do");
        }
        Ok(decoded)
    })
}

#[cfg(not(feature = "libdeflate"))]
pub(in crate::codec) fn zlib(src: &[u8], dst: &mut [u8]) -> Decoded {
    thread_local! {
        static STATE: RefCell<Decompress> = RefCell::new(Decompress::new(true));
    }
    STATE.with_borrow_mut(|state| {
        state.reset(true);
        inflate(state, src, dst)
    })
}

/// One stream from its start to its end mark. Input behind the end mark is ignored: it is padding.
fn inflate(state: &mut Decompress, src: &[u8], dst: &mut [u8]) -> Decoded {
    let mut status = step(state, src, dst)?;
    if status != Status::StreamEnd && state.total_out() == dst.len() as u64 {
        // The block is full. All that may follow is the end mark and the checksum: no byte more.
        let consumed = usize::try_from(state.total_in()).expect("it is at most the input's length");
        let mut more = [0];
        let before = state.total_out();
        status = step(state, &src[consumed..], &mut more)?;
        if state.total_out() > before {
            return Err(TOO_LONG);
        }
    }
    match status {
        Status::StreamEnd => Ok(usize::try_from(state.total_out()).expect("it fits the output")),
        _ => Err("it ends before its end mark"),
    }
}

fn step(
    state: &mut Decompress,
    src: &[u8],
    dst: &mut [u8],
) -> std::result::Result<Status, &'static str> {
    state
        .decompress(src, dst, FlushDecompress::Finish)
        .map_err(|_| "the stream is damaged")
}
