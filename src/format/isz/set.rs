//! The files of a set, found, checked and joined.

use std::{ffi::OsStr, ops::Range, sync::Arc};

use super::{
    OpenOptions,
    header::{Header, Identity},
    names::Naming,
    segments::{MAX_FILES, Segment},
};
use crate::{
    Error, ErrorKind, Result,
    source::{Part, Parts, Source},
};

/// Chunk data in one piece, whether it comes from one file or from many.
#[derive(Debug)]
pub(super) struct Joined {
    /// The first file up to the end of its data, then the data of the others; or the single file as it is.
    pub(super) source: Arc<dyn Source>,
    /// Where the first chunk is in `source`.
    pub(super) data_at: u64,
    /// What the files lack of their data.
    pub(super) gaps: Vec<Gap>,
    /// The names of the files; empty for a single file.
    pub(super) names: Vec<String>,
    /// Oddities.
    pub(super) notes: Vec<String>,
}

/// Bytes of a joined source that its files do not have.
#[derive(Debug)]
pub(super) struct Gap {
    /// Their positions in the joined source.
    pub(super) bytes: Range<u64>,
    /// The file that should have them.
    pub(super) file: String,
}

/// A single file with `len` bytes of chunk data.
pub(super) fn alone(
    source: Arc<dyn Source>,
    data_at: u64,
    len: u64,
    name: &OsStr,
) -> Result<Joined> {
    let mut set = Set::default();
    set.push(Arc::clone(&source), 0, data_at + len, display(name));
    let mut joined = set.join(data_at)?;
    joined.source = source;
    joined.names.clear();
    Ok(joined)
}

/// A set that a segment table describes.
///
/// # Errors
/// `MissingPart` naming the file that is not there, `Corrupt` when one does not belong to the set.
pub(super) fn of_segments(
    source: Arc<dyn Source>,
    header: &Header,
    segments: &[Segment],
    options: &OpenOptions<'_>,
) -> Result<Joined> {
    let mut set = Set::default();
    let mut files = Files::new(header.identity, options, segments.len());
    let (first, later) = segments.split_first().expect("it has an entry");
    check_start(header.identity, first.at)?;
    let first_len = first.at + first.len;
    set.push(source, 0, first_len, display(options.name));
    set.check_len(first.file_len);
    for segment in later {
        let file = files.next()?;
        check_start(file.identity, segment.at).map_err(|err| err.in_context(&file.name))?;
        set.push(file.source, segment.at, segment.len, file.name);
        set.check_len(segment.file_len);
    }
    set.join(first.at)
}

/// A set without tables: every file but the last has the same size, and all behind its header is image.
///
/// # Errors
/// As [`of_segments`].
pub(super) fn of_equal_files(
    source: Arc<dyn Source>,
    header: &Header,
    options: &OpenOptions<'_>,
) -> Result<Joined> {
    let mut set = Set::default();
    let len = header.segment_size - header.data_at;
    set.push(source, 0, header.segment_size, display(options.name));
    let mut left = header.size - len;
    let count = files_for(left, header);
    let mut files = Files::new(header.identity, options, count);
    while left > 0 {
        let file = files.next()?;
        let at = file.identity.header_size;
        let room = header.segment_size.checked_sub(at).filter(|&room| room > 0);
        let len = left.min(room.ok_or_else(|| {
            Error::corrupt(format!(
                "{}: header size is {at}, which leaves no room for data in a file of {}",
                file.name, header.segment_size
            ))
        })?);
        set.push(file.source, at, len, file.name);
        left -= len;
    }
    set.join(header.data_at)
}

/// How many files the set has when all headers are as long as the first one's.
fn files_for(left: u64, header: &Header) -> usize {
    let room = header
        .segment_size
        .saturating_sub(header.identity.header_size);
    usize::try_from(left.div_ceil(room.max(1))).map_or(usize::MAX, |later| later.saturating_add(1))
}

fn check_start(identity: Identity, at: u64) -> Result<()> {
    if at < identity.header_size {
        return Err(Error::corrupt(format!(
            "its chunk data begins at {at}, inside the header of {} bytes",
            identity.header_size
        )));
    }
    Ok(())
}

