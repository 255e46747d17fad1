//! The answer to a read.

use std::ops::{Deref, Range};

use crate::cache::Block;

/// Plain bytes of an image: copied or decoded into the reader's own memory, or lying in a decoded block.
#[derive(Debug)]
pub enum Plain<'o> {
    /// In the memory that the reader gave.
    Own(&'o [u8]),
    /// In a block that is decoded already, of which the reader wants a part.
    Block(Block, Range<usize>),
}

impl Deref for Plain<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Plain::Own(bytes) => bytes,
            Plain::Block(block, part) => &block[part.clone()],
        }
    }
}
