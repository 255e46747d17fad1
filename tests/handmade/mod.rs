//! A map made by hand, for tests of what reads it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use plainiso::{
    Result,
    codec::Codec,
    map::{BlockMap, Geometry, Stored},
};

/// Blocks wherever the test puts them; counts how often it decodes.
#[derive(Debug)]
pub(crate) struct Handmade {
    pub(crate) geometry: Geometry,
    pub(crate) stored: Vec<Stored>,
    pub(crate) decodes: Arc<AtomicU64>,
}

impl BlockMap for Handmade {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        self.stored[usize::try_from(block).unwrap()]
    }

    fn decode(&self, _block: u64, stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        self.decodes.fetch_add(1, Ordering::Relaxed);
        match stored.codec {
            // As good as any that costs much.
            Codec::Own { .. } => Codec::Raw.decode(src, dst),
            codec => codec.decode(src, dst),
        }
    }
}
