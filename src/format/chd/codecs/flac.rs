//! FLAC frames without a file around them: two channels of 16 bits, as on an audio CD.

use std::{cell::RefCell, io::Cursor};

use claxon::frame::FrameReader;

use crate::format::chd::huffman::Fault;

/// The order of the two bytes of a sample.
#[derive(Clone, Copy)]
pub(super) enum Order {
    Little,
    Big,
}

/// A hunk: a byte for the order, then frames.
pub(super) fn decode_hunk(src: &[u8], dst: &mut [u8]) -> Result<(), Fault> {
    let (order, frames) = src.split_first().ok_or("it is empty")?;
    let order = match order {
        b'L' => Order::Little,
        b'B' => Order::Big,
        _ => return Err("its first byte is neither L nor B"),
    };
    decode(frames, dst, order).map(|_| ())
}

/// Decodes frames until `dst` is full; returns how many bytes they take.
pub(super) fn decode(src: &[u8], dst: &mut [u8], order: Order) -> Result<usize, Fault> {
    thread_local! {
        static SAMPLES: RefCell<Vec<i32>> = const { RefCell::new(Vec::new()) };
    }
    let mut samples = SAMPLES.take();
    let mut input = Cursor::new(src);
    let mut rest = dst;
    while !rest.is_empty() {
        let mut frames = FrameReader::new(&mut input);
        let block = frames.read_next_or_eof(samples);
        let block = block
            .map_err(|_| "a frame is damaged")?
            .ok_or("it ends too early")?;
        if block.channels() != 2 {
            return Err("a frame has not two channels");
        }
        let len = 4 * block.duration() as usize;
        if len > rest.len() {
            return Err("it holds more bytes than the hunk");
        }
        let (now, later) = rest.split_at_mut(len);
        let (left, right) = (block.channel(0), block.channel(1));
        for ((pair, left), right) in now.chunks_exact_mut(4).zip(left).zip(right) {
            pair[..2].copy_from_slice(&sample(*left, order));
            pair[2..].copy_from_slice(&sample(*right, order));
        }
        rest = later;
        samples = block.into_buffer();
    }
    SAMPLES.set(samples);
    Ok(usize::try_from(input.position()).expect("it is inside a slice"))
}

/// The low 16 bits of a sample; the decoder was told that there are no more.
fn sample(sample: i32, order: Order) -> [u8; 2] {
    let [.., high, low] = sample.to_be_bytes();
    match order {
        Order::Little => [low, high],
        Order::Big => [high, low],
    }
}
