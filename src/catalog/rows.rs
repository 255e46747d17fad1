//! The names of a listing, packed: large libraries are made of small images, and most are never opened.
//!
//! All names of a listing lie in one piece of memory. What one of ten thousand images needs is a row of 24 bytes, its
//! name once with the end in which the stored name differs, and what is known of its content.

use std::{
    collections::HashMap,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    known::{Extra, Known, Share},
    line::{Line, Thing},
    place::{Place, first_of},
    probe::Probe,
    probed::Interest,
};
use crate::{Error, ErrorKind, Result};

/// The lines of a listing.
#[derive(Debug, Default)]
pub(super) struct Rows {
    lines: Vec<Row>,
    text: Vec<u8>,
    /// The folders on disk in which the things stand, most often one.
    folders: Vec<Arc<Place>>,
    directories: Vec<Vec<Arc<Place>>>,
    /// The lock is held to copy or change what is known, never during I/O.
    known: Mutex<Vec<Known>>,
    /// What few images have, by their position in `known`.
    extras: HashMap<u32, Extra>,
}

/// A line. The stored name begins like the shown one; the rest of it stands behind that in the text.
#[derive(Debug)]
struct Row {
    /// Where the shown name begins in the text.
    at: u32,
    name_len: u16,
    /// So many bytes have the shown and the stored name in common.
    shared_len: u16,
    rest_len: u16,
    what: What,
    /// Its position in `folders`.
    folder: u32,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// Its position in `directories`.
    Directory(u32),
    Link,
    PassedThrough,
    /// Its position in `known`.
    Candidate(Interest, u32),
}

/// One name of a listing.
#[derive(Debug)]
pub struct Entry<'l> {
    /// The shown name.
    pub name: &'l OsStr,
    /// What bears it.
    pub item: Item<'l>,
}

/// What a name stands for.
#[derive(Debug)]
pub enum Item<'l> {
    /// A folder.
    Directory(&'l [Arc<Place>]),
    /// A symbolic link, by its path on disk.
    Link(PathBuf),
    /// A file: an image, or another one that is passed through.
    File(StoredFile<'l>),
}

/// A file of the library, or several that are one image.
#[derive(Clone, Copy, Debug)]
pub struct StoredFile<'l> {
    pub(super) folder: &'l Place,
    /// The name, relative to `folder` or absolute, is this,
    shared: &'l OsStr,
    /// and then this.
    rest: &'l OsStr,
    pub(super) rows: &'l Rows,
    /// Of a file whose content matters: why, and where the listing keeps what is known of it.
    pub(super) candidate: Option<(Interest, u32)>,
}

impl Rows {
    /// Packs lines that are sorted by their names.
    ///
    /// # Errors
    /// `LimitExceeded` where there are more than 4 GiB of names.
    pub(super) fn pack(lines: Vec<Line>) -> Result<Self> {
        let mut packed = Self::with_room_for(&lines);
        for line in lines {
            let row = packed.row(line);
            packed.lines.push(row.ok_or_else(|| {
                let message = "the names of the folder do not fit in 4 GiB";
                Error::new(ErrorKind::LimitExceeded, message)
            })?);
        }
        Ok(packed)
    }

    fn with_room_for(lines: &[Line]) -> Self {
        let candidates = lines.iter().filter(|line| line.is_candidate());
        let text = lines.iter().map(|line| line.name.len() + line.rest().len());
        Self {
            lines: Vec::with_capacity(lines.len()),
            text: Vec::with_capacity(text.sum()),
            known: Mutex::new(Vec::with_capacity(candidates.count())),
            ..Self::default()
        }
    }

    fn row(&mut self, line: Line) -> Option<Row> {
        let (at, rest) = (self.text.len(), line.rest());
        self.text.extend(line.name.as_bytes());
        self.text.extend(rest);
        Some(Row {
            at: u32::try_from(at).ok()?,
            name_len: u16::try_from(line.name.len()).ok()?,
            shared_len: u16::try_from(line.stored.len() - rest.len()).ok()?,
            rest_len: u16::try_from(rest.len()).ok()?,
            what: self.what(line.thing)?,
            folder: self.folder(line.folder)?,
        })
    }

    fn what(&mut self, thing: Thing) -> Option<What> {
        Some(match thing {
            Thing::Directory(places) => What::Directory(push(&mut self.directories, places)?),
            Thing::Link => What::Link,
            Thing::File(None) => What::PassedThrough,
            Thing::File(Some(candidate)) => {
                let at = push(&mut self.known(), candidate.known)?;
                self.extras
                    .extend(candidate.extra.map(|extra| (at, *extra)));
                What::Candidate(candidate.interest, at)
            }
        })
    }

