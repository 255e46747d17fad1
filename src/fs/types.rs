//! What the filesystem takes and gives.

use std::{ffi::OsString, path::PathBuf, sync::Arc, time::SystemTime};

use crate::{cache::BlockCache, catalog::Naming, files::Tracks, format::Password};

/// An inode's number. 1 is the root; the others are made from names, so they are the same after a restart.
pub type Ino = u64;

/// The root's number.
pub const ROOT: Ino = 1;

/// What a filesystem shows, and how.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)]
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
    /// Servers of NFS give it out: they need numbers that stand for one file each, as long as the kernel knows it.
    pub nfs_export: bool,
    /// Which files a disc of one data track is shown as.
    pub tracks: Tracks,
    /// Files and folders that may hold the parents of CHDs.
    pub parents: Vec<PathBuf>,
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

/// A file's attributes.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// Its number.
    pub ino: Ino,
    /// Of a lookup, where servers of NFS give it out: another one when another file bears the number. 0 else, and of
    /// folders.
    pub generation: u32,
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
    /// Number for `Filesystem::read` and `Filesystem::release`.
    pub handle: u64,
    /// The source is unchanged since the kernel last saw it, so its cached pages are still right.
    pub unchanged: bool,
}

/// Where `SEEK_DATA` and `SEEK_HOLE` go.
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
