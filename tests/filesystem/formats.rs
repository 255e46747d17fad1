//! Compressed images, written by hand.

use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};

const BLOCK: usize = 2048;

/// A CSO of version 1 with blocks of 2048 bytes, all deflated.
pub(crate) fn cso(plain: &[u8]) -> Vec<u8> {
    let blocks: Vec<Vec<u8>> = plain.chunks(BLOCK).map(deflated).collect();
    let mut bytes = b"CISO".to_vec();
    bytes.extend(24_u32.to_le_bytes());
    bytes.extend((plain.len() as u64).to_le_bytes());
    bytes.extend(u32::try_from(BLOCK).unwrap().to_le_bytes());
    bytes.extend([1, 0, 0, 0]);
    let mut at = 24 + 4 * (blocks.len() + 1);
    for block in &blocks {
        bytes.extend(u32::try_from(at).unwrap().to_le_bytes());
        at += block.len();
    }
    bytes.extend(u32::try_from(at).unwrap().to_le_bytes());
    bytes.extend(blocks.concat());
    bytes
}

/// Where block `block` of a CSO starts.
pub(crate) fn cso_block_at(cso: &[u8], block: usize) -> usize {
    let entry = cso[24 + 4 * block..][..4].try_into().unwrap();
    usize::try_from(u32::from_le_bytes(entry)).unwrap()
}

fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// An ISZ of chunks of 2048 bytes, all stored, the chunk table not masked by anything but the usual mask.
/// `cut` is the number of chunks in the first file; the rest goes to a second one.
pub(crate) fn isz_set(plain: &[u8], cut: usize) -> [Vec<u8>; 2] {
    let chunks: Vec<&[u8]> = plain.chunks(BLOCK).collect();
    let table_at = 64 + 2 * 24 + 24;
    let data_at = table_at + 3 * chunks.len();
    let first_len = data_at + cut * BLOCK;
    let second_len = 64 + plain.len() - cut * BLOCK;
    let mut first = isz_header(plain.len(), chunks.len(), 0, table_at, data_at);
    for (len, count, from, at) in [
        (first_len, cut, 0, data_at),
        (second_len, chunks.len() - cut, cut, 64),
        (0, 0, 0, 0),
    ] {
        let mut entry = (len as u64).to_le_bytes().to_vec();
        for number in [count, from, at, 0] {
            entry.extend(u32::try_from(number).unwrap().to_le_bytes());
        }
        first.extend(masked(&entry));
    }
    let entry = |chunk: &&[u8]| u32::try_from(chunk.len()).unwrap() | (1 << 22);
    let table: Vec<u8> = chunks
        .iter()
        .flat_map(|chunk| entry(chunk).to_le_bytes()[..3].to_vec())
        .collect();
    first.extend(masked(&table));
    first.extend(&plain[..cut * BLOCK]);
    let mut second = isz_header(plain.len(), chunks.len(), 1, table_at, data_at);
    second.extend(&plain[cut * BLOCK..]);
    [first, second]
}

fn isz_header(len: usize, chunks: usize, number: u8, table_at: usize, data_at: usize) -> Vec<u8> {
    let word = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
    let mut bytes = b"IsZ!\x40\x01".to_vec();
    bytes.extend(word(0x1234_5678));
    bytes.extend(2048_u16.to_le_bytes());
    bytes.extend(word(len / 2048));
    bytes.push(0);
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(word(chunks));
    bytes.extend(word(BLOCK));
    bytes.extend([3, number]);
    bytes.extend(word(table_at));
    bytes.extend(word(64));
    bytes.extend(word(data_at));
    bytes.resize(64, 0);
    bytes
}

fn masked(bytes: &[u8]) -> Vec<u8> {
    let mask = [0xb6, 0x8c, 0xa5, 0xde].into_iter().cycle();
    bytes
        .iter()
        .zip(mask)
        .map(|(byte, mask)| byte ^ mask)
        .collect()
}
