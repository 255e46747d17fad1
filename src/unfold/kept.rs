//! Access points, or places of pieces, that are kept for the next time.
//!
//! | size | field |
//! |---|---|
//! | 16 | `plainiso index 1` |
//! | 32 | SHA-256 of what the stored file is: device, inode, size, times, its first and last 4 KiB |
//! | 8 | number of plain bytes |
//! | 8 | plain bytes between two access points |
//! | 4 | CRC-32 of all before |
//! | 8 | number of access points |
//! | | each: bit, place, what is left of a match, history, window; of pieces: where it is stored, its plain bytes |
//! | 4 | CRC-32 of all before |
//!
//! Numbers are little-endian. The layout is our own: a file of another version, of another stored file, or with a
//! wrong checksum is none, and the index is built again.

use std::{
    env, fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use sha2::{Digest, Sha256};

use super::{
    gzip::{Access, Place},
    inflate::{self, State, WINDOW},
};
use crate::source::Source;

const MAGIC: &[u8; 16] = b"plainiso index 1";

const HEADER: usize = 16 + 32 + 8 + 8 + 4;

/// Bytes at each end of the stored file that its key covers.
const ENDS: u64 = 4 << 10;

/// Images below this size are decoded again sooner than anybody notices.
const SMALLEST: u64 = 16 << 20;

/// All indexes together; the oldest go first.
const MOST_KEPT: u64 = 512 << 20;

/// A window is not longer, however badly it compresses.
const MOST_WINDOW: usize = WINDOW + 1024;

/// What an index belongs to, and where it is kept.
#[derive(Clone, Debug)]
pub(super) struct Key {
    hash: [u8; 32],
    folder: PathBuf,
}

/// A piece of a stream that can be decoded by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Piece {
    /// Where it is stored, in the unit of its format.
    pub at: u64,
    /// Number of plain bytes, not 0.
    pub plain: u64,
}

/// An index as it was kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) size: u64,
    pub(super) spacing: u64,
    pub(super) accesses: Vec<Access>,
}

impl Key {
    /// The key of a stretch of a stored file; `None` where nothing can be kept.
    pub(super) fn of(source: &dyn Source, at: u64, end: u64) -> Option<Self> {
        Self::in_folder(source, at, end, folder()?)
    }

    pub(super) fn in_folder(
        source: &dyn Source,
        at: u64,
        end: u64,
        folder: PathBuf,
    ) -> Option<Self> {
        let mut hasher = Sha256::new();
        for part in source.identity()? {
            hasher.update(part.to_le_bytes());
        }
        for number in [source.len(), at, end] {
            hasher.update(number.to_le_bytes());
        }
        let len = source.len().min(ENDS);
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        for at in [0, source.len() - len] {
            source.read_exact_at(&mut bytes, at).ok()?;
            hasher.update(&bytes);
        }
        Some(Self {
            hash: hasher.finalize().into(),
            folder,
        })
    }

    fn path(&self) -> PathBuf {
        let [high, low] = [0, 16].map(|at| {
            let half = self.hash[at..at + 16].try_into();
            u128::from_be_bytes(half.expect("a range of 16 bytes"))
        });
        self.folder.join(format!("{high:032x}{low:032x}"))
    }
}

/// Where indexes are kept.
pub(super) fn folder() -> Option<PathBuf> {
    Some(our_folder()?.join("index"))
}

/// Where images are decoded to.
pub(super) fn spill_folder() -> Option<PathBuf> {
    Some(our_folder()?.join("spill"))
}

/// Our folder below `$XDG_CACHE_HOME`, or `~/.cache` without it.
pub(super) fn our_folder() -> Option<PathBuf> {
    let absolute = |name| {
        let path = PathBuf::from(env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("plainiso"))
}

/// The number of plain bytes that a kept index gives.
pub(super) fn size(key: &Key) -> Option<u64> {
    let mut header = [0; HEADER];
    let mut file = fs::File::open(key.path()).ok()?;
    file.read_exact(&mut header).ok()?;
    Some(parse_header(key, &header)?.0)
}

/// The number of plain bytes, and the spacing.
fn parse_header(key: &Key, header: &[u8]) -> Option<(u64, u64)> {
    let mut fields = Fields(header);
    let is_ours = fields.take(16)? == MAGIC && fields.take(32)? == key.hash;
    let (size, spacing) = (fields.u64()?, fields.u64()?);
    let sum = crc32fast::hash(&header[..HEADER - 4]);
    let holds = is_ours && fields.u32()? == sum && spacing > 0 && size <= super::MOST_PLAIN;
    holds.then_some((size, spacing))
}

/// A kept index, if there is one and it is whole.
pub(super) fn load(key: &Key) -> Option<Kept> {
    let bytes = fs::read(key.path()).ok()?;
    let (size, spacing, mut fields) = parse(key, &bytes)?;
    let count = fields.u64()?;
    if count != size / spacing + 1 {
        return None;
    }
    let accesses: Option<Vec<_>> = (0..count).map(|_| read_access(&mut fields)).collect();
    Some(Kept {
        size,
        spacing,
        accesses: accesses?,
    })
}

/// Whether an index of an image of so many plain bytes is kept.
pub(super) fn is_worth(size: u64) -> bool {
    size >= SMALLEST
}

/// The number of plain bytes, the spacing, and what follows the header, of a file that is whole.
fn parse<'b>(key: &Key, bytes: &'b [u8]) -> Option<(u64, u64, Fields<'b>)> {
    let (all, sum) = bytes
        .split_last_chunk::<4>()
        .map(|(all, sum)| (all, *sum))?;
    let (size, spacing) = parse_header(key, bytes.get(..HEADER)?)?;
    let is_whole = crc32fast::hash(all) == u32::from_le_bytes(sum);
    let fields = Fields(all.get(HEADER..)?);
    is_whole.then_some((size, spacing, fields))
}

