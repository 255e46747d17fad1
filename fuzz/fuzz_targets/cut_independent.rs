//! What a range holds does not depend on how it is cut into reads.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use plainiso::{
    cache::BlockCache,
    format::{self, OpenOptions, Password},
    image::Image,
};

/// Bytes of the image that are compared, from its start and from its end.
const REACH: u64 = 70_000;

fn open(stored: &[u8], cache: usize) -> Option<Image> {
    let options = OpenOptions {
        password: &|| Ok(Some(Password::new(b"open sesame".to_vec()))),
        ..OpenOptions::alone()
    };
    let opened = format::open(Arc::new(stored.to_vec()), &options).ok()?;
    let image = Image::new(opened, Arc::new(BlockCache::new(cache)));
    // What stands at the end of a stream may refute what was read before: it is gone through first.
    let _ = image.read_at(&mut [0], image.size() - 1);
    Some(image)
}

/// The bytes of `len` from `at` on read in one piece and in pieces of `piece`; they agree where both can be read.
fn compare(images: [&Image; 2], at: u64, len: usize, piece: usize) {
    let mut whole = vec![1; len];
    let whole_is_right = images[0].read_at(&mut whole, at);
    let mut pieces = vec![2; len];
    let mut all_are_right = true;
    let mut done = 0;
    for out in pieces.chunks_mut(piece) {
        let n = out.len();
        match images[1].read_at(out, at + done as u64) {
            Ok(read) => {
                assert_eq!(read, n);
                if whole_is_right.is_ok() {
                    assert!(
                        out == &whole[done..done + n],
                        "{piece} bytes at {at} + {done}"
                    );
                }
            }
            Err(_) => all_are_right = false,
        }
        done += n;
    }
    assert_eq!(
        whole_is_right.is_ok(),
        all_are_right,
        "at {at}, pieces of {piece}"
    );
}

fuzz_target!(|input: &[u8]| {
    let Some((&[low, high], stored)) = input.split_first_chunk() else {
        return;
    };
    // The second image has no cache, so every part of a block is decoded anew.
    let (Some(first), Some(second)) = (open(stored, 1 << 20), open(stored, 0)) else {
        return;
    };
    let size = first.size();
    let len = usize::try_from(size.min(REACH)).expect("it is at most REACH");
    let block = first.geometry().largest_block();
    // Small pieces of large blocks decode each block very often: keep the work bounded.
    let least = (block / 16).max(200);
    let piece = least + usize::from(u16::from_le_bytes([low, high]));
    compare([&first, &second], 0, len, piece);
    compare([&second, &first], size - len as u64, len, piece);
});
