//! The files that stand beside an image.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::{FileSource, MOST_NAMES, Siblings, Source};
use crate::{Error, ErrorKind, Result};

/// Where symbolic links may lead.
#[derive(Clone, Debug)]
pub enum Links {
    /// Anywhere: the user asked for that, or named the image.
    Anywhere,
    /// To what lies in these folders, in whose own paths are no symbolic links.
    Within(Arc<[PathBuf]>),
}

impl Links {
    /// Whether a link may lead to `target`, in whose path are no symbolic links.
    #[must_use]
    pub fn may_lead_to(&self, target: &Path) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Within(folders) => folders.iter().any(|folder| target.starts_with(folder)),
        }
    }
}

/// The files of one folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    links: Links,
    elsewhere: Arc<[PathBuf]>,
}

impl Folder {
    /// The folder in which `file` stands. Its symbolic links may lead anywhere.
    #[must_use]
    pub fn of(file: &Path) -> Self {
        let path = match file.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        Self {
            path: path.to_path_buf(),
            links: Links::Anywhere,
            elsewhere: Arc::new([]),
        }
    }

    /// The files and folders to look in for what is not beside an image.
    #[must_use]
    pub fn with_elsewhere(self, paths: &[PathBuf]) -> Self {
        Self {
            elsewhere: paths.into(),
            ..self
        }
    }

    /// Its symbolic links may lead here only.
    #[must_use]
    pub fn with_links(self, links: &Links) -> Self {
        Self {
            links: links.clone(),
            ..self
        }
    }

    fn matching(&self, name: &OsStr) -> Result<Option<OsString>> {
        let cannot = |e| Error::io(e, "cannot list the folder").in_file(&self.path);
        for entry in fs::read_dir(&self.path).map_err(cannot)? {
            let found = entry.map_err(cannot)?.file_name();
            if found.eq_ignore_ascii_case(name) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Opens a file of the folder, unless it is a link that leads where none may.
    fn open(&self, name: &OsStr) -> Result<Arc<dyn Source>> {
        let path = self.path.join(name);
        let cannot = |e| Error::io(e, "cannot open the file").in_file(&path);
        if !fs::symlink_metadata(&path).map_err(cannot)?.is_symlink() {
            return Ok(Arc::new(FileSource::open(&path)?));
        }
        let target = fs::canonicalize(&path).map_err(cannot)?;
        if !self.links.may_lead_to(&target) {
            let message =
                "is a link that leads out of the library, and is followed with follow_links only";
            return Err(Error::new(ErrorKind::MissingPart, message).in_file(&path));
        }
        Ok(Arc::new(FileSource::open(&target)?))
    }
}

impl Siblings for Folder {
    fn find(&self, name: &OsStr) -> Result<Option<Arc<dyn Source>>> {
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(one)), None) if one == name)
        {
            return Ok(None);
        }
        if self.path.join(name).exists() {
            return self.open(name).map(Some);
        }
        let found = self.matching(name)?;
        found.map(|found| self.open(&found)).transpose()
    }

    fn names(&self) -> Result<Vec<OsString>> {
        let cannot = |e| Error::io(e, "cannot list the folder").in_file(&self.path);
        let entries = fs::read_dir(&self.path).map_err(cannot)?;
        let names = entries
            .take(MOST_NAMES + 1)
            .map(|entry| Ok(entry?.file_name()));
        let names = names.collect::<io::Result<Vec<_>>>().map_err(cannot)?;
        if names.len() > MOST_NAMES {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("the folder holds more than {MOST_NAMES} files"),
            )
            .in_file(&self.path));
        }
        Ok(names)
    }

    fn elsewhere(&self) -> &[PathBuf] {
        &self.elsewhere
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn siblings_are_found_whatever_their_letter_case() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("GAME.I01"), b"part").unwrap();
        let folder = Folder::of(&dir.path().join("game.isz"));
        let found = folder.find(OsStr::new("game.i01")).unwrap().unwrap();
        assert_eq!(found.len(), 4);
        assert!(folder.find(OsStr::new("game.i02")).unwrap().is_none());
    }

    #[test]
    fn a_link_is_followed_where_it_may_lead_only() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let put = |folder: &Path| fs::write(folder.join("x"), b"part").unwrap();
        put(dir.path());
        put(outside.path());
        symlink(outside.path().join("x"), dir.path().join("out")).unwrap();
        symlink("x", dir.path().join("in")).unwrap();
        let anywhere = Folder::of(&dir.path().join("game.cue"));
        let root = fs::canonicalize(dir.path()).unwrap();
        let within = anywhere
            .clone()
            .with_links(&Links::Within(Arc::new([root])));
        for name in ["x", "in", "OUT", "IN"] {
            assert!(anywhere.find(OsStr::new(name)).unwrap().is_some(), "{name}");
        }
        for name in ["x", "in", "IN"] {
            assert!(within.find(OsStr::new(name)).unwrap().is_some(), "{name}");
        }
        for name in ["out", "OUT"] {
            let err = within.find(OsStr::new(name)).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::MissingPart);
        }
    }

    #[test]
    fn what_is_no_name_of_a_file_is_not_found() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x"), b"part").unwrap();
        let path = dir.path().join("x");
        let folder = Folder::of(&path);
        for name in ["", ".", "..", "./x", "x/", path.to_str().unwrap()] {
            assert!(folder.find(OsStr::new(name)).unwrap().is_none(), "{name}");
        }
    }
}
