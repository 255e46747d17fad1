//! What a format is, once opened: a map from block numbers to stored bytes.

use std::{fmt, ops::Range};

use crate::{Error, Result, codec::Codec};

pub mod console;
pub mod disc;

/// The largest block that any format may have, in bytes.
///
/// A block is decoded whole, so this bounds what one read can cost. The largest seen in files is 4 MiB (ISZ).
pub const MAX_BLOCK: u32 = 16 << 20;

/// The largest image, in bytes: 1 TiB. A double-layer Blu-ray holds 50 GiB.
pub const MAX_IMAGE: u64 = 1 << 40;

/// Where the stored bytes of one block are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Position of the first stored byte in the source.
    pub at: u64,
    /// Number of stored bytes. Padding may be among them.
    pub len: u32,
    /// How they are stored.
    pub codec: Codec,
}

impl Stored {
    /// For a block that no stored bytes stand for.
    #[must_use]
    pub fn nowhere(codec: Codec) -> Self {
        Self {
            at: 0,
            len: 0,
            codec,
        }
    }
}

/// How the plain bytes are cut into blocks.
#[derive(Clone, Debug)]
pub enum Geometry {
    /// Equal blocks, the last one possibly shorter.
    Uniform {
        /// Number of plain bytes of the image.
        size: u64,
        /// Number of plain bytes of a block, not 0.
        block_size: u32,
    },
    /// Blocks of any size: the start of each, then the end of the image. Strictly rising from 0.
    Table(Box<[u64]>),
}

impl Geometry {
    /// Number of plain bytes of the image.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Geometry::Uniform { size, .. } => *size,
            Geometry::Table(starts) => *starts.last().expect("a table ends with the image size"),
        }
    }

    /// Number of blocks.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        match self {
            Geometry::Uniform { size, block_size } => size.div_ceil(u64::from(*block_size)),
            Geometry::Table(starts) => starts.len() as u64 - 1,
        }
    }

    /// The most plain bytes that a block holds.
    #[must_use]
    pub fn largest_block(&self) -> usize {
        match self {
            Geometry::Uniform { block_size, .. } => *block_size as usize,
            Geometry::Table(starts) => {
                let longest = starts.windows(2).map(|pair| pair[1] - pair[0]).max();
                usize::try_from(longest.unwrap_or(0)).expect("a block fits in memory")
            }
        }
    }

    /// The block that holds the byte at `at`, which must be inside the image.
    #[must_use]
    pub fn block_at(&self, at: u64) -> u64 {
        match self {
            Geometry::Uniform { block_size, .. } => at / u64::from(*block_size),
            Geometry::Table(starts) => starts.partition_point(|&start| start <= at) as u64 - 1,
        }
    }

    /// Number of plain bytes in `block`.
    #[must_use]
    pub fn len_of(&self, block: u64) -> usize {
        let span = self.span(block);
        usize::try_from(span.end - span.start).expect("a block fits in memory")
    }

    /// The plain bytes that `block` holds.
    #[must_use]
    pub fn span(&self, block: u64) -> Range<u64> {
        match self {
            Geometry::Uniform { size, block_size } => {
                let start = block * u64::from(*block_size);
                start..(*size).min(start + u64::from(*block_size))
            }
            Geometry::Table(starts) => {
                let i = usize::try_from(block).expect("a block number fits the table");
                starts[i]..starts[i + 1]
            }
        }
    }
}

/// The first plain byte of each piece that follows another, then the size of all: what [`Geometry::Table`] takes.
#[must_use]
pub fn starts(lengths: impl IntoIterator<Item = u64>) -> Box<[u64]> {
    let mut at = 0;
    let ends = lengths.into_iter().map(|len| {
        at += len;
        at
    });
    std::iter::once(0).chain(ends).collect()
}

/// Whether a piece of a compressed stream is read and decoded as one block: it is small, and stored in no more than
/// what noise takes.
#[must_use]
pub fn fits_a_block(plain: u64, stored: u64) -> bool {
    plain <= u64::from(MAX_BLOCK) && stored <= plain + plain / 64 + (4 << 10)
}

/// A format, opened and checked. Pure: `locate` does no I/O, takes no lock and cannot fail.
pub trait BlockMap: fmt::Debug + Send + Sync {
    /// How the plain bytes are cut.
    fn geometry(&self) -> &Geometry;

