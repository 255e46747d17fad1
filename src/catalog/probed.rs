//! Looking into a stored file: what it is shown as.

use std::{ffi::OsStr, path::Path, sync::Arc};

use super::{Reported, probe::Probe};
use crate::{
    Error, ErrorKind, Result,
    files::{Content, Listed, Tracks},
    format::{self, Format, OpenOptions},
    source::{FileSource, Folder, Links, Source},
};

/// By which rules a file is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'c> {
    pub(super) reported: &'c Reported,
    /// Where the links beside it may lead.
    pub(super) links: &'c Links,
    pub(super) tracks: Tracks,
}

/// Why a file's content matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Interest {
    /// It does not: the file is passed through.
    Nothing,
    /// It bears the name of a plain image: it is passed through unless it is a compressed one.
    PlainName,
    /// It bears the name of an image, but is passed through if it is none that can be read.
    PassesThrough,
    /// It bears the name of a compressed image: if it is none, it is damaged.
    ImageName,
    /// It was named by the user: it is an image if the content is one.
    Named,
}

impl Interest {
    pub(super) fn of_name(name: &OsStr) -> Self {
        match format::of_name(name) {
            Some(format) if is_plain(format) => Self::PlainName,
            Some(format) if format.passes_through => Self::PassesThrough,
            Some(_) => Self::ImageName,
            None => Self::Nothing,
        }
    }
}

/// What a stored file is: one plain file, or several.
pub(super) enum Probed {
    One(Probe),
    /// What stands for a file that the system did not let us read. It is tried again at each look.
    Unread(Probe),
    Several(&'static Format, Listed),
}

impl Probed {
    /// Reads as much of a file as tells what it is shown as. A fault is reported once for each `fingerprint`.
    pub(super) fn of(path: &Path, interest: Interest, fingerprint: u64, rules: &Rules<'_>) -> Self {
        if interest == Interest::Nothing {
            return Self::One(Probe::PassThrough);
        }
        match Self::read(path, interest, rules) {
            Ok(probed) => probed,
            Err(err) if interest != Interest::ImageName && is_foreign(err.kind()) => {
                Self::One(Probe::PassThrough)
            }
            Err(err) => {
                let is_of_the_system = err.os_error().is_some();
                rules.reported.fault(path, fingerprint, &err.in_file(path));
                let probe = match interest {
                    Interest::PlainName | Interest::PassesThrough => Probe::PassThrough,
                    _ => Probe::Fault,
                };
                if is_of_the_system {
                    Self::Unread(probe)
                } else {
                    Self::One(probe)
                }
            }
        }
    }

    fn read(path: &Path, interest: Interest, rules: &Rules<'_>) -> Result<Self> {
        let source: Arc<dyn Source> = Arc::new(FileSource::open(path)?);
        let options = OpenOptions {
            name: path.file_name().unwrap_or_default(),
            siblings: &Folder::of(path).with_links(rules.links),
            tracks: rules.tracks,
            ..OpenOptions::alone()
        };
        let format = format::detect(source.as_ref(), options.name)?;
        if is_plain(format) && interest != Interest::ImageName {
            return Ok(Self::One(Probe::PassThrough));
        }
        // What bears a plain image's name keeps it, and so is one file.
        if let Some(files) = format.files.filter(|_| interest != Interest::PlainName) {
            return one_of(format, files(&source, &options)?);
        }
        let summary = (format.probe)(source.as_ref())?;
        Ok(Self::One(Probe::Image {
            format,
            size: summary.size,
            part: summary.part,
            file: 0,
        }))
    }
}

/// A list of files, which must not be empty.
fn one_of(format: &'static Format, listed: Listed) -> Result<Probed> {
    if listed.files.is_empty() {
        let none = "there is no disc image in it";
        return Err(Error::new(ErrorKind::UnknownFormat, none));
    }
    // The stored file alone is one that is passed through.
    if let [only] = &listed.files[..] {
        if only.content == Content::Stored {
            return Ok(Probed::One(Probe::PassThrough));
        }
    }
    Ok(Probed::Several(format, listed))
}

fn is_foreign(kind: ErrorKind) -> bool {
    kind == ErrorKind::UnknownFormat
}

/// Whether a format stores plain bytes as they are.
fn is_plain(format: &Format) -> bool {
    format.name == "iso"
}
