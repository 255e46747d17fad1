//! Numbers for open files and directories.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{DirectoryEntry, Ino, Kind, inodes::Inodes};
use crate::{
    Error, ErrorKind, Result,
    catalog::{Item, Listing},
};

/// A table of open things. Its lock is held to copy or change a line, never during I/O.
#[derive(Debug)]
pub(super) struct Handles<T> {
    open: RwLock<HashMap<u64, Arc<T>>>,
    next: AtomicU64,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self {
            open: RwLock::default(),
            next: AtomicU64::new(1),
        }
    }
}

impl<T> Handles<T> {
    pub(super) fn insert(&self, opened: T) -> u64 {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(handle, Arc::new(opened));
        handle
    }

    pub(super) fn get(&self, handle: u64) -> Result<Arc<T>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let found = open.get(&handle).map(Arc::clone);
        found.ok_or_else(|| Error::new(ErrorKind::BadHandle, "there is no such handle"))
    }

    pub(super) fn remove(&self, handle: u64) -> Option<Arc<T>> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.remove(&handle)
    }

    /// How many were opened since the start.
    pub(super) fn opened(&self) -> u64 {
        self.next.load(Ordering::Relaxed) - 1
    }

    pub(super) fn is_empty(&self) -> bool {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.is_empty()
    }

    /// Everything that is open.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.values().map(Arc::clone).collect()
    }
}

/// A directory as it was when it was opened.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) ino: Ino,
    pub(super) parent: Ino,
    pub(super) listing: Arc<Listing>,
}

impl Snapshot {
    pub(super) fn line(&self, index: u64, inodes: &Inodes) -> Option<DirectoryEntry> {
        let dots = |name: &str, ino| {
            Some(DirectoryEntry {
                name: name.into(),
                ino,
                kind: Kind::Directory,
            })
        };
        match index {
            0 => return dots(".", self.ino),
            1 => return dots("..", self.parent),
            _ => {}
        }
        let index = usize::try_from(index - 2).ok()?;
        let entry = self.listing.entry(index)?;
        Some(DirectoryEntry {
            name: entry.name.to_os_string(),
            ino: inodes.number_of(self.ino, entry.name),
            kind: match entry.item {
                Item::Directory(_) => Kind::Directory,
                Item::Link(_) => Kind::Link,
                Item::File(_) => Kind::File,
            },
        })
    }
}
