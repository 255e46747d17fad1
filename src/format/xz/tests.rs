use proptest::prelude::*;

use super::*;
use crate::format::tests::{image, opened, read, reads, reads_like, survives};

/// A number of seven bits a byte.
fn number(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

fn with_crc(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// A block whose LZMA2 chunks hold the bytes as they are, and its size without padding.
fn block(plain: &[u8]) -> (Vec<u8>, u64) {
    let mut bytes = with_crc(vec![2, 0, 0x21, 1, 22]);
    for (i, chunk) in plain.chunks(1 << 16).enumerate() {
        bytes.push(if i == 0 { 1 } else { 2 });
        bytes.extend(u16::try_from(chunk.len() - 1).unwrap().to_be_bytes());
        bytes.extend(chunk);
    }
    bytes.push(0);
    let unpadded = bytes.len() as u64 + 4;
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(crc32fast::hash(plain).to_le_bytes());
    (bytes, unpadded)
}

/// The records of an index: stored and plain bytes of each block.
type Records = Vec<(u64, u64)>;

/// A stream whose index says what `records` makes of what is right.
fn stream_with(blocks: &[&[u8]], records: impl FnOnce(Records) -> Records) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([0, 1]);
    bytes.extend(crc32fast::hash(&[0, 1]).to_le_bytes());
    let mut right = Records::new();
    for plain in blocks {
        let (block, unpadded) = block(plain);
        bytes.extend(block);
        right.push((unpadded, plain.len() as u64));
    }
    let records = records(right);
    let mut index = vec![0];
    index.extend(number(records.len() as u64));
    for (unpadded, plain) in records {
        index.extend(number(unpadded));
        index.extend(number(plain));
    }
    let index = with_crc(index);
    let mut footer = u32::try_from(index.len() / 4 - 1)
        .unwrap()
        .to_le_bytes()
        .to_vec();
    footer.extend([0, 1]);
    bytes.extend(index);
    bytes.extend(crc32fast::hash(&footer).to_le_bytes());
    bytes.extend(footer);
    bytes.extend(b"YZ");
    bytes
}

fn stream(blocks: &[&[u8]]) -> Vec<u8> {
    stream_with(blocks, |records| records)
}

fn plain(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|i| (i.wrapping_mul(i) >> 7) as u8)
        .collect()
}

fn refusal(file: Vec<u8>) -> String {
    opened(file).unwrap_err().to_string()
}

proptest! {
    #[test]
    fn any_read_is_the_slice_of_the_plain_bytes(
        lens in prop::collection::vec(0_usize..9000, 1..8),
        reads in reads(20_000),
        padding in 0_usize..3,
    ) {
        let all = plain(lens.iter().sum::<usize>() + 1);
        let mut left = &all[..];
        let mut file = Vec::new();
        for len in lens {
            let (now, later) = left.split_at(len.min(left.len()));
            file.extend(stream(&[now, &later[..later.len().min(1)]]));
            file.extend(vec![0; 4 * padding]);
            left = &later[later.len().min(1)..];
        }
        file.extend(stream(&[left]));
        reads_like(&image(opened(file).unwrap()), &all, &reads)?;
    }

    #[test]
    fn damage_gives_an_error_or_bytes_and_never_a_panic(
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let all = plain(5000);
        let mut file = stream(&[&all[..2000], &all[2000..]]);
        let at = at.index(file.len());
        file[at] ^= 1_u8 << bit;
        survives(opened(file))?;
    }
}

#[test]
fn a_block_too_large_to_be_decoded_at_once_is_spilled() {
    // Stored in far more bytes than it has: only the spill takes it, without memory for all of it.
    let all = plain(300_000);
    let (small, large) = all.split_at(1000);
    let mut chunks = Vec::new();
    for byte in large {
        chunks.extend([if chunks.is_empty() { 1 } else { 2 }, 0, 0, *byte]);
    }
    chunks.push(0);
    let mut block = with_crc(vec![2, 0, 0x21, 1, 22]);
    block.extend(chunks);
    let unpadded = block.len() as u64 + 4;
    block.resize(block.len().next_multiple_of(4), 0);
    block.extend(crc32fast::hash(large).to_le_bytes());
    let mut file = stream_with(&[small], |mut records| {
        records.push((unpadded, large.len() as u64));
        records
    });
    let index_len = {
        let at = file.len() - 8;
        (u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize + 1) * 4
    };
    let index_at = file.len() - 12 - index_len;
    file.splice(index_at..index_at, block);
    let opened = opened(file).unwrap();
    assert_eq!(opened.map.locate(0).codec, Codec::Raw);
    let image = image(opened);
    assert!(read(&image, 999, 200_000).unwrap() == all[999..200_999]);
    assert!(read(&image, 0, 400_000).unwrap() == all);
}