/// The pieces that were kept, if there are any.
pub(super) fn load_pieces(key: &Key) -> Option<Vec<Piece>> {
    let bytes = fs::read(key.path()).ok()?;
    let (size, _, mut fields) = parse(key, &bytes)?;
    let mut pieces = Vec::new();
    let (mut end, mut sum) = (0, 0_u64);
    for _ in 0..fields.u64()? {
        let (at, plain) = (fields.u64()?, fields.u64()?);
        if plain == 0 || at < end {
            return None;
        }
        (end, sum) = (at.checked_add(1)?, sum.checked_add(plain)?);
        pieces.push(Piece { at, plain });
    }
    (sum == size && size > 0).then_some(pieces)
}

/// Keeps where pieces are, under a key of their own.
pub(super) fn save_pieces(key: &Key, pieces: &[Piece]) {
    let size = pieces.iter().map(|piece| piece.plain).sum();
    let put = |bytes: &mut Vec<u8>| {
        for piece in pieces {
            bytes.extend(piece.at.to_le_bytes());
            bytes.extend(piece.plain.to_le_bytes());
        }
    };
    if is_worth(size) {
        let written = write_with(key, [size, 1, pieces.len() as u64], put);
        report(key, "the index", written);
    }
}

/// Keeps an index. What stands against it is nobody's business: it is built again the next time.
pub(super) fn save(key: &Key, size: u64, spacing: u64, accesses: &[Access]) {
    if is_worth(size) {
        report(key, "the index", write(key, size, spacing, accesses));
    }
}

/// Keeps the size of a stream that has no index: nothing but the header is asked for then.
pub(super) fn save_size(key: &Key, size: u64) {
    report(key, "the size", write(key, size, 1, &[]));
}

fn report(key: &Key, what: &str, written: std::io::Result<()>) {
    if let Err(err) = written {
        log::debug!("{}: {what} is not kept: {err}", key.folder.display());
    }
}

pub(super) fn write(
    key: &Key,
    size: u64,
    spacing: u64,
    accesses: &[Access],
) -> std::io::Result<()> {
    write_with(key, [size, spacing, accesses.len() as u64], |bytes| {
        for access in accesses {
            put_access(bytes, access);
        }
    })
}

/// Writes a file: the size, the spacing, the count, and what `put` adds.
fn write_with(
    key: &Key,
    [size, spacing, count]: [u64; 3],
    put: impl FnOnce(&mut Vec<u8>),
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    bytes.extend(MAGIC);
    bytes.extend(key.hash);
    bytes.extend(size.to_le_bytes());
    bytes.extend(spacing.to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend(count.to_le_bytes());
    put(&mut bytes);
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    fs::create_dir_all(&key.folder)?;
    let mut file = tempfile::NamedTempFile::new_in(&key.folder)?;
    file.write_all(&bytes)?;
    file.persist(key.path()).map_err(|err| err.error)?;
    make_room(&key.folder, MOST_KEPT);
    Ok(())
}

/// Removes the oldest files until those that are left take `most` bytes at most.
pub(super) fn make_room(folder: &Path, most: u64) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let file = |entry: fs::DirEntry| {
        let metadata = entry.metadata().ok()?;
        let time = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        metadata
            .is_file()
            .then(|| (time, metadata.len(), entry.path()))
    };
    let mut files: Vec<_> = entries.flatten().filter_map(file).collect();
    files.sort();
    let mut all: u64 = files.iter().map(|(_, len, _)| len).sum();
    for (_, len, path) in files {
        if all <= most {
            return;
        }
        if fs::remove_file(path).is_ok() {
            all -= len;
        }
    }
}

fn put_access(bytes: &mut Vec<u8>, access: &Access) {
    let Place {
        bit,
        state,
        history,
        within,
        first,
    } = access.place;
    let (tag, number) = match state.place {
        inflate::Place::Between => (0, 0),
        inflate::Place::Stored { left, last } => (1 + u8::from(last), u64::from(left)),
        inflate::Place::Codes { header } => (3, header),
        inflate::Place::Ended => (4, 0),
    };
    bytes.extend([tag, u8::from(within), u8::from(first)]);
    for number in [bit, number, history] {
        bytes.extend(number.to_le_bytes());
    }
    for number in [state.left, state.distance] {
        bytes.extend(number.to_le_bytes());
    }
    let len = u32::try_from(access.window.len()).expect("a window has 32 KiB");
    bytes.extend(len.to_le_bytes());
    bytes.extend(&*access.window);
}

fn read_access(fields: &mut Fields<'_>) -> Option<Access> {
    let flags = fields.take(3)?;
    let (bit, number, history) = (fields.u64()?, fields.u64()?, fields.u64()?);
    let (left, distance) = (fields.u16()?, fields.u16()?);
    let place = match flags[0] {
        0 => inflate::Place::Between,
        tag @ (1 | 2) => inflate::Place::Stored {
            left: number.try_into().ok()?,
            last: tag == 2,
        },
        3 => inflate::Place::Codes { header: number },
        4 => inflate::Place::Ended,
        _ => return None,
    };
    let reaches = left == 0 || (u64::from(distance) <= history && distance > 0);
    let is_sound = left < 258 && history <= WINDOW as u64 && reaches;
    let len = usize::try_from(fields.u32()?).ok()?;
    let window = fields.take(len)?;
    (is_sound && len <= MOST_WINDOW).then(|| Access {
        place: Place {
            bit,
            state: State {
                place,
                left,
                distance,
            },
            history,
            within: flags[1] == 1,
            first: flags[2] == 1,
        },
        window: Arc::from(window),
    })
}

struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn take(&mut self, n: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}
