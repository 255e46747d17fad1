//! Whether an image is whole: everything is decoded, hashed once, and held against the checksums that the file
//! carries.
//!
//! ```
//! # fn main() -> plainiso::Result<()> {
//! use std::sync::Arc;
//! use plainiso::{
//!     cache::BlockCache, digest::Algorithm, format::{self, OpenOptions}, image::Image, verify::verify,
//! };
//!
//! # let mut file = vec![0; 0x9000];
//! # file[0x8001..0x8006].copy_from_slice(b"CD001");
//! let opened = format::open(Arc::new(file), &OpenOptions::alone())?;
//! let image = Image::new(opened, Arc::new(BlockCache::new(0)));
//! let report = verify(&image, &Algorithm::ALL, &mut |_done| {});
//! assert!(report.is_intact());
//! assert_eq!(report.hash(Algorithm::Crc32).map(str::len), Some(8));
//! # Ok(())
//! # }
//! ```

use std::{collections::BTreeMap, convert::Infallible, thread};

use crate::{
    Result,
    digest::Algorithm,
    format::Checksum,
    image::Image,
    stream::{Damage, Stream},
    volume::Volume,
};

pub mod dat;
mod hash;
mod stored;
#[cfg(test)]
mod tests;

use hash::HashThreads;

/// Damaged blocks that a report lists one by one. A badly damaged image has millions.
pub const MOST_LISTED: usize = 1000;

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// Plain bytes of the image.
    pub size: u64,
    /// The hashes of the plain bytes in lower-case hexadecimal; empty when a block is damaged.
    pub hashes: Vec<(Algorithm, String)>,
    /// The checksums of the whole image that the file carries.
    pub checks: Vec<Check>,
    /// Number of blocks whose data carries a checksum of its own, by its name. They were all compared.
    pub blocks_with_checksum: BTreeMap<&'static str, u64>,
    /// The first [`MOST_LISTED`] damaged blocks, in order.
    pub damage: Vec<DamagedBlock>,
    /// Number of all damaged blocks.
    pub damaged_blocks: u64,
    /// Number of their plain bytes.
    pub damaged_bytes: u64,
    /// Whether [`DamagedBlock::files`] knows all files of the volume.
    pub knows_all_files: bool,
}

/// A checksum that the file carries, and what it should be.
#[derive(Debug)]
pub struct Check {
    /// As the file has it.
    pub carried: Checksum,
    /// As it is, in the same form; `None` when damaged blocks leave it unknown.
    pub found: Option<String>,
}

/// A damaged block, and what it hits.
#[derive(Debug)]
pub struct DamagedBlock {
    /// The block, its place in the image, and the reason.
    pub damage: Damage,
    /// Paths of ISO 9660 files with bytes in it (16 at most), a directory's with `/` at the end; empty when there
    /// are none, or no such volume.
    pub files: Vec<String>,
}

impl Check {
    /// Whether the checksum is right.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.found.as_ref() == Some(&self.carried.value)
    }
}

impl Report {
    /// Whether every block was read and every checksum is right.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.damaged_blocks == 0 && self.checks.iter().all(Check::holds)
    }

    /// Adds what was found in the whole disc that the image is a part of.
    #[must_use]
    pub fn with_disc(mut self, disc: Self) -> Self {
        let checks = disc.checks.into_iter().map(|mut check| {
            check.carried.covers = "disc";
            check
        });
        self.checks.extend(checks);
        // The image's own damage is in the disc too, and said better by the image.
        if self.damaged_blocks == 0 {
            self.damage = disc.damage;
            self.damaged_blocks = disc.damaged_blocks;
            self.damaged_bytes = disc.damaged_bytes;
        }
        self
    }

    /// One of the hashes, if it was computed.
    #[must_use]
    pub fn hash(&self, algorithm: Algorithm) -> Option<&str> {
        let mut hashes = self.hashes.iter();
        let found = hashes.find(|(candidate, _)| *candidate == algorithm)?;
        Some(&found.1)
    }
}

/// Reads an image from front to end. Besides `algorithms`, it computes what the file's own checksums need.
///
/// `progress` is told the number of plain bytes done, again and again. Memory is bounded: by the buffers of
/// [`Stream`], and by [`MOST_LISTED`].
pub fn verify(image: &Image, algorithms: &[Algorithm], progress: &mut dyn FnMut(u64)) -> Report {
    let carried = &image.details().checksums;
    let mut sums = Sums::of(image, &needed(algorithms, carried), progress);
    let known = carried.iter().filter(|it| is_known(it));
    let checks = known.map(|carried| sums.check(carried)).collect();
    let is_asked = |(algorithm, _): &(Algorithm, String)| algorithms.contains(algorithm);
    sums.hashes.retain(is_asked);
    sums.tally.report(image, sums.hashes, checks)
}

