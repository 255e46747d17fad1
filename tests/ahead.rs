//! Readers with something decoded ahead of them: the same bytes as ever, and no block decoded twice or for nobody.

mod common;
mod handmade;

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use common::eventually;
use flate2::{Compress, Compression, FlushCompress};
use handmade::Handmade;
use plainiso::{
    Result,
    cache::BlockCache,
    codec::Codec,
    format::{Details, FORMATS, Opened},
    image::{Ahead, Image, Reader},
    map::{Geometry, Stored},
    source::Source,
};
use proptest::prelude::*;

/// What the kernel asks for at once.
const REQUEST: usize = 128 << 10;

/// An image in memory, what it decodes to, and what was done with it.
struct Disc {
    image: Arc<Image>,
    plain: Vec<u8>,
    cache: Arc<BlockCache>,
    decodes: Arc<AtomicU64>,
}

impl Disc {
    /// `len` plain bytes in blocks of `block_size`; the blocks named in `damaged` do not decode.
    fn new(len: usize, block_size: u32, cache: usize, damaged: &[usize]) -> Self {
        Self::stored(len, block_size, cache, damaged, Codec::Deflate)
    }

    fn stored(len: usize, block_size: u32, cache: usize, damaged: &[usize], codec: Codec) -> Self {
        let plain: Vec<u8> = (0..len)
            .map(|i| u8::try_from((i / 3 + i / 1000 + i / 77_777) % 251).unwrap())
            .collect();
        let (mut file, mut stored) = (vec![0xEE; 7], Vec::new());
        for (number, block) in plain.chunks(block_size as usize).enumerate() {
            let at = file.len() as u64;
            match codec {
                _ if damaged.contains(&number) => file.extend([0xFF; 20]),
                Codec::Deflate => file.extend(deflated(block)),
                _ => file.extend(block),
            }
            stored.push(Stored {
                at,
                len: u32::try_from(file.len() as u64 - at).unwrap(),
                codec,
            });
        }
        Self::over(Arc::new(file), plain, block_size, stored, cache)
    }

    /// Of what lies in `source`.
    fn over(
        source: Arc<dyn Source>,
        plain: Vec<u8>,
        block_size: u32,
        stored: Vec<Stored>,
        cache: usize,
    ) -> Self {
        let size = plain.len() as u64;
        let decodes = Arc::<AtomicU64>::default();
        let opened = Opened {
            format: FORMATS[0],
            source,
            map: Box::new(Handmade {
                geometry: Geometry::Uniform { size, block_size },
                stored,
                decodes: Arc::clone(&decodes),
            }),
            details: Details::default(),
        };
        let cache = Arc::new(BlockCache::new(cache));
        Self {
            image: Arc::new(Image::new(opened, Arc::clone(&cache))),
            plain,
            cache,
            decodes,
        }
    }

    fn reader(&self, ahead: &Arc<Ahead>) -> Reader {
        Reader::new(Arc::clone(&self.image), Arc::clone(ahead))
    }

    fn decodes(&self) -> u64 {
        self.decodes.load(Ordering::Relaxed)
    }

    /// Reads, and compares what came with the plain bytes.
    fn check(&self, reader: &Reader, at: usize, len: usize) -> Result<()> {
        let mut out = vec![0xAA; len];
        let plain = reader.read(&mut out, at as u64)?;
        let end = self.plain.len().min(at + len);
        assert!(
            *plain == self.plain[at.min(end)..end],
            "{len} bytes at {at}"
        );
        Ok(())
    }

    fn check_all(&self, reader: &Reader) {
        for at in (0..self.plain.len()).step_by(REQUEST) {
            self.check(reader, at, REQUEST).unwrap();
        }
    }
}

fn deflated(block: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(block.len() + 1000);
    Compress::new(Compression::fast(), false)
        .compress_vec(block, &mut bytes, FlushCompress::Finish)
        .unwrap();
    bytes
}

fn ahead() -> Arc<Ahead> {
    Arc::new(Ahead::new(2))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Whatever the order, the sizes and the number of readers: the bytes are the image's.
    #[test]
    fn any_reads_of_any_readers_equal_the_slice(
        block_size in prop::sample::select(vec![2048_u32, 6000, 65_536, 131_072, 200_000]),
        cache in prop::sample::select(vec![0_usize, 300_000, 700_000, 2 << 20, 64 << 20]),
        ways in prop::collection::vec((0..3_000_000_usize, 1..300_000_usize, 1..12_usize), 1..5),
    ) {
        let disc = Disc::new(3_000_000, block_size, cache, &[]);
        let ahead = ahead();
        let one = disc.reader(&ahead);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let own = disc.reader(&ahead);
                    for &(start, len, times) in &ways {
                        for turn in 0..times {
                            disc.check(&own, start + turn * len, len).unwrap();
                            disc.check(&one, start + turn * len, len).unwrap();
                        }
                    }
                });
            }
            for &(start, len, times) in ways.iter().rev() {
                for turn in 0..times {
                    disc.check(&one, start + turn * len, len).unwrap();
                }
            }
        });
    }
}

