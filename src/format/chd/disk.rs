//! One file with its map, and the files that hold what it does not.

use std::{cell::RefCell, sync::Arc};

use super::{
    codecs::{FRAME, Method, with_buffer},
    crc16,
    header::Header,
    hunks::{Hunk, Hunks, Sum},
    parents,
};
use crate::{
    Error, ErrorKind, Result,
    codec::Codec,
    map::Stored,
    source::{Siblings, Source},
};

/// The most files that hold one image together.
const MOST_PARENTS: u32 = 8;

/// A file whose header and map were read and checked.
#[derive(Debug)]
pub(super) struct Disk {
    source: Arc<dyn Source>,
    pub(super) header: Header,
    hunks: Hunks,
    parent: Option<Box<Disk>>,
}

impl Disk {
    pub(super) fn open(source: Arc<dyn Source>, siblings: &dyn Siblings) -> Result<Self> {
        Self::open_child(source, siblings, 0)
    }

    fn open_child(source: Arc<dyn Source>, siblings: &dyn Siblings, depth: u32) -> Result<Self> {
        let header = Header::read(source.as_ref())?;
        check_methods(&header)?;
        let hunks = Hunks::read(source.as_ref(), &header)?;
        let parent = match header.parent {
            None => None,
            Some(_) if depth == MOST_PARENTS => {
                return Err(Error::new(
                    ErrorKind::LimitExceeded,
                    format!("there are more than {MOST_PARENTS} parents, or they are a circle"),
                ));
            }
            Some(sha1) => {
                let source = parents::find(siblings, &sha1).map_err(|err| match depth {
                    0 => err,
                    _ => err.in_context("parent"),
                })?;
                Some(Box::new(Self::open_child(source, siblings, depth + 1)?))
            }
        };
        Ok(Self {
            source,
            header,
            hunks,
            parent,
        })
    }

    /// How many parents there are.
    pub(super) fn parents(&self) -> u32 {
        let parents = std::iter::successors(self.parent.as_deref(), |disk| disk.parent.as_deref());
        u32::try_from(parents.count()).expect("there are at most MOST_PARENTS")
    }

    /// Where the engine finds a hunk's stored bytes. What comes from a parent is read while decoding.
    pub(super) fn locate(&self, number: u32) -> Stored {
        let own = |name, checksum| Codec::Own { name, checksum };
        match self.hunks.hunk(number) {
            Hunk::Stored {
                at,
                len,
                method,
                sum,
            } => {
                if !self.is_inside(at, len) {
                    return Stored::nowhere(Codec::Missing);
                }
                let codec = match method {
                    Method::Nothing => Codec::Raw,
                    _ => own(method.name(), sum.name()),
                };
                Stored { at, len, codec }
            }
            Hunk::Zeroes | Hunk::Pattern([0, 0, 0, 0, 0, 0, 0, 0]) => Stored::nowhere(Codec::Zero),
            Hunk::Pattern(_) => Stored::nowhere(own("pattern", None)),
            Hunk::Parent(_) => Stored::nowhere(own("parent", None)),
        }
    }

    /// Whether stored bytes lie inside the file, and are no more than any writer makes of a hunk.
    fn is_inside(&self, at: u64, len: u32) -> bool {
        let end = at.checked_add(u64::from(len));
        end.is_some_and(|end| end <= self.source.len())
            && u64::from(len) <= 2 * u64::from(self.header.hunk_len) + (64 << 10)
    }

    /// Decodes a whole hunk from its stored bytes.
    pub(super) fn decode(&self, number: u32, src: &[u8], dst: &mut [u8]) -> Result<()> {
        match self.hunks.hunk(number) {
            Hunk::Stored {
                at,
                len,
                method,
                sum,
            } => {
                if !self.is_inside(at, len) {
                    return Err(Error::corrupt(format!(
                        "the map puts {len} bytes at {at}; the file ends at {}, a hunk has {} bytes",
                        self.source.len(),
                        self.header.hunk_len
                    )));
                }
                method.decode(src, dst)?;
                sum.check(dst)
            }
            Hunk::Pattern(pattern) => {
                for piece in dst.chunks_mut(pattern.len()) {
                    piece.copy_from_slice(&pattern[..piece.len()]);
                }
                Ok(())
            }
            Hunk::Zeroes => {
                dst.fill(0);
                Ok(())
            }
            Hunk::Parent(at) => match &self.parent {
                Some(parent) => parent.read(at, dst).map_err(|err| err.in_context("parent")),
                None => Err(Error::corrupt(
                    "the bytes are those of a parent, and the header names none",
                )),
            },
        }
    }

    /// Reads plain bytes from anywhere, hunk by hunk.
    fn read(&self, at: u64, dst: &mut [u8]) -> Result<()> {
        thread_local! {
            static PLAIN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let hunk_len = self.header.hunk_len as usize;
        let mut at = at;
        let mut rest = dst;
        while !rest.is_empty() {
            let number = u32::try_from(at / hunk_len as u64).ok();
            let number = number.filter(|&number| number < self.header.hunks());
            let number = number.ok_or_else(|| {
                Error::corrupt(format!("it ends before its byte {at}, which is wanted"))
            })?;
            let skip = usize::try_from(at % hunk_len as u64).expect("it is inside a hunk");
            let n = rest.len().min(hunk_len - skip);
            let (now, later) = rest.split_at_mut(n);
            if n == hunk_len {
                self.fetch(number, now)?;
            } else {
                with_buffer(&PLAIN, hunk_len, |plain| {
                    self.fetch(number, plain)?;
                    now.copy_from_slice(&plain[skip..skip + n]);
                    Ok::<(), Error>(())
                })?;
            }
            rest = later;
            at += n as u64;
        }
        Ok(())
    }

    /// Reads and decodes a hunk.
    fn fetch(&self, number: u32, dst: &mut [u8]) -> Result<()> {
        thread_local! {
            static STORED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let stored = self.locate(number);
        with_buffer(&STORED, stored.len as usize, |src| {
            self.source.read_exact_at(src, stored.at)?;
            self.decode(number, src, dst)
        })
        .map_err(|err| err.in_context(format_args!("hunk {number}")))
    }
}

impl Sum {
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Crc16(_) => Some("crc16"),
            Self::Crc32(_) => Some("crc32"),
            Self::None => None,
        }
    }

    fn check(self, plain: &[u8]) -> Result<()> {
        let (name, digits, found, claimed) = match self {
            Self::Crc16(claimed) => ("CRC-16", 4, crc16::sum(plain).into(), claimed.into()),
            Self::Crc32(claimed) => ("CRC-32", 8, crc32fast::hash(plain), claimed),
            Self::None => return Ok(()),
        };
        if found != claimed {
            return Err(Error::corrupt(format!(
                "the decoded bytes have the {name} {found:0digits$x}, the map says {claimed:0digits$x}"
            )));
        }
        Ok(())
    }
}

fn check_methods(header: &Header) -> Result<()> {
    let frames = header.hunk_len as usize % FRAME == 0;
    match header.methods.iter().find(|it| it.is_for_frames()) {
        Some(method) if !frames => Err(Error::corrupt(format!(
            "hunk size is {}, that of {} must be a multiple of {FRAME}",
            header.hunk_len,
            method.name()
        ))),
        _ => Ok(()),
    }
}
