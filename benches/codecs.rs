//! How fast each codec decodes, in plain bytes per second of this thread's CPU time.
//!
//! `cargo bench --bench codecs [WORD]` runs those whose line contains WORD. The data is text-like with some noise,
//! made here, so the figures compare codecs and versions on one machine and say little about a given disc.

use std::{env, io::Write, time::Duration};

use flate2::{Compression, write};
use plainiso::codec::Codec;
use rustix::time;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let wanted = words.iter().find(|word| !word.starts_with('-'));
    // `cargo test` runs this too, without the word that `cargo bench` gives: then a little shows that it works.
    let is_measured = words.iter().any(|word| word == "--bench");
    let plain = plain(if is_measured { 8 << 20 } else { 256 << 10 });
    println!(
        "{:10} {:>8} {:>8} {:>10}",
        "codec", "block", "padding", "MB/s"
    );
    for (codec, encode) in CODECS {
        for block in [2048, 16 << 10, 256 << 10] {
            for padding in [0, 40] {
                let line = format!("{:10} {block:8} {padding:8}", codec.name());
                if wanted.is_none_or(|word| line.contains(word)) {
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
    (Codec::Bzip2, bzip2),
];

/// Words drawn from a small vocabulary, with a noisy byte here and there.
fn plain(len: usize) -> Vec<u8> {
    let mut x = 1_u64;
    let mut next = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        x >> 33
    };
    let mut plain = Vec::with_capacity(len + 8);
    while plain.len() < len {
        match next() % 5 {
            0 => plain.push(next().to_le_bytes()[0]),
            _ => write!(plain, "w{:x} ", next() % 900).expect("memory takes it"),
        }
    }
    plain.truncate(len);
    plain
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
    let mut round = || {
        let start = cpu_time();
        for src in stored {
            codec.decode(src, &mut out).expect("we encoded it");
        }
        cpu_time().saturating_sub(start).as_secs_f64()
    };
    let best = (0..5).map(|_| round()).fold(f64::MAX, f64::min);
    let bytes = u32::try_from(stored.len() * block).expect("it is a few megabytes");
    f64::from(bytes) / best / 1e6
}

fn cpu_time() -> Duration {
    let now = time::clock_gettime(time::ClockId::ThreadCPUTime);
    Duration::try_from(now).expect("time since the thread began")
}

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = write::DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("memory takes it");
    encoder.finish().expect("memory takes it")
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
