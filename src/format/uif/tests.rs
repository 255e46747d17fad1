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

/// Plain bytes of a block.
const BLOCK: usize = 8192;

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// What the list is changed to before it is packed.
type Change = fn(&mut Vec<[u32; 6]>);

/// Blocks of zeroes are left out, those of noise are stored; the last sector may be cut.
fn uif_with(plain: &[u8], change: Change, pack_list: bool) -> Vec<u8> {
    let (mut data, mut list) = (Vec::new(), Vec::new());
    for (number, block) in (0..).zip(plain.chunks(BLOCK)) {
        let mut block = block.to_vec();
        block.resize(block.len().next_multiple_of(2048), 0);
        let sectors = u32::try_from(block.len() / 2048).unwrap();
        let packed = zlib(&block);
        let (stored, kind) = match packed.len() {
            _ if block.iter().all(|byte| *byte == 0) => (Vec::new(), 3),
            len if len < block.len() => (packed, 5),
            _ => (block, 1),
        };
        let [at, len] = [data.len(), stored.len()].map(|n| u32::try_from(n).unwrap());
        list.push([at, 0, len, number * 4, sectors, kind]);
        data.extend(stored);
    }
    change(&mut list);
    let bytes = list.iter().flatten().flat_map(|field| field.to_le_bytes());
    let bytes: Vec<u8> = bytes.collect();
    let stored = if pack_list { zlib(&bytes) } else { bytes };
    let list_at = data.len();
    let mut file = data;
    file.extend(b"blhr");
    for field in [stored.len() + 8, usize::from(pack_list), list.len()] {
        file.extend(u32::try_from(field).unwrap().to_le_bytes());
    }
    file.extend(stored);
    let sectors = u32::try_from(plain.len().div_ceil(2048)).unwrap();
    let tail = u32::try_from(plain.len() % 2048).unwrap();
    file.extend(b"bbis\x38\0\0\0\x01\0\x08\0\0\0\0\0");
    for field in [sectors, 2048, tail, u32::try_from(list_at).unwrap(), 0] {
        file.extend(field.to_le_bytes());
    }
    file.extend([0; 28]);
    file
}

fn uif(plain: &[u8]) -> Vec<u8> {
    uif_with(plain, |_| {}, true)
}

/// Noise, zeroes, text, and a tail.
fn plain() -> Vec<u8> {
    let mut x = 1_u32;
    let mut bytes: Vec<u8> = (0..2 * BLOCK)
        .map(|_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            x.to_be_bytes()[0]
        })
        .collect();
    bytes.resize(4 * BLOCK, 0);
    bytes.resize(6 * BLOCK + 3000, b't');
    bytes
}

fn refusal(file: Vec<u8>) -> Error {
    opened(file).unwrap_err()
}

/// The trailer with some bytes of it changed.
fn trailer_with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = uif(&plain());
    let start = file.len() - 64 + at;
    file[start..start + bytes.len()].copy_from_slice(bytes);
    file
}

fn refused(at: usize, bytes: &[u8]) -> String {
    refusal(trailer_with(at, bytes)).to_string()
}

fn list_refused(change: Change) -> String {
    refusal(uif_with(&plain(), change, true)).to_string()
}

#[test]
fn rejects_a_version_that_is_not_read() {
    assert!(refused(8, &[3]).starts_with("version is 3, only 1 and 2"));
    assert!(refused(8, &[0]).starts_with("version is 0"));
}

#[test]
fn rejects_an_image_of_tracks() {
    assert!(refused(10, &[9]).starts_with("kind of image is 9"));
}

#[test]
fn rejects_an_encrypted_image() {
    for (key, method) in [(1, 0), (16, 0), (0, 2), (99, 2)] {
        let mut file = trailer_with(8, &[2]);
        let end = file.len();
        (file[end - 8], file[end - 7]) = (key, method);
        assert!(
            refusal(file)
                .to_string()
                .starts_with("the image is encrypted")
        );
    }
    // Version 1 has no such fields.
    assert!(opened(trailer_with(56, &[1, 2])).is_ok());
}

#[test]
fn rejects_an_image_with_a_password() {
    let mut file = uif(&plain());
    let at = file.windows(4).position(|four| four == b"blhr").unwrap();
    file[at..at + 4].copy_from_slice(b"bsdr");
    assert!(
        refusal(file)
            .to_string()
            .starts_with("the image has a password")
    );
}

