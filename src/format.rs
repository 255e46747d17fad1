//! The registry: every format is one file below and one line here.

use std::{ffi::OsStr, fmt, path::Path, sync::Arc};

use crate::{
    Error, ErrorKind, Result,
    files::{Listed, PlainFile, Tracks},
    map::{BlockMap, disc::DataTrack},
    pack::Target,
    source::{NoSiblings, Siblings, Source},
};

mod bz2;
mod ccd;
mod chd;
mod cso;
mod cue;
mod dax;
mod ecm;
mod foreign;
mod gcz;
mod gz;
mod iso;
mod isz;
mod jso;
mod lz4;
mod mds;
mod nrg;
mod playlist;
#[cfg(test)]
mod tests;
mod uif;
mod wbfs;
mod wia;
mod xz;
mod zip;
mod zst;

pub use playlist::PLAYLIST;

/// Every format. Detection tries them in this order, after the one that the file's extension names.
pub static FORMATS: &[&Format] = &[
    &cso::CSO,
    &cso::ZSO,
    &isz::ISZ,
    &dax::DAX,
    &jso::JSO,
    &gz::GZ,
    &xz::XZ,
    &zst::ZST,
    &lz4::LZ4,
    &bz2::BZ2,
    &zip::ZIP,
    &chd::CHD,
    &cue::CUE,
    &ccd::CCD,
    &mds::MDS,
    &nrg::NRG,
    &ecm::ECM,
    &gcz::GCZ,
    &wbfs::WBFS,
    &cso::CISO,
    &uif::UIF,
    &wia::RVZ,
    &wia::WIA,
    &iso::ISO,
];

/// Bytes at the front of a file that [`Format::detect`] may look at.
pub const HEAD_LEN: usize = 64;

/// The number in [`OpenOptions::file`] of all plain bytes of a disc whose plain files are parts of them. There is such a
/// file where a checksum covers the "disc".
pub const WHOLE_DISC: u32 = u32::MAX;

/// A format as data: what it is called and how to open it.
#[derive(Debug)]
pub struct Format {
    /// Short lower-case name.
    pub name: &'static str,
    /// What it is, in a few words for people.
    pub title: &'static str,
    /// File name endings, lower case, without the first dot; the usual one first. They may hold a dot (`iso.gz`).
    pub extensions: &'static [&'static str],
    /// Whether a file belongs to this format, by its first bytes (fewer than [`HEAD_LEN`] in a short file).
    /// The source is there for formats whose mark stands further behind.
    pub detect: fn(head: &[u8], source: &dyn Source) -> bool,
    /// Whether a file that bears the extension is shown as it is when it is none of this format, or damaged. Others
    /// fail to open.
    pub passes_through: bool,
    /// Reads and checks the header only: cheap enough for every file of a library.
    pub probe: fn(source: &dyn Source) -> Result<Summary>,
    /// Which plain files it is shown as, as cheap as `probe`; `None` when that is one `.iso`.
    pub files: Option<Lister>,
    /// Reads and checks the header and the index.
    pub open: fn(source: Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Opened>,
    /// Whether an extension (lower case) can be that of a later file of a split set.
    pub is_part_extension: fn(extension: &str) -> bool,
    /// The ways to write it; none when it can only be read.
    pub targets: &'static [&'static Target],
}

/// Lists the plain files of a stored one.
pub type Lister = fn(source: &Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Listed>;

/// What a header alone tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Summary {
    /// Number of plain bytes of the image; where it is several plain files, of the one with the number 0.
    pub size: u64,
    /// Whether the file is all of the image.
    pub part: PartOf,
    /// Whether opening it takes a password. Not known of later parts.
    pub encrypted: bool,
}

/// Whether a file is an image of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PartOf {
    /// The file is the whole image.
    Whole,
    /// The file is the first of a split set, and stands for the image.
    First,
    /// The file is a later one of a split set; the number counts from 0.
    Later(u32),
}

