//! Streams as plain bytes by position: what is stored in one piece, without places to begin at in the middle.
//!
//! A stream is gone through once, by a thread of its own from the first read on. What it leaves on its way makes any
//! later read cost no more than one piece: access points for deflate ([`Deflated`]). A reader waits only until the
//! thread has passed what it asked for. Dropping the bytes stops the thread.
//!
//! Chunks of many blocks each are gone through once as well, by whoever asks ([`Chunks`]).
//!
//! All state, threads and locks of streams live here; formats only say where a stream stands.

use std::{fs, path::PathBuf};

mod bits;
mod chunks;
mod deflated;
mod gzip;
mod huffman;
mod inflate;
mod kept;
mod progress;
#[cfg(test)]
mod tests;

pub use chunks::{Chunks, Plain as ChunkBytes};
pub use deflated::{Deflated, Stream};
pub use gzip::Framing;

/// The folder in which indexes are kept, made when it is not there; `None` where there can be none.
#[must_use]
pub fn kept_in() -> Option<PathBuf> {
    let folder = kept::folder()?;
    fs::create_dir_all(&folder).ok()?;
    Some(folder)
}

/// The most plain bytes of a stream, as of the largest image: 1 TiB.
const MOST_PLAIN: u64 = 1 << 40;
