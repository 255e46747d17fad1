//! Streams as plain bytes by position: what is stored in one piece, without places to begin at in the middle.
//!
//! A stream is gone through once, by a thread of its own from the first read on. What it leaves on its way makes any
//! later read cost no more than one piece: access points for deflate ([`Deflated`]), the plain bytes themselves where
//! those would be larger than what they save ([`Spilled`]). A reader waits only until the thread has passed what it
//! asked for. Dropping the bytes stops the thread.
//!
//! Chunks of many blocks each are gone through once as well, by whoever asks ([`Chunks`]).
//!
//! All state, threads and locks of streams live here; formats only say where a stream stands.

use std::{fs, path::PathBuf};

use crate::source::Source;

mod bits;
mod chunks;
mod deflated;
mod gzip;
mod huffman;
mod inflate;
mod kept;
mod likely;
mod progress;
mod reading;
mod spill;
mod store;
#[cfg(test)]
mod tests;

pub use chunks::{Chunks, Plain as ChunkBytes};
pub use deflated::{Deflated, Stream};
pub use gzip::Framing;
pub use kept::Piece;
pub use likely::{size_of, volume_size};
pub use reading::{FromStart, Refuted, Stretch, from_io};
pub use spill::{Opening, Spilled};

/// The folder in which indexes are kept and images are decoded, made when it is not there; `None` where there can be
/// none.
#[must_use]
pub fn kept_in() -> Option<PathBuf> {
    for folder in [kept::folder()?, kept::spill_folder()?] {
        fs::create_dir_all(&folder).ok()?;
    }
    kept::our_folder()
}

/// The number of plain bytes of all that `source` holds, if it was counted before.
#[must_use]
pub fn kept_size(source: &dyn Source) -> Option<u64> {
    kept::size(&kept::Key::of(source, 0, source.len())?)
}

/// The pieces of all that `source` holds, if they were found before.
#[must_use]
pub fn kept_pieces(source: &dyn Source) -> Option<Vec<Piece>> {
    kept::load_pieces(&pieces_key(source)?)
}

/// The number of plain bytes of all pieces that [`kept_pieces`] gives, without reading them.
#[must_use]
pub fn size_of_kept_pieces(source: &dyn Source) -> Option<u64> {
    kept::size(&pieces_key(source)?)
}

/// Keeps the pieces of all that `source` holds, in order, for [`kept_pieces`].
pub fn keep_pieces(source: &dyn Source, pieces: &[Piece]) {
    if let Some(key) = pieces_key(source) {
        kept::save_pieces(&key, pieces);
    }
}

/// Another key than that of the size, which is kept by itself.
fn pieces_key(source: &dyn Source) -> Option<kept::Key> {
    kept::Key::of(source, source.len(), source.len())
}

/// The most plain bytes of a stream, as of the largest image: 1 TiB.
const MOST_PLAIN: u64 = 1 << 40;
