//! What bears a number of which nothing is known any more.
//!
//! Servers of NFS give numbers to their clients, who keep them longer than the kernel knows the inodes, and longer than
//! this process runs. A number is a hash of a shown path, so the way back is a walk through the library until a name
//! has it. A walk goes on where the last one stopped and leaves a table behind, so that the next number costs no walk.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lru::LruCache;

use super::{
    Attributes, Filesystem, Ino, ROOT,
    inodes::{displaced, hash_of},
    no_such_name,
};
use crate::{
    ErrorKind, Result,
    catalog::{Directory, Item},
};

/// Names that a walk remembers, about 24 bytes each. Others are found by walking again.
const MOST_NAMES: usize = 1 << 18;

/// Folders that a walk goes into.
const MOST_FOLDERS: usize = 1 << 17;

/// Folders whose listings are kept for the next number, which most often lies in the same one.
const MOST_LISTED: NonZero<usize> = NonZero::new(16).expect("it is not 0");

/// After a whole walk, no other begins for so many times as long as it took: clients can make numbers up.
const REST: u32 = 4;

/// Walks through the library, one at a time.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Held by who walks, also while folders are listed: all others who come want the same walk to go on.
    walking: Mutex<()>,
    /// The lock is held to copy or change what was seen, never during I/O.
    seen: Mutex<Seen>,
}

/// What was seen on the way so far.
#[derive(Debug)]
struct Seen {
    /// The root and the folders behind it, each behind the one that it is in.
    folders: Vec<Folder>,
    /// So many of them were gone into.
    done: usize,
    /// Names by their numbers, as positions of their folders.
    names: BTreeMap<Ino, usize>,
    listed: LruCache<Ino, Arc<Directory>>,
    took: Duration,
    rests_until: Option<Instant>,
}

#[derive(Debug)]
struct Folder {
    number: Ino,
    above: usize,
    name: Box<OsStr>,
}

/// Where a number's name stands.
struct Place {
    parent: Ino,
    directory: Arc<Directory>,
    name: Box<OsStr>,
}

impl Numbers {
    pub(super) fn new() -> Self {
        Self {
            walking: Mutex::default(),
            seen: Mutex::new(Seen::new()),
        }
    }

    /// The next number begins a new walk.
    pub(super) fn start_anew(&self) {
        *self.seen() = Seen::new();
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn new() -> Self {
        let root = Folder {
            number: ROOT,
            above: 0,
            name: OsStr::new("").into(),
        };
        Self {
            folders: vec![root],
            done: 0,
            names: BTreeMap::new(),
            listed: LruCache::new(MOST_LISTED),
            took: Duration::ZERO,
            rests_until: None,
        }
    }

    /// Takes note of a name, unless there are too many.
    fn add(&mut self, number: Ino, folder: usize, name: &OsStr, is_folder: bool) {
        if self.names.len() < MOST_NAMES {
            self.names.insert(number, folder);
        }
        if is_folder && self.folders.len() < MOST_FOLDERS {
            self.folders.push(Folder {
                number,
                above: folder,
                name: name.into(),
            });
        }
    }

    /// The numbers and names of the folders that lead from the root to one of them. There are no circles: each
    /// stands behind the one that it is in.
    fn way_to(&self, mut folder: usize) -> Option<Vec<(Ino, Box<OsStr>)>> {
        let mut way = Vec::new();
        while folder != 0 {
            // It may have begun anew.
            let step = self.folders.get(folder)?;
            way.push((step.number, step.name.clone()));
            folder = step.above;
        }
        way.reverse();
        Some(way)
    }
}

impl Filesystem {
    /// Finds what bears a number, whether the kernel knows it or not, and counts one lookup of it. Numbers are the same
    /// in every run, so those of earlier runs are found too.
    ///
    /// # Errors
    /// `NotFound` when nothing bears the number, ESTALE when what bore it has another now, `Io` when the library cannot
    /// be read.
    pub fn look_up_number(&self, ino: Ino) -> Result<Attributes> {
        if ino == ROOT {
            return self.attributes(ROOT);
        }
        let place = self.place_of(ino)?;
        let within = self.within_known(place.parent, place.directory)?;
        let found = self.look_up_within(&within, &place.name)?;
        if found.ino == ino {
            return Ok(found);
        }
        self.inodes.forget(found.ino, 1);
        Err(displaced())
    }

