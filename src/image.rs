//! The engine: turns "bytes at a position" into reads, decodes and cache hits.

use std::{
    cell::RefCell,
    ffi::OsStr,
    io::Read,
    mem,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    Error, ErrorKind, Result,
    cache::{Block, BlockCache},
    codec::Codec,
    files::Tracks,
    format::{self, Details, Format, OpenOptions, Opened, Password},
    map::{AsStored, BlockMap, Geometry, Stored},
    source::{FileSource, Folder, Source},
};

mod ahead;
#[cfg(test)]
pub(crate) mod handmade;
mod pieces;
mod plain;

pub use ahead::{Ahead, Reader};
pub use plain::Plain;

/// Stored bytes fetched with one read. A single block may be longer.
const MAX_RUN: u64 = 1 << 20;

/// A fetch buffer larger than this is given back after use.
const KEEP_BUFFER: usize = 2 << 20;

/// An open image. Any number of threads may read it.
#[derive(Debug)]
pub struct Image {
    id: u64,
    format: &'static Format,
    source: Arc<dyn Source>,
    map: Box<dyn BlockMap>,
    details: Details,
    groups: Option<Geometry>,
    cache: Arc<BlockCache>,
    stored_bytes_read: AtomicU64,
    decode_nanos: AtomicU64,
}

impl Image {
    /// Opens the image at `path`, together with the files of its set.
    ///
    /// # Errors
    /// What finding the format and reading its header and index report, with the path.
    pub fn open(
        path: &Path,
        cache: Arc<BlockCache>,
        password: &dyn Fn() -> Result<Option<Password>>,
    ) -> Result<Self> {
        Self::open_file(path, 0, cache, password)
    }

    /// As [`Image::open`]; what is not beside the image, such as the parent of a CHD, may be one of `elsewhere`, or in
    /// one.
    ///
    /// # Errors
    /// As [`Image::open`].
    pub fn open_with(
        path: &Path,
        elsewhere: &[PathBuf],
        cache: Arc<BlockCache>,
        password: &dyn Fn() -> Result<Option<Password>>,
    ) -> Result<Self> {
        let folder = Folder::of(path).with_elsewhere(elsewhere);
        Self::open_among(&folder, path, 0, cache, password)
    }

    /// Opens one of the plain files that the file at `path` is shown as, by its number.
    ///
    /// # Errors
    /// As [`Image::open`].
    pub fn open_file(
        path: &Path,
        number: u32,
        cache: Arc<BlockCache>,
        password: &dyn Fn() -> Result<Option<Password>>,
    ) -> Result<Self> {
        Self::open_among(&Folder::of(path), path, number, cache, password)
    }

    /// As [`Image::open_file`], with the files beside it that `folder` finds.
    ///
    /// # Errors
    /// As [`Image::open`].
    pub fn open_among(
        folder: &Folder,
        path: &Path,
        number: u32,
        cache: Arc<BlockCache>,
        password: &dyn Fn() -> Result<Option<Password>>,
    ) -> Result<Self> {
        let source = Arc::new(FileSource::open(path)?);
        let options = OpenOptions {
            name: path.file_name().unwrap_or(OsStr::new("")),
            siblings: folder,
            password,
            file: number,
            tracks: Tracks::Both,
        };
        let opened = format::open(source, &options).map_err(|err| err.in_file(path))?;
        Ok(Self::new(opened, cache))
    }

    /// A text that was made from what `format` tells.
    #[must_use]
    pub fn of_text(format: &'static Format, text: &[u8], cache: Arc<BlockCache>) -> Self {
        let map = AsStored::new(text.len() as u64);
        let opened = Opened {
            format,
            source: Arc::new(text.to_vec()),
            map: Box::new(map),
            details: Details {
                variant: "text".into(),
                ..Details::default()
            },
        };
        Self::new(opened, cache)
    }

