//! Images whose blocks are stored as they are, made by hand for the tests of what stands above.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::Image;
use crate::{
    Result,
    cache::BlockCache,
    codec::Codec,
    format::{Details, FORMATS, Opened},
    map::{BlockMap, Geometry, Stored},
};

/// Stored blocks, of which some have no place, and one makes its reader panic.
#[derive(Debug)]
pub(crate) struct Handmade {
    pub(crate) geometry: Geometry,
    pub(crate) missing: Vec<u64>,
    pub(crate) panics: Option<u64>,
    pub(crate) decodes: Arc<AtomicUsize>,
}

impl Handmade {
    pub(crate) fn new(geometry: Geometry) -> Self {
        Self {
            geometry,
            missing: Vec::new(),
            panics: None,
            decodes: Arc::default(),
        }
    }

    /// Blocks for `plain` bytes, all of one size but the last.
    pub(crate) fn uniform(plain: &[u8], block_size: u32, missing: &[u64]) -> Self {
        let size = plain.len() as u64;
        Self {
            missing: missing.into(),
            ..Self::new(Geometry::Uniform { size, block_size })
        }
    }

    pub(crate) fn image(self, plain: Vec<u8>, details: Details, cache: usize) -> Image {
        let opened = Opened {
            format: FORMATS[0],
            source: Arc::new(plain),
            map: Box::new(self),
            details,
        };
        Image::new(opened, Arc::new(BlockCache::new(cache)))
    }
}

impl BlockMap for Handmade {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let span = self.geometry.span(block);
        Stored {
            at: span.start,
            len: u32::try_from(span.end - span.start).unwrap(),
            codec: if self.missing.contains(&block) {
                Codec::Missing
            } else {
                Codec::Raw
            },
        }
    }

    fn decode(&self, block: u64, stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        assert!(self.panics != Some(block), "asked for by the test");
        self.decodes.fetch_add(1, Ordering::Relaxed);
        stored.codec.decode(src, dst)
    }
}
