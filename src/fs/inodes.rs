//! Numbers for names.

use std::{
    collections::HashMap,
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use super::{Ino, OpenedFile, ROOT, stats::Counters};
use crate::{
    Error, ErrorKind, Result,
    catalog::{Directory, StableHash},
};

/// The inodes that the kernel knows. All others are made from names when they are needed.
#[derive(Debug)]
pub(super) struct Inodes(RwLock<HashMap<Ino, Arc<Node>>>);

/// A name that the kernel knows by its number.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) ino: Ino,
    parent: Ino,
    pub(super) directory: Arc<Directory>,
    pub(super) name: Arc<OsStr>,
    lookups: AtomicU64,
    /// Another file has the name now, under another number.
    is_displaced: AtomicBool,
    /// Most inodes are never opened, and so are kept small.
    state: Mutex<Option<Box<State>>>,
}

/// What hangs on an inode.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The directory that it is, if it is one that was used.
    pub(super) below: Option<Arc<Directory>>,
    /// The file that it is, while it is open.
    pub(super) open: Weak<OpenedFile>,
    /// The state of the file that the kernel's pages are of, where that is known.
    pages_of: Option<u64>,
    /// A file that bore the name before, while it is still open.
    older: Option<Weak<OpenedFile>>,
    /// What was done with it, without what is open.
    pub(super) counters: Option<Arc<Counters>>,
}

impl Inodes {
    /// Knows the root, which stands for the top or for the only file in it.
    pub(super) fn new(top: &Arc<Directory>) -> Self {
        let root = Node::new(ROOT, ROOT, top, &Arc::from(OsStr::new("")));
        Self(RwLock::new(HashMap::from([(ROOT, Arc::new(root))])))
    }

    pub(super) fn node(&self, ino: Ino) -> Result<Arc<Node>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let node = known.get(&ino).map(Arc::clone);
        node.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such inode"))
    }

    pub(super) fn parent_of(&self, ino: Ino) -> Ino {
        self.node(ino).map_or(ROOT, |node| node.parent)
    }

    /// The names that lead from the root to an inode, or from the lowest folder above it that was forgotten.
    pub(super) fn path_of(&self, ino: Ino) -> PathBuf {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (mut names, mut at) = (Vec::new(), ino);
        // Numbers are hashes, which an enemy may bend into a circle.
        while let Some(node) = known.get(&at) {
            if at == ROOT || names.len() == known.len() {
                break;
            }
            names.push(Arc::clone(&node.name));
            at = node.parent;
        }
        names.iter().rev().map(|name| Path::new(&**name)).collect()
    }

    /// The number for a name: a hash of the shown path, so that it is the same after a restart and whatever other
    /// files there are. Should two known paths have one hash, the later gets the next number.
    pub(super) fn number_of(&self, parent: Ino, name: &OsStr) -> Ino {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        number_of(&known, parent, name)
    }

    /// Counts one lookup of the name.
    pub(super) fn look_up(
        &self,
        parent: Ino,
        directory: &Arc<Directory>,
        name: &Arc<OsStr>,
    ) -> Ino {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let ino = number_of(&known, parent, name);
        let node = known
            .entry(ino)
            .or_insert_with(|| Arc::new(Node::new(ino, parent, directory, name)));
        if !Arc::ptr_eq(&node.directory, directory) {
            // The directory was forgotten and found again: what is open stays with the inode.
            let moved = Node::new(ino, parent, directory, name);
            moved
                .lookups
                .store(node.lookups.load(Ordering::Relaxed), Ordering::Relaxed);
            moved.with_state(|to| *to = node.with_state(std::mem::take));
            *node = Arc::new(moved);
        }
        node.lookups.fetch_add(1, Ordering::Relaxed);
        ino
    }

    pub(super) fn forget(&self, ino: Ino, lookups: u64) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Some(node) = known.get(&ino).filter(|_| ino != ROOT) else {
            return;
        };
        let left = node.lookups.load(Ordering::Relaxed).saturating_sub(lookups);
        node.lookups.store(left, Ordering::Relaxed);
        let forgotten = match left {
            0 => known.remove(&ino),
            _ => None,
        };
        drop(known);
        // A listing may go with it, after the lock.
        drop(forgotten);
    }
}

impl Node {
    fn new(ino: Ino, parent: Ino, directory: &Arc<Directory>, name: &Arc<OsStr>) -> Self {
        Self {
            ino,
            parent,
            directory: Arc::clone(directory),
            name: Arc::clone(name),
            lookups: AtomicU64::new(0),
            is_displaced: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Leaves the number to a file that is open. The name gets the next number, for whatever bears it now.
    pub(super) fn displace(&self, open: &Arc<OpenedFile>) {
        self.with_state(|state| state.open = Arc::downgrade(open));
        self.is_displaced.store(true, Ordering::Release);
    }

    /// # Errors
    /// ESTALE when another file has the name now.
    pub(super) fn check_named(&self) -> Result<()> {
        if self.is_displaced.load(Ordering::Acquire) {
            let stale = io::Error::from_raw_os_error(libc::ESTALE);
            return Err(Error::io(stale, "another file has the name now"));
        }
        Ok(())
    }

    /// Copies or changes what hangs on it, under a lock that must not be held during I/O.
    pub(super) fn with_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(state.get_or_insert_default())
    }
}

impl State {
    /// What is open in this state of the file.
    pub(super) fn shared(&self, fingerprint: u64) -> Option<Arc<OpenedFile>> {
        let open = self.open.upgrade();
        open.filter(|open| open.fingerprint() == fingerprint)
    }