    /// Puts an opened format behind the cache.
    #[must_use]
    pub fn new(opened: Opened, cache: Arc<BlockCache>) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            format: opened.format,
            source: opened.source,
            groups: pieces::groups_of(opened.map.geometry()),
            map: opened.map,
            details: opened.details,
            cache,
            stored_bytes_read: AtomicU64::new(0),
            decode_nanos: AtomicU64::new(0),
        }
    }

    /// Number of plain bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.geometry().size()
    }

    /// Number of bytes in the file or files it comes from.
    #[must_use]
    pub fn stored_size(&self) -> u64 {
        self.source.stored_len()
    }

    /// Fills `buf` with stored bytes from `at` on, as they are in the file or files.
    ///
    /// # Errors
    /// `Io` when they cannot be read, or do not exist.
    pub fn read_stored(&self, buf: &mut [u8], at: u64) -> Result<()> {
        self.source.read_exact_at(buf, at)
    }

    /// All plain bytes, for who reads them once and in order, where that costs less than by position.
    pub(crate) fn in_order(&self) -> Option<Box<dyn Read + Send>> {
        let is_all = self.map.is_as_stored() && self.source.len() == self.size();
        is_all.then(|| self.source.in_order()).flatten()
    }

    /// How the plain bytes are cut into blocks.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        self.map.geometry()
    }

    /// Where a block is stored. `block` must be inside the geometry.
    #[must_use]
    pub fn locate(&self, block: u64) -> Stored {
        self.map.locate(block)
    }

    /// Stored bytes that were read for blocks, and the time that decoding them took, of all threads together.
    #[must_use]
    pub fn work(&self) -> (u64, Duration) {
        let nanos = self.decode_nanos.load(Ordering::Relaxed);
        let bytes = self.stored_bytes_read.load(Ordering::Relaxed);
        (bytes, Duration::from_nanos(nanos))
    }

    /// Its format.
    #[must_use]
    pub fn format(&self) -> &'static Format {
        self.format
    }

    /// What people may want to know about it.
    #[must_use]
    pub fn details(&self) -> &Details {
        &self.details
    }

    /// Reads until `out` is full or the image ends, and returns how much.
    ///
    /// Whole blocks decode straight into `out`; a block of which only a part is wanted goes through the cache.
    ///
    /// # Errors
    /// `Io` or `Corrupt`, naming the block and its place; what `out` holds is unspecified then.
    pub fn read_at(&self, out: &mut [u8], at: u64) -> Result<usize> {
        let geometry = self.geometry();
        let want = to_usize(self.size().saturating_sub(at).min(out.len() as u64));
        let (mut rest, mut at) = (&mut out[..want], at);
        while !rest.is_empty() {
            let block = geometry.block_at(at);
            let span = geometry.span(block);
            let done = if at == span.start && rest.len() >= geometry.len_of(block) {
                self.decode_whole_blocks(block, rest)?
            } else {
                let plain = self.cached(block)?;
                let wanted = &plain[to_usize(at - span.start)..];
                let n = wanted.len().min(rest.len());
                rest[..n].copy_from_slice(&wanted[..n]);
                n
            };
            rest = &mut mem::take(&mut rest)[done..];
            at += done as u64;
        }
        Ok(want)
    }

    /// As [`Image::read_at`], but a part of one block is not copied out of the cache.
    ///
    /// # Errors
    /// As [`Image::read_at`].
    pub fn view<'o>(&self, out: &'o mut [u8], at: u64) -> Result<Plain<'o>> {
        let want = self.size().saturating_sub(at).min(out.len() as u64);
        if want > 0 {
            let block = self.geometry().block_at(at);
            let span = self.geometry().span(block);
            let part = at - span.start..at - span.start + want;
            if at + want <= span.end && want < span.end - span.start {
                let part = to_usize(part.start)..to_usize(part.end);
                return Ok(Plain::Block(self.cached(block)?, part));
            }
        }
        let n = self.read_at(out, at)?;
        Ok(Plain::Own(&out[..n]))
    }

    /// The first position from `at` on that is data, or the end of the image.
    #[must_use]
    pub fn next_data(&self, at: u64) -> u64 {
        self.skip_blocks(at, |codec| codec == Codec::Zero)
    }

    /// The first position from `at` on that is a hole (a block of zeroes that takes no space), or the end.
    #[must_use]
    pub fn next_hole(&self, at: u64) -> u64 {
        self.skip_blocks(at, |codec| codec != Codec::Zero)
    }

    fn skip_blocks(&self, at: u64, skip: impl Fn(Codec) -> bool) -> u64 {
        let mut at = at;
        while at < self.size() {
            let block = self.geometry().block_at(at);
            if !skip(self.map.locate(block).codec) {
                return at;
            }
            at = self.geometry().span(block).end;
        }
        self.size()
    }

    fn cached(&self, block: u64) -> Result<Block> {
        let len = self.geometry().len_of(block);
        self.cache.get_or_decode((self.id, block), len, |plain| {
            self.decode_whole_blocks(block, plain).map(|_| ())
        })
    }

    /// Decodes as many blocks from `first` on as `out` holds whole, and returns their plain bytes.
    /// Blocks whose stored bytes follow each other are fetched with one read.
    fn decode_whole_blocks(&self, first: u64, out: &mut [u8]) -> Result<usize> {
        thread_local! {
            static FETCHED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let room = out.len();
        FETCHED.with_borrow_mut(|fetched| {
            let (mut block, mut out) = (first, out);
            while let Some(run) = self.next_run(block, out.len()) {
                block = run.blocks.end;
                out = self.decode_run(&run, fetched, out)?;
            }
            if fetched.capacity() > KEEP_BUFFER {
                *fetched = Vec::new();
            }
            Ok(room - out.len())
        })
    }

    /// Fetches a run's stored bytes and decodes its blocks to the front of `out`; returns the rest of `out`.
    fn decode_run<'o>(
        &self,
        run: &Run,
        fetched: &mut Vec<u8>,
        mut out: &'o mut [u8],
    ) -> Result<&'o mut [u8]> {
        fetched.resize(to_usize(run.bytes.end - run.bytes.start), 0);
        self.source
            .read_exact_at(fetched, run.bytes.start)
            .map_err(|err| err.in_context(format_args!("block {}", run.blocks.start)))?;
        self.stored_bytes_read
            .fetch_add(fetched.len() as u64, Ordering::Relaxed);
        let started = Instant::now();
        for block in run.blocks.clone() {
            let stored = self.map.locate(block);
            let start = to_usize(stored.at - run.bytes.start);
            let src = &mut fetched[start..start + stored.len as usize];
            let (now, later) = out.split_at_mut(self.geometry().len_of(block));
            self.map
                .decode(block, stored, src, now)
                .map_err(|err| self.name_block(err, block, stored))?;
            out = later;
        }
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.decode_nanos.fetch_add(nanos, Ordering::Relaxed);
        Ok(out)
    }

    fn name_block(&self, err: Error, block: u64, stored: Stored) -> Error {
        let plain = self.geometry().span(block);
        let place = match stored.codec {
            Codec::Missing => format!("block {block} (image offset {})", plain.start),
            _ => format!(
                "block {block} (image offset {}, stored at {}, {} bytes)",
                plain.start, stored.at, stored.len
            ),
        };
        err.in_context(place)
    }

    /// The longest run of blocks from `first` on that fits whole in `room` plain bytes and lies in one piece.
    fn next_run(&self, first: u64, room: usize) -> Option<Run> {
        let geometry = self.geometry();
        let fits = |block, used| block < geometry.blocks() && used + geometry.len_of(block) <= room;
        if !fits(first, 0) {
            return None;
        }
        let stored = self.map.locate(first);
        let mut run = Run {
            blocks: first..first + 1,
            bytes: stored.at..stored.at + u64::from(stored.len),
        };
        let mut used = geometry.len_of(first);
        while fits(run.blocks.end, used) {
            let next = self.map.locate(run.blocks.end);
            let end = run.bytes.end + u64::from(next.len);
            if next.at != run.bytes.end || end - run.bytes.start > MAX_RUN {
                break;
            }
            used += geometry.len_of(run.blocks.end);
            run.blocks.end += 1;
            run.bytes.end = end;
        }
        Some(run)
    }
}

/// Whether an error lies in the image itself, and not in the system below.
#[must_use]
pub fn is_image_fault(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnknownFormat
            | ErrorKind::Corrupt
            | ErrorKind::Unsupported
            | ErrorKind::LimitExceeded
            | ErrorKind::MissingPart
    )
}

/// Neighbouring blocks whose stored bytes are neighbours too.
struct Run {
    blocks: Range<u64>,
    bytes: Range<u64>,
}

/// For lengths and positions inside something that is in memory or about to be.
fn to_usize(n: u64) -> usize {
    usize::try_from(n).expect("it is bounded by a slice, a block or MAX_RUN")
}