/// What came of reading an image once.
struct Sums {
    tally: Tally,
    /// Of the plain bytes; none when a block is damaged.
    hashes: Vec<(Algorithm, String)>,
    /// The CRC-32 of the stored bytes, if the file carries it.
    stored: Option<String>,
}

impl Sums {
    fn of(image: &Image, needed: &[Algorithm], progress: &mut dyn FnMut(u64)) -> Self {
        let (mut tally, mut hashes, mut stored) = (Tally::default(), Vec::new(), None);
        thread::scope(|scope| {
            let wants_stored = image.details().checksums.iter().any(is_of_stored);
            let stored_crc = wants_stored.then(|| scope.spawn(|| stored::crc32(image)));
            let hashing = HashThreads::start(scope, needed);
            let Ok(()) = Stream::of(image).in_order(|mut piece| {
                tally.add(piece.take_damage());
                progress(piece.at() + piece.plain().len() as u64);
                // What is not whole has no hash worth knowing.
                if tally.blocks == 0 {
                    hashing.update(piece);
                }
                Ok::<(), Infallible>(())
            });
            hashes = hashing.finish();
            let join = |crc: thread::ScopedJoinHandle<'_, Result<String>>| crc.join();
            stored = stored_crc.and_then(|crc| join(crc).expect("summing does not panic").ok());
        });
        if tally.blocks > 0 {
            hashes.clear();
        }
        Self {
            tally,
            hashes,
            stored,
        }
    }

    /// A checksum that the file carries, and what it should be.
    fn check(&self, carried: &Checksum) -> Check {
        let found = if is_of_stored(carried) {
            self.stored.clone()
        } else {
            let named = |(algorithm, _): &&(Algorithm, _)| algorithm.name() == carried.algorithm;
            self.hashes.iter().find(named).map(|(_, hash)| hash.clone())
        };
        Check {
            carried: carried.clone(),
            found,
        }
    }
}

/// The algorithms that were asked for and those of the file's own checksums, each once.
fn needed(asked: &[Algorithm], carried: &[Checksum]) -> Vec<Algorithm> {
    let carried = carried.iter().filter(|checksum| !is_of_stored(checksum));
    let carried = carried.filter_map(|checksum| Algorithm::of_name(checksum.algorithm));
    let mut needed: Vec<_> = asked.iter().copied().chain(carried).collect();
    needed.sort_unstable();
    needed.dedup();
    needed
}

fn is_of_stored(checksum: &Checksum) -> bool {
    checksum.covers == "stored" && checksum.algorithm == Algorithm::Crc32.name()
}

/// Whether a checksum is one of those that can be computed here.
fn is_known(checksum: &Checksum) -> bool {
    let of_image = checksum.covers == "image" && Algorithm::of_name(checksum.algorithm).is_some();
    of_image || is_of_stored(checksum)
}

/// The damage so far.
#[derive(Default)]
struct Tally {
    listed: Vec<Damage>,
    blocks: u64,
    bytes: u64,
}

impl Tally {
    fn add(&mut self, damage: Vec<Damage>) {
        self.blocks += damage.len() as u64;
        let bytes = damage.iter().map(|it| it.bytes.end - it.bytes.start);
        self.bytes += bytes.sum::<u64>();
        let room = MOST_LISTED - self.listed.len();
        self.listed.extend(damage.into_iter().take(room));
    }

    fn report(self, image: &Image, hashes: Vec<(Algorithm, String)>, checks: Vec<Check>) -> Report {
        let volume = if self.blocks > 0 {
            Volume::read(image)
        } else {
            None
        };
        let ranges: Vec<_> = self.listed.iter().map(|it| it.bytes.clone()).collect();
        let files = match &volume {
            Some(volume) => volume.names_in(&ranges),
            None => vec![Vec::new(); ranges.len()],
        };
        let with_files = self.listed.into_iter().zip(files);
        Report {
            size: image.size(),
            hashes,
            checks,
            blocks_with_checksum: blocks_with_checksum(image),
            damage: with_files
                .map(|(damage, files)| DamagedBlock { damage, files })
                .collect(),
            damaged_blocks: self.blocks,
            damaged_bytes: self.bytes,
            knows_all_files: volume.is_some_and(|volume| volume.is_complete()),
        }
    }
}

fn blocks_with_checksum(image: &Image) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for block in 0..image.geometry().blocks() {
        if let Some(name) = image.locate(block).codec.checksum() {
            *counts.entry(name).or_default() += 1;
        }
    }
    counts
}