    /// Where a block is stored. `block` is inside the geometry; the bytes lie inside the source.
    ///
    /// A block that the file has no bytes for is [`Codec::Missing`].
    fn locate(&self, block: u64) -> Stored;

    /// Whether the plain bytes are those of the source, from its first on.
    fn is_as_stored(&self) -> bool {
        false
    }

    /// Decodes one block into `dst`, which has exactly the block's plain length.
    ///
    /// `src` holds the stored bytes and may be changed on the way. A format overrides this when its data is
    /// not plain codec output (encryption, extra headers), or to say more about a damaged block.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes do not decode to the block.
    fn decode(&self, block: u64, stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        let _ = block;
        decode_block(stored.codec, src, dst, self.geometry().largest_block())
    }
}

/// The map of a source whose bytes are the plain bytes.
#[derive(Debug)]
pub struct AsStored {
    geometry: Geometry,
    at: u64,
}

/// The cut is ours, not the file's: large enough to cost nothing, small enough for a cache.
const AS_STORED: u32 = 64 << 10;

impl AsStored {
    /// The first `size` bytes of a source.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self::from(0, size)
    }

    /// The first `size` bytes of a source that are best read in blocks of this size.
    #[must_use]
    pub fn in_blocks(size: u64, block_size: u32) -> Self {
        let geometry = Geometry::Uniform { size, block_size };
        Self { geometry, at: 0 }
    }

    /// `size` bytes of a source, from `at` on. They lie inside it.
    #[must_use]
    pub fn from(at: u64, size: u64) -> Self {
        let geometry = Geometry::Uniform {
            size,
            block_size: AS_STORED,
        };
        Self { geometry, at }
    }
}

impl BlockMap for AsStored {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let span = self.geometry.span(block);
        Stored {
            at: self.at + span.start,
            len: u32::try_from(span.end - span.start).expect("a block is 64 KiB"),
            codec: Codec::Raw,
        }
    }

    fn is_as_stored(&self) -> bool {
        self.at == 0
    }
}

/// Decodes a block of up to `block_size` bytes, of which `dst` wants the first ones.
///
/// # Errors
/// `Corrupt` when `src` does not decode, to fewer bytes than wanted, or to more than a block.
pub fn decode_block(codec: Codec, src: &[u8], dst: &mut [u8], block_size: usize) -> Result<()> {
    let want = dst.len();
    match codec.decode_start(src, dst, block_size)? {
        n if n == want => Ok(()),
        n => Err(Error::corrupt(format!(
            "{} data of {} bytes decodes to {n} bytes, not to {want}",
            codec.name(),
            src.len()
        ))),
    }
}

/// Checks an image size that a header gives.
///
/// # Errors
/// `Corrupt` for 0, `LimitExceeded` above [`MAX_IMAGE`].
pub fn check_size(size: u64) -> Result<u64> {
    match size {
        0 => Err(Error::corrupt(
            "image size is 0, an image has at least one byte",
        )),
        1..=MAX_IMAGE => Ok(size),
        _ => Err(Error::new(
            crate::ErrorKind::LimitExceeded,
            format!("image size is {size}, more than the limit of 1 TiB"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_both_geometries_tile_the_image() {
        let table = Geometry::Table([0, 5, 6, 4096, 5000].into());
        let uniform = Geometry::Uniform {
            size: 5000,
            block_size: 512,
        };
        for geometry in [table, uniform] {
            let mut at = 0;
            for block in 0..geometry.blocks() {
                let span = geometry.span(block);
                assert_eq!(span.start, at);
                assert_eq!(geometry.block_at(span.start), block);
                assert_eq!(geometry.block_at(span.end - 1), block);
                at = span.end;
            }
            assert_eq!(at, geometry.size());
        }
    }

    #[test]
    fn pieces_start_where_those_before_end() {
        assert_eq!(*starts([5, 1, 4090]), [0, 5, 6, 4096]);
        assert_eq!(*starts([]), [0]);
    }

    #[test]
    fn rejects_an_image_size_of_zero_and_one_above_the_limit() {
        assert!(check_size(0).is_err());
        assert!(check_size(MAX_IMAGE).is_ok());
        assert!(check_size(MAX_IMAGE + 1).is_err());
    }
}
