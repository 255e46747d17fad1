//! What is known about a stored file, and how it is kept true.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Place, Reported, stat::Stat};
use crate::{
    ErrorKind, Result,
    format::{self, Format, PartOf},
    source::FileSource,
};

/// A file of the library, or several that are one image.
#[derive(Debug)]
pub struct StoredFile {
    pub(super) folder: Arc<Place>,
    /// Relative to `folder`, or absolute.
    pub(super) stored: Arc<OsStr>,
    /// Only for files whose content matters, which keeps the others small.
    pub(super) candidate: Option<Box<Candidate>>,
}

/// A file whose content matters.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) interest: Interest,
    /// The later files of a set, relative to the folder or absolute.
    pub(super) parts: Vec<PathBuf>,
    pub(super) known: Mutex<Known>,
}

/// What a file was when it was last inspected.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The file on disk.
    pub stat: Stat,
    /// Changes whenever the file, of a set the first, is replaced or written to.
    pub first_fingerprint: u64,
    /// What it holds.
    pub probe: Probe,
}

/// What a file holds, as far as its header tells.
#[derive(Clone, Copy, Debug)]
pub enum Probe {
    /// It is shown byte for byte.
    PassThrough,
    /// An image.
    Image {
        /// Its format.
        format: &'static Format,
        /// Number of plain bytes.
        size: u64,
        /// Whether it is all of the image.
        part: PartOf,
    },
    /// It should be an image by its name, and is none that can be read.
    Fault,
}

/// Why a file's content matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Interest {
    /// It does not: the file is passed through.
    Nothing,
    /// It bears the name of a plain image: it is passed through unless it is a compressed one.
    PlainName,
    /// It bears the name of a compressed image: if it is none, it is damaged.
    ImageName,
    /// It was named by the user: it is an image if the content is one.
    Named,
}

impl Interest {
    pub(super) fn of_name(name: &OsStr) -> Self {
        match format::of_name(name) {
            Some(format) if is_plain(format) => Self::PlainName,
            Some(_) => Self::ImageName,
            None => Self::Nothing,
        }
    }
}

/// A probe, and the state of the file to which it belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) fingerprint: u64,
    pub(super) probe: Probe,
}

impl StoredFile {
    /// Where it is on disk; of a set, the first file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&*self.stored)
    }

    /// Its state, and whether its part in the naming of its folder changed since it was listed.
    pub(super) fn look(&self, reported: &Reported) -> Result<(Seen, bool)> {
        let path = self.path();
        let first = Stat::of_file(&path)?;
        let mut seen = Seen {
            stat: first,
            first_fingerprint: first.fingerprint,
            probe: Probe::PassThrough,
        };
        let Some(candidate) = &self.candidate else {
            return Ok((seen, false));
        };
        let before = *candidate.known();
        seen.probe = before.probe;
        if before.fingerprint != first.fingerprint {
            seen.probe = Probe::of(&path, candidate.interest, first.fingerprint, reported);
            *candidate.known() = Known {
                fingerprint: first.fingerprint,
                probe: seen.probe,
            };
        }
        for part in &candidate.parts {
            if let Ok(part) = Stat::of_file(&self.folder.path().join(part)) {
                seen.stat = seen.stat.and(&part);
            }
        }
        Ok((seen, before.probe.role() != seen.probe.role()))
    }
}

impl Candidate {
    /// The lock is held to copy or change what is known, never during I/O.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Probe {
    /// Reads the header of a file. A fault is reported once for each `fingerprint`.
    pub(super) fn of(
        path: &Path,
        interest: Interest,
        fingerprint: u64,
        reported: &Reported,
    ) -> Self {
        if interest == Interest::Nothing {
            return Self::PassThrough;
        }
        let name = path.file_name().unwrap_or_default();
        let probed = FileSource::open(path).and_then(|source| format::probe(&source, name));
        match probed {
            Ok((format, _)) if is_plain(format) && interest != Interest::ImageName => {
                Self::PassThrough
            }
            Ok((format, summary)) => Self::Image {
                format,
                size: summary.size,
                part: summary.part,
            },
            Err(err) if interest != Interest::ImageName && is_foreign(err.kind()) => {
                Self::PassThrough
            }
            Err(err) => {
                reported.fault(path, fingerprint, &err.in_file(path));
                match interest {
                    Interest::PlainName => Self::PassThrough,
                    _ => Self::Fault,
                }
            }
        }
    }

    /// What decides about the names in a folder.
    fn role(self) -> (u8, Option<PartOf>) {
        match self {
            Self::PassThrough => (0, None),
            Self::Image { part, .. } => (1, Some(part)),
            Self::Fault => (2, None),
        }
    }
}

fn is_foreign(kind: ErrorKind) -> bool {
    kind == ErrorKind::UnknownFormat
}

/// Whether a format stores plain bytes as they are.
fn is_plain(format: &Format) -> bool {
    format.name == "iso"
}
