//! An image before it is changed: where its blocks lie, and what they hold.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use plainiso::{
    Result,
    cache::BlockCache,
    codec::Codec,
    files::Content,
    format::{self, OpenOptions, Password},
    image::Image,
    source::{Folder, Source},
};

/// Longer files are left out: their headers are those of shorter ones.
const LONGEST: u64 = 600_000;

/// Of a file with more plain files, this many are read.
const MOST_FILES: usize = 6;

/// Plain bytes that are read of one plain file of a changed image.
const MOST_READ: u64 = 1 << 20;

/// Bytes at the front of a file that count as its header when its blocks do not tell.
const FRONT: usize = 600;

/// An image before it is changed.
#[derive(Debug)]
pub(crate) struct Original {
    path: PathBuf,
    stored: Vec<u8>,
    metadata: Vec<usize>,
    images: Vec<(u32, Image)>,
}

/// How the blocks of a changed image are.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    pub(crate) plain_files: u64,
    pub(crate) right: u64,
    pub(crate) refused: u64,
    pub(crate) other: u64,
    /// Blocks whose checksum knows, and which are not what they were.
    pub(crate) wrong: Vec<String>,
}

/// The files of a folder that bear the name of an image, in the order of their paths.
pub(crate) fn below(folder: &Path) -> Vec<Original> {
    let mut paths = BTreeSet::new();
    walk(folder, &mut paths);
    paths.into_iter().map(Original::of).collect()
}

fn walk(folder: &Path, paths: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        if metadata.is_dir() {
            walk(&path, paths);
        } else if metadata.is_file()
            && metadata.len() <= LONGEST
            && format::of_name(&entry.file_name()).is_some()
        {
            paths.insert(path);
        }
    }
}

/// Opens one of the plain files of `stored`, which lies at `path`.
fn open(stored: &Arc<dyn Source>, path: &Path, file: u32) -> Result<Image> {
    let siblings = Folder::of(path);
    let options = OpenOptions {
        file,
        ..options(path, &siblings)
    };
    let opened = format::open(Arc::clone(stored), &options)?;
    Ok(Image::new(opened, Arc::new(BlockCache::new(1 << 20))))
}

fn options<'a>(path: &'a Path, siblings: &'a Folder) -> OpenOptions<'a> {
    OpenOptions {
        name: path.file_name().unwrap_or(OsStr::new("")),
        siblings,
        password: &|| Ok(Some(Password::new(b"open sesame".to_vec()))),
        ..OpenOptions::alone()
    }
}

/// The numbers of the plain files. Listing and probing are asked in any case: they must not panic either.
fn numbers(stored: &Arc<dyn Source>, path: &Path) -> Vec<u32> {
    let siblings = Folder::of(path);
    let options = options(path, &siblings);
    let Ok(format) = format::detect(stored.as_ref(), options.name) else {
        return Vec::new();
    };
    let _ = (format.probe)(stored.as_ref());
    let Some(files) = format.files else {
        return vec![0];
    };
    let Ok(listed) = files(stored, &options) else {
        return vec![0];
    };
    let numbers = listed.files.iter().filter_map(|file| match file.content {
        Content::Blocks { number, .. } => Some(number),
        Content::Text(_) | Content::Stored => None,
    });
    numbers.take(MOST_FILES).collect()
}