#[test]
fn a_stream_decodes_each_block_once_and_leaves_nothing_behind() {
    for block_size in [2048, 16 << 10] {
        let disc = Disc::new(5_000_000, block_size, 64 << 20, &[]);
        let reader = disc.reader(&ahead());
        disc.check_all(&reader);
        let blocks = disc.image.geometry().blocks();
        assert_eq!(disc.decodes(), blocks, "blocks of {block_size}");
        assert_eq!(disc.cache.held(), 0, "blocks of {block_size}");
    }
}

#[test]
fn four_readers_of_large_blocks_share_one_decode_of_each() {
    let disc = Disc::new(6_000_000, 256 << 10, 64 << 20, &[]);
    let ahead = ahead();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| disc.check_all(&disc.reader(&ahead)));
        }
    });
    assert_eq!(disc.decodes(), disc.image.geometry().blocks());
}

#[test]
fn a_request_of_many_pieces_decodes_each_block_once() {
    for block_size in [2048, 256 << 10] {
        let disc = Disc::new(4_000_000, block_size, 64 << 20, &[]);
        let reader = disc.reader(&ahead());
        disc.check(&reader, 1 << 20, 1 << 20).unwrap();
        assert_eq!(disc.decodes(), (1 << 20) / u64::from(block_size));
    }
}

#[test]
fn a_reader_that_jumps_has_nothing_decoded_ahead() {
    let disc = Disc::new(4_000_000, 2048, 64 << 20, &[]);
    let reader = disc.reader(&ahead());
    for jump in 0..500_usize {
        let block = jump.wrapping_mul(7919) % (disc.plain.len() / 2048 - 2);
        disc.check(&reader, block * 2048, 4096).unwrap();
    }
    assert_eq!(disc.decodes(), 1000);
}

/// Lets the threads finish what they have begun.
fn end(disc: &Disc, ahead: Arc<Ahead>) {
    drop(ahead);
    eventually("no thread keeps the image", || {
        Arc::strong_count(&disc.image) == 1
    });
}

#[test]
fn a_reader_that_follows_another_has_nothing_decoded_that_the_first_has_read() {
    let disc = Disc::new(4_000_000, 2048, 64 << 20, &[]);
    let ahead = ahead();
    disc.check_all(&disc.reader(&ahead));
    let follower = disc.reader(&ahead);
    for at in 0..3 {
        disc.check(&follower, at * REQUEST, REQUEST).unwrap();
    }
    drop(follower);
    end(&disc, ahead);
    let asked_again = 3 * REQUEST as u64 / 2048;
    assert_eq!(disc.decodes(), disc.image.geometry().blocks() + asked_again);
}

#[test]
fn what_was_decoded_for_one_reader_serves_another_that_jumps() {
    let disc = Disc::new(6_000_000, 128 << 10, 64 << 20, &[]);
    let ahead = ahead();
    let reader = disc.reader(&ahead);
    for at in 0..4 {
        disc.check(&reader, at * REQUEST, REQUEST).unwrap();
    }
    let (read, lead) = (4, 8);
    eventually("all of the lead is decoded", || {
        disc.decodes() >= read + lead
    });
    let other = disc.reader(&ahead);
    disc.check(&other, 7 * REQUEST, REQUEST).unwrap();
    assert_eq!(disc.decodes(), read + lead);
    drop((reader, other));
    end(&disc, ahead);
}

#[test]
fn what_a_reader_that_jumps_has_decoded_serves_a_stream_that_comes_by() {
    let disc = Disc::new(6_000_000, 128 << 10, 64 << 20, &[]);
    let ahead = ahead();
    let other = disc.reader(&ahead);
    disc.check(&other, 7 * REQUEST, REQUEST).unwrap();
    let reader = disc.reader(&ahead);
    for at in 0..10 {
        disc.check(&reader, at * REQUEST, REQUEST).unwrap();
    }
    let (read, lead) = (10, 8);
    eventually("all of the lead is decoded", || {
        disc.decodes() >= read + lead
    });
    drop((reader, other));
    end(&disc, ahead);
    assert_eq!(disc.decodes(), read + lead);
}

#[test]
fn blocks_that_cost_little_are_shared_out_for_large_requests_only() {
    let disc = Disc::stored(8_000_000, 2048, 64 << 20, &[], Codec::Raw);
    let ahead = ahead();
    let reader = disc.reader(&ahead);
    for at in 0..6 {
        disc.check(&reader, at * REQUEST, REQUEST).unwrap();
    }
    assert_eq!(disc.decodes(), 6 * REQUEST as u64 / 2048);
    assert_eq!(disc.cache.held(), 0);
    for at in 0..5 {
        disc.check(&reader, at << 20, 1 << 20).unwrap();
    }
    assert!(disc.cache.hits_and_misses().1 >= 5 * 8);
    drop(reader);
    end(&disc, ahead);
}

