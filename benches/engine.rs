//! What one read of an image in memory costs: the engine with its decoders, without a disk and without the kernel.
//!
//! `cargo bench --bench engine [WORD]` runs those whose line contains WORD. CPU time of this process, the best of five
//! rounds. The data is text-like with some noise, made here, so the figures compare versions on one machine.

use std::{hint::black_box, sync::Arc};

use plainiso::{
    cache::BlockCache,
    format::{self, OpenOptions},
    image::Image,
};

mod common;

use common::{Asked, best_of_five, deflate, plain};

/// What the kernel asks for when a file is read in order.
const REQUEST: usize = 128 << 10;

/// What programs ask for at random.
const PAGE: usize = 4 << 10;

fn main() {
    let asked = Asked::of_arguments();
    let plain = plain(if asked.is_measured { 8 << 20 } else { 1 << 20 });
    println!(
        "{:6} {:>8} {:24} {:>9} {:>9}",
        "format", "block", "reads", "us/read", "MB/s"
    );
    for (name, magic, encode) in FORMATS {
        for block in [2 << 10, 16 << 10, 256 << 10] {
            let mut stored = None;
            for way in WAYS {
                let line = format!("{name:6} {block:8} {:24}", way.name);
                if way.is_for(block) && asked.wants(&line) {
                    let stored = stored.get_or_insert_with(|| ciso(*magic, block, &plain, *encode));
                    let (micros, rate) = way.measure(stored, &plain, block);
                    println!("{line} {micros:9.2} {rate:9.0}");
                }
            }
        }
    }
}

type Encode = fn(&[u8]) -> Vec<u8>;

const FORMATS: &[(&str, [u8; 4], Encode)] = &[
    ("cso", *b"CISO", deflate),
    ("zso", *b"ZISO", lz4_flex::block::compress),
];

/// A way of reading an image.
struct Way {
    name: &'static str,
    is_random: bool,
    /// Bytes of decoded blocks that are kept.
    cache: usize,
    /// Bytes per read; whole blocks where a block has more.
    len: fn(block: usize) -> usize,
    /// It says something about large blocks only.
    needs_large_blocks: bool,
}

const WAYS: &[Way] = &[
    Way {
        name: "whole blocks in order",
        is_random: false,
        cache: 0,
        len: |block| block.max(REQUEST),
        needs_large_blocks: false,
    },
    Way {
        name: "4K at random, uncached",
        is_random: true,
        cache: 0,
        len: |_| PAGE,
        needs_large_blocks: false,
    },
    Way {
        name: "4K at random, cached",
        is_random: true,
        cache: 64 << 20,
        len: |_| PAGE,
        needs_large_blocks: true,
    },
    Way {
        name: "128K in order, cached",
        is_random: false,
        cache: 1 << 20,
        len: |_| REQUEST,
        needs_large_blocks: true,
    },
];

impl Way {
    fn is_for(&self, block: usize) -> bool {
        !self.needs_large_blocks || block > REQUEST
    }

    /// Microseconds per read, and plain megabytes per second.
    fn measure(&self, stored: &[u8], plain: &[u8], block: usize) -> (f64, f64) {
        let image = open(stored, self.cache);
        let len = (self.len)(block);
        let places = self.places(plain.len(), len);
        let mut out = vec![0; len];
        let mut read_all = || {
            for &at in &places {
                let done = image.read_at(&mut out, at as u64).expect("we made it");
                black_box(done);
            }
        };
        // Fills the cache and the thread's buffers.
        read_all();
        let seconds = best_of_five(&mut read_all);
        assert_eq!(
            out,
            plain[*places.last().expect("there are some")..][..len],
            "the bytes are right"
        );
        let reads = f64::from(u32::try_from(places.len()).expect("they are few"));
        let bytes = reads * f64::from(u32::try_from(len).expect("a read is small"));
        (seconds / reads * 1e6, bytes / seconds / 1e6)
    }

    /// Every place once, in order or in an order that looks like none; few where each read decodes a large block.
    fn places(&self, plain: usize, len: usize) -> Vec<usize> {
        let slots = plain / len;
        if !self.is_random {
            return (0..slots).map(|slot| slot * len).collect();
        }
        // An odd step visits every slot of a power of two.
        let step = slots * 5 / 8 + 1;
        (0..slots.min(512))
            .map(|i| i * step % slots * len)
            .collect()
    }
}

fn open(stored: &[u8], cache: usize) -> Image {
    let source = Arc::new(stored.to_vec());
    let opened = format::open(source, &OpenOptions::alone()).expect("we made it");
    Image::new(opened, Arc::new(BlockCache::new(cache)))
}

/// The container of CSO and ZSO: header, index, blocks.
fn ciso(magic: [u8; 4], block: usize, plain: &[u8], encode: Encode) -> Vec<u8> {
    let to_u32 = |n: usize| u32::try_from(n).expect("the image is small");
    let blocks = plain.len().div_ceil(block);
    let mut head = magic.to_vec();
    head.extend(24_u32.to_le_bytes());
    head.extend((plain.len() as u64).to_le_bytes());
    head.extend(to_u32(block).to_le_bytes());
    head.extend([1, 0, 0, 0]);
    let first = head.len() + 4 * (blocks + 1);
    let mut data = Vec::new();
    for piece in plain.chunks(block) {
        head.extend(to_u32(first + data.len()).to_le_bytes());
        data.extend(encode(piece));
    }
    head.extend(to_u32(first + data.len()).to_le_bytes());
    head.extend(data);
    head
}
