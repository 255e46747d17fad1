//! A whole image into another format.
//!
//! Workers read and encode side by side; one writer puts the blocks in their order. The output is written under a
//! temporary name beside its place, synced, read back if that is wished, and then renamed: under its final name it
//! is complete or not there.
//!
//! Memory is bounded by the jobs and the block size: at most four blocks for each job (counting batches of
//! 256 KiB as one block), and less than 64 MiB for the rest.
//!
//! ```
//! use std::{fs, sync::Arc};
//! use plainiso::{cache::BlockCache, convert::{self, Silent}, format, image::Image};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let (plain, packed) = (folder.path().join("a.iso"), folder.path().join("a.zso"));
//! # let mut bytes = vec![0; 40_960];
//! # bytes[0x8001..0x8006].copy_from_slice(b"CD001");
//! # fs::write(&plain, &bytes).unwrap();
//! let zso = format::targets().find(|target| target.name == "zso").unwrap();
//! let report = convert::file(&plain, &packed, &convert::Settings::to(zso), &Silent)?;
//! assert_eq!(report.plain_size, fs::metadata(&plain).unwrap().len());
//!
//! let image = Image::open(&packed, Arc::new(BlockCache::new(1 << 20)), &|| Ok(None))?;
//! assert_eq!(image.format().name, "zso");
//! # Ok::<(), plainiso::Error>(())
//! ```

use std::{
    fmt,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use crate::{
    Error, ErrorKind, Result,
    cache::BlockCache,
    codec::Method,
    digest::{Algorithm, Hasher},
    format::{self, Password},
    image::Image,
    output::Existing,
    pack::{Pack, Target, Wish},
    source::FileSource,
};

mod compare;
mod files;
mod origin;
mod pipeline;

pub use compare::compare;

use files::{Files, Written};
use origin::Origin;

/// Decoded blocks of the source that are kept, for those that lie across two batches.
const CACHE: usize = 4 << 20;

/// What to write, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The way to write.
    pub target: &'static Target,
    /// What is wished for beyond the usual.
    pub wish: Wish,
    /// Threads that encode.
    pub jobs: NonZeroUsize,
    /// Whether to read the output back and compare it with the source, byte by byte.
    pub verify: bool,
    /// The checksum of the plain bytes to work out on the way.
    pub sum: Option<Algorithm>,
    /// What to do with a file that stands where the output goes.
    pub existing: Existing,
    /// Files and folders that may hold the parent of a CHD.
    pub parents: Vec<PathBuf>,
}

impl Settings {
    /// The usual settings for a target: what every reader of the format takes, on all processors.
    #[must_use]
    pub fn to(target: &'static Target) -> Self {
        Self {
            target,
            wish: Wish::default(),
            jobs: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            verify: false,
            sum: None,
            existing: Existing::Refuse,
            parents: Vec::new(),
        }
    }
}

/// Hears how far a conversion is, and may end it. Called from the thread that converts and from its workers.
pub trait Watch: Sync {
    /// Something is begun with an image of so many plain bytes.
    fn begin(&self, phase: Phase, plain_size: u64);

    /// So many more plain bytes are done, which take so many stored bytes in the output.
    fn advance(&self, plain: u64, stored: u64);

    /// Whether to stop. The output is then removed and the source left as it is.
    fn stops(&self) -> bool;

    /// Something that a user may want to know, as a sentence without a dot.
    fn note(&self, note: &str);

    /// The password of an encrypted source; `None` when there is none.
    ///
    /// # Errors
    /// Those of asking for it.
    fn password(&self, source: &Path) -> Result<Option<Password>> {
        let _ = source;
        Ok(None)
    }
}

/// What a conversion is busy with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Encoding and writing.
    Writing,
    /// Reading back and comparing.
    Comparing,
}

/// Nobody listens.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Watch for Silent {
    fn begin(&self, _phase: Phase, _plain_size: u64) {}

    fn advance(&self, _plain: u64, _stored: u64) {}

    fn stops(&self) -> bool {
        false
    }

    fn note(&self, _note: &str) {}
}

/// What came of a conversion.
#[derive(Clone, Debug)]
pub struct Report {
    /// The files that were written, in order.
    pub files: Vec<PathBuf>,
    /// The files that were read, in order.
    pub sources: Vec<PathBuf>,
    /// Plain bytes of the image.
    pub plain_size: u64,
    /// Bytes of the source's files.
    pub source_size: u64,
    /// Bytes of the output's files.
    pub stored_size: u64,
    /// Whether the output was read back and compared.
    pub verified: bool,
    /// The checksum that was asked for, in hexadecimal.
    pub sum: Option<String>,
    /// What the source's files were when they were read.
    origin: Origin,
}

