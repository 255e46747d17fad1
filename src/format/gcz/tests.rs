use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use proptest::{collection::vec, prelude::*, sample::Index as Any};

use super::*;
use crate::{
    ErrorKind,
    format::{
        self,
        tests::{image, opened, read, reads, reads_like, survives},
    },
};

const BLOCK: usize = 4096;

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// Blocks of noise are stored as they are, the last block is padded.
fn gcz(plain: &[u8], block_size: usize) -> Vec<u8> {
    let (mut offsets, mut checksums, mut data) = (vec![], vec![], vec![]);
    for block in plain.chunks(block_size) {
        let mut block = block.to_vec();
        block.resize(block_size, 0);
        let packed = zlib(&block);
        let is_plain = packed.len() >= block_size;
        let stored = if is_plain { block } else { packed };
        let offset = data.len() as u64 | u64::from(is_plain) << 63;
        offsets.extend(offset.to_le_bytes());
        checksums.extend(adler32(&stored).to_le_bytes());
        data.extend(stored);
    }
    let mut file = MAGIC.to_le_bytes().to_vec();
    file.extend(0_u32.to_le_bytes());
    file.extend((data.len() as u64).to_le_bytes());
    file.extend((plain.len() as u64).to_le_bytes());
    file.extend(u32::try_from(block_size).unwrap().to_le_bytes());
    let blocks = plain.len().div_ceil(block_size);
    file.extend(u32::try_from(blocks).unwrap().to_le_bytes());
    [file, offsets, checksums, data].concat()
}

/// Noise, which does not compress, then zeroes, which do, and a tail.
fn plain() -> Vec<u8> {
    let mut x = 1_u32;
    let mut bytes: Vec<u8> = (0..3 * BLOCK)
        .map(|_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            x.to_be_bytes()[0]
        })
        .collect();
    bytes.resize(5 * BLOCK + 700, 7);
    bytes
}

/// The file with some bytes of it changed.
fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = gcz(&plain(), BLOCK);
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

fn refused(file: Vec<u8>) -> String {
    let err = opened(file).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt);
    err.to_string()
}

#[test]
fn adler32_is_that_of_rfc_1950() {
    assert_eq!(adler32(b""), 1);
    assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    let most = vec![0xff; 200_000];
    let stream = zlib(&most);
    let carried: [u8; 4] = *stream.last_chunk().unwrap();
    assert_eq!(adler32(&most), u32::from_be_bytes(carried));
}

#[test]
fn rejects_a_block_size_of_zero() {
    assert!(refused(changed(24, &[0; 4])).starts_with("block size is 0"));
}

#[test]
fn rejects_a_block_size_above_the_limit() {
    let message = refused(changed(24, &(MAX_BLOCK + 1).to_le_bytes()));
    assert!(message.starts_with("block size is 16777217"), "{message}");
}

#[test]
fn rejects_a_number_of_blocks_that_is_not_that_of_the_size() {
    let message = refused(changed(28, &7_u32.to_le_bytes()));
    assert!(message.starts_with("number of blocks is 7"), "{message}");
}

#[test]
fn rejects_an_image_size_of_zero() {
    assert!(refused(changed(16, &[0; 8])).starts_with("image size is 0"));
}

#[test]
fn rejects_tables_that_end_behind_the_file() {
    let mut file = gcz(&plain(), BLOCK);
    file.truncate(32 + 12 * 6 - 1);
    assert!(refused(file).starts_with("the tables of 6 blocks end at 104"));
}

#[test]
fn rejects_a_file_shorter_than_its_header() {
    assert!(refused(gcz(&plain(), BLOCK)[..31].to_vec()).contains("GCZ header"));
}

/// Only the block with this number cannot be read.
fn fails_alone(file: Vec<u8>, bad: usize, says: &str) {
    format::tests::fails_alone(&image(opened(file).unwrap()), &plain(), BLOCK, bad, says);
}

#[test]
fn a_block_with_a_wrong_checksum_fails_alone() {
    fails_alone(changed(32 + 8 * 6, &[1, 2, 3, 4]), 0, "Adler-32");
    fails_alone(changed(32 + 8 * 6 + 4 * 4, &[1, 2, 3, 4]), 4, "Adler-32");
}

#[test]
fn a_file_that_is_cut_lacks_its_last_block_only() {
    let mut file = gcz(&plain(), BLOCK);
    file.pop();
    fails_alone(file, 5, "behind the file's end");
}

#[test]
fn a_stored_length_above_what_a_block_needs_fails_alone() {
    let stored = 1_u64 << 40;
    fails_alone(changed(8, &stored.to_le_bytes()), 5, "more than the");
}

#[test]
fn an_offset_above_the_next_one_is_an_error() {
    let image = image(opened(changed(32 + 8 * 4, &[0xff; 7])).unwrap());
    let err = read(&image, 4 * BLOCK as u64, 1).unwrap_err();
    assert!(err.to_string().contains("the block begins at"), "{err}");
    assert_eq!(read(&image, 0, BLOCK).unwrap(), plain()[..BLOCK]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_read_is_the_slice_of_the_plain_bytes(block in 1_usize..9000, reads in reads(20_000)) {
        let image = image(opened(gcz(&plain(), block)).unwrap());
        reads_like(&image, &plain(), &reads)?;
    }

    #[test]
    fn any_damage_gives_bytes_or_an_error(changes in vec((any::<Any>(), any::<u8>()), 1..6)) {
        let mut file = gcz(&plain(), BLOCK);
        for (at, byte) in changes {
            let at = at.index(200);
            file[at] = byte;
        }
        survives(opened(file))?;
    }
}
