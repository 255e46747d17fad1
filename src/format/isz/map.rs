//! Where each chunk is, and how its bytes become plain.

use super::{chunks::Chunks, cipher::Cipher, header::Header, set::Gap};
use crate::{
    Error, Result,
    codec::Codec,
    map::{BlockMap, Geometry, Stored, decode_block},
};

/// What is known of the chunks.
#[derive(Debug)]
pub(super) enum Layout {
    /// There is a table.
    Chunks(Chunks),
    /// The image is stored raw.
    Raw,
}

/// Blocks of a raw image: the cut is ours, large enough to cost nothing and small enough for a cache.
const RAW_BLOCK: u32 = 64 << 10;

/// An ISZ image, opened.
#[derive(Debug)]
pub(super) struct Map {
    geometry: Geometry,
    layout: Layout,
    /// Where the first chunk is in the source.
    data_at: u64,
    /// End of the source.
    end: u64,
    gaps: Vec<Gap>,
    cipher: Option<Cipher>,
}

impl Map {
    /// For a source of `source_len` bytes, of which those in `gaps` do not exist.
    pub(super) fn new(
        header: &Header,
        layout: Layout,
        source_len: u64,
        data_at: u64,
        gaps: Vec<Gap>,
    ) -> Self {
        let block_size = match layout {
            // Encryption starts anew with each chunk, so it must see the file's own.
            Layout::Raw if header.encryption.is_none() => RAW_BLOCK,
            _ => header.block_size,
        };
        Self {
            geometry: Geometry::Uniform {
                size: header.size,
                block_size,
            },
            layout,
            data_at,
            end: source_len,
            gaps,
            cipher: None,
        }
    }

    /// Decrypts from here on.
    pub(super) fn set_cipher(&mut self, cipher: Cipher) {
        self.cipher = Some(cipher);
    }

    /// The place that the tables give a block, whether the file has it or not.
    fn place(&self, block: u64) -> Stored {
        match &self.layout {
            Layout::Raw => {
                let span = self.geometry.span(block);
                Stored {
                    at: self.data_at + span.start,
                    len: to_u32(span.end - span.start),
                    codec: Codec::Raw,
                }
            }
            Layout::Chunks(chunks) => {
                let chunk = chunks.chunk(block);
                Stored {
                    at: self.data_at + chunks.stored_before(block),
                    len: to_u32(chunk.stored_len()),
                    codec: chunk.codec,
                }
            }
        }
    }

    fn gap_in(&self, place: Stored) -> Option<&Gap> {
        let end = place.at + u64::from(place.len);
        self.gaps
            .iter()
            .find(|gap| place.len > 0 && place.at < gap.bytes.end && gap.bytes.start < end)
    }
}

impl BlockMap for Map {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let place = self.place(block);
        if self.gap_in(place).is_some() {
            return Stored::nowhere(Codec::Missing);
        }
        // Zeroes behind the end of a file that was cut short take no bytes, but must not point outside.
        let at = place.at.min(self.end);
        Stored { at, ..place }
    }

    fn decode(&self, block: u64, stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        if let Some(gap) = self.gap_in(self.place(block)) {
            return Err(Error::corrupt(format!(
                "{} is cut short, the stored bytes are behind its end",
                gap.file
            )));
        }
        if let Some(cipher) = &self.cipher {
            cipher.decrypt(src);
        }
        if stored.codec == Codec::Bzip2 {
            restore_start(src);
        }
        decode_block(stored.codec, src, dst, self.geometry.largest_block())
    }
}

/// Writers replace the first three bytes of a bzip2 stream by `ISz`; some leave them.
fn restore_start(stored: &mut [u8]) {
    const START: &[u8; 3] = b"BZh";
    if let Some(start) = stored.first_chunk_mut() {
        *start = *START;
    }
}

fn to_u32(len: u64) -> u32 {
    u32::try_from(len).expect("a chunk is checked to be at most MAX_BLOCK bytes long")
}
