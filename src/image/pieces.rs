//! Pieces: what is decoded as one when it is decoded ahead of its reader.

use std::ops::Range;

use super::{Image, to_usize};
use crate::{
    Error, ErrorKind, Result,
    cache::{Block, Key},
    map::Geometry,
};

/// What the kernel asks for at once when it reads ahead: smaller blocks make a piece of this size.
const GROUP: u32 = 128 << 10;

/// Set in an image's number where the cache's key names a group of its blocks, not a block.
const GROUPS: u64 = 1 << 63;

/// How an image is cut into groups, or `None` where a block is a piece of its own.
pub(super) fn groups_of(blocks: &Geometry) -> Option<Geometry> {
    let groups = Geometry::Uniform {
        size: blocks.size(),
        block_size: GROUP,
    };
    (blocks.largest_block() < GROUP as usize).then_some(groups)
}

impl Image {
    /// How the plain bytes are cut into pieces.
    pub(super) fn pieces(&self) -> &Geometry {
        self.groups.as_ref().unwrap_or_else(|| self.geometry())
    }

    /// Whether a piece is a block, which stays in the cache when it was read.
    pub(super) fn has_blocks_as_pieces(&self) -> bool {
        self.groups.is_none()
    }

    /// A piece, decoded by whoever asks first. `still_wanted` is asked when nobody else can decode it any more.
    ///
    /// # Errors
    /// As [`Image::read_at`], where one damaged block spoils the piece; `NotFound` when it is not wanted.
    pub(super) fn piece(&self, piece: u64, still_wanted: impl Fn() -> bool) -> Result<Block> {
        let span = self.pieces().span(piece);
        let len = to_usize(span.end - span.start);
        self.cache
            .get_or_decode(self.piece_key(piece), len, |plain| {
                if !still_wanted() {
                    return Err(Error::new(ErrorKind::NotFound, "nobody waits for it"));
                }
                self.read_at(plain, span.start).map(drop)
            })
    }

    /// Whether a piece is decoded, or being so.
    pub(super) fn has_piece(&self, piece: u64) -> bool {
        self.cache.has(self.piece_key(piece))
    }

    /// Pieces of which nothing is to be pushed out for what is decoded next. Groups are given up when they were read, so
    /// none of them stands in the way.
    pub(super) fn keep_pieces(&self, pieces: Range<u64>) {
        if self.has_blocks_as_pieces() {
            for piece in pieces {
                self.cache.touch(self.piece_key(piece));
            }
        }
    }

    /// Gives up a group. A block stays in the cache as if it had been asked for.
    pub(super) fn free_piece(&self, piece: u64) {
        if self.groups.is_some() {
            self.cache.remove(self.piece_key(piece));
        }
    }

    fn piece_key(&self, piece: u64) -> Key {
        match &self.groups {
            Some(_) => (self.id | GROUPS, piece),
            None => (self.id, piece),
        }
    }
}
