//! Decoded blocks, bounded in bytes, each decoded by one thread at a time.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use lru::LruCache;

use crate::Result;

mod buffer;

pub use buffer::Buffer;
use buffer::Shelf;

/// A block's plain bytes, shared.
pub type Block = Arc<Buffer>;

/// A smaller cache has no memory to leave idle.
const SMALLEST_WITH_SHELF: usize = 8 << 20;

/// Names a block: the image's number, then the block's.
pub type Key = (u64, u64);

type Slot = Arc<Mutex<Option<Block>>>;

/// Keeps recently decoded blocks of all images together.
///
/// What it holds never exceeds its limit, memory that waits for its next block included. Blocks that a reader still
/// uses after they were pushed out come on top: at most one per reading thread.
#[derive(Debug)]
pub struct BlockCache {
    shards: Vec<Mutex<Shard>>,
    limit_per_shard: usize,
    shelf: Arc<Shelf>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Debug)]
struct Shard {
    entries: LruCache<Key, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    slot: Slot,
    bytes: usize,
}

impl BlockCache {
    /// A cache of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        // A shard must have room for three of the largest blocks, so small caches are not cut at all.
        let shards = (limit >> 26).clamp(1, 16);
        let idle = if limit < SMALLEST_WITH_SHELF {
            0
        } else {
            limit / 8
        };
        let shard = || {
            Mutex::new(Shard {
                entries: LruCache::unbounded(),
                bytes: 0,
            })
        };
        Self {
            shards: (0..shards).map(|_| shard()).collect(),
            limit_per_shard: (limit - idle) / shards,
            shelf: Shelf::new(idle),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The block under `key`, of `len` plain bytes, made by `decode` when absent. Concurrent callers wait for
    /// one decode.
    ///
    /// # Errors
    /// What `decode` reports; nothing is kept then and the next caller tries again.
    pub fn get_or_decode(
        &self,
        key: Key,
        len: usize,
        decode: impl FnOnce(&mut [u8]) -> Result<()>,
    ) -> Result<Block> {
        let slot = self.slot(key, len);
        let mut block = lock(&slot);
        if let Some(block) = &*block {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(Arc::clone(block));
        }
        let mut plain = self.shelf.take(len);
        if let Err(err) = decode(&mut plain) {
            self.forget(key, &slot);
            return Err(err);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::clone(block.insert(Arc::new(plain))))
    }

    /// How often a block was there, and how often one was decoded.
    #[must_use]
    pub fn hits_and_misses(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.hits), read(&self.misses))
    }

    /// Bytes of blocks that it keeps now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).bytes).sum()
    }

    /// How many blocks of `len` bytes that follow each other it keeps.
    #[must_use]
    pub fn room_for(&self, len: usize) -> usize {
        self.limit_per_shard / Buffer::footprint(len.max(1)) * self.shards.len()
    }

    /// Whether a block is here, or being decoded by somebody.
    #[must_use]
    pub fn has(&self, key: Key) -> bool {
        lock(self.shard(key)).entries.contains(&key)
    }

    /// Puts a block last among those that are pushed out, as if it had been asked for.
    pub fn touch(&self, key: Key) {
        lock(self.shard(key)).entries.promote(&key);
    }

    /// Gives up a block that is not needed any more. Whoever uses it may go on.
    pub fn remove(&self, key: Key) {
        let removed = lock(self.shard(key)).remove(&key);
        // Its memory goes back to the shelf, after the lock.
        drop(removed);
    }

    /// The slot for `key`, with its bytes accounted for. A block larger than the limit gets a slot that is not kept.
    fn slot(&self, key: Key, len: usize) -> Slot {
        let bytes = Buffer::footprint(len);
        let mut shard = lock(self.shard(key));
        if let Some(entry) = shard.entries.get(&key) {
            return Arc::clone(&entry.slot);
        }
        let slot = Slot::default();
        if bytes <= self.limit_per_shard {
            shard.make_room(self.limit_per_shard - bytes);
            let entry = Entry {
                slot: Arc::clone(&slot),
                bytes,
            };
            shard.entries.push(key, entry);
            shard.bytes += bytes;
        }
        slot
    }

    fn forget(&self, key: Key, slot: &Slot) {
        let mut shard = lock(self.shard(key));
        let ours = |entry: &Entry| Arc::ptr_eq(&entry.slot, slot);
        if shard.entries.peek(&key).is_some_and(ours) {
            shard.remove(&key);
        }
    }

    /// Neighbours lie in different shards, so that as many of them have room as all shards together have.
    fn shard(&self, (image, block): Key) -> &Mutex<Shard> {
        let shards = self.shards.len() as u64;
        let shard = image.wrapping_add(block) % shards;
        &self.shards[usize::try_from(shard).expect("there are few shards")]
    }
}

