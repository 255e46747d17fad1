use proptest::prelude::*;

use super::*;
use crate::{
    codec::zstd::{MAGIC, checksum},
    format::tests::{image, opened, read, reads, reads_like, survives},
};

fn plain(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|i| (i.wrapping_mul(i) >> 7) as u8)
        .collect()
}

/// A frame whose blocks hold the bytes as they are.
fn frame(plain: &[u8], tells_size: bool) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    if tells_size {
        bytes.extend([0x84, 0x38]);
        bytes.extend((plain.len() as u32).to_le_bytes());
    } else {
        bytes.extend([4, 0x38]);
    }
    let chunks = plain.len().div_ceil(100_000).max(1);
    for i in 0..chunks {
        let chunk = &plain[i * 100_000..plain.len().min((i + 1) * 100_000)];
        let head = (chunk.len() as u32) << 3 | u32::from(i + 1 == chunks);
        bytes.extend(&head.to_le_bytes()[..3]);
        bytes.extend(chunk);
    }
    bytes.extend(checksum(plain).to_le_bytes());
    bytes
}

fn skippable(len: u32) -> Vec<u8> {
    let mut bytes = b"\x53\x2A\x4D\x18".to_vec();
    bytes.extend(len.to_le_bytes());
    bytes.extend(vec![9; len as usize]);
    bytes
}

