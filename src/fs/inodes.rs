//! Numbers for names.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    io, mem,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak},
};

use super::{Bearer, Ino, OpenedFile, ROOT, stats::Counters};
use crate::{
    Error, ErrorKind, Result,
    catalog::{Directory, StableHash},
};

#[cfg(test)]
mod tests;

/// The inodes that the kernel knows. All others are made from names when they are needed. The lock is held to copy
/// or change what is known, never during I/O.
#[derive(Debug)]
pub(super) struct Inodes(RwLock<Known>);

/// A kernel that looked at all of a large library knows all its inodes, so each is as small as can be: a B-tree has
/// no empty places to speak of, and what only used inodes have lies apart.
#[derive(Debug)]
struct Known {
    nodes: BTreeMap<Ino, Node>,
    states: HashMap<Ino, State>,
    /// Whether handles are made of the numbers.
    is_exported: bool,
}

/// A name that the kernel knows by its number.
#[derive(Debug)]
struct Node {
    parent: Ino,
    directory: Arc<Directory>,
    name: Box<OsStr>,
    /// With so many it is known for ever.
    lookups: u32,
    /// Of what bears it, as long as it is known.
    generation: u32,
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
    /// Another file has the name now, under another number.
    is_displaced: bool,
    /// The kernel was told of another file under this number since it was opened last.
    is_of_others: bool,
    /// What was done with it, without what is open.
    pub(super) counters: Option<Arc<Counters>>,
}

impl Inodes {
    /// Knows the root, which stands for the top or for the only file in it.
    pub(super) fn new(top: &Arc<Directory>, is_exported: bool) -> Self {
        let root = Node::new(ROOT, top, OsStr::new(""));
        Self(RwLock::new(Known {
            nodes: BTreeMap::from([(ROOT, root)]),
            states: HashMap::new(),
            is_exported,
        }))
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory in which an inode has its name, and the name.
    ///
    /// # Errors
    /// As [`Inodes::check_named`].
    pub(super) fn place_of(&self, ino: Ino) -> Result<(Arc<Directory>, Box<OsStr>)> {
        let known = self.known();
        let node = known.named(ino)?;
        Ok((Arc::clone(&node.directory), node.name.clone()))
    }

    /// # Errors
    /// ESTALE when another file has the name now, `NotFound` when the inode is not known.
    pub(super) fn check_named(&self, ino: Ino) -> Result<()> {
        self.known().named(ino).map(|_| ())
    }

    /// The device on which the stored folder is that an inode is, or stands in; 0 where there is none.
    pub(super) fn device_of(&self, ino: Ino) -> u64 {
        let known = self.known();
        let state = known.states.get(&ino);
        let below = state.and_then(|state| state.below.as_ref());
        let above = || known.nodes.get(&ino).map(|node| &node.directory);
        below.or_else(above).map_or(0, |it| it.device())
    }

    pub(super) fn parent_of(&self, ino: Ino) -> Ino {
        let known = self.known();
        known.nodes.get(&ino).map_or(ROOT, |node| node.parent)
    }

    /// The names that lead from the root to an inode, or from the lowest folder above it that was forgotten.
    pub(super) fn path_of(&self, ino: Ino) -> PathBuf {
        let known = self.known();
        let (mut names, mut at) = (Vec::new(), ino);
        // Numbers are hashes, which an enemy may bend into a circle.
        while let Some(node) = known.nodes.get(&at) {
            if at == ROOT || names.len() == known.nodes.len() {
                break;
            }
            names.push(&*node.name);
            at = node.parent;
        }
        names.into_iter().rev().collect()
    }

    /// The number for a name: a hash of the shown path, so that it is the same after a restart and whatever other
    /// files there are. Should two known paths have one hash, the later gets the next number.
    pub(super) fn number_of(&self, parent: Ino, name: &OsStr) -> Ino {
        self.known().number_of(parent, name)
    }

    /// Counts one lookup of the name, and of what bears it. Returns its number and the generation of that. A number
    /// under which somebody has another file open is left to that one: the kernel would cut its reads at the size of
    /// the newcomer. So is one for which there may be handles of another file.
    pub(super) fn look_up(
        &self,
        parent: Ino,
        directory: &Arc<Directory>,
        name: &OsStr,
        bearer: Bearer,
    ) -> (Ino, u32) {
        let mut known = self.changed();
        let mut ino = known.number_of(parent, name);
        while known.leaves_to_readers(ino, bearer) || known.leaves_to_handles(ino, bearer) {
            ino = known.number_of(parent, name);
        }
        let generation = known.generation(bearer);
        let new = || Node {
            generation,
            ..Node::new(parent, directory, name)
        };
        let node = known.nodes.entry(ino).or_insert_with(new);
        node.lookups = node.lookups.saturating_add(1);
        let generation = node.generation;
        // The directory may have been forgotten and found again: what is open stays with the inode.
        let before = mem::replace(&mut node.directory, Arc::clone(directory));
        drop(known);
        // A listing may go with it, after the lock.
        drop(before);
        (ino, generation)
    }

    /// The generation of an inode that the kernel knows.
    pub(super) fn generation_of(&self, ino: Ino) -> u32 {
        let known = self.known();
        known.nodes.get(&ino).map_or(0, |node| node.generation)
    }

    /// Whether the kernel knows another file under this number, of which there may be handles.
    pub(super) fn is_of_another(&self, ino: Ino, bearer: Bearer) -> bool {
        self.known().is_of_another(ino, bearer)
    }

    pub(super) fn forget(&self, ino: Ino, lookups: u64) {
        let mut known = self.changed();
        let Some(node) = known.nodes.get_mut(&ino).filter(|_| ino != ROOT) else {
            return;
        };
        if node.lookups == u32::MAX {
            return;
        }
        let lookups = u32::try_from(lookups).unwrap_or(u32::MAX);
        node.lookups = node.lookups.saturating_sub(lookups);
        let forgotten = match node.lookups {
            0 => Some((known.nodes.remove(&ino), known.states.remove(&ino))),
            _ => None,
        };
        drop(known);
        // A listing may go with it, after the lock.
        drop(forgotten);
    }

    /// Leaves a number to those who have another file open under it than the one that bears its name, if there are
    /// any. The name gets the next number.
    pub(super) fn leaves_to_readers(&self, ino: Ino, bearer: Bearer) -> bool {
        self.changed().leaves_to_readers(ino, bearer)
    }

    /// Leaves the number to a file that is open. The name gets the next number, for whatever bears it now.
    pub(super) fn displace(&self, ino: Ino, open: &Arc<OpenedFile>) {
        self.with_state(ino, |state| {
            state.open = Arc::downgrade(open);
            state.is_displaced = true;
        });
    }

    /// Copies or changes what hangs on an inode, under the lock of all of them. Nothing hangs on one that is not
    /// known.
    pub(super) fn with_state<T>(&self, ino: Ino, change: impl FnOnce(&mut State) -> T) -> T {
        let mut known = self.changed();
        if known.nodes.contains_key(&ino) {
            change(known.states.entry(ino).or_default())
        } else {
            change(&mut State::default())
        }
    }
}

impl Known {
    fn named(&self, ino: Ino) -> Result<&Node> {
        if self.is_displaced(ino) {
            return Err(displaced());
        }
        let node = self.nodes.get(&ino);
        node.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such inode"))
    }

