//! How chunks and tables are compressed.

use std::io::{self, Cursor, Read};

use bzip2::bufread::BzDecoder;
use lzma_rust2::{Lzma2Reader, LzmaReader};

use super::{bytes::Bytes, kind::Kind, purge::Purge, zstd};
use crate::{Error, Result};

/// Plain bytes from front to end.
pub(super) type Stream<'a> = Box<dyn Read + Send + 'a>;

/// A way to compress.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Method {
    Stored,
    /// Zeroes left out.
    Purge,
    Bzip2,
    /// Without a header.
    Lzma {
        lc: u8,
        lp: u8,
        pb: u8,
        dictionary: u32,
    },
    Lzma2 {
        dictionary: u32,
    },
    Zstd,
}

impl Method {
    /// The method with a number, and its settings.
    pub(super) fn new(kind: Kind, number: u32, settings: &[u8]) -> Result<Self> {
        match (number, kind) {
            (0, _) => Ok(Self::Stored),
            (1, Kind::Wia) => Ok(Self::Purge),
            (2, _) => Ok(Self::Bzip2),
            (3, _) => Self::lzma(settings),
            (4, _) => Self::lzma2(settings),
            (5, Kind::Rvz) => Ok(Self::Zstd),
            _ => Err(Error::unsupported(format!(
                "compression is {number}, known for {} are {}",
                kind.name(),
                match kind {
                    Kind::Wia => "0 to 4",
                    Kind::Rvz => "0 and 2 to 5",
                }
            ))),
        }
    }

    fn lzma(settings: &[u8]) -> Result<Self> {
        match *settings {
            [packed @ 0..225, a, b, c, d] => Ok(Self::Lzma {
                lc: packed % 9,
                lp: packed / 9 % 5,
                pb: packed / 45,
                dictionary: u32::from_le_bytes([a, b, c, d]),
            }),
            [packed, _, _, _, _] => Err(Error::corrupt(format!(
                "the settings of lzma begin with {packed}, it must be below 225"
            ))),
            _ => Err(Error::corrupt(format!(
                "the settings of lzma have {} bytes, they must have 5",
                settings.len()
            ))),
        }
    }

    fn lzma2(settings: &[u8]) -> Result<Self> {
        match *settings {
            [40] => Ok(Self::Lzma2 {
                dictionary: u32::MAX,
            }),
            [size @ 0..40] => Ok(Self::Lzma2 {
                dictionary: (2 | u32::from(size & 1)) << (size / 2 + 11),
            }),
            _ => Err(Error::corrupt(format!(
                "the settings of lzma2 are {settings:?}, they must be one number up to 40"
            ))),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Purge => "purge",
            Self::Bzip2 => "bzip2",
            Self::Lzma { .. } => "lzma",
            Self::Lzma2 { .. } => "lzma2",
            Self::Zstd => "zstd",
        }
    }

    /// The checksum that each stream carries.
    pub(super) fn checksum(self) -> Option<&'static str> {
        match self {
            Self::Purge => Some("sha1"),
            Self::Bzip2 => Some("crc32"),
            _ => None,
        }
    }

    /// Whether lists of exceptions are followed by bytes that make their length a multiple of 4.
    pub(super) fn pads_lists(self) -> bool {
        matches!(self, Self::Stored | Self::Purge)
    }

    /// Whether a stream says where it ends: LZMA without a header need not.
    pub(super) fn has_end(self) -> bool {
        matches!(self, Self::Bzip2 | Self::Lzma2 { .. } | Self::Zstd)
    }

    /// Begins to decode `stored`, which holds no more than `most` plain bytes. Of PURGE these are what stands in
    /// front of the segments, which [`Method::go_on`] decodes.
    pub(super) fn begin(self, stored: Bytes<'_>, most: u64) -> io::Result<Front<'_>> {
        // Nothing is further back than all that there is. Dictionaries are taken memory for at once.
        let room = u32::try_from(most).unwrap_or(u32::MAX).max(4096);
        Ok(match self {
            Self::Stored => Front::Stream(Box::new(Cursor::new(stored))),
            Self::Purge => Front::Purge(Cursor::new(Purge::check(stored)?)),
            Self::Bzip2 => {
                let front = bzip2_front(&stored, most);
                let mut rest = Cursor::new(stored);
                rest.set_position(front.len() as u64);
                let whole = Cursor::new(front).chain(rest);
                Front::Stream(Box::new(BzDecoder::new(whole)))
            }
            Self::Lzma {
                lc,
                lp,
                pb,
                dictionary,
            } => {
                let size = dictionary.min(room);
                let stored = Cursor::new(stored);
                let (lc, lp, pb) = (lc.into(), lp.into(), pb.into());
                let reader = LzmaReader::new(stored, u64::MAX, lc, lp, pb, size, None)?;
                Front::Stream(Box::new(reader))
            }
            Self::Lzma2 { dictionary } => {
                let size = dictionary.min(room);
                Front::Stream(Box::new(Lzma2Reader::new(Cursor::new(stored), size, None)))
            }
            Self::Zstd => {
                let frame = zstd::OneFrame::new(stored, most).map_err(io::Error::other)?;
                Front::Stream(Box::new(frame))
            }
        })
    }
}

/// A stream of which the lists of exceptions were not read yet.
pub(super) enum Front<'a> {
    /// Lists and data alike.
    Stream(Stream<'a>),
    /// Lists, then segments.
    Purge(Cursor<Bytes<'a>>),
}

impl<'a> Front<'a> {
    /// The data.
    pub(super) fn go_on(self) -> Stream<'a> {
        match self {
            Self::Stream(stream) => stream,
            Self::Purge(segments) => Box::new(Purge::new(segments)),
        }
    }
}

impl Read for Front<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stream(stream) => stream.read(out),
            Self::Purge(stored) => stored.read(out),
        }
    }
}

/// The first bytes of a bzip2 stream, with the smallest block size that `most` plain bytes can need: the decoder makes
/// tables for what they claim, and writers claim 900,000 bytes whatever they compress.
fn bzip2_front(stored: &[u8], most: u64) -> Vec<u8> {
    // Four equal bytes become five before they are sorted, in the worst case.
    let needed = (most.saturating_add(most / 4) / 100_000 + 1).min(9);
    let needed = b'0' + u8::try_from(needed).expect("it is a digit");
    let mut front = stored.get(..4).unwrap_or(stored).to_vec();
    if let Some(level @ b'1'..=b'9') = front.get_mut(3) {
        *level = needed.min(*level);
    }
    front
}

/// Exactly `left` bytes of a stream, whose end is looked for when they are there: only then its checksum was compared.
pub(super) struct Exactly<R> {
    stream: R,
    left: u64,
    has_end: bool,
}

impl<R: Read> Exactly<R> {
    pub(super) fn new(stream: R, left: u64, has_end: bool) -> Self {
        Self {
            stream,
            left,
            has_end,
        }
    }
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).map_or(out.len(), |left| left.min(out.len()));
        if want == 0 {
            return Ok(0);
        }
        let n = self.stream.read(&mut out[..want])?;
        self.left -= n as u64;
        if self.left == 0 && self.has_end && self.stream.read(&mut [0])? > 0 {
            return Err(io::Error::other("it holds more bytes than the chunk"));
        }
        Ok(n)
    }
}

/// What a failed decoder says.
pub(super) fn refuse(method: Method, why: &io::Error) -> Error {
    let name = method.name();
    match why.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::corrupt(format!("{name} data ends before the chunk does"))
        }
        _ => Error::corrupt(format!("{name} data does not decode: {why}")),
    }
}