/// A source whose output was there already.
#[derive(Clone, Debug)]
pub struct Existed {
    origin: Origin,
    verified: bool,
}

impl Existed {
    /// For the open image at `source`; `verified` says whether the output was compared with it.
    ///
    /// # Errors
    /// `Io` when a file of the source cannot be inspected.
    pub fn new(source: &Path, image: &Image, verified: bool) -> Result<Self> {
        let origin = Origin::of(source, image)?;
        Ok(Self { origin, verified })
    }

    /// Deletes the files of the source, if they are still the ones that they were.
    ///
    /// # Errors
    /// `Usage` when the output was not compared; `Io` when a file changed, or cannot be deleted.
    pub fn delete_sources(&self) -> Result<()> {
        self.origin.delete(self.verified)
    }
}

/// Converts the image at `source` into a new file at `output`, or several for a split set.
///
/// # Errors
/// What opening and reading the source report; `Usage` when the target cannot hold what is wished for; `Io` when
/// a file is in the way, the output cannot be written, the source changed meanwhile, or [`Watch::stops`]; `Corrupt`
/// when the output, read back, is not the source. No output is left then, and the source is as it was.
pub fn file(
    source: &Path,
    output: &Path,
    settings: &Settings,
    watch: &dyn Watch,
) -> Result<Report> {
    if settings.existing == Existing::Refuse && output.symlink_metadata().is_ok() {
        let message = "the output is there already; --force replaces it";
        return Err(Error::new(ErrorKind::Io, message).in_file(output));
    }
    let image = open(source, &settings.parents, &|| watch.password(source))?;
    let origin = Origin::of(source, &image)?;
    origin.check_other_than(output)?;
    let pack = settings.target.prepare(image.size(), &settings.wish)?;
    for note in pack.notes() {
        watch.note(&note);
    }
    let mut sum = settings.sum.map(Hasher::new);
    let written = write(&image, pack.as_ref(), output, settings, sum.as_mut(), watch)
        .map_err(|err| err.in_file(source))?;
    if settings.verify {
        check(&image, written.first(), settings, watch).map_err(|err| err.in_file(output))?;
    }
    origin.check_unchanged()?;
    let stored_size = written.len();
    for place in written.places() {
        origin.check_other_than(&place)?;
    }
    let files = written.move_into_place(settings.existing)?;
    Ok(Report {
        files,
        sources: origin.paths(),
        plain_size: image.size(),
        source_size: origin.len(),
        stored_size,
        verified: settings.verify,
        sum: sum.map(Hasher::finish),
        origin,
    })
}

/// Writes and syncs the output under its temporary name.
fn write(
    image: &Image,
    pack: &dyn Pack,
    output: &Path,
    settings: &Settings,
    sum: Option<&mut Hasher>,
    watch: &dyn Watch,
) -> Result<Written> {
    let mut files = Files::create(output)?;
    watch.begin(Phase::Writing, image.size());
    pipeline::run(image, pack, settings.jobs, &mut files, sum, watch)?;
    files.sync()
}

/// Reads an output back, and compares it with the image.
fn check(image: &Image, output: &Path, settings: &Settings, watch: &dyn Watch) -> Result<()> {
    watch.begin(Phase::Comparing, image.size());
    let back = open_output(output, settings).map_err(|err| err.in_context("read back"))?;
    compare(image, &back, settings.jobs, watch)
}

fn open_output(output: &Path, settings: &Settings) -> Result<Image> {
    if settings.target.methods == [Method::Stored] {
        let opened = format::open_plain(Arc::new(FileSource::open(output)?))?;
        return Ok(Image::new(opened, Arc::new(BlockCache::new(CACHE))));
    }
    let encryption = settings.wish.encryption.as_ref();
    let password = || Ok(encryption.map(|it| Password::new(it.password.to_vec())));
    open(output, &[], &password)
}

/// Opens an image for being read once, from front to end. The parent of a CHD may be one of `parents`, or in one.
///
/// # Errors
/// Those of [`Image::open`].
pub fn open(
    path: &Path,
    parents: &[PathBuf],
    password: &dyn Fn() -> Result<Option<Password>>,
) -> Result<Image> {
    Image::open_with(path, parents, Arc::new(BlockCache::new(CACHE)), password)
}

impl Report {
    /// Deletes the files that were read, if they are still the ones that were.
    ///
    /// # Errors
    /// `Usage` when the output was not read back and compared; `Io` when a file changed, or cannot be deleted.
    pub fn delete_sources(&self) -> Result<()> {
        self.origin.delete(self.verified)
    }
}

impl fmt::Debug for dyn Watch + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// What everything that was told to stop fails with.
fn interrupted() -> Error {
    Error::new(
        ErrorKind::Io,
        "interrupted; no unfinished output is left, and the source is as it was",
    )
}
