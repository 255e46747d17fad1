//! The names of a listing, packed: large libraries are made of small images, and most are never opened.
//!
//! All names of a listing lie in one piece of memory. What one of ten thousand images needs is a row of 24 bytes, its
//! name once with the end in which the stored name differs, and what is known of its content.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Entry, Item, Place, StoredFile,
    known::{Candidate, Extra, Known},
    probed::Interest,
};
use crate::{Error, ErrorKind, Result};

/// A name and what bears it, before it is packed.
#[derive(Debug)]
pub(super) struct Line {
    /// The shown name.
    pub(super) name: OsString,
    /// The name on disk, relative to `folder` or absolute.
    pub(super) stored: OsString,
    pub(super) folder: Arc<Place>,
    pub(super) thing: Thing,
}

#[derive(Debug)]
pub(super) enum Thing {
    Directory(Vec<Arc<Place>>),
    Link,
    /// A file; with what is known of it, if its content matters.
    File(Option<Candidate>),
}

impl Line {
    /// Where it is on disk; of several folders, the first.
    pub(super) fn path(&self) -> PathBuf {
        match &self.thing {
            Thing::Directory(places) => super::first_of(places),
            Thing::Link | Thing::File(_) => self.folder.path.join(&self.stored),
        }
    }

    /// The stored name behind what it has in common with the shown one.
    fn rest(&self) -> &[u8] {
        let (name, stored) = (self.name.as_bytes(), self.stored.as_bytes());
        let alike = name.iter().zip(stored).take_while(|(a, b)| a == b);
        &stored[alike.count()..]
    }

    fn is_candidate(&self) -> bool {
        matches!(self.thing, Thing::File(Some(_)))
    }
}

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

    pub(super) fn extra_of(&self, at: u32) -> Option<&Extra> {
        self.extras.get(&at)
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
        catalog::Probe,
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
        let folder = Arc::new(Place {
            path: "library".into(),
            id: (0, 0),
            above: None,
        });
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
