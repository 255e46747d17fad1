//! A writer with every known writer's habits, and the property that all it writes reads as the plain bytes.

use std::{io::Write, sync::Arc};

use flate2::{Compression, write};
use proptest::prelude::*;

use crate::{
    Error, Result,
    cache::BlockCache,
    codec::Codec,
    format::{self, OpenOptions},
    image::Image,
};

mod properties;
mod quirks;

/// What a writer does with a last block that is shorter than the others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tail {
    /// It stores what there is (7ciso).
    Short,
    /// It fills up with zeroes to a whole block (maxcso).
    Padded,
    /// It goes on with old bytes of its buffer (Danixu's ziso).
    Stale,
    /// It leaves it out, and its index entry too (the Python writers, BOOSTER's).
    LeftOut,
    /// It loses the last byte (Danixu's ziso with small images).
    OneByteShort,
}

/// What a writer puts into the final entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Final {
    /// The end of the last block, padded up to the unit.
    Up,
    /// The same, but the padding is not in the file.
    UpUnpadded,
    /// The end rounded down to the unit, without padding (the Python writers).
    Down,
    /// Zero, with the entry of the last block at the end of the file (phyber's ciso.py).
    Lost,
}

#[derive(Clone, Debug)]
pub(super) struct Writer {
    pub(super) magic: [u8; 4],
    pub(super) header_size: u32,
    pub(super) block_size: u32,
    pub(super) version: u8,
    pub(super) shift: u8,
    /// Fills the space before aligned blocks.
    pub(super) filler: u8,
    /// Bytes between the index and the first block.
    pub(super) gap: usize,
    /// Bytes behind everything.
    pub(super) trailing: usize,
    /// Every so many blocks is stored; 0 for only those that do not shrink.
    pub(super) store_every: usize,
    pub(super) tail: Tail,
    pub(super) last: Final,
    pub(super) pack: fn(&[u8]) -> Vec<u8>,
}

impl Writer {
    pub(super) fn cso() -> Self {
        Self {
            magic: *b"CISO",
            header_size: 24,
            block_size: 2048,
            version: 1,
            shift: 0,
            filler: b'X',
            gap: 0,
            trailing: 0,
            store_every: 0,
            tail: Tail::Short,
            last: Final::Up,
            pack: deflate,
        }
    }

    pub(super) fn zso() -> Self {
        Self {
            magic: *b"ZISO",
            pack: lz4_flex::block::compress,
            ..Self::cso()
        }
    }

    /// The compressed image.
    pub(super) fn write(&self, plain: &[u8]) -> Vec<u8> {
        let block_size = self.block_size as usize;
        let whole = plain.len() / block_size * block_size;
        let kept = if self.tail == Tail::LeftOut {
            &plain[..whole]
        } else {
            plain
        };
        let blocks: Vec<&[u8]> = kept.chunks(block_size).collect();
        let data_at = 24 + 4 * (blocks.len() + 1) + self.gap;
        let mut index = Vec::new();
        let mut file = vec![self.filler; data_at];
        for (i, block) in blocks.iter().enumerate() {
            self.align(&mut file);
            let (stored, flag) = self.store(i, &self.finish(block));
            index.push(self.entry(file.len()) | flag);
            file.extend(stored);
        }
        self.end(&mut file, &mut index);
        file.extend(std::iter::repeat_n(0x5a, self.trailing));
        file[..24].copy_from_slice(&self.header(plain.len()));
        for (i, entry) in index.iter().enumerate() {
            file[24 + 4 * i..28 + 4 * i].copy_from_slice(&entry.to_le_bytes());
        }
        file
    }

    fn header(&self, size: usize) -> [u8; 24] {
        let mut bytes = header(
            self.magic,
            size as u64,
            self.block_size,
            self.version,
            self.shift,
        );
        bytes[4..8].copy_from_slice(&self.header_size.to_le_bytes());
        bytes
    }

    fn entry(&self, at: usize) -> u32 {
        u32::try_from(at >> self.shift).unwrap()
    }

    fn align(&self, file: &mut Vec<u8>) {
        file.resize(file.len().next_multiple_of(1 << self.shift), self.filler);
    }

    /// What is packed for a block: itself, or for a short one what this writer makes of it.
    fn finish(&self, block: &[u8]) -> Vec<u8> {
        let mut block = block.to_vec();
        let short = block.len() < self.block_size as usize;
        match self.tail {
            Tail::Padded => block.resize(self.block_size as usize, 0),
            Tail::Stale if short => block.extend(b"stale"),
            Tail::OneByteShort if short => drop(block.pop()),
            _ => {}
        }
        block.truncate(self.block_size as usize);
        block
    }

