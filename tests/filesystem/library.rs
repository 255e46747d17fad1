//! A library on disk, and a filesystem over it.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use plainiso::{
    Result,
    cache::BlockCache,
    fs::{Attributes, Filesystem, Ino, Naming, Options, ROOT, Tracks},
};

/// A folder that is removed at the end.
pub(crate) struct Library(tempfile::TempDir);

impl Library {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn with(files: &[(&str, &[u8])]) -> Self {
        let library = Self::new();
        for (name, bytes) in files {
            library.put(name, bytes);
        }
        library
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn mount(&self) -> Filesystem {
        Filesystem::new(self.options()).unwrap()
    }

    /// For servers of NFS.
    pub(crate) fn mount_for_nfs(&self) -> Filesystem {
        let mut options = self.options();
        options.nfs_export = true;
        Filesystem::new(options).unwrap()
    }

    pub(crate) fn options(&self) -> Options {
        options(&[self.root()])
    }
}

pub(crate) fn options(sources: &[&Path]) -> Options {
    Options {
        sources: sources.iter().map(PathBuf::from).collect(),
        root_is_file: false,
        naming: Naming::Strip,
        images_only: false,
        follow_links: false,
        nfs_export: false,
        tracks: Tracks::Both,
        parents: Vec::new(),
        uid: None,
        gid: None,
        umask: None,
        cache: Arc::new(BlockCache::new(8 << 20)),
        password: None,
    }
}

/// The names of a directory, sorted as it lists them, without the dots.
pub(crate) fn names(filesystem: &Filesystem, ino: Ino) -> Vec<String> {
    let handle = filesystem.open_directory(ino).unwrap();
    let line = |index| filesystem.read_directory(handle, index).unwrap();
    let names = (2..)
        .map_while(line)
        .map(|entry| entry.name.into_string().unwrap());
    let names = names.collect();
    filesystem.release_directory(handle);
    names
}

/// Looks a path up, one name after the other.
pub(crate) fn find(filesystem: &Filesystem, path: &str) -> Result<Attributes> {
    let mut attributes = filesystem.attributes(ROOT)?;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        attributes = filesystem.lookup(attributes.ino, OsStr::new(name))?;
    }
    Ok(attributes)
}

/// Opens a file, reads all of it, and closes it.
pub(crate) fn contents(filesystem: &Filesystem, path: &str) -> Result<Vec<u8>> {
    let attributes = find(filesystem, path)?;
    let opened = filesystem.open(attributes.ino)?;
    let mut bytes = vec![0; usize::try_from(attributes.size).unwrap() + 10];
    let read = filesystem.read(opened.handle, &mut bytes, 0);
    filesystem.release(opened.handle);
    bytes.truncate(read?);
    Ok(bytes)
}

/// A plain image with a volume descriptor.
pub(crate) fn volume(len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=250).cycle().take(len).collect();
    bytes[0x8001..0x8006].copy_from_slice(b"CD001");
    bytes
}
