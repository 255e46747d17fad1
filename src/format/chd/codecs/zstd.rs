//! One zstd frame.

use std::{cell::RefCell, io::Read};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::format::chd::huffman::Fault;

/// The window that a frame may ask for beyond its hunk: what the smallest writers round up to.
const WINDOW: u64 = 8 << 20;

pub(super) fn decode(src: &[u8], dst: &mut [u8]) -> Result<(), Fault> {
    thread_local! {
        static STATE: RefCell<Option<Box<FrameDecoder>>> = const { RefCell::new(None) };
    }
    check_window(src, dst.len() as u64)?;
    let mut state = STATE.take().unwrap_or_default();
    let decoded = decode_frame(&mut state, src, dst);
    if dst.len() <= super::KEEP_BUFFER {
        STATE.set(Some(state));
    }
    decoded
}

fn decode_frame(state: &mut FrameDecoder, mut src: &[u8], dst: &mut [u8]) -> Result<(), Fault> {
    let bad = "the stream is damaged, or ends too early";
    state.reset(&mut src).map_err(|_| bad)?;
    let mut filled = 0;
    while filled < dst.len() || !state.is_finished() {
        let done = state.decode_blocks(&mut src, BlockDecodingStrategy::UptoBlocks(1));
        let is_finished = done.map_err(|_| bad)?;
        filled += state.read(&mut dst[filled..]).map_err(|_| bad)?;
        if state.can_collect() > 0 {
            return Err("it holds more bytes than the hunk");
        }
        if is_finished && filled < dst.len() {
            return Err("it holds fewer bytes than the hunk");
        }
    }
    Ok(())
}

/// Checks the window of a frame header (RFC 8878, 3.1.1.1), for which the decoder takes memory.
fn check_window(src: &[u8], len: u64) -> Result<(), Fault> {
    let Some([0x28, 0xb5, 0x2f, 0xfd, descriptor, window, ..]) = src.get(..6) else {
        return Err("it does not begin as a frame");
    };
    let is_single_segment = descriptor & 0x20 != 0;
    let base = 1_u64 << (10 + u32::from(window >> 3));
    if !is_single_segment && base + base / 8 * u64::from(window & 7) > len + WINDOW {
        return Err("its window is far larger than the hunk");
    }
    Ok(())
}
