//! Discs of `GameCube` and Wii whose stored form keeps the blocks in use and leaves out the others.

use super::{BlockMap, Geometry, Stored, decode_block};
use crate::{Error, Result, codec::Codec};

/// Bytes of a `GameCube` disc.
pub const GAMECUBE: u64 = 1_459_978_240;

/// Bytes of a Wii disc of one layer.
pub const WII: u64 = 4_699_979_776;

/// Bytes of a Wii disc of two layers.
pub const WII_OF_TWO_LAYERS: u64 = 8_511_160_320;

/// The sectors of these discs. Every stored block is a number of them, and they are the cut of the map: large enough
/// to cost nothing, small enough for a cache.
pub const SECTOR: u32 = 32 << 10;

/// Bytes of the disc whose first bytes these are and whose last stored block begins at `last`; `None` of another
/// disc, and of one that goes on where none does.
#[must_use]
pub fn size_of_disc(head: &[u8; 32], last: u64) -> Option<u64> {
    let sizes: &[u64] = match (&head[24..28], &head[28..32]) {
        ([0x5d, 0x1c, 0x9e, 0xa3], _) => &[WII, WII_OF_TWO_LAYERS],
        (_, [0xc2, 0x33, 0x9f, 0x3d]) => &[GAMECUBE],
        _ => &[],
    };
    sizes.iter().copied().find(|&size| last < size)
}

/// Blocks of which only those in use are stored. The others are zeroes.
#[derive(Debug)]
pub struct InUse {
    geometry: Geometry,
    /// A multiple of [`SECTOR`].
    block_size: u64,
    /// Where block 0 of the source would be.
    data_at: u64,
    /// The block of the source that holds each block of the disc.
    places: Box<[Option<u16>]>,
    source_len: u64,
}

impl InUse {
    /// A disc of `size` bytes, of which `places` tells in which block of the source, counted from `data_at` on, each
    /// block lies.
    #[must_use]
    pub fn new(
        size: u64,
        block_size: u64,
        data_at: u64,
        places: Box<[Option<u16>]>,
        source_len: u64,
    ) -> Self {
        let geometry = Geometry::Uniform {
            size,
            block_size: SECTOR,
        };
        Self {
            geometry,
            block_size,
            data_at,
            places,
            source_len,
        }
    }

    /// Where a sector is stored, whether the source goes so far or not; `None` when its block is not in use.
    fn place(&self, sector: u64) -> Option<u64> {
        let start = self.geometry.span(sector).start;
        let block = usize::try_from(start / self.block_size).ok()?;
        let place = self.places.get(block).copied().flatten()?;
        Some(self.data_at + u64::from(place) * self.block_size + start % self.block_size)
    }
}

impl BlockMap for InUse {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let Some(at) = self.place(block) else {
            return Stored::nowhere(Codec::Zero);
        };
        let len = u32::try_from(self.geometry.len_of(block)).expect("a sector has 32 KiB");
        if at + u64::from(len) > self.source_len {
            return Stored::nowhere(Codec::Missing);
        }
        Stored {
            at,
            len,
            codec: Codec::Raw,
        }
    }

    fn decode(&self, block: u64, stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        if let (Codec::Missing, Some(at)) = (stored.codec, self.place(block)) {
            return Err(Error::corrupt(format!(
                "its bytes are at {at}, behind the file's end at {}",
                self.source_len
            )));
        }
        decode_block(stored.codec, src, dst, self.geometry.largest_block())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(at: usize, magic: u32) -> [u8; 32] {
        let mut head = [0; 32];
        head[at..at + 4].copy_from_slice(&magic.to_be_bytes());
        head
    }

    #[test]
    fn a_disc_has_the_size_of_its_kind() {
        let (wii, gamecube) = (head(24, 0x5d1c_9ea3), head(28, 0xc233_9f3d));
        assert_eq!(size_of_disc(&gamecube, 0), Some(GAMECUBE));
        assert_eq!(size_of_disc(&gamecube, GAMECUBE), None);
        assert_eq!(size_of_disc(&wii, WII - 1), Some(WII));
        assert_eq!(size_of_disc(&wii, WII), Some(WII_OF_TWO_LAYERS));
        assert_eq!(size_of_disc(&wii, WII_OF_TWO_LAYERS), None);
        assert_eq!(size_of_disc(&[0; 32], 0), None);
    }

    #[test]
    fn discs_are_whole_sectors() {
        for size in [GAMECUBE, WII, WII_OF_TWO_LAYERS] {
            assert_eq!(size % u64::from(SECTOR), 0);
        }
    }
}
