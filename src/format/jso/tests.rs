use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::{
    ErrorKind,
    format::tests::{opened, read, reads, reads_like, survives},
    image::Image,
};

/// How a writer lays an image out.
#[derive(Clone, Copy, Debug)]
struct Style {
    block_size: u16,
    block_headers: u16,
    codec: u16,
    /// Bytes between the header and the index.
    gap: usize,
}

const LZO: Style = Style {
    block_size: 2048,
    block_headers: 0,
    codec: 0,
    gap: 0,
};
const DEFLATE: Style = Style {
    block_size: 4096,
    codec: 1,
    ..LZO
};
const STYLES: [Style; 6] = [
    LZO,
    DEFLATE,
    Style {
        block_headers: 1,
        block_size: 16_384,
        ..LZO
    },
    Style {
        block_headers: 1,
        ..DEFLATE
    },
    Style {
        block_size: 512,
        gap: 77,
        ..LZO
    },
    Style {
        block_size: 32_768,
        ..DEFLATE
    },
];

fn compressed(plain: &[u8], codec: u16) -> Vec<u8> {
    if codec == 0 {
        return lzokay_native::compress(plain).unwrap();
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// Blocks as the writer stores them: as they are when that is not longer, except for a short last one.
fn stored_blocks(plain: &[u8], style: Style) -> Vec<Vec<u8>> {
    let whole = usize::from(style.block_size);
    let blocks = plain.chunks(whole).map(|plain| {
        let packed = compressed(plain, style.codec);
        if plain.len() == whole && packed.len() >= whole {
            plain.to_vec()
        } else {
            packed
        }
    });
    blocks.collect()
}

fn jso(plain: &[u8], style: Style) -> Vec<u8> {
    file_of(&stored_blocks(plain, style), plain.len(), style)
}

fn file_of(blocks: &[Vec<u8>], size: usize, style: Style) -> Vec<u8> {
    let mut file = b"JISO\x01\0".to_vec();
    for field in [style.block_size, style.block_headers, style.codec] {
        file.extend(field.to_le_bytes());
    }
    file.extend((size as u32).to_le_bytes());
    file.extend(0xabc_u128.to_be_bytes());
    file.extend((48 + style.gap as u32).to_le_bytes());
    file.resize(48 + style.gap, 0);
    let header_len = 4 * usize::from(style.block_headers);
    let mut at = file.len() + 4 * (blocks.len() + 1);
    file.extend((at as u32).to_le_bytes());
    for block in blocks {
        at += header_len + block.len();
        file.extend((at as u32).to_le_bytes());
    }
    for (n, block) in blocks.iter().enumerate() {
        if style.block_headers == 1 {
            let next = blocks.get(n + 1).map_or(0, |next| next.len() + header_len);
            file.extend([&[1, 4][..], &(next as u16).to_le_bytes()].concat());
        }
        file.extend(block);
    }
    file
}

fn set_offset(file: &mut [u8], entry: usize, offset: u32) {
    file[48 + 4 * entry..][..4].copy_from_slice(&offset.to_le_bytes());
}

/// Noise, which does not compress, in front of zeroes, which do.
fn plain(len: usize) -> Vec<u8> {
    let mut x = 1_u32;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    };
    let noise = (0..len).map(|i| if i % 9_000 < 5_000 { next() } else { 0 });
    noise.collect()
}

fn image(file: Vec<u8>) -> Image {
    crate::format::tests::image(opened(file).unwrap())
}

fn refusal(change: impl FnOnce(&mut Vec<u8>)) -> (String, ErrorKind) {
    let mut file = jso(&plain(5000), LZO);
    change(&mut file);
    let err = opened(file).unwrap_err();
    (err.to_string(), err.kind())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_read_is_the_slice_of_the_image(
        len in 1..80_000_usize,
        style in 0..STYLES.len(),
        reads in reads(40_000),
    ) {
        let plain = plain(len);
        reads_like(&image(jso(&plain, STYLES[style])), &plain, &reads)?;
    }

    #[test]
    fn damage_never_panics(
        style in 0..STYLES.len(),
        damage in vec((0..200_usize, any::<u8>()), 1..6),
        deep in vec((any::<Index>(), any::<u8>()), 0..6),
        cut in any::<Index>(),
    ) {
        let mut file = jso(&plain(20_000), STYLES[style]);
        for (at, byte) in deep {
            let at = at.index(file.len());
            file[at] = byte;
        }
        for (at, byte) in damage {
            file[at] = byte;
        }
        file.truncate(file.len() - cut.index(file.len()) / 4);
        survives(opened(file))?;
    }
}

#[test]
fn the_header_alone_tells_the_size() {
    let file = jso(&plain(5000), LZO);
    assert_eq!(probe(&file[..48].to_vec()).unwrap().size, 5000);
}

#[test]
fn the_details_have_the_md5_and_the_variant() {
    let details = opened(jso(&plain(5000), STYLES[3])).unwrap().details;
    assert_eq!(details.variant, "JISO, deflate, block headers");
    let md5 = Checksum {
        covers: "image",
        algorithm: "md5",
        value: format!("{:032x}", 0xabc),
    };
    assert_eq!(details.checksums, [md5]);
    assert!(details.notes.is_empty());
}

#[test]
fn a_short_last_block_may_be_compressed_to_exactly_the_block_size() {
    let plain = plain(100);
    let mut packed = compressed(&plain, 1);
    packed.resize(4096, 0);
    let file = file_of(&[packed], 100, DEFLATE);
    assert_eq!(read(&image(file), 0, 100).unwrap(), plain);
}

#[test]
fn a_short_last_block_may_be_stored_with_padding() {
    let mut stored = vec![0xff; 100];
    stored.resize(4096, 0);
    let file = file_of(&[stored], 100, DEFLATE);
    assert_eq!(read(&image(file), 0, 100).unwrap(), [0xff; 100]);
}

#[test]
fn neighbours_lie_in_one_piece_with_block_headers_too() {
    let image = image(jso(&plain(9000), STYLES[3]));
    let stored = image.locate(0);
    assert_eq!(stored.at + u64::from(stored.len), image.locate(1).at);
}

#[test]
fn a_lying_index_costs_no_long_read() {
    let mut file = jso(&plain(5000), DEFLATE);
    file.resize(1 << 20, 0);
    set_offset(&mut file, 2, 1 << 20);
    let image = image(file);
    assert_eq!(image.locate(1).len, 2 * 4096 + 64);
    assert_eq!(read(&image, 4096, 904).unwrap(), plain(5000)[4096..]);
}

#[test]
fn areas_that_are_not_looked_at_are_noted() {
    let mut file = jso(&plain(5000), LZO);
    file[36] = 3;
    let notes = opened(file).unwrap().details.notes;
    assert!(notes[0].starts_with("the header counts 3 areas"));
}

/// A file of three blocks with a changed index; what a read of the second says.
fn second_block(style: Style, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let plain = vec![7; 3 * usize::from(style.block_size)];
    let mut file = jso(&plain, style);
    change(&mut file);
    let opened = opened(file).unwrap();
    let note = opened.details.notes[0].clone();
    let image = crate::format::tests::image(opened);
    assert_eq!(image.locate(1).codec, Codec::Missing);
    let at = u64::from(style.block_size);
    let why = read(&image, at, 1).unwrap_err().to_string();
    let why = why.strip_prefix(&format!("block 1 (image offset {at}): "));
    assert!(note.contains("of 3 blocks are not in the file"), "{note}");
    why.unwrap().to_owned()
}

#[test]
fn rejects_a_block_whose_offsets_do_not_rise() {
    let why = second_block(LZO, |file| set_offset(file, 2, 70));
    assert!(
        why.ends_with(" and the next one 70, offsets must rise"),
        "{why}"
    );
}

#[test]
fn rejects_a_block_inside_the_header() {
    let why = second_block(LZO, |file| set_offset(file, 1, 47));
    assert_eq!(why, "offset is 47, inside the header of 48 bytes");
}

#[test]
fn rejects_a_block_inside_the_index() {
    let why = second_block(LZO, |file| set_offset(file, 1, 48));
    assert!(why.ends_with(" overlap the index"), "{why}");
}

#[test]
fn rejects_a_block_past_the_end() {
    let why = second_block(LZO, |file| set_offset(file, 2, u32::MAX));
    assert!(why.contains("4294967295, behind the file's end"), "{why}");
}

#[test]
fn rejects_a_block_of_nothing_but_its_header() {
    let why = second_block(STYLES[3], |file| {
        let start = file[52..56].try_into().unwrap();
        set_offset(file, 2, u32::from_le_bytes(start) + 4);
    });
    assert!(why.ends_with(" are no more than a block header"), "{why}");
}

#[test]
fn rejects_a_damaged_block_and_reads_its_neighbours() {
    let plain = [7; 3 * 2048];
    let mut file = jso(&plain, LZO);
    let at = u32::from_le_bytes(file[52..56].try_into().unwrap()) as usize;
    file[at..at + 3].copy_from_slice(&[0x11, 4, 0]);
    let image = image(file);
    let why = read(&image, 2048, 1).unwrap_err().to_string();
    assert!(
        why.contains("a match reaches back before the block's start"),
        "{why}"
    );
    assert_eq!(read(&image, 0, 2048).unwrap(), [7; 2048]);
    assert_eq!(read(&image, 4096, 2048).unwrap(), [7; 2048]);
}

#[test]
fn rejects_a_file_that_ends_inside_the_header() {
    let (why, _) = refusal(|file| file.truncate(47));
    assert_eq!(
        why,
        "the file ends at 47, inside the JISO header (48 bytes at 0)"
    );
}

#[test]
fn rejects_an_unknown_version() {
    let (why, kind) = refusal(|file| file[4] = 9);
    assert_eq!(why, "version is 9, JISO has the version 1");
    assert_eq!(kind, ErrorKind::Unsupported);
}

#[test]
fn rejects_block_sizes_that_are_no_power_of_two_in_range() {
    for size in [0, 256, 513, 2047, 65_535_u16] {
        let (why, _) = refusal(|file| file[6..8].copy_from_slice(&size.to_le_bytes()));
        let rule = "not a power of two from 512 to 32768";
        assert_eq!(why, format!("block size is {size}, {rule}"));
    }
}

#[test]
fn rejects_an_unknown_flag_for_block_headers() {
    let (why, _) = refusal(|file| file[8] = 2);
    assert_eq!(why, "the flag for block headers is 2, neither 0 nor 1");
}

#[test]
fn rejects_an_unknown_codec() {
    let (why, kind) = refusal(|file| file[10] = 2);
    assert_eq!(why, "codec is 2, JISO has 0 (LZO) and 1 (deflate)");
    assert_eq!(kind, ErrorKind::Unsupported);
}

#[test]
fn rejects_an_image_size_of_zero() {
    let (why, _) = refusal(|file| file[12..16].fill(0));
    assert_eq!(why, "image size is 0, an image has at least one byte");
}

#[test]
fn rejects_an_index_inside_the_header() {
    let (why, _) = refusal(|file| file[32] = 47);
    assert_eq!(
        why,
        "offset of the index is 47, inside the header of 48 bytes"
    );
}

#[test]
fn rejects_an_index_longer_than_the_file() {
    let (why, _) = refusal(|file| file[12..16].fill(0xff));
    let index = "the index of 2097152 blocks at 48 ends at 8388660";
    assert!(why.starts_with(index), "{why}");
}
