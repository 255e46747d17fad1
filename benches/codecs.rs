//! How fast each codec decodes, in plain bytes per second of CPU time.
//!
//! `cargo bench --bench codecs [WORD]` runs those whose line contains WORD. The data is text-like with some noise,
//! made here, so the figures compare codecs and versions on one machine and say little about a given disc.

use std::io::Write;

use flate2::{Compression, write};
use plainiso::codec::Codec;

mod common;

use common::{Asked, best_of_five, deflate, plain};

/// From the blocks of consoles to the chunks of ISZ.
const BLOCKS: [usize; 4] = [2 << 10, 16 << 10, 64 << 10, 256 << 10];

fn main() {
    let asked = Asked::of_arguments();
    let plain = plain(if asked.is_measured {
        8 << 20
    } else {
        256 << 10
    });
    println!(
        "{:10} {:>8} {:>8} {:>10}",
        "codec", "block", "padding", "MB/s"
    );
    for (codec, encode) in CODECS {
        for block in BLOCKS {
            for &padding in paddings(*codec) {
                let line = format!("{:10} {block:8} {padding:8}", codec.name());
                if asked.wants(&line) {
                    let stored = stored(&plain, block, padding, *encode);
                    println!("{line} {:10.0}", rate(*codec, &stored, block));
                }
            }
        }
    }
}

type Encode = fn(&[u8]) -> Vec<u8>;

const CODECS: &[(Codec, Encode)] = &[
    (Codec::Deflate, deflate),
    (Codec::Zlib, zlib),
    (Codec::Lz4, lz4_flex::block::compress),
    (Codec::Lzo, lzo),
    (Codec::Bzip2, bzip2),
];

/// Bytes behind a block, as an index with a shift leaves them. No format puts any behind LZO, which refuses them.
fn paddings(codec: Codec) -> &'static [usize] {
    if codec == Codec::Lzo { &[0] } else { &[0, 40] }
}

fn stored(plain: &[u8], block: usize, padding: usize, encode: Encode) -> Vec<Vec<u8>> {
    let pad = |mut stored: Vec<u8>| {
        stored.resize(stored.len() + padding, b'X');
        stored
    };
    plain
        .chunks(block)
        .map(|piece| pad(encode(piece)))
        .collect()
}

/// Megabytes per second, the best of five rounds.
fn rate(codec: Codec, stored: &[Vec<u8>], block: usize) -> f64 {
    let mut out = vec![0; block];
    let seconds = best_of_five(|| {
        for src in stored {
            codec.decode(src, &mut out).expect("we encoded it");
        }
    });
    let bytes = u32::try_from(stored.len() * block).expect("it is a few megabytes");
    f64::from(bytes) / seconds / 1e6
}

fn lzo(plain: &[u8]) -> Vec<u8> {
    lzokay_native::compress(plain).expect("memory takes it")
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = write::ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn bzip2(plain: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(plain).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}