impl Original {
    fn of(path: PathBuf) -> Self {
        let stored = fs::read(&path).unwrap();
        let source: Arc<dyn Source> = Arc::new(stored.clone());
        let numbers = numbers(&source, &path);
        let opened = numbers
            .into_iter()
            .filter_map(|number| Some((number, open(&source, &path, number).ok()?)));
        let images: Vec<_> = opened.collect();
        Self {
            metadata: metadata(&stored, &images),
            path,
            stored,
            images,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn stored(&self) -> &[u8] {
        &self.stored
    }

    /// The positions of all bytes that are no block's, rising.
    pub(crate) fn metadata(&self) -> &[usize] {
        &self.metadata
    }

    /// Opens and reads a changed image, of which the byte at `at` is the first that is another.
    pub(crate) fn compare(&self, stored: Vec<u8>, at: usize) -> Compared {
        let stored: Arc<dyn Source> = Arc::new(stored);
        let mut compared = Compared::default();
        for number in numbers(&stored, &self.path) {
            let Ok(image) = open(&stored, &self.path, number) else {
                continue;
            };
            compared.plain_files += 1;
            let before = self.images.iter().find(|(of, _)| *of == number);
            let before = before.map(|(_, image)| image);
            read(&image, before, at as u64, &mut compared);
            read_around(&image);
        }
        compared
    }
}

fn metadata(stored: &[u8], images: &[(u32, Image)]) -> Vec<usize> {
    let len = stored.len();
    // Blocks of a set lie in several files, and positions are those of all.
    // The blocks of a stream count in its plain bytes.
    let lies_inside = |image: &Image| {
        (0..image.geometry().blocks()).all(|block| {
            let stored = image.locate(block);
            stored.at + u64::from(stored.len) <= len as u64
        })
    };
    let is_alone = |image: &Image| image.stored_size() == len as u64 && lies_inside(image);
    if images.is_empty() || !images.iter().all(|(_, image)| is_alone(image)) {
        return (0..len.min(FRONT)).collect();
    }
    let mut is_block = vec![false; len];
    for (_, image) in images {
        for block in 0..image.geometry().blocks() {
            let stored = image.locate(block);
            let at = usize::try_from(stored.at).unwrap();
            is_block[at..at + stored.len as usize].fill(true);
        }
    }
    (0..len).filter(|&at| !is_block[at]).collect()
}

/// The blocks to read: those at both ends, and those whose stored bytes are changed.
fn blocks(image: &Image, before: Option<&Image>, at: u64) -> BTreeSet<u64> {
    let count = image.geometry().blocks();
    let mut blocks: BTreeSet<u64> = (0..count.min(12)).collect();
    blocks.extend(count.saturating_sub(2)..count);
    let holds = |image: &Image, block| {
        let stored = image.locate(block);
        stored.at <= at && at < stored.at + u64::from(stored.len)
    };
    if let Some(before) = before {
        let hit = (0..before.geometry().blocks()).find(|&block| holds(before, block));
        let around = hit
            .into_iter()
            .flat_map(|hit| hit.saturating_sub(1)..hit + 2);
        blocks.extend(around.filter(|&block| block < count));
    }
    blocks
}

fn read(image: &Image, before: Option<&Image>, at: u64, compared: &mut Compared) {
    let mut done = 0;
    for block in blocks(image, before, at) {
        let span = image.geometry().span(block);
        done += span.end - span.start;
        if done > MOST_READ && done > span.end - span.start {
            break;
        }
        let mut plain = vec![0xAA; usize::try_from(span.end - span.start).unwrap()];
        let Ok(read) = image.read_at(&mut plain, span.start) else {
            compared.refused += 1;
            continue;
        };
        assert_eq!(read, plain.len(), "a read of a block must not be short");
        match before.and_then(|before| expected(before, &span)) {
            Some(expected) if expected == plain => compared.right += 1,
            Some(_) if before.is_some_and(|before| checks(image, before, block)) => {
                let what = format!("block {block} of {} bytes is wrong", plain.len());
                compared.wrong.push(what);
            }
            _ => compared.other += 1,
        }
    }
}

/// What stood in this range before the change.
fn expected(before: &Image, span: &Range<u64>) -> Option<Vec<u8>> {
    let mut plain = vec![0x55; usize::try_from(span.end - span.start).unwrap()];
    let read = before.read_at(&mut plain, span.start).ok()?;
    (read == plain.len()).then_some(plain)
}

/// Whether a block carries a checksum, and is the same piece of the image at the same place of the file as before: an
/// index that was changed may well point to another whole block.
fn checks(image: &Image, before: &Image, block: u64) -> bool {
    let stored = image.locate(block);
    let all_carry = |image: &Image| {
        let mut checksums = image.details().checksums.iter();
        checksums.any(|checksum| checksum.covers == "blocks")
    };
    let carries = stored.codec.checksum().is_some()
        || all_carry(before) && !matches!(stored.codec, Codec::Raw | Codec::Zero | Codec::Missing);
    // What is as long as its block may be stored plain without the index saying so, as in DAX.
    let is_shorter = u64::from(stored.len) < image.geometry().len_of(block) as u64;
    carries
        && is_shorter
        && block < before.geometry().blocks()
        && image.geometry().span(block) == before.geometry().span(block)
        && stored == before.locate(block)
}

/// Reads at odd places, the end and behind it too. Errors are fine.
fn read_around(image: &Image) {
    let size = image.size();
    let mut out = vec![0; 5000];
    for at in [1, 2047, size / 2, size.saturating_sub(1)] {
        let _ = image.read_at(&mut out, at);
    }
    for at in [size, size + 1, u64::MAX] {
        assert_eq!(image.read_at(&mut out, at).ok(), Some(0));
    }
    if image.geometry().blocks() < 10_000 {
        let _ = (image.next_data(size / 2), image.next_hole(size / 2));
    }
}
