//! What is known about a stored file, and how it is kept true.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Place, StableHash,
    probed::{Interest, Probed, Rules},
    rows::Rows,
    stat::Stat,
};
use crate::{
    Result,
    cache::BlockCache,
    format::{FORMATS, Format, PartOf, Password},
    image::Image,
    source::Folder,
};

/// A file of the library, or several that are one image.
#[derive(Clone, Copy, Debug)]
pub struct StoredFile<'l> {
    pub(super) folder: &'l Place,
    /// The name, relative to `folder` or absolute, is this,
    pub(super) shared: &'l OsStr,
    /// and then this.
    pub(super) rest: &'l OsStr,
    pub(super) rows: &'l Rows,
    /// Of a file whose content matters: why, and where the listing keeps what is known of it.
    pub(super) candidate: Option<(Interest, u32)>,
}

/// A file whose content matters.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) interest: Interest,
    pub(super) known: Known,
    pub(super) extra: Option<Box<Extra>>,
}

/// What few images have.
#[derive(Debug)]
pub(super) struct Extra {
    /// The later files of a set, relative to the folder or absolute.
    pub(super) parts: Vec<PathBuf>,
    /// How the stored bytes are shared out, when it is one of several plain files.
    pub(super) share: Option<Share>,
    /// Whether what is shown was made of other files of the folder too: a change means to list it anew.
    pub(super) is_made: bool,
}

/// One of several plain files that come from the same stored ones: so many bytes of all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) own: u64,
    pub(super) all: u64,
    /// The stored file is shown beside, and its bytes are counted there.
    pub(super) is_view: bool,
}

/// What a file was when it was last inspected.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The file on disk.
    pub stat: Stat,
    /// Changes whenever the file, of a set the first, is replaced or written to.
    pub first_fingerprint: u64,
    /// What it holds.
    pub probe: Probe,
}

/// What a file holds, as far as its header tells.
#[derive(Clone, Debug)]
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
        /// Its number among the plain files of the stored one.
        file: u32,
    },
    /// A text that is made here, of a stored file of this format.
    Text(&'static Format, Arc<[u8]>),
    /// It should be an image by its name, and is none that can be read.
    Fault,
}

/// A probe, and the state of the file to which it belongs.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) fingerprint: u64,
    kept: Kept,
}

/// A probe, packed: there is one for each image of a library.
#[derive(Clone, Debug)]
enum Kept {
    PassThrough,
    Fault,
    /// One that is whole. The format is its position in [`FORMATS`].
    Image {
        format: u8,
        file: u32,
        size: u64,
    },
    Other(Arc<Probe>),
}

impl Known {
    pub(super) fn new(fingerprint: u64, probe: Probe) -> Self {
        let kept = match probe {
            Probe::PassThrough => Kept::PassThrough,
            Probe::Fault => Kept::Fault,
            probe => Kept::image(&probe).unwrap_or_else(|| Kept::Other(Arc::new(probe))),
        };
        Self { fingerprint, kept }
    }

    pub(super) fn probe(&self) -> Probe {
        match &self.kept {
            Kept::PassThrough => Probe::PassThrough,
            Kept::Fault => Probe::Fault,
            Kept::Image { format, file, size } => Probe::Image {
                format: FORMATS[usize::from(*format)],
                size: *size,
                part: PartOf::Whole,
                file: *file,
            },
            Kept::Other(probe) => Probe::clone(probe),
        }
    }
}

impl Kept {
    fn image(probe: &Probe) -> Option<Self> {
        let Probe::Image {
            format,
            size,
            part: PartOf::Whole,
            file,
        } = *probe
        else {
            return None;
        };
        let mut formats = FORMATS.iter();
        let at = formats.position(|known| std::ptr::eq(*known, format))?;
        Some(Self::Image {
            format: u8::try_from(at).ok()?,
            file,
            size,
        })
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
        self.extra().is_some_and(|extra| extra.share.is_some())
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
        self.candidate.is_some() && self.extra().is_none_or(|extra| !extra.is_made)
    }

    fn extra(&self) -> Option<&Extra> {
        self.rows.extra_of(self.candidate?.1)
    }

