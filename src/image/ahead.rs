//! Decoding ahead of readers that go straight on.
//!
//! A reader of slow blocks that asks for one range behind the other finds the next ones decoded: a few threads decode
//! *pieces* into the block cache, where they wait for it. A piece is a block, or as many small blocks as the kernel
//! asks for at once. Readers that jump, and images whose blocks cost little, never come here.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Image, Plain, to_usize};
use crate::{Result, codec::Codec};

mod pool;
mod streams;

use pool::{Pool, Wanted};
use streams::Streams;

/// All readers together may fill this part of the cache with what nobody asked for yet.
const SHARE: u64 = 2;

/// How much fast decoders run ahead, in bytes.
const LEAD: u64 = 1 << 20;

/// A cache that holds fewer pieces is left to what was asked for.
const SMALLEST_CACHE: u64 = 8;

/// So many blocks, spread over the image, tell how it is compressed.
const SAMPLES: u64 = 64;

/// The threads that decode ahead, for any number of images. Dropping it ends them.
#[derive(Debug)]
pub struct Ahead {
    pool: Pool,
    /// Those who may have something decoded ahead.
    readers: AtomicU64,
}

impl Ahead {
    /// As many threads as there are `processors`, 16 at most. They start when the first stream needs them.
    #[must_use]
    pub fn new(processors: usize) -> Self {
        Self {
            pool: Pool::new(processors.clamp(1, 16)),
            readers: AtomicU64::new(0),
        }
    }
}

/// One open file's way through an image.
#[derive(Debug)]
pub struct Reader {
    image: Arc<Image>,
    ahead: Arc<Ahead>,
    /// The most bytes of a piece.
    piece_size: u64,
    /// The most pieces that are decoded before they are asked for. 0 where it does not pay.
    lead: u64,
    streams: Mutex<Streams>,
}

/// What a request is read from, and what other threads do meanwhile.
struct Work {
    asked: Range<u64>,
    decode: Range<u64>,
    wanted: Wanted,
}

impl Reader {
    /// A reader that has read nothing yet.
    #[must_use]
    pub fn new(image: Arc<Image>, ahead: Arc<Ahead>) -> Self {
        ahead.readers.fetch_add(1, Ordering::Relaxed);
        let piece_size = image.pieces().largest_block() as u64;
        Self {
            lead: lead(&image, piece_size, ahead.pool.threads() as u64),
            image,
            ahead,
            piece_size,
            streams: Mutex::default(),
        }
    }

    /// As [`Image::read_at`], but `out` is left alone when the bytes lie in a decoded block.
    ///
    /// # Errors
    /// As [`Image::read_at`].
    pub fn read<'o>(&self, out: &'o mut [u8], at: u64) -> Result<Plain<'o>> {
        let end = self.image.size().min(at.saturating_add(out.len() as u64));
        if self.lead == 0 || at >= end {
            return self.image.view(out, at);
        }
        let Some(work) = self.plan(at..end) else {
            return self.image.view(out, at);
        };
        self.ahead
            .pool
            .decode(&self.image, work.decode.clone(), &work.wanted);
        let read = self.read_pieces(&work.asked, out, at..end);
        self.consume(&work, end);
        // A damaged block spoils a piece, but not what was asked for: a direct look tells.
        match read {
            Ok(Some(in_one)) => Ok(in_one),
            Ok(None) => Ok(Plain::Own(&out[..to_usize(end - at)])),
            Err(_) => self.image.view(out, at),
        }
    }

    /// `None` for a request that is best answered directly.
    fn plan(&self, range: Range<u64>) -> Option<Work> {
        let pieces = self.image.pieces();
        let asked = pieces.block_at(range.start)..pieces.block_at(range.end - 1) + 1;
        let share = self.image.cache.room() as u64 / SHARE / self.piece_size;
        let share = share / self.ahead.readers.load(Ordering::Relaxed).max(1);
        let horizon = asked.end + self.lead.min(share);
        let horizon = horizon.min(pieces.blocks());
        let plan = self.streams(|streams| streams.plan(&range, &asked, horizon));
        self.free(plan.abandoned);
        // Of this reader nothing is known, but it asks for too much for one thread.
        let is_large = range.end - range.start >= 2 * self.piece_size;
        let split = || is_large.then(|| (asked.start + 1..asked.end, Wanted::default()));
        let (decode, wanted) = plan.decode.or_else(split)?;
        Some(Work {
            asked,
            decode,
            wanted,
        })
    }

    /// The bytes of `range` as a part of the only piece that holds them, or `None` when they were copied to `out`.
    fn read_pieces(
        &self,
        asked: &Range<u64>,
        out: &mut [u8],
        range: Range<u64>,
    ) -> Result<Option<Plain<'static>>> {
        for piece in asked.clone() {
            let span = self.image.pieces().span(piece);
            let block = self.image.piece(piece, || true)?;
            let start = range.start.max(span.start);
            let part = to_usize(start - span.start)..to_usize(range.end.min(span.end) - span.start);
            if part.len() as u64 == range.end - range.start {
                return Ok(Some(Plain::Block(block, part)));
            }
            out[to_usize(start - range.start)..][..part.len()].copy_from_slice(&block[part]);
        }
        Ok(None)
    }

    /// Frees what was read up to its end.
    fn consume(&self, work: &Work, end: u64) {
        let last = work.asked.end - 1;
        let unfinished = u64::from(self.image.pieces().span(last).end > end);
        let read = work.asked.start..work.asked.end - unfinished;
        // Before anything is freed: a thread that comes too late must not decode it again.
        work.wanted.pass(read.end);
        self.streams(|streams| streams.consumed(&read));
        self.free(read);
    }

    fn free(&self, pieces: impl IntoIterator<Item = u64>) {
        for piece in pieces {
            self.image.free_piece(piece);
        }
    }

    fn streams<T>(&self, work: impl FnOnce(&mut Streams) -> T) -> T {
        work(&mut self.streams.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.free(self.streams(Streams::end));
        self.ahead.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many pieces of an image to decode ahead: enough for every thread, more where one costs little, and none where
/// the cache cannot hold a few.
fn lead(image: &Image, piece_size: u64, threads: u64) -> u64 {
    let blocks = image.geometry().blocks();
    let samples = (0..SAMPLES).map(|n| image.locate(n * blocks / SAMPLES).codec);
    let room = image.cache.room() as u64 / piece_size;
    if room < SMALLEST_CACHE || !samples.into_iter().any(is_slow) {
        return 0;
    }
    (LEAD / piece_size).max(2 * threads)
}

/// Whether decoding takes longer than all that the kernel does for the same bytes.
fn is_slow(codec: Codec) -> bool {
    matches!(codec, Codec::Deflate | Codec::Zlib | Codec::Bzip2)
}
