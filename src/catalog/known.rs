//! What is known about the files whose content matters, as it is kept.

use std::{path::PathBuf, sync::Arc};

use super::{probe::Probe, probed::Interest, stat::Stat};
use crate::format::{FORMATS, PartOf};

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

impl Extra {
    /// Of the first file of a set; `None` where there are no later ones.
    pub(super) fn of_parts(parts: Vec<PathBuf>) -> Option<Box<Self>> {
        (!parts.is_empty()).then(|| {
            Box::new(Self {
                parts,
                share: None,
                is_made: false,
            })
        })
    }
}

/// One of several plain files that come from the same stored ones: so many bytes of all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) own: u64,
    pub(super) all: u64,
    /// The stored file is shown beside, and its bytes are counted there.
    pub(super) is_view: bool,
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
    /// Of a file that was never looked at, or not with success: no file's state has this fingerprint but by chance.
    pub(super) const NEVER: u64 = 0;

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

impl Share {
    /// This file's part of what the stored ones take.
    pub(super) fn of(self, stat: Stat) -> Stat {
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
