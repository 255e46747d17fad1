//! The filesystem as plain functions: no FUSE types, no kernel.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
    sync::Arc,
    time::SystemTime,
};

use crate::{Error, ErrorKind, Result, cache::BlockCache, format::Password};

/// An inode's number. 1 is the root; the others are made from names, so they are the same after a restart.
pub type Ino = u64;

/// The root's number.
pub const ROOT: Ino = 1;

/// What a filesystem shows, and how.
pub struct Options {
    /// Image files and folders, in the order given. One image file alone with `root_is_file` becomes the root itself.
    pub sources: Vec<PathBuf>,
    /// The mountpoint is a regular file: the root is the plain image of the only source.
    pub root_is_file: bool,
    /// How compressed files are named.
    pub naming: Naming,
    /// Leave out everything that is no image.
    pub images_only: bool,
    /// Follow symbolic links that leave the library.
    pub follow_links: bool,
    /// Owner of everything, where it is not the source's.
    pub uid: Option<u32>,
    /// Group of everything, where it is not the source's.
    pub gid: Option<u32>,
    /// Permission bits to take away from 0444 and 0555; `None` takes away what the source's own bits deny.
    pub umask: Option<u32>,
    /// Decoded blocks of all images together.
    pub cache: Arc<BlockCache>,
    /// A password for encrypted images that have no `NAME.pwd` beside them.
    pub password: Option<Password>,
}

/// How compressed files are named.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Naming {
    /// `Game.zso` is `Game.iso`.
    #[default]
    Strip,
    /// `Game.zso` is `Game.zso.iso`.
    Append,
}

/// A file's attributes.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// Its number.
    pub ino: Ino,
    /// File, directory or symbolic link.
    pub kind: Kind,
    /// Plain bytes.
    pub size: u64,
    /// Bytes on disk.
    pub stored_size: u64,
    /// Last change of the source.
    pub mtime: SystemTime,
    /// Permission bits.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Number of links; directories count their subdirectories' or say 2.
    pub links: u32,
}

/// What an inode is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
}

/// One line of a directory.
#[derive(Clone, Debug)]
pub struct DirectoryEntry {
    /// Its name.
    pub name: OsString,
    /// Its number.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
}

/// An opened file.
#[derive(Clone, Copy, Debug)]
pub struct OpenFile {
    /// Number for [`Filesystem::read`] and [`Filesystem::release`].
    pub handle: u64,
    /// The source is unchanged since the kernel last saw it, so its cached pages are still right.
    pub unchanged: bool,
}

/// Where SEEK_DATA and SEEK_HOLE go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Seek {
    /// To the next data.
    Data,
    /// To the next hole, or the end.
    Hole,
}

/// Room on the file system below, for statfs.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// Bytes per block.
    pub block_size: u32,
    /// Blocks in all.
    pub blocks: u64,
    /// Files in all, as far as known.
    pub files: u64,
    /// Longest name.
    pub name_len: u32,
}

/// The filesystem.
pub struct Filesystem {
    options: Options,
}

#[allow(
    missing_docs,
    unused_variables,
    clippy::missing_errors_doc,
    clippy::unused_self
)]
impl Filesystem {
    pub fn new(options: Options) -> Result<Self> {
        Ok(Self { options })
    }

    pub fn lookup(&self, parent: Ino, name: &OsStr) -> Result<Attributes> {
        Err(Error::new(ErrorKind::NotFound, "no such name"))
    }

    pub fn attributes(&self, ino: Ino) -> Result<Attributes> {
        if ino != ROOT {
            return Err(Error::new(ErrorKind::NotFound, "no such inode"));
        }
        Ok(Attributes {
            ino,
            kind: Kind::Directory,
            size: 0,
            stored_size: 0,
            mtime: SystemTime::UNIX_EPOCH,
            mode: 0o555,
            uid: 0,
            gid: 0,
            links: 2,
        })
    }

    pub fn read_link(&self, ino: Ino) -> Result<OsString> {
        Err(Error::new(ErrorKind::NotFound, "no such link"))
    }

    /// Opens a file. Reading through the handle needs no lock but the table's.
    pub fn open(&self, ino: Ino) -> Result<OpenFile> {
        Err(Error::new(ErrorKind::NotFound, "no such file"))
    }

    /// Fills `out` from `at` on and returns how much there was.
    pub fn read(&self, handle: u64, out: &mut [u8], at: u64) -> Result<usize> {
        Err(Error::new(ErrorKind::BadHandle, "no such handle"))
    }

    pub fn release(&self, handle: u64) {}

    pub fn seek(&self, handle: u64, at: u64, to: Seek) -> Result<u64> {
        Err(Error::new(ErrorKind::BadHandle, "no such handle"))
    }

    /// Takes a snapshot of a directory; later changes do not shift its lines. Lines 0 and 1 are `.` and `..`.
    pub fn open_directory(&self, ino: Ino) -> Result<u64> {
        Ok(1)
    }

    /// The line at `index` of an open directory, `None` behind the last.
    pub fn read_directory(&self, handle: u64, index: u64) -> Result<Option<DirectoryEntry>> {
        Ok(None)
    }

    pub fn release_directory(&self, handle: u64) {}

    /// The kernel no longer knows an inode that it looked up `lookups` times.
    pub fn forget(&self, ino: Ino, lookups: u64) {}

    /// `Ok(None)` when the inode has no attribute of that name.
    pub fn xattr(&self, ino: Ino, name: &OsStr) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    pub fn xattr_names(&self, ino: Ino) -> Result<Vec<&'static str>> {
        Ok(Vec::new())
    }

    pub fn space(&self) -> Result<Space> {
        Ok(Space {
            block_size: 4096,
            blocks: 0,
            files: 0,
            name_len: 255,
        })
    }

    /// Looks at every folder again at its next use.
    pub fn rescan(&self) {}

    /// Counters as one line of JSON.
    pub fn statistics(&self) -> String {
        "{}".into()
    }
}