    /// Its state, and whether its part in the naming of its folder changed since it was listed.
    pub(super) fn look(&self, rules: &Rules<'_>) -> Result<(Seen, bool)> {
        let path = self.path();
        let first = Stat::of_file(&path)?;
        let mut seen = Seen {
            stat: first,
            first_fingerprint: first.fingerprint,
            probe: Probe::PassThrough,
        };
        let Some((interest, at)) = self.candidate else {
            return Ok((seen, false));
        };
        let before = self.rows.known_of(at);
        let parts = self.extra().map_or(&[][..], |extra| &extra.parts);
        for part in parts {
            if let Ok(part) = Stat::of_file(&self.folder.path().join(part)) {
                seen.stat = seen.stat.and(&part);
            }
        }
        if let Some(share) = self.extra().and_then(|extra| extra.share) {
            // Its neighbours may have changed with it: all are listed anew.
            let changed = before.fingerprint != seen.stat.fingerprint;
            seen.stat = share.of(seen.stat);
            return Ok((seen.with(before.probe()), changed));
        }
        if self.extra().is_some_and(|extra| extra.is_made) {
            let changed = before.fingerprint != first.fingerprint;
            return Ok((seen.with(before.probe()), changed));
        }
        seen.probe = before.probe();
        let mut is_several = false;
        if before.fingerprint != first.fingerprint {
            let known = Known::of(&path, interest, first.fingerprint, rules);
            is_several = known.is_none();
            let known = known.unwrap_or_else(|| Known::new(Known::NEVER, Probe::Fault));
            seen.probe = known.probe();
            self.rows.learn(at, known);
        }
        let role_changed = is_several || before.probe().role() != seen.probe.role();
        Ok((seen, role_changed))
    }
}

impl Seen {
    /// Of a text that is made here, the state is that of the text too: the names in it may change alone.
    fn with(mut self, probe: Probe) -> Self {
        if let Probe::Text(_, text) = &probe {
            let state = StableHash::new().number(self.stat.fingerprint);
            self.stat.fingerprint = state.bytes(text).finish();
        }
        self.probe = probe;
        self
    }
}

impl Share {
    /// This file's part of what the stored ones take.
    fn of(self, stat: Stat) -> Stat {
        let stored =
            u128::from(stat.stored_size) * u128::from(self.own) / u128::from(self.all.max(1));
        Stat {
            stored_size: if self.is_view {
                0
            } else {
                u64::try_from(stored).unwrap_or(stat.stored_size)
            },
            ..stat
        }
    }
}

impl Known {
    /// Of a file that was never looked at, or not with success: no file's state has this fingerprint but by chance.
    pub(super) const NEVER: u64 = 0;

    /// Reads the header of a file. A fault is reported once for each `fingerprint`. `None` of what became several
    /// plain files: then its folder has to be listed anew.
    fn of(path: &Path, interest: Interest, fingerprint: u64, rules: &Rules<'_>) -> Option<Self> {
        let (fingerprint, probe) = match Probed::of(path, interest, fingerprint, rules) {
            Probed::One(probe) => (fingerprint, probe),
            Probed::Unread(probe) => (Self::NEVER, probe),
            Probed::Several(..) => return None,
        };
        Some(Self::new(fingerprint, probe))
    }
}

impl Probe {
    /// Opens what was seen at `path`, with what `folder` finds beside it; what is passed through too, as an image.
    ///
    /// # Errors
    /// As [`Image::open`].
    pub fn open(
        &self,
        path: &Path,
        folder: &Folder,
        cache: Arc<BlockCache>,
        password: &dyn Fn() -> Result<Option<Password>>,
    ) -> Result<Image> {
        match self {
            Self::Text(format, text) => Ok(Image::of_text(format, text, cache)),
            Self::Image { file, .. } => Image::open_among(folder, path, *file, cache, password),
            Self::PassThrough | Self::Fault => Image::open_among(folder, path, 0, cache, password),
        }
    }

    /// What decides about the names in a folder.
    fn role(&self) -> (u8, Option<PartOf>) {
        match self {
            Self::PassThrough => (0, None),
            Self::Text(..) => (3, None),
            Self::Image { part, .. } => (1, Some(*part)),
            Self::Fault => (2, None),
        }
    }
}