#[test]
fn a_wrong_check_is_an_error_for_its_block_only() {
    let all = plain(5000);
    let mut file = stream(&[&all[..2000], &all[2000..]]);
    let at = 12 + block(&all[..2000]).0.len() - 1;
    file[at] ^= 1;
    let image = image(opened(file).unwrap());
    let err = read(&image, 1999, 1).unwrap_err();
    assert!(err.to_string().contains("crc32"), "{err}");
    assert!(read(&image, 2000, 3000).unwrap() == all[2000..]);
}

#[test]
fn a_block_that_holds_more_or_less_than_its_record_is_an_error() {
    for (claimed, why) in [(999, "holds more"), (1001, "")] {
        let file = stream_with(&[&plain(1000)], |records| vec![(records[0].0, claimed)]);
        let image = image(opened(file).unwrap());
        let err = read(&image, 0, 1).unwrap_err();
        assert!(err.to_string().contains(why), "{err}");
    }
}

#[test]
fn rejects_a_cut_file_and_one_with_something_behind() {
    let file = stream(&[&plain(1000)]);
    assert!(refusal(file[..file.len() - 1].to_vec()).contains("must be YZ"));
    assert!(refusal([&file[..], b"more"].concat()).contains("must be YZ"));
}

#[test]
fn rejects_padding_that_is_no_multiple_of_four() {
    let file = [stream(&[&plain(1000)]), vec![0; 6]].concat();
    assert!(refusal(file).contains("6 bytes of padding"));
}

#[test]
fn rejects_zeroes_without_end() {
    let file = [stream(&[&plain(1000)]), vec![0; 2 << 20]].concat();
    assert!(refusal(file).contains("no end of a stream"));
}

#[test]
fn rejects_a_footer_whose_crc_is_wrong() {
    let mut file = stream(&[&plain(1000)]);
    let at = file.len() - 8;
    file[at] ^= 1;
    assert!(refusal(file).contains("CRC-32 of the stream footer"));
}

#[test]
fn rejects_an_index_whose_crc_is_wrong() {
    let mut file = stream(&[&plain(1000)]);
    let at = file.len() - 18;
    file[at] ^= 1;
    assert!(refusal(file).contains("CRC-32 of the index"));
}

#[test]
fn rejects_an_index_with_more_blocks_than_bytes() {
    let file = stream_with(&[&plain(1000)], |_| vec![]);
    // The number of blocks is the second byte of the index.
    let mut file = file;
    let at = file.len() - 12 - 8;
    file[at + 1] = 100;
    let crc = crc32fast::hash(&file[at..at + 4]).to_le_bytes();
    file[at + 4..at + 8].copy_from_slice(&crc);
    assert!(refusal(file).contains("claims 100 blocks"));
}

#[test]
fn rejects_blocks_larger_than_the_file() {
    for stored in [1 << 40, (1 << 62) - 1] {
        let file = stream_with(&[&plain(1000)], |_| vec![(stored, 1000), (stored, 1000)]);
        assert!(refusal(file).contains("before the index"));
    }
    let file = stream_with(&[&plain(1000)], |_| vec![((1 << 63) - 1, 1000)]);
    assert!(refusal(file).contains("the least is 5"));
    let file = stream_with(&[&plain(1000)], |_| vec![(4, 1000)]);
    assert!(refusal(file).contains("the least is 5"));
}

#[test]
fn rejects_an_image_above_the_limit_and_one_of_no_bytes() {
    let huge = |records: Records| vec![(records[0].0, (1 << 63) - 1)];
    assert!(refusal(stream_with(&[&plain(1000)], huge)).contains("more than the limit"));
    assert!(refusal(stream(&[])).contains("image size is 0"));
}

#[test]
fn rejects_a_stream_whose_header_is_not_that_of_its_footer() {
    let mut file = stream(&[&plain(1000)]);
    file[7] = 4;
    assert!(refusal(file).contains("no stream header at 0"));
}
