//! Any bytes through every encoder: what it makes decodes to these bytes, whatever the level, and whatever came
//! before.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plainiso::codec::{Encoder, Level};

fn encoder(which: u8, level: Level) -> Encoder {
    match which % 7 {
        0 => Encoder::deflate(level),
        1 => Encoder::zlib(level),
        2 => Encoder::plain_deflate(level),
        3 => Encoder::lz4(),
        4 => Encoder::lz4hc(level),
        5 => Encoder::bzip2(level),
        _ => Encoder::lzo(level),
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&[which, level], plain)) = input.split_first_chunk() else {
        return;
    };
    // LZO matches reach 16 KiB back, which is a whole block of the format that has it.
    let plain = &plain[..plain.len().min(16 << 10)];
    if plain.is_empty() {
        return;
    }
    let mut encoder = encoder(which, Level::new(level % 14).unwrap_or(Level::MAX));
    let mut first = Vec::new();
    encoder.encode(plain, &mut first);
    let mut back = vec![1; plain.len()];
    encoder
        .codec()
        .decode(&first, &mut back)
        .expect("it decodes");
    assert!(back == plain);
    let mut again = Vec::new();
    encoder.encode(plain, &mut again);
    assert!(first == again, "the encoder remembers an earlier block");
});
