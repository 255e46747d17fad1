//! Looking up names in a directory.

use std::{ffi::OsStr, sync::Arc};

use super::{Attributes, Filesystem, Found, Ino, ROOT, no_such_name};
use crate::{
    Result,
    catalog::{Directory, Listing},
};

/// A directory as it is at a moment. Whoever looks up many names there at once need not ask for each whether the
/// folder changed since the one before.
#[derive(Debug)]
pub struct Within {
    ino: Ino,
    directory: Arc<Directory>,
    listing: Arc<Listing>,
}

impl Filesystem {
    /// Looks whether a directory changed, for many lookups there.
    ///
    /// # Errors
    /// `NotADirectory`; `NotFound` when it is gone, `Io` when the library cannot be read.
    pub fn within(&self, ino: Ino) -> Result<Within> {
        self.within_known(ino, self.directory(ino)?)
    }

    /// As [`Filesystem::within`], of a directory that is at hand.
    pub(super) fn within_known(&self, ino: Ino, directory: Arc<Directory>) -> Result<Within> {
        let listing = self.list(&directory)?;
        Ok(Within {
            ino,
            directory,
            listing,
        })
    }

    /// Finds a name, and counts one lookup of its inode.
    ///
    /// # Errors
    /// `NotFound` when there is no such name, `Io` when the file cannot be inspected.
    pub fn look_up_within(&self, within: &Within, name: &OsStr) -> Result<Attributes> {
        let index = within.listing.find(name).ok_or_else(no_such_name)?;
        let found = Found {
            directory: Arc::clone(&within.directory),
            listing: Arc::clone(&within.listing),
            index,
        };
        let (mut attributes, bearer) = self.attributes_of(ROOT, &found)?;
        let (directory, name) = (&found.directory, found.name());
        (attributes.ino, attributes.generation) =
            self.inodes.look_up(within.ino, directory, name, bearer);
        Ok(attributes)
    }
}
