//! Stored bytes for decoders that read from front to end, and what they say.

use std::{
    fmt,
    io::{self, BufReader, Read},
    ops::Range,
    sync::Arc,
};

use crate::{Error, ErrorKind, source::Source};

/// Stored bytes that are fetched at once.
const FETCH: usize = 128 << 10;

/// A stretch of a source, read from front to end. Its errors are our own, and [`from_io`] finds them again.
#[derive(Debug)]
pub struct Stretch {
    source: Arc<dyn Source>,
    at: u64,
    end: u64,
}

impl Stretch {
    /// The bytes of `span`, as far as the source has them.
    #[must_use]
    pub fn new(source: Arc<dyn Source>, span: Range<u64>) -> BufReader<Self> {
        let end = span.end.min(source.len());
        let stretch = Self {
            source,
            at: span.start.min(end),
            end,
        };
        BufReader::with_capacity(FETCH, stretch)
    }
}

impl Read for Stretch {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = read_before(self.source.as_ref(), self.at, self.end, buf)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Stored bytes that are read for a look at the first plain ones: frames that hold nothing may go on for as long as the
/// file. All plain bytes that are counted take less, however badly they compress.
const MOST_LOOKED_AT: u64 = 32 << 20;

/// The bytes of a source from its start on, for a look at the first ones. Behind 32 MiB it is an error.
#[derive(Debug)]
pub struct FromStart<'s> {
    source: &'s dyn Source,
    at: u64,
}

impl<'s> FromStart<'s> {
    /// The first bytes of `source`.
    #[must_use]
    pub fn of(source: &'s dyn Source) -> BufReader<Self> {
        BufReader::with_capacity(FETCH, Self { source, at: 0 })
    }
}

impl Read for FromStart<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let end = self.source.len().min(MOST_LOOKED_AT);
        if self.at == end && end < self.source.len() {
            return Err(io::Error::other(Error::new(
                ErrorKind::LimitExceeded,
                "the first 32 MiB of the file do not tell the size of its image",
            )));
        }
        let n = read_before(self.source, self.at, end, buf)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Reads what lies between `at` and `end`.
fn read_before(source: &dyn Source, at: u64, end: u64, buf: &mut [u8]) -> io::Result<usize> {
    let left = usize::try_from(end - at).unwrap_or(usize::MAX);
    let n = left.min(buf.len());
    let read = source.read_exact_at(&mut buf[..n], at);
    read.map_err(io::Error::other)?;
    Ok(n)
}

/// What a checksum at the end of plain bytes says against all of them.
#[derive(Debug)]
pub struct Refuted(pub String);

impl Refuted {
    /// As an error of a reader.
    #[must_use]
    pub fn error(why: impl Into<String>) -> io::Error {
        io::Error::other(Self(why.into()))
    }
}

impl fmt::Display for Refuted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refuted {}

/// What a decoder or the source below it says, as an error of ours.
#[must_use]
pub fn from_io(err: io::Error) -> Error {
    err.downcast::<Error>()
        .unwrap_or_else(|err| Error::corrupt(err.to_string()))
}
