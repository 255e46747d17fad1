//! What the tests of all formats share.

use std::{
    ffi::{OsStr, OsString},
    sync::Arc,
};

use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{TestCaseError, TestCaseResult},
};

use super::{OpenOptions, Opened, ending_before};
use crate::{
    Result,
    cache::BlockCache,
    image::Image,
    source::{Siblings, Source},
};

/// The files beside an image, by their names.
#[derive(Debug)]
pub(super) struct Beside(pub(super) Vec<(&'static str, Vec<u8>)>);

impl Beside {
    /// A single file.
    pub(super) fn one(name: &'static str, bytes: Vec<u8>) -> Self {
        Self(vec![(name, bytes)])
    }
}

impl Siblings for Beside {
    fn find(&self, name: &OsStr) -> Result<Option<Arc<dyn Source>>> {
        let mut files = self.0.iter();
        let found = files.find(|(own, _)| name.eq_ignore_ascii_case(own));
        Ok(found.map(|(_, bytes)| Arc::new(bytes.clone()) as Arc<dyn Source>))
    }

    fn names(&self) -> Result<Vec<OsString>> {
        Ok(self.0.iter().map(|(name, _)| (*name).into()).collect())
    }
}

/// A volume of so many sectors, in an image of so many bytes.
pub(super) fn volume(sectors: u32, len: usize) -> Vec<u8> {
    let mut plain: Vec<u8> = (0..len as u32)
        .map(|i| (i.wrapping_mul(i) >> 9) as u8)
        .collect();
    plain[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    plain[0x8050..0x8054].copy_from_slice(&sectors.to_le_bytes());
    plain[0x8080..0x8082].copy_from_slice(&2048_u16.to_le_bytes());
    plain
}

/// Of the blocks of this image, only the one with this number cannot be read.
pub(super) fn fails_alone(image: &Image, plain: &[u8], block: usize, bad: usize, says: &str) {
    for (number, wanted) in plain.chunks(block).enumerate() {
        let got = read(image, (number * block) as u64, wanted.len());
        if number == bad {
            let message = got.unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        } else {
            assert!(got.unwrap() == wanted, "block {number}");
        }
    }
}

/// Opens a file that stands alone, whatever its format.
pub(super) fn opened(file: Vec<u8>) -> Result<Opened> {
    super::open(Arc::new(file), &OpenOptions::alone())
}

/// An image with a cache that holds few blocks, so that they are pushed out and decoded again.
pub(super) fn image(opened: Opened) -> Image {
    let blocks = 3 * opened.map.geometry().largest_block();
    Image::new(opened, Arc::new(BlockCache::new(blocks)))
}

/// Up to `len` bytes from `at` on; fewer where the image ends.
pub(super) fn read(image: &Image, at: u64, len: usize) -> Result<Vec<u8>> {
    let mut out = vec![0xEE; len];
    let n = image.read_at(&mut out, at)?;
    out.truncate(n);
    Ok(out)
}

/// A few reads of up to `longest` bytes each.
pub(super) fn reads(longest: usize) -> impl Strategy<Value = Vec<(Index, usize)>> {
    prop::collection::vec((any::<Index>(), 0..longest), 1..8)
}

/// The whole image, and each of the reads, is the slice of the plain bytes.
pub(super) fn reads_like(image: &Image, plain: &[u8], reads: &[(Index, usize)]) -> TestCaseResult {
    prop_assert_eq!(image.size(), plain.len() as u64);
    prop_assert!(slice(image, 0, plain.len() + 1)? == plain);
    for (at, len) in reads {
        let at = at.index(plain.len());
        let wanted = &plain[at..plain.len().min(at + len)];
        prop_assert!(slice(image, at, *len)? == wanted, "{len} bytes at {at}");
    }
    Ok(())
}

fn slice(image: &Image, at: usize, len: usize) -> std::result::Result<Vec<u8>, TestCaseError> {
    read(image, at as u64, len).map_err(|err| TestCaseError::fail(err.sentence()))
}

/// No block of a damaged file points outside its source, and reading it gives bytes or an error.
pub(super) fn survives(opened: Result<Opened>) -> TestCaseResult {
    let Ok(opened) = opened else { return Ok(()) };
    let image = image(opened);
    for block in (0..image.geometry().blocks()).take(1000) {
        let stored = image.locate(block);
        prop_assert!(stored.at + u64::from(stored.len) <= image.stored_size());
        let _ = read(&image, image.geometry().span(block).start, 9000);
    }
    Ok(())
}

#[test]
fn plain_files_are_named_by_what_stands_before_their_compression() {
    for (name, expected) in [
        ("a.iso.gz", ".iso"),
        ("a.IMG.gz", ".img"),
        ("a.bin.GZ", ".bin"),
        ("a.img.zst", ".img"),
        ("a", ".iso"),
    ] {
        assert_eq!(ending_before(OsStr::new(name)), expected);
    }
}