    /// Whether a file is what the name stood for when it was opened last.
    pub(super) fn has_open(&self, file: &Arc<OpenedFile>) -> bool {
        std::ptr::eq(self.open.as_ptr(), Arc::as_ptr(file))
    }

    /// Takes note of a newly opened file, and returns what all share who have it open.
    pub(super) fn share(&mut self, opened: OpenedFile) -> Arc<OpenedFile> {
        if let Some(shared) = self.shared(opened.fingerprint()) {
            return shared;
        }
        let opened = Arc::new(opened);
        let before = std::mem::replace(&mut self.open, Arc::downgrade(&opened));
        if before.strong_count() > 0 {
            self.older = Some(before);
        }
        opened
    }

    /// Takes note that a reader opens the file, and returns whether all pages that the kernel may have of it are
    /// of this state. They are not while readers of an older file go on, nor at the first open after that.
    ///
    /// The kernel drops older pages when it hears of that first open, which may be later than it hears of a second
    /// one. So the second is told to keep pages only when the first is known to have been heard of: `is_in_use` says
    /// that somebody who has this state open has read.
    pub(super) fn keeps_pages(&mut self, fingerprint: u64, is_in_use: bool) -> bool {
        let pages_are_of_one_file = self.older.is_none();
        self.older = self.older.take().filter(|older| older.strong_count() > 0);
        let is_known = is_in_use || self.pages_of == Some(fingerprint);
        self.pages_of = is_known.then_some(fingerprint);
        is_known && pages_are_of_one_file
    }

    /// Takes note that the kernel has heard of an open of this state, and so has no pages of an older one.
    pub(super) fn has_pages_of(&mut self, fingerprint: u64) {
        self.pages_of = Some(fingerprint);
    }
}

fn number_of(known: &HashMap<Ino, Arc<Node>>, parent: Ino, name: &OsStr) -> Ino {
    let hash = StableHash::new().number(parent).bytes(name.as_bytes());
    let mut ino = hash.finish();
    loop {
        let is_free = match known.get(&ino) {
            Some(node) => {
                node.parent == parent && *node.name == *name && node.check_named().is_ok()
            }
            None => true,
        };
        if ino > ROOT && is_free {
            return ino;
        }
        ino = ino.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Arc<Directory> {
        Arc::new(Directory::of(Vec::new()))
    }

    #[test]
    fn a_number_that_is_taken_by_another_name_goes_to_the_next() {
        let top = directory();
        let (first, other) = (OsStr::new("first"), Arc::from(OsStr::new("other")));
        let inodes = Inodes::new(&top);
        let hash = inodes.number_of(ROOT, first);
        let taken = Node::new(hash, ROOT, &top, &other);
        inodes.0.write().unwrap().insert(hash, Arc::new(taken));
        assert_eq!(inodes.number_of(ROOT, first), hash.wrapping_add(1));
        let found = inodes.look_up(ROOT, &top, &Arc::from(first));
        assert_eq!(found, hash.wrapping_add(1));
        assert_eq!(inodes.look_up(ROOT, &top, &Arc::from(first)), found);
    }

    #[test]
    fn numbers_lead_to_paths_and_never_in_circles() {
        let inodes = Inodes::new(&directory());
        let name = |name: &str| Arc::from(OsStr::new(name));
        let sub = inodes.look_up(ROOT, &directory(), &name("sub"));
        let file = inodes.look_up(sub, &directory(), &name("file"));
        assert_eq!(inodes.path_of(file), Path::new("sub/file"));
        assert_eq!(inodes.path_of(ROOT), Path::new(""));
        let circle = Node::new(sub, file, &directory(), &name("sub"));
        inodes.0.write().unwrap().insert(sub, Arc::new(circle));
        assert!(inodes.path_of(file).ends_with("sub/file"));
        inodes.forget(sub, 0);
        assert_eq!(inodes.path_of(file), Path::new("file"));
    }

    #[test]
    fn what_hangs_on_an_inode_stays_when_its_directory_was_forgotten() {
        let name = Arc::from(OsStr::new("x"));
        let inodes = Inodes::new(&directory());
        let ino = inodes.look_up(5, &directory(), &name);
        let node = inodes.node(ino).unwrap();
        assert!(!node.with_state(|state| state.keeps_pages(7, false)));
        node.with_state(|state| state.has_pages_of(7));
        let again = directory();
        assert_eq!(inodes.look_up(5, &again, &name), ino);
        let node = inodes.node(ino).unwrap();
        assert!(Arc::ptr_eq(&node.directory, &again));
        assert!(node.with_state(|state| state.keeps_pages(7, false)));
        inodes.forget(ino, 2);
        assert!(inodes.node(ino).is_err());
    }
}
