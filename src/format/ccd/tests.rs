//! Sheets made here; files of other writers are in `tests/vectors.rs`.

use super::*;
use crate::{
    format::{self, tests::Beside},
    map::BlockMap,
    sector,
};

const HEAD: &str = "[CloneCD]\r\nVersion=3\r\n";

fn entry(point: &str, control: u8, start: i32) -> String {
    format!("[Entry 0]\r\nPoint={point}\r\nControl=0x0{control}\r\nPLBA={start}\r\n")
}

/// So many sectors of mode 1, and one that is none.
fn img(sectors: usize) -> Vec<u8> {
    let mut sector = [5; SECTOR];
    sector[12..16].copy_from_slice(&[0, 2, 0, 1]);
    sector::complete(&mut sector, sector::Kind::Mode1);
    let mut bytes = sector.repeat(sectors);
    bytes.extend([0; SECTOR]);
    bytes
}

fn map_of(sheet: String, beside: &Beside) -> Result<Box<dyn BlockMap>> {
    let options = OpenOptions {
        name: OsStr::new("Game.ccd"),
        siblings: beside,
        ..OpenOptions::alone()
    };
    Ok(format::open(Arc::new(sheet.into_bytes()), &options)?.map)
}

fn size(sheet: String) -> Result<u64> {
    Ok(map_of(sheet, &Beside::one("game.IMG", img(2)))?
        .geometry()
        .size())
}

#[test]
fn the_track_goes_to_the_next_one_or_to_the_end() {
    let disc = entry("0xa0", 4, 4350);
    let both = HEAD.to_owned() + &disc + &entry("0x01", 4, 0) + &entry("0x02", 0, 2);
    assert_eq!(size(both).unwrap(), 4096);
    let one = HEAD.to_owned() + &disc + &entry("0x01", 4, 0);
    assert_eq!(size(one).unwrap(), 3 * 2048);
}

#[test]
fn entries_that_say_too_little_are_left_out() {
    let text =
        "[Entry 0]\nPoint=1\n[Entry 1]\nPoint=2\nControl=4\nPLBA=-150\n[Session 1]\nPLBA=3\n";
    assert!(entries(text).is_empty());
}

#[test]
fn rejects_a_disc_of_sound_alone() {
    let err = size(HEAD.to_owned() + &entry("1", 0, 0)).unwrap_err();
    assert!(err.to_string().starts_with("there is no data track"));
}

#[test]
fn rejects_a_sheet_above_the_limit() {
    let err = size(HEAD.to_owned() + &" ".repeat(300_000)).unwrap_err();
    assert!(err.to_string().ends_with("the limit is 256 KiB"));
}

#[test]
fn rejects_an_image_that_is_not_there() {
    let err = map_of(
        HEAD.to_owned() + &entry("1", 4, 0),
        &Beside::one("x.img", img(1)),
    )
    .unwrap_err();
    assert_eq!(
        err.to_string(),
        "the sheet names Game.img, which is not beside it"
    );
}

#[test]
fn rejects_a_track_behind_the_end() {
    let err = size(HEAD.to_owned() + &entry("1", 4, i32::MAX)).unwrap_err();
    assert!(err.to_string().contains("first sector of the data track"));
}

#[test]
fn rejects_a_track_whose_sectors_are_no_data() {
    let err = size(HEAD.to_owned() + &entry("1", 4, 2)).unwrap_err();
    assert!(err.to_string().contains("no sync pattern"));
}