    /// Finds the folder that an inode stands in, and counts one lookup of it.
    ///
    /// # Errors
    /// As [`Filesystem::look_up_number`].
    pub fn look_up_parent(&self, ino: Ino) -> Result<Attributes> {
        let parent = match ino {
            ROOT => ROOT,
            _ => self.place_of(ino)?.parent,
        };
        self.look_up_number(parent)
    }

    fn place_of(&self, ino: Ino) -> Result<Place> {
        match self.inodes.place_of(ino) {
            Ok((directory, name)) => Ok(Place {
                parent: self.inodes.parent_of(ino),
                directory,
                name,
            }),
            Err(err) if err.kind() == ErrorKind::NotFound => self.walk_to(ino),
            Err(err) => Err(err),
        }
    }

    /// Where the number's name is seen, on the walk so far or as it goes on.
    fn walk_to(&self, ino: Ino) -> Result<Place> {
        let numbers = &self.numbers;
        let seen = |numbers: &Numbers| numbers.seen().names.get(&ino).copied();
        if let Some(folder) = seen(numbers) {
            return self.place_in(folder, ino);
        }
        let walking = numbers.walking.lock();
        let _walking = walking.unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = seen(numbers) {
            return self.place_in(folder, ino);
        }
        let is_new = numbers.seen().done == 0;
        if let Some(folder) = self.walk_on(ino) {
            return self.place_in(folder, ino);
        }
        let rests = numbers.seen().rests_until;
        if is_new || rests.is_some_and(|until| Instant::now() < until) {
            return Err(no_such_name());
        }
        numbers.start_anew();
        let folder = self.walk_on(ino).ok_or_else(no_such_name)?;
        self.place_in(folder, ino)
    }

    /// Goes into further folders until a name has the number, and returns the position of the folder.
    fn walk_on(&self, ino: Ino) -> Option<usize> {
        let start = Instant::now();
        let found = loop {
            let at = {
                let mut seen = self.numbers.seen();
                if seen.done == seen.folders.len() {
                    let rest = (seen.took + start.elapsed()).saturating_mul(REST);
                    seen.rests_until = Some(Instant::now() + rest);
                    break None;
                }
                seen.done += 1;
                seen.done - 1
            };
            if self.go_into(at, ino) {
                break Some(at);
            }
        };
        self.numbers.seen().took += start.elapsed();
        found
    }

    /// Takes note of the names in a folder, and says whether one has the number. A folder that cannot be read has none.
    fn go_into(&self, folder: usize, ino: Ino) -> bool {
        let Ok(directory) = self.folder(folder) else {
            return false;
        };
        let Ok(listing) = self.list(&directory) else {
            return false;
        };
        let mut seen = self.numbers.seen();
        // It began anew meanwhile.
        let Some(parent) = seen.folders.get(folder).map(|it| it.number) else {
            return false;
        };
        let mut is_here = false;
        for entry in listing.entries() {
            let number = hash_of(parent, entry.name);
            is_here |= number == ino;
            let is_folder = matches!(entry.item, Item::Directory(_));
            seen.add(number, folder, entry.name, is_folder);
        }
        is_here
    }

    fn place_in(&self, folder: usize, ino: Ino) -> Result<Place> {
        let directory = self.folder(folder)?;
        let listing = self.list(&directory)?;
        let parent = self.numbers.seen().folders.get(folder).map(|it| it.number);
        let parent = parent.ok_or_else(no_such_name)?;
        let mut entries = listing.entries();
        let named = entries.find(|entry| hash_of(parent, entry.name) == ino);
        let name = named.ok_or_else(no_such_name)?.name.into();
        Ok(Place {
            parent,
            directory,
            name,
        })
    }

    /// A folder of the walk as it is now, which each folder above it must still hold.
    fn folder(&self, folder: usize) -> Result<Arc<Directory>> {
        let way = self.numbers.seen().way_to(folder);
        let way = way.ok_or_else(no_such_name)?;
        let mut directory = self.directory(ROOT)?;
        for (number, name) in way {
            let listing = self.list(&directory)?;
            let at = listing.find(&name).ok_or_else(no_such_name)?;
            let Some(Item::Directory(places)) = listing.entry(at).map(|entry| entry.item) else {
                return Err(no_such_name());
            };
            let kept = self.numbers.seen().listed.get(&number).cloned();
            let kept = kept.or_else(|| self.inodes.with_state(number, |state| state.below.clone()));
            directory = match kept.filter(|kept| kept.is_made_of(places)) {
                Some(kept) => kept,
                None => Arc::new(Directory::of(places.to_vec())),
            };
            self.numbers
                .seen()
                .listed
                .put(number, Arc::clone(&directory));
        }
        Ok(directory)
    }
}