/// What opening may need besides the file itself.
#[derive(Clone, Copy)]
pub struct OpenOptions<'a> {
    /// The file's name without folders: it orders the attempts and names the other files of a set.
    pub name: &'a OsStr,
    /// The files beside it.
    pub siblings: &'a dyn Siblings,
    /// Asked for a password when the image turns out to be encrypted; `None` when there is none.
    pub password: &'a dyn Fn() -> Result<Option<Password>>,
    /// Which plain file to open, of a format that has several; 0 is the one that stands for all.
    pub file: u32,
    /// Which plain files to list.
    pub tracks: Tracks,
}

impl OpenOptions<'_> {
    /// For an image that stands alone: no name, no siblings, no password.
    #[must_use]
    pub fn alone() -> OpenOptions<'static> {
        OpenOptions {
            name: OsStr::new(""),
            siblings: &NoSiblings,
            password: &|| Ok(None),
            file: 0,
            tracks: Tracks::Both,
        }
    }
}

impl fmt::Debug for OpenOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("name", &self.name)
            .field("siblings", &self.siblings)
            .finish_non_exhaustive()
    }
}

/// A password's bytes. Never printed, wiped when dropped.
pub struct Password(zeroize::Zeroizing<Vec<u8>>);

impl Password {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(zeroize::Zeroizing::new(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// An image whose header and index were read and checked.
#[derive(Debug)]
pub struct Opened {
    /// Its format.
    pub format: &'static Format,
    /// What the map's positions refer to: the file that was opened, or a set of files as one.
    pub source: Arc<dyn Source>,
    /// Where each block is.
    pub map: Box<dyn BlockMap>,
    /// What people may want to know about it.
    pub details: Details,
}

/// Facts for people; nothing here is needed for reading.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// The format's variant, such as "CSO v1, index shift 2".
    pub variant: String,
    /// The names of all files of a split set, in order; empty for a single file.
    pub parts: Vec<String>,
    /// How the image is encrypted, if it is.
    pub encryption: Option<&'static str>,
    /// Checksums that the file carries.
    pub checksums: Vec<Checksum>,
    /// Oddities that do not hinder reading, as whole sentences without a dot. Logged once at open.
    pub notes: Vec<String>,
}

/// A checksum that a file carries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checksum {
    /// What it covers: "image" (plain bytes), "disc" (those of [`WHOLE_DISC`]), "stored" (stored bytes) or "blocks"
    /// (each block its own).
    pub covers: &'static str,
    /// The algorithm, such as "md5" or "crc32".
    pub algorithm: &'static str,
    /// Its value in hexadecimal; empty when there is one per block.
    pub value: String,
}

/// Finds the format of a file by its content. The extension of `name` only orders the attempts.
///
/// # Errors
/// `UnknownFormat` when no format recognizes it, `Io` when it cannot be read.
pub fn detect(source: &dyn Source, name: &OsStr) -> Result<&'static Format> {
    let mut head = [0; HEAD_LEN];
    let head = &mut head[..usize::try_from(source.len()).map_or(HEAD_LEN, |len| len.min(HEAD_LEN))];
    source.read_exact_at(head, 0)?;
    let (named, others): (Vec<&Format>, Vec<&Format>) =
        FORMATS.iter().partition(|format| format.is_named_by(name));
    let mut attempts = named.into_iter().chain(others);
    attempts
        .find(|format| (format.detect)(head, source))
        .ok_or_else(|| unknown(head, source))
}

fn unknown(head: &[u8], source: &dyn Source) -> Error {
    if let Some(sentence) = foreign::named(head, source) {
        return Error::new(ErrorKind::UnknownFormat, sentence);
    }
    let found = match head.get(..4) {
        Some(magic) => format!("its first bytes are {}", magic.escape_ascii()),
        None => format!("it has only {} bytes", head.len()),
    };
    Error::new(
        ErrorKind::UnknownFormat,
        format!("this is no disc image that plainiso knows: {found}"),
    )
}

