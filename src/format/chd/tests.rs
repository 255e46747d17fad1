//! Each rule by a file that breaks it. The files are not compressed; those of other tools are in `tests/chd.rs`.

use std::sync::Arc;

use super::*;
use crate::{
    ErrorKind,
    cache::BlockCache,
    files::{Content as Shown, Tracks},
    image::Image,
};

const HUNK: u32 = 4896;

/// A file of version 5 without compression: header, map, metadata, then the hunks from a border on.
fn v5(plain: &[u8], texts: &[(&[u8; 4], &str)]) -> Vec<u8> {
    let hunks = plain.len().div_ceil(HUNK as usize);
    let mut file = b"MComprHD".to_vec();
    file.extend([124_u32, 5, 0, 0, 0, 0].map(u32::to_be_bytes).concat());
    file.extend((plain.len() as u64).to_be_bytes());
    file.extend(124_u64.to_be_bytes());
    let metadata_at = if texts.is_empty() { 0 } else { 124 + 4 * hunks };
    file.extend((metadata_at as u64).to_be_bytes());
    file.extend([HUNK, 2448].map(u32::to_be_bytes).concat());
    file.extend([0; 60]);
    let first = 10;
    for hunk in 0..hunks {
        file.extend(u32::try_from(first + hunk).unwrap().to_be_bytes());
    }
    for (number, (tag, text)) in texts.iter().enumerate() {
        let next = file.len() + 16 + text.len();
        file.extend(*tag);
        file.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        let is_last = number + 1 == texts.len();
        file.extend((if is_last { 0 } else { next as u64 }).to_be_bytes());
        file.extend(text.as_bytes());
    }
    assert!(file.len() <= first * HUNK as usize);
    file.resize(first * HUNK as usize, 0);
    file.extend(plain);
    file.resize((first + hunks) * HUNK as usize, 0);
    file
}

fn open_file(file: &[u8], number: u32) -> Result<Image> {
    let options = OpenOptions {
        file: number,
        ..OpenOptions::alone()
    };
    let opened = open(Arc::new(file.to_vec()), &options)?;
    Ok(Image::new(opened, Arc::new(BlockCache::new(1 << 20))))
}

fn refusal(file: &[u8]) -> String {
    open_file(file, 0).unwrap_err().to_string()
}

fn read(image: &Image, at: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    let n = image.read_at(&mut out, at).unwrap();
    out.truncate(n);
    out
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 % 251) as u8).collect()
}

/// A file with four bytes of its header changed.
fn with(at: usize, value: u32) -> Vec<u8> {
    let mut file = v5(&bytes(10_000), &[]);
    file[at..at + 4].copy_from_slice(&value.to_be_bytes());
    file
}

#[test]
fn an_image_is_cut_at_its_plain_bytes() {
    let plain = bytes(10_000);
    let image = open_file(&v5(&plain, &[]), 0).unwrap();
    assert_eq!(image.size(), 10_000);
    for (at, len) in [(0, 10_000), (4890, 20), (9_999, 5), (3, 9000)] {
        let end = (at + len).min(plain.len());
        assert_eq!(read(&image, at as u64, len), plain[at..end]);
    }
}

#[test]
fn tracks_begin_at_multiples_of_four_frames_and_sound_is_turned() {
    let plain = bytes(2448 * 12);
    let texts: &[(&[u8; 4], &str)] = &[
        (
            b"CHT2",
            "TRACK:1 TYPE:MODE1_RAW SUBTYPE:NONE FRAMES:3 PREGAP:0\0",
        ),
        (
            b"CHT2",
            "TRACK:2 TYPE:AUDIO SUBTYPE:NONE FRAMES:5 PREGAP:2 PGTYPE:VAUDIO\0",
        ),
    ];
    let file = v5(&plain, texts);
    let track = |first: usize, frames: usize| {
        let frames = plain.chunks(2448).skip(first).take(frames);
        frames.flat_map(|frame| frame[..2352].to_vec()).collect()
    };
    let first: Vec<u8> = track(0, 3);
    assert_eq!(read(&open_file(&file, 1).unwrap(), 0, 99_999), first);
    assert_eq!(read(&open_file(&file, 0).unwrap(), 5, 3000), first[5..3005]);
    let second: Vec<u8> = track(4, 5);
    let turned = read(&open_file(&file, 2).unwrap(), 0, 99_999);
    assert_eq!(turned.len(), second.len());
    assert!(
        turned
            .chunks(2)
            .zip(second.chunks(2))
            .all(|(a, b)| a == [b[1], b[0]])
    );
    assert!(open_file(&file, 3).is_err());
}

#[test]
fn a_track_that_begins_inside_a_hunk_is_read_from_anywhere() {
    // Hunks of two frames, and a pregap of three that the image is without.
    let mut plain = Vec::new();
    for frame in 0..20_u8 {
        plain.extend(vec![frame; 2448]);
    }
    let text = "TRACK:1 TYPE:MODE1 SUBTYPE:NONE FRAMES:20 PREGAP:3 PGTYPE:VMODE1\0";
    let image = open_file(&v5(&plain, &[(b"CHT2", text)]), 0).unwrap();
    assert_eq!(image.size(), 17 * 2048);
    for sector in 0..17_u64 {
        let frame = u8::try_from(sector + 3).unwrap();
        assert_eq!(read(&image, sector * 2048, 2048), vec![frame; 2048]);
    }
    assert_eq!(read(&image, 2047, 2), [3, 4]);
}