#[test]
fn rejects_a_list_without_its_mark_or_behind_the_trailer() {
    let message = refused(28, &[1, 0, 0, 0]);
    assert!(
        message.starts_with("the list of blocks begins with"),
        "{message}"
    );
    let message = refused(28, &[0xff; 8]);
    assert!(
        message.starts_with("the list of blocks is at 184467"),
        "{message}"
    );
}

#[test]
fn rejects_sectors_of_another_size() {
    assert!(refused(20, &[0, 0]).starts_with("sector size is 0"));
    assert!(refused(24, &[1, 8]).starts_with("the last sector has 2049 bytes"));
}

#[test]
fn rejects_an_image_of_no_sectors() {
    assert!(refused(16, &[0; 4]).starts_with("image size is 0"));
}

#[test]
fn rejects_a_number_of_sectors_that_the_blocks_do_not_hold() {
    let message = refused(16, &[99, 0, 0, 0]);
    assert_eq!(message, "the blocks hold 26 sectors, the image has 99");
}

#[test]
fn rejects_blocks_with_a_gap_between_them_and_such_that_overlap() {
    assert!(list_refused(|list| list[2][3] += 1).starts_with("a block begins at sector 9"));
    assert!(list_refused(|list| list[2][3] -= 1).starts_with("a block begins at sector 7"));
}

#[test]
fn rejects_a_block_above_the_limit() {
    let message = list_refused(|list| list[2][4] = 8193);
    assert_eq!(message, "a block has 8193 sectors, the limit is 8192");
}

#[test]
fn rejects_a_list_that_is_longer_than_its_bytes() {
    let file = |at: usize, field: u32| {
        let mut file = uif(&plain());
        let start = file.windows(4).position(|four| four == b"blhr").unwrap() + at;
        file[start..start + 4].copy_from_slice(&field.to_le_bytes());
        file
    };
    assert_eq!(refusal(file(12, u32::MAX)).kind(), ErrorKind::LimitExceeded);
    let message = refusal(file(12, 1 << 22)).to_string();
    assert!(message.contains("bytes are too few"), "{message}");
    let message = refusal(file(4, 7)).to_string();
    assert!(message.contains("ends behind the trailer"), "{message}");
    assert!(
        refusal(file(4, u32::MAX))
            .to_string()
            .contains("ends behind")
    );
    assert!(
        refusal(file(12, 8))
            .to_string()
            .starts_with("list of blocks: zlib")
    );
}

#[test]
fn a_list_that_is_not_packed_and_one_out_of_order_are_read() {
    for pack in [false, true] {
        let file = uif_with(&plain(), |list| list.reverse(), pack);
        let image = image(opened(file).unwrap());
        assert!(read(&image, 0, 100_000).unwrap() == plain());
    }
}

/// Only the block with this number cannot be read.
fn fails_alone(file: Vec<u8>, bad: usize, says: &str) {
    format::tests::fails_alone(&image(opened(file).unwrap()), &plain(), BLOCK, bad, says);
}

#[test]
fn a_bad_entry_costs_its_block_alone() {
    let with = |change| uif_with(&plain(), change, true);
    fails_alone(with(|list| list[1][5] = 4), 1, "its kind is 4");
    fails_alone(with(|list| list[4][2] = 0), 4, "0 stored bytes");
    fails_alone(with(|list| list[0][2] = 1 << 20), 0, "1048576 stored bytes");
    fails_alone(with(|list| list[5][1] = 1), 5, "reach behind");
    fails_alone(with(|list| list[5][0] += 1), 5, "zlib");
    fails_alone(with(|list| list[0][2] -= 1), 0, "stored data");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_read_is_the_slice_of_the_plain_bytes(reads in reads(30_000)) {
        let image = image(opened(uif(&plain())).unwrap());
        reads_like(&image, &plain(), &reads)?;
    }

    #[test]
    fn any_damage_gives_bytes_or_an_error(changes in vec((any::<Any>(), any::<u8>()), 1..6)) {
        let mut file = uif_with(&plain(), |_| {}, false);
        let from = file.len() - 260;
        for (at, byte) in changes {
            let at = from + at.index(256);
            file[at] = byte;
        }
        survives(opened(file))?;
    }
}
