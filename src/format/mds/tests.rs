//! Descriptors made here; files of other writers are in `tests/vectors.rs`.

use super::*;
use crate::format::{self, tests::Beside};

/// A descriptor of a DVD of two sectors, with a track of sound in front.
fn dvd(name: &[u8], is_wide: bool) -> Vec<u8> {
    let mut bytes = vec![0; 88 + 24 + 2 * 80 + 8];
    bytes[..16].copy_from_slice(b"MEDIA DESCRIPTOR");
    bytes[16] = 1;
    bytes[18] = 16;
    bytes[80] = 88;
    bytes[88 + 10] = 2;
    bytes[88 + 20] = 112;
    (bytes[112], bytes[116]) = (0xa9, 1);
    let block = &mut bytes[192..272];
    (block[0], block[4], block[12], block[48]) = (0xaa, 2, 2, 1);
    block[16..18].copy_from_slice(&2048_u16.to_le_bytes());
    block[52..54].copy_from_slice(&272_u16.to_le_bytes());
    bytes[272..274].copy_from_slice(&280_u16.to_le_bytes());
    bytes[276] = u8::from(is_wide);
    bytes.extend(name);
    bytes
}

fn open_dvd(stored: Vec<u8>, beside: &Beside) -> Result<Opened> {
    let options = OpenOptions {
        name: OsStr::new("Game.mds"),
        siblings: beside,
        ..OpenOptions::alone()
    };
    format::open(Arc::new(stored), &options)
}

fn size(stored: Vec<u8>, file: &'static str) -> Result<u64> {
    let opened = open_dvd(stored, &Beside::one(file, vec![7; 4096]))?;
    Ok(opened.map.geometry().size())
}

fn refusal(stored: Vec<u8>) -> String {
    size(stored, "game.mdf").unwrap_err().to_string()
}

#[test]
fn the_file_is_named_by_a_star_or_by_its_name() {
    assert_eq!(size(dvd(b"*.mdf\0", false), "game.mdf").unwrap(), 4096);
    assert_eq!(size(dvd(b"other.mdf\0", false), "Other.mdf").unwrap(), 4096);
    let wide: Vec<u8> = "*.mdf\0"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(size(dvd(&wide, true), "game.mdf").unwrap(), 4096);
}

#[test]
fn rejects_another_version() {
    let mut stored = dvd(b"*.mdf", false);
    stored[16] = 2;
    assert_eq!(
        refusal(stored),
        "version is 2, only version 1 is not encrypted; cdemu reads the others"
    );
}

#[test]
fn rejects_a_name_that_leaves_the_folder() {
    for name in [&b"../x.mdf\0"[..], b"..\0", b"C:\\x.mdf\0", b"\0"] {
        assert!(refusal(dvd(name, false)).starts_with("the file's name is "));
    }
}

#[test]
fn rejects_a_file_that_is_not_there() {
    assert_eq!(
        refusal(dvd(b"other.mdf", false)),
        "the descriptor names other.mdf, which is not beside it"
    );
}

#[test]
fn rejects_a_track_in_several_files() {
    let mut stored = dvd(b"*.mdf", false);
    stored[192 + 48] = 3;
    assert!(refusal(stored).starts_with("the track lies in 3 files"));
}

#[test]
fn rejects_sectors_that_the_mode_does_not_have() {
    let mut stored = dvd(b"*.mdf", false);
    stored[192 + 16] = 1;
    assert!(refusal(stored).starts_with("a data track of mode 2 has sectors of 2049 bytes"));
}

#[test]
fn rejects_a_track_longer_than_its_file() {
    let mut stored = dvd(b"*.mdf", false);
    stored[192 + 12] = 3;
    assert_eq!(
        refusal(stored),
        "the data track ends at 6144, its file at 4096"
    );
}

#[test]
fn rejects_a_descriptor_that_is_cut() {
    let whole = dvd(b"*.mdf", false);
    for len in 16..280 {
        assert!(size(whole[..len].to_vec(), "game.mdf").is_err(), "{len}");
    }
}

#[test]
fn rejects_a_disc_of_sound_alone() {
    let mut stored = dvd(b"*.mdf", false);
    stored[192] = 1;
    assert!(refusal(stored).starts_with("there is no data track"));
}

#[test]
fn damage_anywhere_never_panics() {
    let whole = dvd(b"*.mdf\0", false);
    for at in 16..whole.len() {
        for with in [1, 0x80, 0xff] {
            let mut stored = whole.clone();
            stored[at] ^= with;
            let _ = size(stored, "game.mdf");
        }
    }
}
