//! Memory of decoded blocks, used again: touching a fresh page costs more than decoding into it.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError, Weak},
};

const PAGE: usize = 4096;

/// Smaller blocks are left to the allocator, which does not give their memory back to the system.
const SMALLEST: usize = 32 << 10;

/// A block's plain bytes. Those of a large block start on a page, because the kernel copies whole pages faster.
pub struct Buffer {
    memory: Vec<u8>,
    start: usize,
    len: usize,
    shelf: Weak<Shelf>,
}

impl Buffer {
    /// Bytes of memory that a block of `len` bytes takes.
    pub(super) fn footprint(len: usize) -> usize {
        if len < SMALLEST { len } else { len + PAGE }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..][..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..][..self.len]
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.len)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(shelf) = self.shelf.upgrade() {
            shelf.put(std::mem::take(&mut self.memory));
        }
    }
}

/// Memory of large blocks that nobody uses at the moment.
#[derive(Debug)]
pub(super) struct Shelf {
    idle: Mutex<Vec<Vec<u8>>>,
    limit: usize,
}

impl Shelf {
    /// A shelf for at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            idle: Mutex::default(),
            limit,
        })
    }

    /// Memory for a block of `len` bytes. It holds whatever the last user left.
    pub(super) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        let need = Buffer::footprint(len);
        if len < SMALLEST {
            return Buffer {
                memory: vec![0; need],
                start: 0,
                len,
                shelf: Weak::new(),
            };
        }
        let memory = self.find(need).unwrap_or_else(|| vec![0; need]);
        Buffer {
            start: memory.as_ptr().addr().wrapping_neg() % PAGE,
            memory,
            len,
            shelf: Arc::downgrade(self),
        }
    }

    /// Only memory of the same size, so that what a block takes is what is counted for it.
    fn find(&self, need: usize) -> Option<Vec<u8>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let fit = idle.iter().rposition(|memory| memory.len() == need)?;
        Some(idle.swap_remove(fit))
    }

    /// Takes memory back. What lay here longest goes to the system to make room.
    fn put(&self, memory: Vec<u8>) {
        if memory.len() > self.limit {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(memory);
        let mut held: usize = idle.iter().map(Vec::len).sum();
        let mut gone = 0;
        while held > self.limit {
            held -= idle[gone].len();
            gone += 1;
        }
        let gone: Vec<Vec<u8>> = idle.drain(..gone).collect();
        drop(idle);
        drop(gone);
    }

    #[cfg(test)]
    fn held(&self) -> usize {
        self.idle.lock().unwrap().iter().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_block_starts_on_a_page_and_its_memory_is_used_again() {
        let shelf = Shelf::new(1 << 20);
        let first = shelf.take(128 << 10);
        let at = first.as_ptr().addr();
        assert_eq!((at % PAGE, first.len()), (0, 128 << 10));
        drop(first);
        assert_eq!(shelf.take(128 << 10).as_ptr().addr(), at);
        assert_ne!(shelf.take(64 << 10).as_ptr().addr(), at);
    }

    #[test]
    fn never_keeps_more_than_its_limit() {
        let shelf = Shelf::new(1 << 20);
        let blocks: Vec<_> = (1..20).map(|n| shelf.take(n * 100_000)).collect();
        for block in blocks {
            drop(block);
            assert!(shelf.held() <= 1 << 20);
        }
        assert!(shelf.held() > 0);
        drop(Shelf::new(0).take(1 << 20));
    }
}