/// Finds the format of `source` and opens it.
///
/// # Errors
/// What [`detect`] and the format's own `open` report.
pub fn open(source: Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Opened> {
    let format = detect(source.as_ref(), options.name)?;
    (format.open)(source, options)
}

/// Opens a file as the plain image that it was written as. Its bytes need not tell that: those of consoles bear marks of
/// their own, or none.
///
/// # Errors
/// `Corrupt` or `LimitExceeded` when an image cannot have its size.
pub fn open_plain(source: Arc<dyn Source>) -> Result<Opened> {
    iso::open(source, &OpenOptions::alone())
}

/// A file that `by` (a sheet, a descriptor) names, from beside it.
///
/// # Errors
/// `MissingPart` when it is not there, `Io` when it cannot be opened.
fn file_beside(name: &OsStr, by: &str, options: &OpenOptions<'_>) -> Result<Arc<dyn Source>> {
    options.siblings.find(name)?.ok_or_else(|| {
        let shown = name.to_string_lossy();
        let message = format!(
            "{by} names {}, which is not beside it",
            shown.escape_debug()
        );
        Error::new(ErrorKind::MissingPart, message)
    })
}

/// A data track in a file beside the one that was opened.
fn track_beside(
    format: &'static Format,
    (name, file): (&OsStr, Arc<dyn Source>),
    track: DataTrack,
    variant: String,
) -> Opened {
    Opened {
        format,
        source: file,
        map: track.into_map(),
        details: Details {
            variant,
            parts: vec![name.to_string_lossy().into_owned()],
            ..Details::default()
        },
    }
}

/// Every way to write an image.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    FORMATS.iter().flat_map(|format| format.targets).copied()
}

/// Finds the format of `source` and reads its header only.
///
/// # Errors
/// What [`detect`] and the format's own `probe` report.
pub fn probe(source: &dyn Source, name: &OsStr) -> Result<(&'static Format, Summary)> {
    let format = detect(source, name)?;
    Ok((format, (format.probe)(source)?))
}

/// The format whose extension a name bears. What the file holds may be another.
#[must_use]
pub fn of_name(name: &OsStr) -> Option<&'static Format> {
    let mut formats = FORMATS.iter().copied();
    formats.find(|format| format.is_named_by(name))
}

impl Format {
    /// Whether a name bears an extension of this format, whatever its letter case.
    fn is_named_by(&self, name: &OsStr) -> bool {
        let name = name.as_encoded_bytes();
        let mut endings = self.extensions.iter().map(|ending| ending.as_bytes());
        endings.any(|ending| {
            let cut = name.len().checked_sub(ending.len());
            let stem_and_ending = cut.filter(|&cut| cut >= 2).map(|cut| name.split_at(cut));
            stem_and_ending
                .is_some_and(|(stem, end)| stem.ends_with(b".") && end.eq_ignore_ascii_case(ending))
        })
    }
}

/// The last extension of a name, lower case, without the dot; empty when there is none.
#[must_use]
pub fn extension_of(name: &OsStr) -> String {
    let extension = Path::new(name).extension().unwrap_or_default();
    extension.to_string_lossy().to_ascii_lowercase()
}

/// The only plain file of one that is compressed as a whole.
fn uncompressed(size: u64, options: &OpenOptions<'_>) -> Listed {
    Listed::alone(vec![PlainFile::blocks(
        ending_before(options.name),
        size,
        0,
    )])
}

/// `.img` of `Disk.img.gz`; `.iso` where the name says nothing.
fn ending_before(name: &OsStr) -> &'static str {
    let name = Path::new(name);
    match extension_of(name.file_stem().unwrap_or_default()).as_str() {
        "img" => ".img",
        "bin" => ".bin",
        _ => ".iso",
    }
}
