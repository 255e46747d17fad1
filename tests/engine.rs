//! The engine alone, on maps made by hand: any read equals the slice, with few reads and one decode per block.

mod handmade;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use handmade::Handmade;
use plainiso::{
    ErrorKind, Result,
    cache::BlockCache,
    codec::Codec,
    format::{Details, FORMATS, Opened},
    image::Image,
    map::{Geometry, Stored},
    source::Source,
};
use proptest::prelude::*;

/// Memory that counts how often it is read.
#[derive(Debug)]
struct Counted {
    bytes: Vec<u8>,
    reads: Arc<AtomicU64>,
}

impl Source for Counted {
    fn len(&self) -> u64 {
        Source::len(&self.bytes)
    }

    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.read_exact_at(buf, at)
    }
}

/// An image with the counters of its insides.
struct Bench {
    image: Image,
    reads: Arc<AtomicU64>,
    decodes: Arc<AtomicU64>,
}

impl Bench {
    /// Packs `plain` into blocks cut at `lens` (repeated): zero where it is zero, stored when tiny, else LZ4.
    fn new(plain: &[u8], lens: &[usize], cache: usize) -> Self {
        let (mut starts, mut stored, mut bytes, mut at) = (vec![0], vec![], vec![0xEE; 10], 0);
        for &len in lens.iter().cycle() {
            let piece = &plain[at..plain.len().min(at + len)];
            if piece.is_empty() {
                break;
            }
            let (codec, data) = if piece.iter().all(|&byte| byte == 0) {
                (Codec::Zero, vec![])
            } else if piece.len() < 64 {
                (Codec::Raw, piece.to_vec())
            } else {
                (Codec::Lz4, lz4_flex::block::compress(piece))
            };
            stored.push(Stored {
                at: bytes.len() as u64,
                len: u32::try_from(data.len()).unwrap(),
                codec,
            });
            bytes.extend(data);
            at += piece.len();
            starts.push(at as u64);
        }
        Self::of(bytes, Geometry::Table(starts.into()), stored, cache)
    }

    fn of(bytes: Vec<u8>, geometry: Geometry, stored: Vec<Stored>, cache: usize) -> Self {
        let (reads, decodes) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let opened = Opened {
            format: FORMATS[0],
            source: Arc::new(Counted {
                bytes,
                reads: Arc::clone(&reads),
            }),
            map: Box::new(Handmade {
                geometry,
                stored,
                decodes: Arc::clone(&decodes),
            }),
            details: Details::default(),
        };
        Self {
            image: Image::new(opened, Arc::new(BlockCache::new(cache))),
            reads,
            decodes,
        }
    }
}

/// Text-like, random and zero stretches.
fn plain(len: usize) -> Vec<u8> {
    let mut x = 7_u32;
    (0..len)
        .map(|i| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match i / 7000 % 3 {
                0 => 0,
                1 => x.to_be_bytes()[0],
                _ => b'a' + x.to_be_bytes()[0] % 5,
            }
        })
        .collect()
}

fn slice(plain: &[u8], at: usize, len: usize) -> &[u8] {
    &plain[at.min(plain.len())..(at + len).min(plain.len())]
}

proptest! {
    #[test]
    fn any_read_equals_the_slice(
        lens in prop::collection::vec(1_usize..20_000, 1..6),
        size in 0_usize..120_000,
        cache in 0_usize..100_000,
        reads in prop::collection::vec((0_usize..130_000, 0_usize..60_000), 1..20),
    ) {
        let plain = plain(size);
        let bench = Bench::new(&plain, &lens, cache);
        prop_assert_eq!(bench.image.size(), size as u64);
        for (at, len) in reads {
            let mut out = vec![0xAA; len];
            let n = bench.image.read_at(&mut out, at as u64).unwrap();
            prop_assert_eq!(&out[..n], slice(&plain, at, len));
        }
    }

    #[test]
    fn holes_are_exactly_the_zero_blocks(
        lens in prop::collection::vec(1_usize..9000, 1..6),
        at in 0_u64..60_000,
    ) {
        let plain = plain(50_000);
        let image = Bench::new(&plain, &lens, 0).image;
        let is_hole = |at: u64| image.locate(image.geometry().block_at(at)).codec == Codec::Zero;
        let next = |wanted| (at..50_000).find(|&at| is_hole(at) == wanted).unwrap_or(50_000);
        prop_assert_eq!(image.next_hole(at), next(true));
        prop_assert_eq!(image.next_data(at), next(false));
    }
}

#[test]
fn four_threads_read_right_bytes_and_decode_each_block_once() {
    let plain = plain(3_000_000);
    let bench = Bench::new(&plain, &[65_536], 8 << 20);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for at in (0..plain.len()).step_by(4096) {
                    let mut out = [0; 4096];
                    let n = bench.image.read_at(&mut out, at as u64).unwrap();
                    assert_eq!(&out[..n], slice(&plain, at, 4096));
                }
            });
        }
    });
    let blocks = bench.image.geometry().blocks();
    assert_eq!(bench.decodes.load(Ordering::Relaxed), blocks);
}

#[test]
fn neighbours_are_fetched_with_one_read() {
    let plain = plain(1 << 20);
    let bench = Bench::new(&plain, &[2048], 0);
    let mut out = vec![0; 1 << 20];
    bench.image.read_at(&mut out, 0).unwrap();
    assert!(out == plain);
    assert_eq!(bench.reads.load(Ordering::Relaxed), 1);
}

#[test]
fn a_bad_block_fails_alone_and_is_named_with_its_place() {
    let bytes = [vec![7; 512], vec![0xff; 100], vec![9; 512]].concat();
    let stored = |at, len, codec| Stored { at, len, codec };
    let blocks = vec![
        stored(0, 512, Codec::Raw),
        stored(512, 100, Codec::Deflate),
        stored(612, 512, Codec::Raw),
        stored(0, 0, Codec::Missing),
    ];
    let geometry = Geometry::Uniform {
        size: 4 * 512,
        block_size: 512,
    };
    let image = Bench::of(bytes, geometry, blocks, 1 << 20).image;
    let mut out = vec![0; 512];
    image.read_at(&mut out, 0).unwrap();
    assert_eq!(out, [7; 512]);
    image.read_at(&mut out, 1024).unwrap();
    assert_eq!(out, [9; 512]);
    image.read_at(&mut out[..100], 1100).unwrap();

    let err = image.read_at(&mut out[..10], 1023).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt);
    let place = "block 1 (image offset 512, stored at 512, 100 bytes): deflate data";
    assert!(err.to_string().starts_with(place), "{err}");
    let err = image.read_at(&mut out, 1536).unwrap_err();
    let place = "block 3 (image offset 1536): ";
    assert!(err.to_string().starts_with(place), "{err}");
}

#[test]
fn a_source_that_shrank_is_an_error_never_zeroes() {
    let geometry = Geometry::Uniform {
        size: 1024,
        block_size: 512,
    };
    let raw = |at| Stored {
        at,
        len: 512,
        codec: Codec::Raw,
    };
    let image = Bench::of(vec![5; 700], geometry, vec![raw(0), raw(512)], 0).image;
    assert_eq!(image.read_at(&mut [0; 512], 0).unwrap(), 512);
    let err = image.read_at(&mut [0; 512], 512).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Io);
}
