//! Whether there is room for an image, asked before hours of writing.

use std::path::Path;

use crate::{Error, ErrorKind, Result, codec::Codec, image::Image, output::folder_of};

/// A block that is stored in less than this part of its size may be all zeroes, which take no room.
const ZEROES_RATIO: u64 = 64;

/// Refuses when the blocks from `first_block` on cannot fit beside `out`.
///
/// # Errors
/// `Io` with both numbers. A system that does not tell what is free is believed to have enough.
pub(super) fn check(image: &Image, first_block: u64, out: &Path) -> Result<()> {
    let folder = folder_of(out);
    let Ok(space) = rustix::fs::statvfs(folder) else {
        return Ok(());
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let needed = least(image, first_block);
    if needed <= free {
        return Ok(());
    }
    let message = format!(
        "{needed} bytes are needed, and {free} are free in {}; free some space or choose another place with -o",
        folder.display().to_string().escape_debug()
    );
    Err(Error::new(ErrorKind::Io, message).in_file(out))
}

/// The bytes that surely need room: not those of blocks that may be zeroes. Of an image without compressed blocks
/// nothing is known.
fn least(image: &Image, first_block: u64) -> u64 {
    let (mut least, mut is_compressed) = (0, false);
    for block in first_block..image.geometry().blocks() {
        let stored = image.locate(block);
        let len = image.geometry().len_of(block) as u64;
        is_compressed |= stored.codec != Codec::Raw;
        if u64::from(stored.len) * ZEROES_RATIO >= len {
            least += len;
        }
    }
    if is_compressed { least } else { 0 }
}
