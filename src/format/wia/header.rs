//! Both headers, whose fields keep their rules once they are read.

use super::{
    bytes::{array, long, sha1, word},
    kind::Kind,
    method::Method,
};
use crate::{
    Error, ErrorKind, Result,
    map::check_size,
    source::{Source, read_array},
};

/// Bytes of the first header.
const HEAD: usize = 72;

/// Bytes of the second one, as far as it is known.
pub(super) const DISC: usize = 220;

/// The fewest bytes that it may claim: it may lack settings of the compression.
const LEAST_DISC: u32 = 213;

/// The most bytes that the second header may claim.
const MOST_DISC: u32 = 4096;

/// Bytes at the front of the disc that the header holds.
pub(super) const START: usize = 0x80;

/// Plain bytes that are hashed together in a Wii partition, and the unit of large chunks.
pub(super) const HASHED: u32 = 2 << 20;

/// The largest chunk. wit makes 40 MiB.
const MOST_CHUNK: u32 = 64 << 20;

/// The newest layout that is read, of both formats.
const VERSION: u32 = 0x0100_0000;

/// Where a table stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) at: u64,
    pub(super) count: u32,
    /// Stored bytes of the whole table.
    pub(super) stored: u32,
}

/// The partition table, which is not compressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partitions {
    pub(super) at: u64,
    pub(super) count: u32,
    pub(super) entry_len: u32,
    pub(super) sha1: [u8; 20],
}

/// What the first header tells: enough for a listing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// Plain bytes.
    pub(super) size: u64,
    /// Bytes of the file.
    pub(super) file_size: u64,
    disc_len: u32,
    disc_sha1: [u8; 20],
}

/// What the second header tells.
#[derive(Clone, Debug)]
pub(super) struct Disc {
    pub(super) console: u32,
    pub(super) method: Method,
    pub(super) chunk: u32,
    /// The first bytes of the disc.
    pub(super) start: [u8; START],
    pub(super) partitions: Partitions,
    pub(super) raw: Table,
    pub(super) groups: Table,
}

impl Head {
    pub(super) fn read(source: &dyn Source, kind: Kind) -> Result<Self> {
        let bytes: [u8; HEAD] = read_array(source, 0, "first header")?;
        let name = kind.name();
        if sha1(&bytes[..52]) != bytes[52..] {
            return Err(Error::corrupt(
                "the SHA-1 of the first header is not the one that it carries",
            ));
        }
        let (version, needed) = (word(&bytes, 4), word(&bytes, 8));
        if needed > VERSION || version < kind.oldest() {
            return Err(Error::unsupported(format!(
                "the {name} version is {version:08x}, for readers of {needed:08x}; known are {:08x} to {VERSION:08x}",
                kind.oldest()
            )));
        }
        let disc_len = word(&bytes, 12);
        if !(LEAST_DISC..=MOST_DISC).contains(&disc_len) {
            return Err(Error::corrupt(format!(
                "the second header has {disc_len} bytes, it must have {LEAST_DISC} to {MOST_DISC}"
            )));
        }
        Ok(Self {
            kind,
            size: check_size(long(&bytes, 36))?,
            file_size: long(&bytes, 44),
            disc_len,
            disc_sha1: array(&bytes, 16),
        })
    }
}

impl Disc {
    pub(super) fn read(source: &dyn Source, head: &Head) -> Result<Self> {
        let end = HEAD as u64 + u64::from(head.disc_len);
        if end > source.len() {
            return Err(Error::corrupt(format!(
                "the file ends at {}, inside the second header ({} bytes at {HEAD})",
                source.len(),
                head.disc_len
            )));
        }
        let mut bytes = vec![0; head.disc_len as usize];
        source.read_exact_at(&mut bytes, HEAD as u64)?;
        if sha1(&bytes) != head.disc_sha1 {
            return Err(Error::corrupt(
                "the SHA-1 of the second header is not the one that the first carries",
            ));
        }
        bytes.resize(bytes.len().max(DISC), 0);
        Self::parse(&bytes, head.kind)
    }

    fn parse(bytes: &[u8], kind: Kind) -> Result<Self> {
        let table = |count, at, stored| Table {
            count: word(bytes, count),
            at: long(bytes, at),
            stored: word(bytes, stored),
        };
        let settings = &bytes[213..220];
        let used = usize::from(bytes[212]);
        let settings = settings.get(..used).ok_or_else(|| {
            Error::corrupt(format!(
                "the compression has {used} bytes of settings, there is room for 7"
            ))
        })?;
        Ok(Self {
            console: word(bytes, 0),
            method: Method::new(kind, word(bytes, 4), settings)?,
            chunk: check_chunk(kind, word(bytes, 12))?,
            start: array(bytes, 16),
            partitions: Partitions {
                count: word(bytes, 144),
                entry_len: word(bytes, 148),
                at: long(bytes, 152),
                sha1: array(bytes, 160),
            },
            raw: table(180, 184, 192),
            groups: table(196, 200, 208),
        })
    }

    /// The most exceptions of a list: all hashes of its sectors, and the padding between them.
    pub(super) fn most_exceptions(&self) -> u16 {
        let sectors = self.chunk.min(HASHED) / super::SECTOR;
        u16::try_from(52 * sectors).expect("there are at most 64 sectors")
    }

    /// The lists of exceptions in front of a partition's chunk.
    pub(super) fn lists(&self) -> u32 {
        (self.chunk / HASHED).max(1)
    }

    /// Whether a chunk is more than a block: it is then gone through once for several blocks.
    pub(super) fn is_large(&self) -> bool {
        self.chunk > HASHED
    }
}

fn check_chunk(kind: Kind, chunk: u32) -> Result<u32> {
    let is_multiple = chunk != 0 && chunk % HASHED == 0;
    let is_small =
        kind == Kind::Rvz && chunk.is_power_of_two() && (super::SECTOR..=HASHED).contains(&chunk);
    if chunk > MOST_CHUNK {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!("chunk size is {chunk}, more than the limit of {MOST_CHUNK}"),
        ));
    }
    match kind {
        _ if is_multiple || is_small => Ok(chunk),
        Kind::Wia => Err(Error::corrupt(format!(
            "chunk size is {chunk}, it must be a multiple of {HASHED}"
        ))),
        Kind::Rvz => Err(Error::corrupt(format!(
            "chunk size is {chunk}, it must be a power of two from 32768 on, or a multiple of {HASHED}"
        ))),
    }
}
