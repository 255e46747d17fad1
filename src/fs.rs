//! The filesystem as plain functions: no FUSE types, no kernel.

use std::{
    ffi::{OsStr, OsString},
    num::NonZero,
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use crate::{
    Error, ErrorKind, Result,
    catalog::{self, Catalog, Directory, Entry, Item, Listing},
    image::{Ahead, Plain},
};

mod activity;
mod attributes;
mod bearer;
mod handles;
mod idle;
mod inodes;
mod numbers;
mod opened;
mod opening;
mod shared;
mod stats;
mod types;
mod within;
mod xattrs;

pub use crate::{catalog::Naming, files::Tracks};
use bearer::Bearer;
use handles::{Handles, Snapshot};
use idle::Idle;
use inodes::Inodes;
use numbers::Numbers;
use opened::{OpenHandle, OpenedFile};
pub use shared::SharedFile;
use stats::Counters;
/// Reading this extended attribute of the root is as [`Filesystem::rescan`].
pub const RESCAN: &str = xattrs::RESCAN;
pub use types::{Attributes, DirectoryEntry, Ino, Kind, OpenFile, Options, ROOT, Seek, Space};
pub use within::Within;

/// How long an image is kept open after its last close. A disk below it can be unmounted, and the space of a deleted
/// image is free, after this time at the latest.
const KEPT_FOR: Duration = Duration::from_secs(5);

/// The filesystem. Any number of threads may call it.
#[derive(Debug)]
pub struct Filesystem {
    options: Options,
    catalog: Catalog,
    top: Arc<Directory>,
    inodes: Inodes,
    numbers: Numbers,
    files: Handles<OpenHandle>,
    idle: Idle<OpenedFile>,
    directories: Handles<Snapshot>,
    totals: Arc<Counters>,
    ahead: Arc<Ahead>,
}

impl Filesystem {
    /// Looks whether the sources exist, and reads nothing else.
    ///
    /// # Errors
    /// `Io` with the path of a source that cannot be inspected.
    pub fn new(options: Options) -> Result<Self> {
        let (catalog, top) = Catalog::new(catalog::Options {
            sources: options.sources.clone(),
            naming: options.naming,
            images_only: options.images_only,
            follow_links: options.follow_links,
            tracks: if options.root_is_file {
                Tracks::Iso
            } else {
                options.tracks
            },
            parents: options.parents.clone(),
        })?;
        let top = Arc::new(top);
        Ok(Self {
            inodes: Inodes::new(&top, options.nfs_export),
            numbers: Numbers::new(),
            options,
            catalog,
            top,
            files: Handles::default(),
            idle: Idle::new(KEPT_FOR),
            directories: Handles::default(),
            totals: Arc::default(),
            ahead: Arc::new(Ahead::new(
                thread::available_parallelism().map_or(1, NonZero::get),
            )),
        })
    }

    /// Finds a name in a directory, and counts one lookup of its inode.
    ///
    /// # Errors
    /// `NotFound` when the directory has no such name, `NotADirectory` when `parent` is none, `Io` when the library
    /// cannot be read.
    pub fn lookup(&self, parent: Ino, name: &OsStr) -> Result<Attributes> {
        self.look_up_within(&self.within(parent)?, name)
    }

    /// The attributes of an inode. Of a file that is gone, or lost its name to another, and is still open, those that
    /// it had when it was opened.
    ///
    /// # Errors
    /// `NotFound` when nothing bears the inode's name any more, `Io` when the library cannot be read.
    pub fn attributes(&self, ino: Ino) -> Result<Attributes> {
        if ino == ROOT && !self.options.root_is_file {
            return self.attributes_of_top();
        }
        match self.attributes_of_named(ino) {
            Err(err) if err.kind() == ErrorKind::NotFound || self.check_named(ino).is_err() => {
                let open = || self.inodes.with_state(ino, |state| state.open.upgrade());
                // What was closed is let go with its name.
                open().inspect(|open| self.idle.drop_file(open));
                open().map_or(Err(err), |open| Ok(open.attributes().clone()))
            }
            result => result,
        }
    }

    /// Where a symbolic link leads, unchanged.
    ///
    /// # Errors
    /// `NotFound` when the inode is no link, `Io` when it cannot be read.
    pub fn read_link(&self, ino: Ino) -> Result<OsString> {
        let found = self.find(ino)?;
        match found.item() {
            Item::Link(path) => std::fs::read_link(&path)
                .map(PathBuf::into_os_string)
                .map_err(|e| Error::io(e, "cannot read the link").in_file(&path)),
            _ => Err(Error::new(ErrorKind::NotFound, "this is no symbolic link")),
        }
    }

    /// Fills `out` from `at` on and returns how much there was: less than asked for at the end only.
    ///
    /// # Errors
    /// `BadHandle`; `Corrupt` and `Io` when bytes of the range cannot be had. Nothing else takes their place.
    pub fn read(&self, handle: u64, out: &mut [u8], at: u64) -> Result<usize> {
        match self.view(handle, out, at)? {
            Plain::Own(bytes) => Ok(bytes.len()),
            Plain::Block(block, part) => {
                out[..part.len()].copy_from_slice(&block[part.clone()]);
                Ok(part.len())
            }
        }
    }

    /// As [`Filesystem::read`], but `out` is left alone when the bytes lie in a decoded block.
    ///
    /// # Errors
    /// As [`Filesystem::read`].
    pub fn view<'o>(&self, handle: u64, out: &'o mut [u8], at: u64) -> Result<Plain<'o>> {
        self.files.get(handle)?.read(out, at)
    }

    /// The next data or hole from `at` on. The end of a file counts as a hole.
    ///
    /// # Errors
    /// `OutOfRange` when `at` is not inside the file, or no data follows; `BadHandle`.
    pub fn seek(&self, handle: u64, at: u64, to: Seek) -> Result<u64> {
        self.files.get(handle)?.file().seek(at, to)
    }

    /// Takes a snapshot of a directory; later changes do not shift its lines. Lines 0 and 1 are `.` and `..`.
    ///
    /// # Errors
    /// `NotADirectory`; `NotFound` when it is gone, `Io` when it cannot be read.
    pub fn open_directory(&self, ino: Ino) -> Result<u64> {
        let directory = self.directory(ino)?;
        Ok(self.directories.insert(Snapshot {
            ino,
            parent: self.inodes.parent_of(ino),
            listing: self.list(&directory)?,
        }))
    }

    /// The line at `index` of an open directory, `None` behind the last.
    ///
    /// # Errors
    /// `BadHandle`.
    pub fn read_directory(&self, handle: u64, index: u64) -> Result<Option<DirectoryEntry>> {
        Ok(self.directories.get(handle)?.line(index, &self.inodes))
    }

    /// Closes a directory. Unknown handles are ignored.
    pub fn release_directory(&self, handle: u64) {
        self.directories.remove(handle);
    }

    /// The kernel no longer knows an inode that it looked up `lookups` times.
    pub fn forget(&self, ino: Ino, lookups: u64) {
        self.inodes.forget(ino, lookups);
    }

    /// The value of an extended attribute. `Ok(None)` when the inode has no attribute of that name.
    ///
    /// # Errors
    /// As [`Filesystem::attributes`]; `user.plainiso.block_size` opens the image.
    pub fn xattr(&self, ino: Ino, name: &OsStr) -> Result<Option<Vec<u8>>> {
        xattrs::value(self, ino, name)
    }

    /// The names of an inode's extended attributes.
    ///
    /// # Errors
    /// As [`Filesystem::attributes`].
    pub fn xattr_names(&self, ino: Ino) -> Result<Vec<&'static str>> {
        xattrs::names(self, ino)
    }

    /// Whether servers of NFS give it out.
    #[must_use]
    pub fn is_exported(&self) -> bool {
        self.options.nfs_export
    }

    /// Tells which sources hang together, if one hangs: those on one device.
    #[must_use]
    pub fn device_of(&self, ino: Ino) -> u64 {
        self.inodes.device_of(ino)
    }

    /// Room on the file system of the first source. Nothing of it is free for writing here.
    ///
    /// # Errors
    /// `Io` when it cannot be asked.
    pub fn space(&self) -> Result<Space> {
        let Some(source) = self.options.sources.first() else {
            return Err(Error::new(ErrorKind::NotFound, "there is no source"));
        };
        let stat = rustix::fs::statvfs(source)
            .map_err(|e| Error::io(e.into(), "cannot inspect the file system").in_file(source))?;
        Ok(Space {
            block_size: u32::try_from(stat.f_frsize).unwrap_or(4096),
            blocks: stat.f_blocks,
            files: stat.f_files,
            name_len: 255,
        })
    }

    /// Looks at every folder again at its next use, and closes what nobody has open.
    pub fn rescan(&self) {
        self.idle.clear();
        self.numbers.start_anew();
        self.catalog.rescan();
    }
}

