//! Playlists (`.m3u`), which name discs and hold none: only what their text is said to be is here, the text itself is
//! made where the names are known.

use super::Format;
use crate::{Error, ErrorKind};

/// What a playlist is said to be. It is not in the registry, which is a list of images.
pub static PLAYLIST: Format = Format {
    name: "m3u",
    title: "playlists, with the names that the mount shows",
    extensions: &["m3u", "m3u8"],
    detect: |_, _| false,
    passes_through: true,
    probe: |_| Err(no_image()),
    files: None,
    open: |_, _| Err(no_image()),
    is_part_extension: |_| false,
    targets: &[],
};

fn no_image() -> Error {
    Error::new(ErrorKind::UnknownFormat, "a playlist holds no image")
}
