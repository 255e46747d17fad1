//! What a file holds.

use std::{path::Path, sync::Arc};

use crate::{
    Result,
    cache::BlockCache,
    format::{Format, PartOf, Password},
    image::Image,
    source::Folder,
};

/// What a file holds, as far as its header tells.
#[derive(Clone, Debug)]
pub enum Probe {
    /// It is shown byte for byte.
    PassThrough,
    /// An image.
    Image {
        /// Its format.
        format: &'static Format,
        /// Number of plain bytes.
        size: u64,
        /// Whether it is all of the image.
        part: PartOf,
        /// Its number among the plain files of the stored one.
        file: u32,
    },
    /// A text that is made here, of a stored file of this format.
    Text(&'static Format, Arc<[u8]>),
    /// It should be an image by its name, and is none that can be read.
    Fault,
}

impl Probe {
    /// Opens what was seen at `path`, with what `folder` finds beside it; what is passed through too, as an image.
    ///
    /// # Errors
    /// As [`Image::open`].
    pub fn open(
        &self,
        path: &Path,
        folder: &Folder,
        cache: Arc<BlockCache>,
        password: &dyn Fn() -> Result<Option<Password>>,
    ) -> Result<Image> {
        match self {
            Self::Text(format, text) => Ok(Image::of_text(format, text, cache)),
            Self::Image { file, .. } => Image::open_among(folder, path, *file, cache, password),
            Self::PassThrough | Self::Fault => Image::open_among(folder, path, 0, cache, password),
        }
    }

    /// What decides about the names in a folder.
    pub(super) fn role(&self) -> (u8, Option<PartOf>) {
        match self {
            Self::PassThrough => (0, None),
            Self::Text(..) => (3, None),
            Self::Image { part, .. } => (1, Some(*part)),
            Self::Fault => (2, None),
        }
    }
}