#[test]
fn what_was_decoded_for_a_stream_that_ended_early_is_freed_with_its_reader() {
    let disc = Disc::new(8_000_000, 2048, 64 << 20, &[]);
    let ahead = ahead();
    let reader = disc.reader(&ahead);
    for at in 0..6 {
        disc.check(&reader, at * REQUEST, REQUEST).unwrap();
    }
    drop(reader);
    // A piece that is being decoded at this moment stays in the cache like any other; at most one per thread.
    let left = 2 * (REQUEST + 4096);
    eventually("what nobody reads is freed", || disc.cache.held() <= left);
    drop(ahead);
}

#[test]
fn a_damaged_block_costs_only_the_requests_that_ask_for_it() {
    let damaged = 700;
    let disc = Disc::new(4_000_000, 2048, 64 << 20, &[damaged]);
    let reader = disc.reader(&ahead());
    for at in (0..disc.plain.len()).step_by(16 << 10) {
        let asked = at / 2048..(at + (16 << 10)).div_ceil(2048);
        let read = disc.check(&reader, at, 16 << 10);
        match read {
            Ok(()) => assert!(!asked.contains(&damaged)),
            Err(err) => {
                assert!(asked.contains(&damaged), "{}", err.sentence());
                assert!(err.sentence().contains("block 700 "), "{}", err.sentence());
            }
        }
    }
}

#[test]
fn the_threads_let_go_of_an_image_whose_readers_are_gone() {
    let disc = Disc::new(8_000_000, 2048, 64 << 20, &[]);
    let ahead = ahead();
    let reader = disc.reader(&ahead);
    for at in 0..5 {
        disc.check(&reader, at * REQUEST, REQUEST).unwrap();
    }
    drop(reader);
    end(&disc, ahead);
}

/// Plain bytes that are there from the start up to a point; whoever wants more waits until all are.
#[derive(Debug)]
struct Slow {
    plain: Vec<u8>,
    from_start: u64,
    all: Mutex<bool>,
    news: Condvar,
    waiting: AtomicU64,
}

impl Slow {
    fn let_all_go(&self) {
        *self.all.lock().unwrap() = true;
        self.news.notify_all();
    }
}

impl Source for Slow {
    fn len(&self) -> u64 {
        self.plain.len() as u64
    }

    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> Result<()> {
        if at >= self.from_start {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let all = self.all.lock().unwrap();
            drop(self.news.wait_while(all, |all| !*all).unwrap());
        }
        self.plain.read_exact_at(buf, at)
    }
}

/// Blocks of this size, of which the cache that a mount has by itself holds six.
const LARGE_BLOCK: usize = 8 << 20;

/// An image of large blocks whose decoder is what its source lets it be.
fn large_blocks(blocks: usize) -> (Disc, Arc<Slow>) {
    let plain: Vec<u8> = (0..blocks * LARGE_BLOCK)
        .map(|i| u8::try_from((i / 4096) % 251).unwrap())
        .collect();
    let slow = Arc::new(Slow {
        plain: plain.clone(),
        from_start: LARGE_BLOCK as u64,
        all: Mutex::new(false),
        news: Condvar::new(),
        waiting: AtomicU64::new(0),
    });
    let block_size = u32::try_from(LARGE_BLOCK).unwrap();
    let codec = Codec::Own {
        name: "slow",
        checksum: None,
    };
    let stored = (0..blocks).map(|block| Stored {
        at: (block * LARGE_BLOCK) as u64,
        len: block_size,
        codec,
    });
    let source: Arc<dyn Source> = Arc::<Slow>::clone(&slow);
    let disc = Disc::over(source, plain, block_size, stored.collect(), 64 << 20);
    (disc, slow)
}

/// Reads straight on within the first block.
fn go_on_until_both_threads_decode(disc: &Disc, reader: &Reader, slow: &Slow) {
    for at in 0..3 {
        disc.check(reader, at * REQUEST, REQUEST).unwrap();
    }
    eventually("both threads decode", || {
        slow.waiting.load(Ordering::SeqCst) == 2
    });
}

#[test]
fn a_stream_of_blocks_of_which_the_cache_holds_few_has_one_decoded_by_each_thread() {
    let (disc, slow) = large_blocks(9);
    let ahead = ahead();
    let reader = disc.reader(&ahead);
    go_on_until_both_threads_decode(&disc, &reader, &slow);
    slow.let_all_go();
    for at in (3 * REQUEST..disc.plain.len()).step_by(REQUEST) {
        disc.check(&reader, at, REQUEST).unwrap();
        assert!(disc.cache.held() <= 64 << 20);
    }
    assert_eq!(disc.decodes(), 9);
    drop(reader);
    end(&disc, ahead);
}

#[test]
fn large_blocks_that_wait_to_be_decoded_are_given_up_when_the_reader_jumps() {
    let (disc, slow) = large_blocks(5);
    let ahead = ahead();
    let reader = disc.reader(&ahead);
    go_on_until_both_threads_decode(&disc, &reader, &slow);
    // Back to what is there, from where it does not go on.
    disc.check(&reader, 2 << 20, 4096).unwrap();
    slow.let_all_go();
    drop(reader);
    end(&disc, ahead);
    assert_eq!(disc.decodes(), 3, "the third of those ahead was not begun");
}
