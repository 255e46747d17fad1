//! What all share who have one file open.

use std::{fs::File, sync::Arc};

use super::opened::OpenedFile;

/// An open file itself. Two are equal when they are one file, opened in one state.
#[derive(Clone, Debug)]
pub struct SharedFile(pub(super) Arc<OpenedFile>);

impl SharedFile {
    /// The stored file, where it is shown byte for byte; `None` of an image.
    #[must_use]
    pub fn plain(&self) -> Option<&File> {
        self.0.plain()
    }
}

impl PartialEq for SharedFile {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