    fn store(&self, i: usize, block: &[u8]) -> (Vec<u8>, u32) {
        let packed = (self.pack)(block);
        let unit = 1 << self.shift;
        let chosen = self.store_every > 0 && i % self.store_every == 0;
        if self.version < 2 {
            return if chosen || packed.len() >= block.len() {
                (block.to_vec(), 1 << 31)
            } else {
                (packed, 0)
            };
        }
        let lz4 = lz4_flex::block::compress(block);
        let fits = |bytes: &[u8]| bytes.len() + 2 * unit < self.block_size as usize;
        match i % 2 {
            _ if chosen && block.len() == self.block_size as usize => (block.to_vec(), 0),
            0 if fits(&packed) => (packed, 0),
            _ if fits(&lz4) => (lz4, 1 << 31),
            _ => {
                let mut whole = block.to_vec();
                whole.resize(self.block_size as usize, 0);
                (whole, 0)
            }
        }
    }

    fn end(&self, file: &mut Vec<u8>, index: &mut Vec<u32>) {
        let end = file.len();
        match self.last {
            Final::Down => index.push(self.entry(end)),
            Final::UpUnpadded => {
                index.push(self.entry(end.next_multiple_of(1 << self.shift)));
            }
            Final::Up => {
                self.align(file);
                index.push(self.entry(file.len()));
            }
            Final::Lost => {
                *index.last_mut().unwrap() = self.entry(end);
                index.push(0);
            }
        }
    }
}

pub(super) fn header(
    magic: [u8; 4],
    size: u64,
    block_size: u32,
    version: u8,
    shift: u8,
) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[..4].copy_from_slice(&magic);
    bytes[4] = 24;
    bytes[8..16].copy_from_slice(&size.to_le_bytes());
    bytes[16..20].copy_from_slice(&block_size.to_le_bytes());
    (bytes[20], bytes[21]) = (version, shift);
    bytes
}

/// Raw deflate.
pub(super) fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = write::DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A zlib stream without its first two bytes, as the Python writers make it.
pub(super) fn headless_zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = write::ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap().split_off(2)
}

/// Bytes of which some runs shrink well and some not at all; no two blocks are equal.
pub(super) fn patterned(len: usize) -> Vec<u8> {
    let mut x = 1_u32;
    (0..len)
        .map(|i| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match i / 1500 % 4 {
                0 => (x >> 24) as u8,
                1 => (i >> 9) as u8,
                _ => b'a' + ((x >> 30) + (i as u32 >> 11) % 5) as u8,
            }
        })
        .collect()
}

pub(super) fn open(file: Vec<u8>) -> Result<Image> {
    let opened = format::open(Arc::new(file), &OpenOptions::alone())?;
    Ok(Image::new(opened, Arc::new(BlockCache::new(1 << 20))))
}

/// The bytes of one block, or its error.
pub(super) fn read_block(image: &Image, block: u64) -> Result<Vec<u8>> {
    let mut plain = vec![0; image.geometry().len_of(block)];
    image.read_at(&mut plain, image.geometry().span(block).start)?;
    Ok(plain)
}

/// Asserts that every block reads as the plain bytes, except those named.
pub(super) fn assert_reads_except(file: Vec<u8>, plain: &[u8], bad: &[u64]) -> Vec<Error> {
    let image = open(file).unwrap();
    assert_eq!(image.size(), plain.len() as u64);
    let mut errors = Vec::new();
    for block in 0..image.geometry().blocks() {
        let span = image.geometry().span(block);
        match read_block(&image, block) {
            Ok(read) => {
                assert!(!bad.contains(&block), "block {block} is readable");
                assert_eq!(
                    read,
                    plain[span.start as usize..span.end as usize],
                    "block {block}"
                );
            }
            Err(err) => {
                assert!(bad.contains(&block), "{err}");
                errors.push(err);
            }
        }
    }
    errors
}

/// The notes that opening makes.
pub(super) fn notes(file: Vec<u8>) -> Vec<String> {
    open(file).unwrap().details().notes.clone()
}

#[test]
fn the_variant_names_version_and_shift() {
    let variant = |writer: Writer| {
        let image = open(writer.write(&patterned(5000))).unwrap();
        (image.format().name, image.details().variant.clone())
    };
    assert_eq!(variant(Writer::cso()), ("cso", "CSO v1".into()));
    let shifted = Writer {
        shift: 2,
        ..Writer::zso()
    };
    assert_eq!(variant(shifted), ("zso", "ZSO, index shift 2".into()));
    let newer = Writer {
        version: 2,
        ..Writer::cso()
    };
    assert_eq!(variant(newer), ("cso", "CSO v2".into()));
}

#[test]
fn probing_tells_the_size_of_the_image() {
    let file = Writer::cso().write(&patterned(5000));
    let (format, summary) = format::probe(&file, "x".as_ref()).unwrap();
    assert_eq!((format.name, summary.size), ("cso", 5000));
}

#[test]
fn padding_far_beyond_a_block_is_not_fetched() {
    let writer = Writer {
        shift: 20,
        ..Writer::zso()
    };
    let image = open(writer.write(&patterned(6000))).unwrap();
    let stored = image.locate(0);
    assert_eq!((stored.len, stored.codec), (2 * 2048 + 65_536, Codec::Lz4));
}
