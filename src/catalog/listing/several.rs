//! Stored files that are several plain files.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Found, FoundKind};
use crate::{
    catalog::{
        Probe,
        known::{Candidate, Extra, Known, Share},
        passing::passing,
        probed::Interest,
        stat::Stat,
    },
    files::{Content, Listed, Piece, PlainName},
    format::{Format, PartOf, extension_of},
};

/// What the plain files of a stored one share.
#[derive(Debug)]
pub(super) struct Several {
    pub(super) interest: Interest,
    pub(super) format: &'static Format,
    pub(super) listed: Listed,
}

/// One of the plain files.
#[derive(Clone, Debug)]
pub(super) struct OneOf {
    several: Arc<Several>,
    index: usize,
}

/// Puts in place of each stored file that is several plain ones those, each by itself.
pub(super) fn take_apart(found: &mut Vec<Found>) {
    if found.iter().any(|found| found.several().is_some()) {
        *found = found.drain(..).flat_map(apart).collect();
    }
}

fn apart(found: Found) -> Vec<Found> {
    let Some(several) = found.several() else {
        return vec![found];
    };
    let indexes = 0..several.listed.files.len();
    let one = |index| Found {
        name: found.name.clone(),
        elsewhere: found.elsewhere.clone(),
        kind: FoundKind::OneOf(OneOf {
            several: Arc::clone(several),
            index,
        }),
    };
    indexes.map(one).collect()
}

/// The texts among the files, with the names that the files beside them got.
pub(super) fn texts(shown: &[Found], names: &[Option<OsString>]) -> Vec<Option<Arc<[u8]>>> {
    let text = |at: usize| {
        let one = one_of(&shown[at])?;
        let Content::Text(pieces) = one.content() else {
            return None;
        };
        let mut text = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(piece) => text.extend(piece.as_bytes()),
                Piece::NameOf(index) => {
                    let name = neighbour(shown, at, *index).and_then(|at| names[at].as_deref());
                    text.extend(name.unwrap_or(&shown[at].name).as_bytes());
                }
            }
        }
        Some(text.into())
    };
    passing((0..shown.len()).map(text))
}

fn one_of(found: &Found) -> Option<&OneOf> {
    match &found.kind {
        FoundKind::OneOf(one) => Some(one),
        _ => None,
    }
}

/// Where another plain file of the same stored one stands; they stand side by side, but not all may be shown.
fn neighbour(shown: &[Found], at: usize, index: usize) -> Option<usize> {
    let own = one_of(&shown[at])?;
    let from = at.saturating_sub(own.index);
    let until = shown.len().min(at + own.several.listed.files.len());
    (from..until).find(|&at| {
        one_of(&shown[at])
            .is_some_and(|one| one.index == index && Arc::ptr_eq(&one.several, &own.several))
    })
}

impl OneOf {
    pub(super) fn name(&self) -> &PlainName {
        &self.several.listed.files[self.index].name
    }

    pub(super) fn is_stored(&self) -> bool {
        *self.content() == Content::Stored
    }

    /// Whether it is a sheet that was made here, or a member of an archive that bears the name of one.
    pub(super) fn is_sheet(&self) -> bool {
        match self.name() {
            PlainName::Own(name) => matches!(extension_of(name).as_str(), "cue" | "gdi"),
            _ => matches!(self.content(), Content::Text(_)),
        }
    }

    fn content(&self) -> &Content {
        &self.several.listed.files[self.index].content
    }

    /// What is known about it; nothing about one that is shown as stored.
    pub(super) fn candidate(
        &self,
        folder: &Path,
        stored: &OsStr,
        text: Option<Arc<[u8]>>,
    ) -> Option<Candidate> {
        let probe = self.probe(text)?;
        let beside = self.several.listed.beside.iter();
        let parts: Vec<PathBuf> = beside
            .map(|name| Path::new(stored).with_file_name(name))
            .collect();
        let share = self.share(&probe);
        Some(Candidate {
            interest: self.several.interest,
            known: Known::new(fingerprint(folder, stored, &parts), probe),
            extra: Some(Box::new(Extra {
                parts,
                share: Some(share),
                is_made: false,
            })),
        })
    }

    fn probe(&self, text: Option<Arc<[u8]>>) -> Option<Probe> {
        let format = self.several.format;
        match self.content() {
            Content::Blocks { size, number } => Some(Probe::Image {
                format,
                size: *size,
                part: PartOf::Whole,
                file: *number,
            }),
            _ => text.map(|text| Probe::Text(format, text)),
        }
    }

    fn share(&self, probe: &Probe) -> Share {
        let listed = &self.several.listed;
        let mut files = listed.files.iter();
        Share {
            own: match *probe {
                Probe::Image { size, .. } => size,
                _ => 0,
            },
            all: listed.plain_bytes(),
            is_view: files.any(|file| file.content == Content::Stored),
        }
    }
}

/// The state of all files that it comes from, as each later look takes it.
fn fingerprint(folder: &Path, stored: &OsStr, parts: &[PathBuf]) -> u64 {
    let stat = |path: &Path| Stat::of_file(&folder.join(path)).ok();
    let first = stat(Path::new(stored));
    let all = parts.iter().filter_map(|part| stat(part));
    first.map_or(0, |first| {
        all.fold(first, |sum, part| sum.and(&part)).fingerprint
    })
}
