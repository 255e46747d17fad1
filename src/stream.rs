//! A whole image from front to end: workers decode pieces side by side, one consumer gets them in order.
//!
//! Memory is bounded: there is a fixed number of buffers, and a piece that was handed over keeps its buffer until it
//! is dropped. A consumer may therefore pass pieces on to threads of its own, which slows the workers down when it
//! falls behind, and never fills the memory.
//!
//! ```
//! # fn main() -> plainiso::Result<()> {
//! use std::{convert::Infallible, sync::Arc};
//! use plainiso::{cache::BlockCache, format::{self, OpenOptions}, image::Image, stream::Stream};
//!
//! # let mut file = vec![7; 3 << 20];
//! # file[0x8001..0x8006].copy_from_slice(b"CD001");
//! let opened = format::open(Arc::new(file), &OpenOptions::alone())?;
//! let image = Image::new(opened, Arc::new(BlockCache::new(0)));
//! let mut len = 0;
//! let Ok(()) = Stream::of(&image).in_order(|piece| {
//!     assert_eq!(piece.at(), len);
//!     len += piece.plain().len() as u64;
//!     Ok::<(), Infallible>(())
//! });
//! assert_eq!(len, image.size());
//! # Ok(())
//! # }
//! ```

use std::{
    collections::BTreeMap,
    fmt,
    io::Read,
    mem,
    num::NonZero,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
};

use crate::{Error, Result, image::Image, map::Geometry, unfold::from_io};

mod pool;
#[cfg(test)]
mod tests;

use pool::{CloseWhenDropped, Pool};

/// Plain bytes of a piece, unless a single block has more. Small enough that all buffers together fit in a
/// processor's caches, large enough that handing them over costs nothing.
pub const PIECE: u64 = 1 << 20;

/// Bytes of all buffers together, unless two of the largest blocks have more.
const MOST_BUFFERED: usize = 256 << 20;

/// Blocks of a piece: what bounds the damage that one can report, whatever block size a header claims.
const MOST_BLOCKS: u64 = 4096;

/// A run over an image, not yet started.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'i> {
    image: &'i Image,
    first_block: u64,
    workers: NonZero<usize>,
}

impl<'i> Stream<'i> {
    /// All of an image, decoded by as many workers as the machine has processors.
    #[must_use]
    pub fn of(image: &'i Image) -> Self {
        Self {
            image,
            first_block: 0,
            workers: thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
        }
    }

    /// Leaves out the blocks in front of `block`. Behind the last block there is nothing.
    #[must_use]
    pub fn from_block(self, block: u64) -> Self {
        Self {
            first_block: block,
            ..self
        }
    }

    /// Decodes with so many threads.
    #[must_use]
    pub fn workers(self, workers: NonZero<usize>) -> Self {
        Self { workers, ..self }
    }

    /// Hands over every piece in order, on the calling thread, until the end or until `hand_over` fails.
    ///
    /// A damaged block does not end the run: its piece names it. Pieces begin and end at the borders of blocks.
    /// A consumer that keeps pieces must drop them sooner or later, or the workers wait for ever.
    ///
    /// # Errors
    /// The first one of `hand_over`.
    pub fn in_order<E>(
        &self,
        mut hand_over: impl FnMut(Piece) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let cut = Cut::new(self.image, self.first_block);
        let Some(mut next_at) = cut.start() else {
            return Ok(());
        };
        let pool = self.pool();
        let (done, arrived) = mpsc::channel::<Piece>();
        thread::scope(|scope| {
            for _ in 0..self.useful_workers() {
                let (image, cut, pool, done) = (self.image, &cut, &pool, done.clone());
                scope.spawn(move || decode_pieces(image, cut, pool, &done));
            }
            drop(done);
            let _stop_workers = CloseWhenDropped(&pool);
            let mut early = BTreeMap::new();
            for piece in arrived {
                early.insert(piece.at, piece);
                while let Some(piece) = early.remove(&next_at) {
                    next_at += piece.len as u64;
                    hand_over(piece)?;
                }
            }
            Ok(())
        })
    }

    /// No more than there are pieces, so that a small image does not start a crowd.
    fn useful_workers(&self) -> usize {
        let pieces = self.image.size() / PIECE + 1;
        let pieces = usize::try_from(pieces).unwrap_or(usize::MAX);
        self.workers.get().min(pieces)
    }

    /// Two buffers for each worker, so that it decodes while its last piece is used; the others let the piece that
    /// all wait for be late. Large blocks have fewer: one buffer would do, and two let work overlap.
    fn pool(&self) -> Arc<Pool> {
        let largest = usize::try_from(PIECE).expect("it is small");
        let largest = largest.max(self.image.geometry().largest_block());
        let most = (MOST_BUFFERED / largest).max(2);
        let wanted = 2 * self.useful_workers() + 4;
        Arc::new(Pool::new(wanted.min(most), largest))
    }
}

/// A part of the image, whole blocks.
pub struct Piece {
    at: u64,
    len: usize,
    /// At least `len` bytes long.
    buffer: Vec<u8>,
    damage: Vec<Damage>,
    pool: Arc<Pool>,
}

