use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use proptest::prelude::*;

use super::*;
use crate::format::tests::{image, opened, read, reads, reads_like, survives};

fn plain(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|i| (i.wrapping_mul(i) >> 13) as u8)
        .collect()
}

fn info() -> FrameInfo {
    FrameInfo::new().block_size(BlockSize::Max64KB)
}

fn packed(plain: &[u8], info: FrameInfo) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn linked(plain: &[u8]) -> Vec<u8> {
    let info = info().block_mode(BlockMode::Linked).content_checksum(true);
    packed(plain, info)
}

fn skippable() -> &'static [u8] {
    b"\x53\x2A\x4D\x18\x05\0\0\0hello"
}

fn refusal(file: Vec<u8>) -> String {
    opened(file).unwrap_err().to_string()
}

/// The right checksum for the header of a frame that was changed.
fn with_checksum(mut file: Vec<u8>) -> Vec<u8> {
    let len = header::len_of(file[4]);
    file[len - 1] = twox_hash::XxHash32::oneshot(0, &file[4..len - 1]).to_le_bytes()[1];
    file
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_read_is_the_slice_of_the_plain_bytes(
        len in 1_usize..300_000,
        reads in reads(100_000),
        sums: bool,
        is_linked: bool,
    ) {
        let all = plain(len);
        let (first, second) = all.split_at(len / 3);
        let info = info().block_checksums(sums).content_checksum(true);
        let first = packed(first, info);
        let second = if is_linked { linked(second) } else { packed(second, self::info()) };
        let file = [&first, skippable(), &second].concat();
        reads_like(&image(opened(file).unwrap()), &all, &reads)?;
    }

    #[test]
    fn damage_gives_an_error_or_bytes_and_never_a_panic(
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let mut file = packed(&plain(100_000), info());
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        if let Ok(opened) = opened(file) {
            if opened.source.stored_len() == opened.source.len() {
                survives(Ok(opened))?;
            }
        }
    }
}

#[test]
fn a_wrong_block_checksum_is_an_error_for_its_block_only() {
    let all = plain(200_000);
    let mut file = packed(&all, info().block_checksums(true));
    file[100] ^= 1;
    let image = image(opened(file).unwrap());
    let err = read(&image, 0, 1).unwrap_err().to_string();
    assert!(err.contains("XXH32 of the block"), "{err}");
    assert!(read(&image, 65_536, 134_464).unwrap() == all[65_536..]);
}

#[test]
fn a_wrong_checksum_of_linked_blocks_is_an_error_for_all() {
    let all = plain(200_000);
    let mut file = linked(&all);
    let at = file.len() - 1;
    file[at] ^= 1;
    let image = image(opened(file).unwrap());
    let err = read(&image, 199_999, 1).unwrap_err().to_string();
    assert!(err.contains("the frame says"), "{err}");
    assert!(read(&image, 0, 1).is_err());
}

#[test]
fn a_stored_size_that_full_blocks_do_not_give_is_checked_by_decoding() {
    let info = info().content_size(Some(100_000));
    let mut file = packed(&plain(100_000), info);
    file[6] ^= 1;
    let image = image(opened(with_checksum(file)).unwrap());
    assert_eq!(image.size(), 100_001);
    assert!(read(&image, 0, 65_536).is_ok());
    assert!(read(&image, 100_000, 1).is_err());
}

#[test]
fn rejects_a_legacy_frame() {
    assert!(refusal([LEGACY.as_slice(), &[0; 60]].concat()).contains("legacy"));
}

#[test]
fn rejects_a_header_whose_checksum_is_wrong() {
    let mut file = packed(&plain(1000), info());
    file[6] ^= 1;
    assert!(refusal(file).contains("checksum of the frame header"));
}

#[test]
fn rejects_a_dictionary_another_version_and_an_unknown_size_of_blocks() {
    let changed = |at: usize, to: u8| {
        let mut file = packed(&plain(1000), info());
        file[at] = to;
        refusal(with_checksum(file))
    };
    assert!(changed(4, 0x61).contains("dictionary"));
    assert!(changed(4, 0xA0).contains("version 1"));
    assert!(changed(5, 0x30).contains("coded as 0x30"));
}

#[test]
fn rejects_a_block_larger_than_its_frame_allows() {
    let mut file = packed(&plain(1000), info());
    file[9] = 0x7F;
    assert!(refusal(file).contains("it must be from 1 to 65536"));
}

#[test]
fn rejects_a_cut_file_and_what_is_no_frame_behind_one() {
    let file = packed(&plain(1000), info());
    assert!(refusal(file[..file.len() - 4].to_vec()).contains("the file ends at"));
    assert!(refusal([&file[..], b"something"].concat()).contains("no lz4 frame"));
    let endless = [&file[..], b"\x53\x2A\x4D\x18\xFF\xFF\xFF\xFF"].concat();
    assert!(refusal(endless).contains("behind the end of the file"));
}

#[test]
fn rejects_an_image_of_no_bytes() {
    assert!(refusal(packed(&[], info())).contains("image size is 0"));
}
