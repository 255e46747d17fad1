//! A folder of stored files as a tree of plain names.
//!
//! Nothing is read before it is asked for. A folder is listed at its first use, the listing is kept, and made again
//! when the folder's own times changed. A listing reads no more of a file than its header.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::{
    Error, ErrorKind, Result,
    files::Tracks,
    format::PartOf,
    source::{Folder, Links},
};

mod hash;
mod known;
mod line;
mod listing;
mod names;
mod passing;
mod place;
mod probe;
mod probed;
mod reported;
mod rows;
mod seen;
mod stat;

pub use hash::StableHash;
pub use names::Naming;
pub use place::Place;
pub use probe::Probe;
use probed::Rules;
pub use reported::Reported;
use rows::Rows;
pub use rows::{Entry, Item, StoredFile};
pub use seen::Seen;
use stat::FolderStamp;
pub use stat::Stat;

/// What a catalog shows, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Image files and folders, in the order given. Where two hold the same name, the first wins.
    pub sources: Vec<PathBuf>,
    /// How compressed files are named.
    pub naming: Naming,
    /// Leave out everything that is no image.
    pub images_only: bool,
    /// Follow symbolic links, wherever they lead.
    pub follow_links: bool,
    /// Which files a disc of one data track is shown as.
    pub tracks: Tracks,
    /// Files and folders that may hold what is not beside an image: the parents of CHDs.
    pub parents: Vec<PathBuf>,
}

/// The rules by which folders become listings, and what was reported so far.
#[derive(Debug)]
pub struct Catalog {
    options: Options,
    /// Where links may lead that are found in the library: into the source folders, if they are not all followed.
    links: Links,
    reported: Reported,
    /// Counts the calls of [`Catalog::rescan`]. A listing of an older count is not used again.
    generation: AtomicU64,
}

/// A folder of the shown tree: one or more folders on disk, shown as one.
#[derive(Debug)]
pub struct Directory {
    places: Vec<Arc<Place>>,
    /// Only the top has files that stand in none of its folders.
    files: Vec<PathBuf>,
    listing: Mutex<Option<Arc<Listing>>>,
    outdated: AtomicBool,
}

/// What a folder shows, sorted by name. It never changes; a changed folder gets another listing.
#[derive(Debug)]
pub struct Listing {
    rows: Rows,
    stamps: Vec<Option<FolderStamp>>,
    generation: u64,
}

impl Catalog {
    /// Looks whether the sources exist, and reads nothing else. Returns the catalog and its top.
    ///
    /// # Errors
    /// `Io` with the path of a source that cannot be inspected.
    pub fn new(options: Options) -> Result<(Self, Directory)> {
        let (mut roots, mut places, mut files) = (Vec::new(), Vec::new(), Vec::new());
        for source in &options.sources {
            let cannot = |e| Error::io(e, "cannot open the source").in_file(source);
            let metadata = fs::metadata(source).map_err(cannot)?;
            if metadata.is_dir() {
                roots.push(fs::canonicalize(source).map_err(cannot)?);
                places.push(Arc::new(Place::new(source.clone(), &metadata, None)));
            } else {
                files.push(source.clone());
            }
        }
        let links = if options.follow_links {
            Links::Anywhere
        } else {
            Links::Within(roots.into())
        };
        let catalog = Self {
            options,
            links,
            reported: Reported::default(),
            generation: AtomicU64::new(0),
        };
        Ok((catalog, Directory::new(places, files)))
    }

    /// What `directory` shows. Listed again when a folder changed since it was listed.
    ///
    /// # Errors
    /// `NotFound` when the folder is gone, `Io` when it cannot be read.
    pub fn list(&self, directory: &Directory) -> Result<Arc<Listing>> {
        let mut kept = directory
            .listing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let generation = self.generation.load(Ordering::Acquire);
        let outdated = directory.outdated.swap(false, Ordering::AcqRel);
        let fresh = |listing: &&Arc<Listing>| {
            !outdated && listing.generation == generation && directory.is_as_in(listing)
        };
        if let Some(listing) = kept.as_ref().filter(fresh) {
            return Ok(Arc::clone(listing));
        }
        *kept = None;
        let stamps = directory.stamps();
        let listing = Arc::new(Listing {
            rows: Rows::pack(listing::lines(self, directory)?)?,
            stamps: stamps.into_iter().map(Result::ok).collect(),
            generation,
        });
        Ok(Arc::clone(kept.insert(listing)))
    }

