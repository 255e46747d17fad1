//! Folders on disk, and where they stand in the shown tree.

use std::{
    fs::Metadata,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::stat;

/// A folder on disk, and the one above it in the shown tree.
#[derive(Debug)]
pub struct Place {
    pub(super) path: PathBuf,
    pub(super) id: (u64, u64),
    above: Option<Arc<Place>>,
}

impl Place {
    pub(super) fn new(path: PathBuf, metadata: &Metadata, above: Option<Arc<Place>>) -> Self {
        Self {
            path,
            id: stat::id(metadata),
            above,
        }
    }

    /// The folder of files that were named one by one: relative to it, their paths are what the user gave.
    pub(super) fn nowhere() -> Self {
        Self {
            path: PathBuf::new(),
            id: (0, 0),
            above: None,
        }
    }

    /// Where it is on disk.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the folder is this one or one above it in the shown tree.
    pub(super) fn is_below(&self, id: (u64, u64)) -> bool {
        self.id == id || self.above.as_ref().is_some_and(|above| above.is_below(id))
    }
}

/// Where several folders that are shown as one are: the first of them.
pub(super) fn first_of(places: &[Arc<Place>]) -> PathBuf {
    let first = places.first().map(|place| place.path.clone());
    first.unwrap_or_default()
}