impl Shard {
    /// Pushes out the oldest blocks until at most `bytes` are left.
    fn make_room(&mut self, bytes: usize) {
        while self.bytes > bytes {
            let (_, oldest) = self.entries.pop_lru().expect("bytes count the entries");
            self.bytes -= oldest.bytes;
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.pop(key)?;
        self.bytes -= entry.bytes;
        Some(entry)
    }
}

/// Locks even after a panic: what the locks guard is whole at every point where a panic can start.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;
    use crate::Error;

    #[test]
    fn a_block_is_decoded_once_however_many_readers_wait() {
        let cache = BlockCache::new(1 << 20);
        let decodes = AtomicU64::new(0);
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    for block in 0..50 {
                        let plain = cache.get_or_decode((1, block), 100, |out| {
                            decodes.fetch_add(1, Ordering::Relaxed);
                            out.fill(u8::try_from(block).unwrap());
                            Ok(())
                        });
                        assert_eq!(plain.unwrap()[99], u8::try_from(block).unwrap());
                    }
                });
            }
        });
        assert_eq!(decodes.into_inner(), 50);
    }

    #[test]
    fn never_holds_more_than_its_limit() {
        for limit in [0, 1, 1000, 100 << 20] {
            let cache = BlockCache::new(limit);
            for block in 0..500 {
                let len = 300_000 * (1 + usize::try_from(block).unwrap() % 3);
                cache.get_or_decode((2, block), len, |_| Ok(())).unwrap();
                assert!(cache.held() <= limit);
            }
        }
    }

    #[test]
    fn has_room_for_as_many_neighbours_as_it_says_wherever_they_begin() {
        for limit in [1 << 20, 64 << 20, 300 << 20] {
            for len in [100_000, 5 << 20, 16 << 20] {
                let cache = BlockCache::new(limit);
                let room = cache.room_for(len) as u64;
                assert!(limit < 64 << 20 || room >= 3, "{limit} for {len}");
                for first in 0..5 {
                    for block in (first..first + room).chain(first..first + room) {
                        cache
                            .get_or_decode((first, block), len, |_| Ok(()))
                            .unwrap();
                    }
                    assert_eq!(cache.hits_and_misses().0, (first + 1) * room);
                }
            }
        }
    }

    #[test]
    fn the_least_recently_used_block_goes_first() {
        let cache = BlockCache::new(200);
        let decoded = |block| {
            let before = cache.hits_and_misses().1;
            cache.get_or_decode((3, block), 100, |_| Ok(())).unwrap();
            cache.hits_and_misses().1 > before
        };
        assert!(decoded(1) && decoded(2));
        assert!(!decoded(1));
        assert!(decoded(3));
        assert!(!decoded(1), "1 was used after 2");
        assert!(decoded(2));
        cache.touch((3, 1));
        assert!(decoded(4));
        assert!(!decoded(1), "1 was touched after 2 was used");
    }

    #[test]
    fn a_decode_that_panics_is_tried_again_by_the_next() {
        let cache = BlockCache::new(1000);
        let panics = || cache.get_or_decode((5, 0), 10, |_| panic!("this is part of the test"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        let decoded = cache.get_or_decode((5, 0), 10, |out| {
            out.fill(7);
            Ok(())
        });
        assert_eq!(decoded.unwrap()[..], [7; 10]);
    }

    #[test]
    fn a_failed_decode_is_not_kept() {
        let cache = BlockCache::new(1000);
        let fail = |_: &mut [u8]| Err(Error::corrupt("no"));
        assert!(cache.get_or_decode((4, 0), 10, fail).is_err());
        assert_eq!(cache.held(), 0);
        assert!(cache.get_or_decode((4, 0), 10, |_| Ok(())).is_ok());
        assert_eq!(cache.held(), 10);
    }
}