    fn leaves_to_readers(&mut self, ino: Ino, bearer: Bearer) -> bool {
        // The root has one number only; and elsewhere the kernel's cache belongs to the name.
        if ino == ROOT || !cfg!(target_os = "linux") {
            return false;
        }
        let state = self.states.get_mut(&ino);
        state.is_some_and(|state| state.leaves_to_readers(bearer))
    }

    fn generation(&self, bearer: Bearer) -> u32 {
        if self.is_exported {
            bearer.generation()
        } else {
            0
        }
    }

    fn is_of_another(&self, ino: Ino, bearer: Bearer) -> bool {
        let node = self.nodes.get(&ino).filter(|_| ino != ROOT);
        let generation = self.generation(bearer);
        node.is_some_and(|node| node.generation != generation && !self.has_readers_of(ino, bearer))
    }

    /// Whether somebody has the file open under this number.
    fn has_readers_of(&self, ino: Ino, bearer: Bearer) -> bool {
        let state = self.states.get(&ino);
        let open = state.and_then(|state| state.open.upgrade());
        open.is_some_and(|open| open.has_readers() && bearer.is_that_of(open.bearer()))
    }

    /// A number has one generation as long as the kernel knows it: it may take two answers in another order than we
    /// gave them.
    fn leaves_to_handles(&mut self, ino: Ino, bearer: Bearer) -> bool {
        let is_left = self.is_of_another(ino, bearer);
        if is_left {
            self.states.entry(ino).or_default().is_displaced = true;
        }
        is_left
    }

    fn is_displaced(&self, ino: Ino) -> bool {
        let state = self.states.get(&ino);
        state.is_some_and(|state| state.is_displaced)
    }

    fn number_of(&self, parent: Ino, name: &OsStr) -> Ino {
        let mut ino = hash_of(parent, name);
        loop {
            let is_free = match self.nodes.get(&ino) {
                Some(node) => {
                    node.parent == parent && *node.name == *name && !self.is_displaced(ino)
                }
                None => true,
            };
            if ino > ROOT && is_free {
                return ino;
            }
            ino = ino.wrapping_add(1);
        }
    }
}

/// The number that a name has where no other has it.
pub(super) fn hash_of(parent: Ino, name: &OsStr) -> Ino {
    let hash = StableHash::new().number(parent).bytes(name.as_bytes());
    hash.finish()
}

/// With this error, callers look a name up again.
pub(super) fn displaced() -> Error {
    let stale = io::Error::from_raw_os_error(libc::ESTALE);
    Error::io(stale, "another file has the name now")
}

impl Node {
    fn new(parent: Ino, directory: &Arc<Directory>, name: &OsStr) -> Self {
        Self {
            parent,
            directory: Arc::clone(directory),
            name: name.into(),
            lookups: 0,
            generation: 0,
        }
    }
}

impl State {
    /// What is open in this state of the file.
    pub(super) fn shared(&self, fingerprint: u64) -> Option<Arc<OpenedFile>> {
        let open = self.open.upgrade();
        open.filter(|open| open.fingerprint() == fingerprint)
    }

    /// Takes note of what the kernel is told to bear the name, or that it must be told another number.
    fn leaves_to_readers(&mut self, bearer: Bearer) -> bool {
        let open = self.open.upgrade();
        let another = open.filter(|open| !bearer.is_that_of(open.bearer()));
        let is_left = another.as_ref().is_some_and(|open| open.has_readers());
        self.is_displaced |= is_left;
        self.is_of_others |=
            another.is_some() || self.pages_of.is_some_and(|it| it != bearer.fingerprint);
        is_left
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
        let before = mem::replace(&mut self.open, Arc::downgrade(&opened));
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
        let is_of_others = mem::take(&mut self.is_of_others);
        is_known && pages_are_of_one_file && !is_of_others
    }

    /// Takes note that the kernel has heard of an open of this state, and so has no pages of an older one.
    pub(super) fn has_pages_of(&mut self, fingerprint: u64) {
        self.pages_of = Some(fingerprint);
    }
}
