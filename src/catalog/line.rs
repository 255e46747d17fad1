//! The names of a folder, before they are packed into a listing.

use std::{ffi::OsString, os::unix::ffi::OsStrExt, path::PathBuf, sync::Arc};

use super::{
    known::Candidate,
    place::{Place, first_of},
};

/// A name and what bears it, before it is packed.
#[derive(Debug)]
pub(super) struct Line {
    /// The shown name.
    pub(super) name: OsString,
    /// The name on disk, relative to `folder` or absolute.
    pub(super) stored: OsString,
    pub(super) folder: Arc<Place>,
    pub(super) thing: Thing,
}

#[derive(Debug)]
pub(super) enum Thing {
    Directory(Vec<Arc<Place>>),
    Link,
    /// A file; with what is known of it, if its content matters.
    File(Option<Candidate>),
}

impl Line {
    /// Where it is on disk; of several folders, the first.
    pub(super) fn path(&self) -> PathBuf {
        match &self.thing {
            Thing::Directory(places) => first_of(places),
            Thing::Link | Thing::File(_) => self.folder.path.join(&self.stored),
        }
    }

    /// The stored name behind what it has in common with the shown one.
    pub(super) fn rest(&self) -> &[u8] {
        let (name, stored) = (self.name.as_bytes(), self.stored.as_bytes());
        let alike = name.iter().zip(stored).take_while(|(a, b)| a == b);
        &stored[alike.count()..]
    }

    pub(super) fn is_candidate(&self) -> bool {
        matches!(self.thing, Thing::File(Some(_)))
    }
}