    fn folder(&mut self, folder: Arc<Place>) -> Option<u32> {
        let mut folders = self.folders.iter();
        match folders.position(|known| Arc::ptr_eq(known, &folder)) {
            Some(at) => u32::try_from(at).ok(),
            None => push(&mut self.folders, folder),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Vec<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn find(&self, name: &OsStr) -> Option<usize> {
        let name_of = |row: &Row| self.text(row.at as usize, row.name_len);
        self.lines
            .binary_search_by(|row| name_of(row).cmp(name))
            .ok()
    }

    pub(super) fn entry(&self, index: usize) -> Option<Entry<'_>> {
        let row = self.lines.get(index)?;
        let (at, name_len) = (row.at as usize, usize::from(row.name_len));
        let file = |candidate| StoredFile {
            folder: &self.folders[row.folder as usize],
            shared: self.text(at, row.shared_len),
            rest: self.text(at + name_len, row.rest_len),
            rows: self,
            candidate,
        };
        Some(Entry {
            name: self.text(at, row.name_len),
            item: match row.what {
                What::Directory(at) => Item::Directory(&self.directories[at as usize]),
                What::Link => Item::Link(file(None).path()),
                What::PassedThrough => Item::File(file(None)),
                What::Candidate(interest, at) => Item::File(file(Some((interest, at)))),
            },
        })
    }

    fn text(&self, at: usize, len: u16) -> &OsStr {
        OsStr::from_bytes(&self.text[at..at + usize::from(len)])
    }

    /// What was known of a candidate when it was last inspected.
    pub(super) fn known_of(&self, at: u32) -> Known {
        self.known()[at as usize].clone()
    }

    pub(super) fn learn(&self, at: u32, known: Known) {
        self.known()[at as usize] = known;
    }
}

impl Item<'_> {
    /// Where it is on disk; of several folders, the first.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Directory(places) => first_of(places),
            Self::Link(path) => path.clone(),
            Self::File(file) => file.path(),
        }
    }
}

impl StoredFile<'_> {
    /// Where it is on disk; of a set, the first file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let mut stored = self.shared.to_os_string();
        stored.push(self.rest);
        self.folder.path().join(stored)
    }

    /// Whether it is one of several plain files that come from one stored file.
    #[must_use]
    pub fn is_one_of_several(&self) -> bool {
        self.share().is_some()
    }

    /// Whether it is the plain file that stands for all of its stored one.
    pub(super) fn is_main(&self) -> bool {
        self.candidate.is_some_and(|(_, at)| {
            matches!(self.rows.known_of(at).probe(), Probe::Image { file: 0, .. })
        })
    }

    /// Whether its content matters, for more than the names in it.
    #[must_use]
    pub fn bears_an_image(&self) -> bool {
        self.candidate.is_some() && !self.is_made()
    }

    /// The later files of a set.
    pub(super) fn parts(&self) -> &[PathBuf] {
        self.extra().map_or(&[], |extra| &extra.parts)
    }

    /// How the stored bytes are shared out, when it is one of several plain files.
    pub(super) fn share(&self) -> Option<Share> {
        self.extra()?.share
    }

    /// Whether what is shown was made of other files of the folder too.
    pub(super) fn is_made(&self) -> bool {
        self.extra().is_some_and(|extra| extra.is_made)
    }

    fn extra(&self) -> Option<&Extra> {
        self.rows.extras.get(&self.candidate?.1)
    }
}

/// Adds an element, and returns its position.
fn push<T>(elements: &mut Vec<T>, element: T) -> Option<u32> {
    let at = u32::try_from(elements.len()).ok()?;
    elements.push(element);
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::known::Candidate,
        format::{FORMATS, PartOf},
    };

    fn image(number: u64, folder: &Arc<Place>) -> Line {
        let probe = Probe::Image {
            format: FORMATS[0],
            size: number,
            part: PartOf::Whole,
            file: 0,
        };
        Line {
            name: format!("game{number:05}.iso").into(),
            stored: format!("game{number:05}.cso").into(),
            folder: Arc::clone(folder),
            thing: Thing::File(Some(Candidate {
                interest: Interest::ImageName,
                known: Known::new(7, probe),
                extra: None,
            })),
        }
    }

    #[test]
    fn an_image_takes_a_row_and_a_probe_of_24_bytes_each_and_its_names() {
        assert_eq!((size_of::<Row>(), size_of::<Known>()), (24, 24));
        let metadata = std::fs::metadata(".").unwrap();
        let folder = Arc::new(Place::new("library".into(), &metadata, None));
        let rows = Rows::pack((0..100).map(|number| image(number, &folder)).collect()).unwrap();
        assert_eq!((rows.lines.capacity(), rows.known().capacity()), (100, 100));
        assert_eq!(rows.text.capacity(), 100 * "game00000.isocso".len());
        assert_eq!(rows.folders.len(), 1);
        let index = rows.find(OsStr::new("game00042.iso")).unwrap();
        let Item::File(file) = rows.entry(index).unwrap().item else {
            panic!("it is a file");
        };
        assert_eq!(file.path(), PathBuf::from("library/game00042.cso"));
        let probe = rows.known_of(file.candidate.unwrap().1).probe();
        assert!(matches!(probe, Probe::Image { size: 42, .. }));
    }
}