/// Collects the pieces.
#[derive(Default)]
struct Set {
    parts: Vec<Part>,
    end: u64,
    gaps: Vec<Gap>,
    notes: Vec<String>,
}

impl Set {
    fn push(&mut self, source: Arc<dyn Source>, at: u64, len: u64, name: String) {
        let there = source.len().saturating_sub(at).min(len);
        if there < len {
            self.notes.push(format!(
                "{name} is cut short: it lacks the last {} bytes of its data, and the chunks in them cannot be read",
                len - there
            ));
            self.gaps.push(Gap {
                bytes: self.end + there..self.end + len,
                file: name.clone(),
            });
        }
        self.end += len;
        self.parts.push(Part {
            source,
            at,
            len,
            name,
        });
    }

    /// Notes when the last file pushed has all its data, but not the `expected` size.
    fn check_len(&mut self, expected: u64) {
        let Some(part) = self.parts.last() else {
            return;
        };
        let len = part.source.len();
        if len != expected && len >= part.at + part.len {
            self.notes.push(format!(
                "{} has {len} bytes, the segment table says {expected}",
                part.name
            ));
        }
    }

    fn join(self, data_at: u64) -> Result<Joined> {
        Ok(Joined {
            names: self.parts.iter().map(|part| part.name.clone()).collect(),
            source: Arc::new(Parts::new(self.parts)?),
            data_at,
            gaps: self.gaps,
            notes: self.notes,
        })
    }
}

/// A later file of the set, known to belong to it.
struct LaterFile {
    source: Arc<dyn Source>,
    identity: Identity,
    name: String,
}

/// Finds the later files, in order.
struct Files<'a> {
    first: Identity,
    options: &'a OpenOptions<'a>,
    /// How many files the set has, for messages.
    count: usize,
    found: usize,
    /// The possible names; only one is left after the second file was found.
    schemes: Vec<Naming>,
}

impl<'a> Files<'a> {
    fn new(first: Identity, options: &'a OpenOptions<'a>, count: usize) -> Self {
        Self {
            first,
            options,
            count,
            found: 1,
            schemes: Naming::of_first(options.name),
        }
    }

    fn next(&mut self) -> Result<LaterFile> {
        let number = self.found;
        if number == MAX_FILES {
            return Err(Error::corrupt(format!(
                "the set has {} files, more than {MAX_FILES}",
                self.count
            )));
        }
        for i in 0..self.schemes.len() {
            let name = self.schemes[i].name(number);
            if let Some(source) = self.options.siblings.find(&name)? {
                self.schemes = vec![self.schemes.swap_remove(i)];
                self.found += 1;
                let name = display(&name);
                let identity = self
                    .check(source.as_ref(), number)
                    .map_err(|err| err.in_context(&name))?;
                return Ok(LaterFile {
                    source,
                    identity,
                    name,
                });
            }
        }
        Err(self.missing(number))
    }

    fn check(&self, source: &dyn Source, number: usize) -> Result<Identity> {
        let identity = Identity::read(source)?;
        if identity.serial != self.first.serial {
            return Err(Error::corrupt(format!(
                "volume serial number is {:08x}, not {:08x}: it belongs to another image",
                identity.serial, self.first.serial
            )));
        }
        if usize::from(identity.number) != number {
            return Err(Error::corrupt(format!(
                "segment number is {}, not {number}: it bears the name of another file of the set",
                identity.number
            )));
        }
        Ok(identity)
    }

    fn missing(&self, number: usize) -> Error {
        Error::new(
            ErrorKind::MissingPart,
            format!(
                "file {} of {} of the set is missing: put {} beside {}",
                number + 1,
                self.count,
                display(&self.schemes[0].name(number)),
                display(self.options.name)
            ),
        )
    }
}

/// A file name for messages.
pub(super) fn display(name: &OsStr) -> String {
    match name.to_string_lossy() {
        name if name.is_empty() => "the file".into(),
        name => name.escape_debug().to_string(),
    }
}