/// What an inode's name stands for at the moment.
struct Found {
    directory: Arc<Directory>,
    listing: Arc<Listing>,
    index: usize,
}

impl Found {
    fn name(&self) -> &OsStr {
        self.entry().name
    }

    fn item(&self) -> Item<'_> {
        self.entry().item
    }

    fn entry(&self) -> Entry<'_> {
        let entry = self.listing.entry(self.index);
        entry.expect("the name was found in this listing")
    }
}

impl Filesystem {
    fn list(&self, directory: &Directory) -> Result<Arc<Listing>> {
        self.with_room(|| self.catalog.list(directory))
    }

    /// Does what opens files. When there are too many, it lets go of those that nobody has open, and tries again.
    fn with_room<T>(&self, open: impl Fn() -> Result<T>) -> Result<T> {
        match open() {
            Err(err) if matches!(err.os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
                self.idle.clear();
                open()
            }
            result => result,
        }
    }

    fn attributes_of_named(&self, ino: Ino) -> Result<Attributes> {
        let found = self.find(ino)?;
        let (attributes, bearer) = self.attributes_of(ino, &found)?;
        if self.inodes.leaves_to_readers(ino, bearer) {
            return Err(inodes::displaced());
        }
        Ok(attributes)
    }

    fn find(&self, ino: Ino) -> Result<Found> {
        let (directory, name) = self.inodes.place_of(ino)?;
        let listing = self.list(&directory)?;
        let index = match ino {
            ROOT => listing.main(),
            _ => listing.find(&name),
        };
        Ok(Found {
            directory,
            index: index.ok_or_else(no_such_name)?,
            listing,
        })
    }

    fn directory(&self, ino: Ino) -> Result<Arc<Directory>> {
        if ino == ROOT && !self.options.root_is_file {
            return Ok(Arc::clone(&self.top));
        }
        let found = self.find(ino)?;
        let Item::Directory(places) = found.item() else {
            return Err(Error::new(ErrorKind::NotADirectory, "this is no directory"));
        };
        Ok(self.inodes.with_state(ino, |state| match &state.below {
            Some(below) if below.is_made_of(places) => Arc::clone(below),
            _ => {
                let below = Arc::new(Directory::of(places.to_vec()));
                Arc::clone(state.below.insert(below))
            }
        }))
    }
}

fn no_such_name() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such name")
}