/// Frames with a table, whose rows `change` may change.
fn with_table(frames: &[&[u8]], change: impl Fn(&mut Vec<[u32; 3]>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rows = Vec::new();
    for plain in frames {
        let frame = frame(plain, true);
        let sum = checksum(plain);
        rows.push([frame.len() as u32, plain.len() as u32, sum]);
        bytes.extend(frame);
    }
    change(&mut rows);
    bytes.extend(b"\x5E\x2A\x4D\x18");
    bytes.extend((rows.len() as u32 * 12 + 9).to_le_bytes());
    for number in rows.iter().flatten() {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend((rows.len() as u32).to_le_bytes());
    bytes.push(0x80);
    bytes.extend(0x8F92_EAB1_u32.to_le_bytes());
    bytes
}

/// A volume of so many sectors of which all are there.
fn volume(sectors: u32) -> Vec<u8> {
    let mut all = plain(sectors as usize * 2048);
    all[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    all[0x8050..0x8054].copy_from_slice(&sectors.to_le_bytes());
    all[0x8080..0x8082].copy_from_slice(&2048_u16.to_le_bytes());
    all
}

fn refusal(file: Vec<u8>) -> String {
    opened(file).unwrap_err().to_string()
}

proptest! {
    #[test]
    fn any_read_is_the_slice_of_the_plain_bytes(
        lens in prop::collection::vec(0_usize..9000, 1..8),
        reads in reads(20_000),
        has_table: bool,
    ) {
        let all = plain(lens.iter().sum::<usize>() + 1);
        let mut left = &all[..];
        let mut parts = Vec::new();
        for len in lens {
            let (now, later) = left.split_at(len);
            parts.push(now);
            left = later;
        }
        parts.push(left);
        let file = if has_table {
            with_table(&parts, |_| {})
        } else {
            let framed = parts.iter().map(|part| [skippable(5), frame(part, true)].concat());
            framed.collect::<Vec<_>>().concat()
        };
        reads_like(&image(opened(file).unwrap()), &all, &reads)?;
    }

    #[test]
    fn damage_gives_an_error_or_bytes_and_never_a_panic(
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let all = plain(5000);
        let mut file = with_table(&[&all[..2000], &all[2000..]], |_| {});
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        if let Ok(opened) = opened(file) {
            if opened.map.locate(0).codec != Codec::Raw {
                survives(Ok(opened))?;
            }
        }
    }
}

#[test]
fn a_frame_without_a_size_has_that_of_its_volume_or_what_was_counted() {
    let all = volume(100);
    let image = image(opened(frame(&all, false)).unwrap());
    assert!(read(&image, 0, all.len() + 1).unwrap() == all);
    let short = plain(70_000);
    let image = self::image(opened(frame(&short, false)).unwrap());
    assert!(read(&image, 0, 80_000).unwrap() == short);
}

#[test]
fn a_wrong_size_of_a_volume_is_an_error_at_the_end_and_never_wrong_bytes() {
    let mut all = volume(100);
    all.extend(plain(5000));
    let image = image(opened(frame(&all, false)).unwrap());
    assert_eq!(image.size(), 204_800);
    assert!(read(&image, 0, 100_000).unwrap() == all[..100_000]);
    let err = read(&image, 204_799, 1).unwrap_err();
    assert!(err.to_string().contains("are 209800, not 204800"), "{err}");
}

#[test]
fn a_long_frame_is_one_piece_and_not_walked_through() {
    // 1100 blocks of one byte that is repeated: 1100 x 1000 bytes.
    let mut file = MAGIC.to_vec();
    file.extend([0x80, 0x38]);
    file.extend(1_100_000_u32.to_le_bytes());
    for i in 0..1100_u32 {
        let head = 1000 << 3 | 1 << 1 | u32::from(i == 1099);
        file.extend(&head.to_le_bytes()[..3]);
        file.push(i as u8);
    }
    let opened = opened(file).unwrap();
    assert_eq!(opened.map.locate(0).codec, Codec::Raw);
    let image = image(opened);
    assert_eq!(image.size(), 1_100_000);
    assert_eq!(read(&image, 999, 2).unwrap(), [0, 1]);
    assert_eq!(read(&image, 1_099_999, 9).unwrap(), [1099_u32 as u8]);
}

#[test]
fn a_wrong_checksum_is_an_error_for_its_frame_only() {
    let all = plain(5000);
    let first = frame(&all[..2000], true);
    let mut file = [&first[..], &frame(&all[2000..], true)].concat();
    file[first.len() - 1] ^= 1;
    let image = image(opened(file).unwrap());
    let err = read(&image, 0, 1).unwrap_err().to_string();
    assert!(err.contains("the frame says"), "{err}");
    assert!(read(&image, 2000, 3000).unwrap() == all[2000..]);

    let wrong_sum = |rows: &mut Vec<[u32; 3]>| rows[0][2] ^= 1;
    let file = with_table(&[&all[..2000], &all[2000..]], wrong_sum);
    let image = self::image(opened(file).unwrap());
    let err = read(&image, 0, 1).unwrap_err().to_string();
    assert!(err.contains("the seek table says"), "{err}");
}

#[test]
fn an_entry_of_the_table_may_cover_several_frames() {
    let all = plain(5000);
    let one_row = |rows: &mut Vec<[u32; 3]>| {
        let last = rows.pop().unwrap();
        rows[0] = [rows[0][0] + last[0], 5000, checksum(&plain(5000))];
    };
    let file = with_table(&[&all[..2000], &all[2000..]], one_row);
    let image = image(opened(file).unwrap());
    assert!(read(&image, 0, 5000).unwrap() == all);
}

#[test]
fn a_frame_of_another_length_than_the_table_says_is_an_error_for_it_alone() {
    let all = plain(5000);
    for (len, why) in [
        (1999, "more than 1999 bytes"),
        (2001, "2000 bytes, not 2001"),
    ] {
        let other = |rows: &mut Vec<[u32; 3]>| rows[0][1] = len;
        let file = with_table(&[&all[..2000], &all[2000..]], other);
        let image = image(opened(file).unwrap());
        let err = read(&image, 0, 1).unwrap_err().to_string();
        assert!(err.contains(why), "{err}");
        assert!(read(&image, len.into(), 3000).unwrap() == all[2000..]);
    }
}

#[test]
fn rejects_a_table_whose_frames_are_larger_than_the_file() {
    let all = plain(5000);
    let huge = |rows: &mut Vec<[u32; 3]>| rows[0][0] = u32::MAX;
    assert!(refusal(with_table(&[&all], huge)).contains("before it"));
}

#[test]
fn rejects_a_table_with_more_frames_than_room() {
    let mut file = with_table(&[&plain(5000)], |_| {});
    let at = file.len() - 9;
    file[at..at + 4].copy_from_slice(&100_000_u32.to_le_bytes());
    assert!(refusal(file.clone()).contains("no room for"));
    file[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(refusal(file).contains("more than 1048576 frames"));
}

#[test]
fn rejects_a_table_that_is_not_a_frame_of_its_own_size() {
    let mut file = with_table(&[&plain(5000)], |_| {});
    let at = file.len() - 9 - 12 - 4;
    file[at] ^= 1;
    assert!(refusal(file).contains("the seek table begins with"));
}

#[test]
fn rejects_a_cut_frame_and_a_skippable_frame_without_end() {
    let file = frame(&plain(5000), true);
    assert!(refusal(file[..4000].to_vec()).contains("ends at 4000"));
    let mut file = [file, skippable(5)].concat();
    let at = file.len() - 7;
    file[at] = 0xFF;
    assert!(refusal(file).contains("behind the end of the file"));
}

#[test]
fn rejects_what_is_no_frame_behind_one() {
    let file = [frame(&plain(5000), true), b"something".to_vec()].concat();
    assert!(refusal(file).contains("no zstd frame"));
}

#[test]
fn rejects_a_block_of_an_unknown_kind() {
    let mut file = frame(&plain(5000), true);
    file[10] |= 6;
    assert!(refusal(file).contains("of kind 3"));
}

#[test]
fn rejects_an_image_of_no_bytes() {
    assert!(refusal(frame(&[], true)).contains("image size is 0"));
}