#[test]
fn which_files_a_disc_is_shown_as_can_be_chosen() {
    let text = "TRACK:1 TYPE:MODE1_RAW SUBTYPE:NONE FRAMES:4 PREGAP:0\0";
    let file: Arc<dyn Source> = Arc::new(v5(&bytes(2448 * 4), &[(b"CHT2", text)]));
    let names = |tracks| {
        let options = OpenOptions {
            tracks,
            ..OpenOptions::alone()
        };
        let listed = files(&file, &options).unwrap();
        let sizes = listed.files.iter().map(|file| match file.content {
            Shown::Blocks { size, .. } => size,
            _ => 0,
        });
        sizes.collect::<Vec<_>>()
    };
    assert_eq!(names(Tracks::Both), [8192, 0, 9408]);
    assert_eq!(names(Tracks::Iso), [8192]);
    assert_eq!(names(Tracks::Bin), [0, 9408]);
}

#[test]
fn a_form_2_sector_is_an_error_of_the_image_and_not_of_the_track() {
    let mut plain = vec![0; 2448 * 4];
    plain[..12].copy_from_slice(&crate::sector::SYNC);
    plain[15] = 2;
    plain[18] = 0x20;
    let text = "TRACK:1 TYPE:MODE2_RAW SUBTYPE:NONE FRAMES:4 PREGAP:0\0";
    let file = v5(&plain, &[(b"CHT2", text)]);
    let err = open_file(&file, 0)
        .unwrap()
        .read_at(&mut [0; 10], 0)
        .unwrap_err();
    assert!(err.to_string().contains("mode 2 form 2"), "{err}");
    assert_eq!(read(&open_file(&file, 1).unwrap(), 0, 16), plain[..16]);
}

#[test]
fn a_hunk_that_is_not_in_the_file_is_an_error_of_its_own() {
    let plain = bytes(10_000);
    let mut file = v5(&plain, &[]);
    file[128..132].copy_from_slice(&9999_u32.to_be_bytes());
    let image = open_file(&file, 0).unwrap();
    assert_eq!(read(&image, 0, 4896), plain[..4896]);
    let err = image.read_at(&mut [0; 10], 5000).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt);
}

#[test]
fn a_hunk_without_a_place_is_zeroes() {
    let mut file = v5(&bytes(10_000), &[]);
    file[124..128].fill(0);
    assert_eq!(read(&open_file(&file, 0).unwrap(), 0, 4896), [0; 4896]);
}

#[test]
fn rejects_a_version_that_is_none_and_the_two_oldest() {
    assert!(refusal(&with(12, 6)).starts_with("version is 6"));
    assert!(refusal(&with(12, 2)).contains("chdman copy"));
}

#[test]
fn rejects_a_header_length_of_another_version() {
    assert!(refusal(&with(8, 108)).starts_with("header length is 108"));
}

#[test]
fn rejects_a_hunk_size_of_zero_and_one_above_the_limit() {
    assert!(refusal(&with(56, 0)).starts_with("hunk size is 0"));
    assert!(refusal(&with(56, 1 << 25)).starts_with("hunk size is"));
}

#[test]
fn rejects_a_unit_that_does_not_divide_the_hunk() {
    assert!(refusal(&with(60, 0)).starts_with("unit size is 0"));
    assert!(refusal(&with(60, 5)).starts_with("unit size is 5"));
}

#[test]
fn rejects_a_size_of_zero() {
    assert!(open_file(&with(36, 0), 0).is_err());
}

#[test]
fn rejects_more_hunks_than_the_limit() {
    let err = open_file(&with(32, 0xff), 0).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::LimitExceeded);
}

#[test]
fn rejects_a_map_behind_the_end_of_the_file() {
    assert!(refusal(&with(44, 1 << 30)).contains("the file ends at"));
}

#[test]
fn rejects_a_compression_that_nobody_knows() {
    assert!(refusal(&with(16, u32::from_be_bytes(*b"what"))).contains("what"));
    assert!(refusal(&with(16, u32::from_be_bytes(*b"avhu"))).contains("laser"));
}

#[test]
fn rejects_frames_in_hunks_that_do_not_hold_whole_ones() {
    let mut file = with(16, u32::from_be_bytes(*b"cdzl"));
    file[56..60].copy_from_slice(&4096_u32.to_be_bytes());
    file[60..64].copy_from_slice(&2048_u32.to_be_bytes());
    assert!(refusal(&file).contains("multiple of 2448"));
}

#[test]
fn rejects_metadata_in_a_circle() {
    let mut file = v5(&bytes(10_000), &[(b"DVD ", "\0")]);
    let at = 124 + 12;
    file[at + 8..at + 16].copy_from_slice(&(at as u64).to_be_bytes());
    assert!(refusal(&file).contains("is a circle"));
}

#[test]
fn rejects_tracks_beyond_the_image() {
    let text = "TRACK:1 TYPE:AUDIO SUBTYPE:NONE FRAMES:5\0";
    assert!(refusal(&v5(&bytes(2448 * 4), &[(b"CHTR", text)])).contains("the image has 4"));
}

#[test]
fn rejects_tracks_whose_numbers_have_gaps() {
    let text = "TRACK:2 TYPE:AUDIO SUBTYPE:NONE FRAMES:4\0";
    assert!(refusal(&v5(&bytes(2448 * 4), &[(b"CHTR", text)])).contains("not numbered from 1"));
}

#[test]
fn rejects_a_track_of_a_type_that_nobody_knows() {
    let text = "TRACK:1 TYPE:VIDEO SUBTYPE:NONE FRAMES:4\0";
    assert!(refusal(&v5(&bytes(2448 * 4), &[(b"CHTR", text)])).contains("VIDEO"));
}

#[test]
fn rejects_a_parent_that_is_not_there() {
    let mut file = v5(&bytes(10_000), &[]);
    file[104] = 1;
    let err = open_file(&file, 0).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::MissingPart);
}
