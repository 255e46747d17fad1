//! Makes deflate and zlib streams.

use super::Level;

#[cfg(feature = "libdeflate")]
mod libdeflate;
mod squeeze;
mod zlib;

#[cfg(feature = "libdeflate")]
use libdeflate::Libdeflate as Usual;
#[cfg(not(feature = "libdeflate"))]
use zlib::Zlib as Usual;

pub(super) use zlib::Zlib;

use squeeze::Squeezer;

/// The encoder that gives the most for its time.
#[derive(Debug)]
pub(super) struct Encoder {
    usual: Usual,
    /// For the level beyond the others.
    squeezer: Option<Box<Squeezer>>,
}

impl Encoder {
    pub(super) fn new(level: Level) -> Self {
        Self {
            usual: Usual::new(level),
            squeezer: (level == Level::MAX).then(Box::default),
        }
    }

    /// Appends raw deflate.
    pub(super) fn deflate(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        let squeezer = self.squeezer.as_mut();
        let Some(squeezer) = squeezer.filter(|_| plain.len() <= squeeze::LONGEST) else {
            return self.usual.deflate(plain, out);
        };
        let start = out.len();
        squeezer.deflate(plain, out);
        let middle = out.len();
        self.usual.deflate(plain, out);
        // Where the plain bytes change their nature, it is better with several deflate blocks.
        if out.len() - middle < middle - start {
            out.drain(start..middle);
        } else {
            out.truncate(middle);
        }
    }

    /// Appends a zlib stream.
    pub(super) fn zlib(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        if self.squeezer.is_none() {
            return self.usual.zlib(plain, out);
        }
        // The method, a window of 32 KiB, the highest level: RFC 1950, section 2.2.
        out.extend_from_slice(&[0x78, 0xDA]);
        self.deflate(plain, out);
        out.extend_from_slice(&adler32(plain).to_be_bytes());
    }
}

/// The checksum of RFC 1950, section 8.2.
fn adler32(plain: &[u8]) -> u32 {
    const BASE: u32 = 65_521;
    let (mut a, mut b) = (1, 0);
    // The sums of so many bytes fit in 32 bits.
    for piece in plain.chunks(5552) {
        for &byte in piece {
            a += u32::from(byte);
            b += a;
        }
        (a, b) = (a % BASE, b % BASE);
    }
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::{DeflateDecoder, ZlibDecoder};
    use proptest::prelude::*;

    use super::*;
    use crate::codec::samples::sample;

    fn levels() -> impl Iterator<Item = Level> {
        (0..=12).filter_map(Level::new).chain([Level::MAX])
    }

    proptest! {
        #[test]
        fn another_decoder_reads_every_stream(plain in sample(40_000)) {
            for level in levels() {
                let (mut raw, mut wrapped, mut plainly) = (Vec::new(), Vec::new(), Vec::new());
                Encoder::new(level).deflate(&plain, &mut raw);
                Encoder::new(level).zlib(&plain, &mut wrapped);
                Zlib::new(level).deflate(&plain, &mut plainly);
                for stream in [raw, plainly] {
                    let mut back = Vec::new();
                    DeflateDecoder::new(&stream[..]).read_to_end(&mut back).unwrap();
                    prop_assert!(back == plain);
                }
                let mut back = Vec::new();
                ZlibDecoder::new(&wrapped[..]).read_to_end(&mut back).unwrap();
                prop_assert!(back == plain);
            }
        }
    }

    /// Text of a language that has few letters.
    fn text(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 24
        };
        let words: Vec<Vec<u8>> = (0..300)
            .map(|_| {
                (0..2 + next() % 7)
                    .map(|_| b'a' + (next() % 26) as u8)
                    .collect()
            })
            .collect();
        let mut text = Vec::new();
        while text.len() < len {
            text.extend_from_slice(&words[(next() * next()) as usize % 300]);
            text.push(b' ');
        }
        text.truncate(len);
        text
    }

    #[test]
    fn the_level_beyond_the_others_gives_the_smallest_streams() {
        for len in [2048, 4096, 8192] {
            let plain = text(10 * len);
            let lens_at = |level| -> Vec<usize> {
                let mut encoder = Encoder::new(level);
                let len_of = |plain| {
                    let mut stream = Vec::new();
                    encoder.deflate(plain, &mut stream);
                    stream.len()
                };
                plain.chunks(len).map(len_of).collect()
            };
            let (twelve, most) = (lens_at(Level::new(12).unwrap()), lens_at(Level::MAX));
            let pairs = || most.iter().zip(&twelve);
            assert!(pairs().all(|(most, twelve)| most <= twelve));
            assert!(
                pairs().any(|(most, twelve)| most < twelve),
                "{len}: {most:?} {twelve:?}"
            );
        }
    }

    #[test]
    fn the_longest_block_and_the_shortest_are_squeezed() {
        let noise: Vec<u8> = (0..16_384_u32)
            .map(|i| (i.wrapping_mul(i) >> 11) as u8)
            .collect();
        for plain in [
            vec![7],
            vec![0; 32_768],
            noise.repeat(2),
            (0..=255).collect(),
        ] {
            let mut stream = Vec::new();
            Squeezer::default().deflate(&plain, &mut stream);
            let mut back = Vec::new();
            DeflateDecoder::new(&stream[..])
                .read_to_end(&mut back)
                .unwrap();
            assert!(back == plain);
        }
    }
}
