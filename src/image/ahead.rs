//! Decoding ahead of readers that go straight on.
//!
//! A reader of slow blocks that asks for one range behind the other finds the next ones decoded: a few threads decode
//! *pieces* into the block cache, where they wait for it. A piece is a block, or as many small blocks as the kernel
//! asks for at once. Readers that jump, and images whose blocks cost little, never come here.

use std::{
    collections::VecDeque,
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

/// Pieces that are remembered as read: as far as readers of one image are apart who still share its pages.
const RECENT: usize = 256;

/// Pieces of a request that other threads help with even where decoding costs little: only those who read around the
/// kernel's cache ask for so much.
const LARGE: u64 = 4;

/// A cache that holds fewer pieces for each reader is left to what was asked for. Two are in use where a reader goes
/// from one to the next, because its requests may come out of order.
const SMALLEST_CACHE: u64 = 3;

/// So many blocks, spread over the image, tell how it is compressed.
const SAMPLES: u64 = 64;

/// The threads that decode ahead, for any number of images. Dropping it ends them.
#[derive(Debug)]
pub struct Ahead {
    pool: Pool,
    /// Those who may have something decoded ahead.
    readers: AtomicU64,
    /// What was read last, by image and piece. The kernel has it: another reader that comes by will not ask for it.
    recent: Mutex<VecDeque<(u64, u64)>>,
}

impl Ahead {
    /// As many threads as there are `processors`, 16 at most. They start when the first stream needs them.
    #[must_use]
    pub fn new(processors: usize) -> Self {
        Self {
            pool: Pool::new(processors.clamp(1, 16)),
            readers: AtomicU64::new(0),
            recent: Mutex::default(),
        }
    }

    /// Those of some pieces that were not read lately.
    fn unknown(&self, image: &Image, pieces: Range<u64>) -> Vec<u64> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unknown = |piece: &u64| !recent.contains(&(image.id, *piece));
        pieces.filter(is_unknown).collect()
    }

    fn remember(&self, image: &Image, pieces: Range<u64>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.extend(pieces.map(|piece| (image.id, piece)));
        let old = recent.len().saturating_sub(RECENT);
        recent.drain(..old);
    }
}

/// One open file's way through an image.
#[derive(Debug)]
pub struct Reader {
    image: Arc<Image>,
    ahead: Arc<Ahead>,
    /// The most bytes of a piece.
    piece_size: u64,
    /// The most pieces that are decoded before they are asked for.
    lead: u64,
    /// Pieces that the cache holds.
    room: u64,
    /// Bytes of a request that is worth handing over to other threads.
    worth: u64,
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
        let largest = image.pieces().largest_block();
        let piece_size = largest as u64;
        Self {
            // Enough for every thread, more where pieces are small.
            lead: (LEAD / piece_size.max(1)).max(2 * ahead.pool.threads() as u64),
            room: image.cache.room_for(largest) as u64,
            worth: if is_slow(&image) {
                0
            } else {
                LARGE * piece_size
            },
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
        if self.room < SMALLEST_CACHE || at >= end || end - at < self.worth {
            return self.image.view(out, at);
        }
        let Some(work) = self.plan(at..end) else {
            return self.read_directly(out, at..end);
        };
        let pieces = self.ahead.unknown(&self.image, work.decode.clone());
        if !pieces.is_empty() {
            // What was read must make room for them, not what is about to be.
            self.image.keep_pieces(work.asked.start..work.decode.start);
        }
        self.ahead.pool.decode(&self.image, &pieces, &work.wanted);
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
        let (pieces, asked) = (self.image.pieces(), self.pieces_of(&range));
        let horizon = asked.end + self.lead.min(self.share());
        let horizon = horizon.min(pieces.blocks());
        let plan = self.streams(|streams| streams.plan(&range, &asked, horizon));
        self.free(plan.abandoned);
        // Of this reader nothing is known, but it asks for too much for one thread.
        let is_large = range.end - range.start >= 2 * self.piece_size;
        // What was decoded for another reader serves this one too. Where pieces are blocks, it does so anyway.
        let is_there = || asked.clone().all(|piece| self.image.has_piece(piece));
        let helps = is_large || (!self.image.has_blocks_as_pieces() && is_there());
        let split = || helps.then(|| (asked.start + 1..asked.end, Wanted::default()));
        let (decode, wanted) = plan.decode.or_else(split)?;
        Some(Work {
            asked,
            decode,
            wanted,
        })
    }

    /// The most pieces that the cache has room for before this reader asks for them.
    fn share(&self) -> u64 {
        match self.room / self.ahead.readers.load(Ordering::Relaxed).max(1) {
            0..SMALLEST_CACHE => 0,
            pieces => pieces / SHARE,
        }
    }

    /// The pieces that a range which is not empty lies in.
    fn pieces_of(&self, range: &Range<u64>) -> Range<u64> {
        let pieces = self.image.pieces();
        pieces.block_at(range.start)..pieces.block_at(range.end - 1) + 1
    }

    /// Reads what belongs to no stream. Large blocks go through the cache even when all of one is wanted: another
    /// reader's stream may be about to come by.
    fn read_directly<'o>(&self, out: &'o mut [u8], range: Range<u64>) -> Result<Plain<'o>> {
        if !self.image.has_blocks_as_pieces() {
            return self.image.view(out, range.start);
        }
        let len = to_usize(range.end - range.start);
        let in_one = self.read_pieces(&self.pieces_of(&range), out, range)?;
        Ok(in_one.unwrap_or(Plain::Own(&out[..len])))
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
        self.ahead.remember(&self.image, read.clone());
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

/// Whether decoding takes longer than all that the kernel does for the same bytes.
fn is_slow(image: &Image) -> bool {
    let blocks = image.geometry().blocks();
    let mut samples = (0..SAMPLES).map(|n| image.locate(n * blocks / SAMPLES).codec);
    samples.any(|codec| {
        matches!(
            codec,
            Codec::Deflate | Codec::Zlib | Codec::Bzip2 | Codec::Own { .. }
        )
    })
}