    /// Lists every folder again at its next use.
    pub fn rescan(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// What was logged so far, so that nothing is logged twice.
    #[must_use]
    pub fn reported(&self) -> &Reported {
        &self.reported
    }

    /// The state of a file of `directory`: inspected at every call, probed again when it changed.
    ///
    /// # Errors
    /// `NotFound` when the file is gone, `Io` when it cannot be inspected.
    pub fn look(&self, directory: &Directory, file: &StoredFile<'_>) -> Result<Seen> {
        let rules = Rules {
            reported: &self.reported,
            links: self.links_beside(file),
            tracks: Tracks::Both,
        };
        let (seen, role_changed) = seen::look(file, &rules)?;
        if role_changed {
            directory.outdated.store(true, Ordering::Release);
        }
        Ok(seen)
    }
}

impl Catalog {
    /// Where the links beside a file may lead: anywhere, if the user named the file.
    fn links_beside(&self, file: &StoredFile<'_>) -> &Links {
        if file.folder.path.as_os_str().is_empty() {
            &Links::Anywhere
        } else {
            &self.links
        }
    }

    /// What may be found beside a file, and elsewhere.
    #[must_use]
    pub fn folder_around(&self, file: &StoredFile<'_>) -> Folder {
        Folder::of(&file.path())
            .with_links(self.links_beside(file))
            .with_elsewhere(&self.options.parents)
    }
}

impl Directory {
    /// A folder of the shown tree, made of folders on disk.
    #[must_use]
    pub fn of(places: Vec<Arc<Place>>) -> Self {
        Self::new(places, Vec::new())
    }

    /// Whether it is made of the same folders.
    #[must_use]
    pub fn is_made_of(&self, places: &[Arc<Place>]) -> bool {
        let own = self.places.iter().map(|place| &place.path);
        own.eq(places.iter().map(|place| &place.path))
    }

    /// The device of its first folder on disk, 0 where it has none.
    #[must_use]
    pub fn device(&self) -> u64 {
        self.places.first().map_or(0, |place| place.id.0)
    }

    fn new(places: Vec<Arc<Place>>, files: Vec<PathBuf>) -> Self {
        Self {
            places,
            files,
            listing: Mutex::new(None),
            outdated: AtomicBool::new(false),
        }
    }

    fn stamps(&self) -> Vec<Result<FolderStamp>> {
        let places = self.places.iter();
        places.map(|place| FolderStamp::of(&place.path)).collect()
    }

    fn is_as_in(&self, listing: &Listing) -> bool {
        let now = self.stamps();
        let pairs = now.iter().zip(&listing.stamps);
        pairs.into_iter().all(|(now, then)| match (now, then) {
            (Ok(now), Some(then)) => then.still_holds(now),
            _ => false,
        })
    }
}

impl Listing {
    /// All names, sorted by their bytes.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.len()).filter_map(|index| self.entry(index))
    }

    /// The number of names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name at a position; `None` behind the last.
    #[must_use]
    pub fn entry(&self, index: usize) -> Option<Entry<'_>> {
        self.rows.entry(index)
    }

    /// The position of the file that stands for all, where they come from one stored file.
    #[must_use]
    pub fn main(&self) -> Option<usize> {
        let is_main = |entry: Entry<'_>| match entry.item {
            Item::File(file) => file.is_main(),
            _ => false,
        };
        let first = (!self.is_empty()).then_some(0);
        self.entries().position(is_main).or(first)
    }

    /// The position of a name.
    #[must_use]
    pub fn find(&self, name: &OsStr) -> Option<usize> {
        self.rows.find(name)
    }
}

/// An operation on a file of the library that the operating system refused.
fn refused(err: std::io::Error, path: &Path, doing: &str) -> Error {
    match err.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            Error::new(ErrorKind::NotFound, "the file is gone").in_file(path)
        }
        _ => Error::io(err, doing).in_file(path),
    }
}

/// The names under which the password of an image may stand beside it, by the image's stored name.
#[must_use]
pub fn password_files(image: &OsStr) -> Vec<OsString> {
    let stem = names::stem(image);
    let set = names::part_number(stem).map_or(stem, |(set, _)| set);
    let mut files: Vec<_> = [image, stem, set]
        .into_iter()
        .map(|name| {
            let mut name = name.to_os_string();
            name.push(".pwd");
            name
        })
        .collect();
    files.dedup();
    files
}

/// The names under which the images of one folder become plain files, in the order of `stored`: as a mount shows
/// them where no other files stand beside them, so that they do not change when the plain files come.
#[must_use]
pub fn plain_names(stored: &[(&OsStr, PartOf)]) -> Vec<OsString> {
    let role = |part| match part {
        PartOf::First => names::Role::First,
        PartOf::Whole | PartOf::Later(_) => names::Role::Image,
    };
    let roles: Vec<_> = stored
        .iter()
        .map(|&(name, part)| (name, role(part)))
        .collect();
    let shown = names::shown(&roles, Naming::Strip);
    let with_stored = shown.into_iter().zip(stored);
    with_stored
        .map(|(shown, (name, _))| shown.unwrap_or_else(|| name.into()))
        .collect()
}

#[cfg(test)]
mod tests;