impl Piece {
    /// The position of its first byte in the image.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The plain bytes. Those of damaged blocks are zeroes, which are not data.
    #[must_use]
    pub fn plain(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// The blocks that could not be read, in order.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Takes out what [`Piece::damage`] shows.
    #[must_use]
    pub fn take_damage(&mut self) -> Vec<Damage> {
        mem::take(&mut self.damage)
    }

    /// Reads everything at once; when that fails, block by block, so that each damaged block costs itself only.
    fn fill(&mut self, image: &Image, blocks: Range<u64>) {
        let plain = &mut self.buffer[..self.len];
        if image.read_at(plain, self.at).is_err() {
            self.fill_blocks(image.geometry(), blocks, |now, block| {
                let at = image.geometry().span(block).start;
                image.read_at(now, at).map(drop)
            });
        }
    }

    /// Takes the next bytes of an image that is read from its first one on.
    fn fill_in_order(&mut self, image: &Image, blocks: Range<u64>, plain: &mut dyn Read) {
        self.fill_blocks(image.geometry(), blocks, |now, block| {
            let read = plain.read_exact(now).map_err(from_io);
            read.map_err(|err| err.in_context(format_args!("block {block}")))
        });
    }

    fn fill_blocks(
        &mut self,
        geometry: &Geometry,
        blocks: Range<u64>,
        mut read: impl FnMut(&mut [u8], u64) -> Result<()>,
    ) {
        let mut rest = &mut self.buffer[..self.len];
        for block in blocks {
            let (now, later) = rest.split_at_mut(geometry.len_of(block));
            let bytes = geometry.span(block);
            if let Err(error) = read(now, block) {
                now.fill(0);
                self.damage.push(Damage {
                    block,
                    bytes,
                    error,
                });
            }
            rest = later;
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.pool.give_back(mem::take(&mut self.buffer));
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece")
            .field("at", &self.at)
            .field("len", &self.len)
            .field("damage", &self.damage)
            .finish_non_exhaustive()
    }
}

/// A block that cannot be read.
#[derive(Debug)]
pub struct Damage {
    /// Its number.
    pub block: u64,
    /// The plain bytes that it should hold.
    pub bytes: Range<u64>,
    /// Why, with the block's number and place.
    pub error: Error,
}

/// One worker. It takes a buffer first and a piece then, so that the first piece that is missing always has one.
fn decode_pieces(image: &Image, cut: &Cut<'_>, pool: &Arc<Pool>, done: &mpsc::Sender<Piece>) {
    // At the end of the image nobody needs a buffer any more, and after a panic nobody may wait for one.
    let _stop_others = CloseWhenDropped(pool);
    while let Some(buffer) = pool.take() {
        let mut next = cut.lock();
        let Some(blocks) = next.blocks(cut.geometry) else {
            return pool.give_back(buffer);
        };
        let at = image.geometry().span(blocks.start).start;
        let end = image.geometry().span(blocks.end - 1).end;
        let mut piece = Piece {
            at,
            len: usize::try_from(end - at).expect("a piece fits in its buffer"),
            buffer,
            damage: Vec::new(),
            pool: Arc::clone(pool),
        };
        if let Some(plain) = &mut next.in_order {
            piece.fill_in_order(image, blocks, plain.as_mut());
            drop(next);
        } else {
            drop(next);
            piece.fill(image, blocks);
        }
        if done.send(piece).is_err() {
            return;
        }
    }
}

/// Cuts the blocks into pieces, one after the other.
struct Cut<'g> {
    geometry: &'g Geometry,
    first: u64,
    next: Mutex<Next>,
}

/// What no worker has yet.
struct Next {
    block: u64,
    /// All plain bytes from there on, where the image is better read in order. Whoever takes blocks takes their bytes
    /// as well before the next one does.
    in_order: Option<Box<dyn Read + Send>>,
}

impl<'g> Cut<'g> {
    fn new(image: &'g Image, first: u64) -> Self {
        let next = Next {
            block: first,
            in_order: (first == 0).then(|| image.in_order()).flatten(),
        };
        Self {
            geometry: image.geometry(),
            first,
            next: Mutex::new(next),
        }
    }

    /// Where the first piece begins; `None` when there is none.
    fn start(&self) -> Option<u64> {
        (self.first < self.geometry.blocks()).then(|| self.geometry.span(self.first).start)
    }

    fn lock(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Next {
    /// As many blocks as fit in a piece, and one at least.
    fn blocks(&mut self, geometry: &Geometry) -> Option<Range<u64>> {
        let (first, blocks) = (self.block, geometry.blocks());
        if first >= blocks {
            return None;
        }
        let full_at = geometry.span(first).start + PIECE;
        let end = if full_at < geometry.size() {
            geometry.block_at(full_at).max(first + 1)
        } else {
            blocks
        };
        self.block = end.min(first + MOST_BLOCKS);
        Some(first..self.block)
    }
}
