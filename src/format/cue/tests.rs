use std::{collections::HashMap, ffi::OsString};

use super::*;
use crate::{cache::BlockCache, files::Content, image::Image, source::Siblings};

mod lines;

/// Files in memory, found whatever their letter case.
#[derive(Debug)]
struct Beside(HashMap<String, Vec<u8>>);

impl Siblings for Beside {
    fn find(&self, name: &OsStr) -> Result<Option<Arc<dyn Source>>> {
        let name = name.to_string_lossy().to_lowercase();
        let found = self.0.get(&name).cloned();
        Ok(found.map(|bytes| Arc::new(bytes) as Arc<dyn Source>))
    }

    fn names(&self) -> Result<Vec<OsString>> {
        Ok(self.0.keys().map(OsString::from).collect())
    }
}

fn beside(name: &str, bytes: Vec<u8>) -> Beside {
    Beside(HashMap::from([(name.to_string(), bytes)]))
}

/// So many mode 1 sectors, filled with their number from `first` on.
fn mode_1(first: u8, sectors: u8) -> Vec<u8> {
    use crate::sector::{Kind, SECTOR, complete};
    let sector = |number: u8| {
        let mut sector = [number; SECTOR];
        sector[12..16].copy_from_slice(&[0, 2, 0, 1]);
        complete(&mut sector, Kind::Mode1);
        sector
    };
    (first..first + sectors).flat_map(sector).collect()
}

fn image(sheet: &str, beside: &Beside) -> Result<Image> {
    let options = OpenOptions {
        siblings: beside,
        ..OpenOptions::alone()
    };
    let opened = open(Arc::new(sheet.as_bytes().to_vec()), &options)?;
    Ok(Image::new(opened, Arc::new(BlockCache::new(1 << 20))))
}

fn whole(image: &Image) -> Vec<u8> {
    let mut plain = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_at(&mut plain, 0).unwrap();
    plain
}

fn filled(first: u8, sectors: u8) -> Vec<u8> {
    (first..first + sectors)
        .flat_map(|number| [number; 2048])
        .collect()
}

const ONE: &str = "FILE \"Game.BIN\" BINARY\r\n  TRACK 01 MODE1/2352\r\n    INDEX 01 00:00:00\r\n";

#[test]
fn the_first_data_track_is_the_image_and_its_file_is_found_whatever_its_letter_case() {
    let image = image(ONE, &beside("game.bin", mode_1(1, 20))).unwrap();
    assert_eq!(whole(&image), filled(1, 20));
    assert_eq!(image.details().variant, "track 01, MODE1/2352");
}

#[test]
fn the_track_ends_where_the_gap_of_the_next_one_starts() {
    let sheet = format!("{ONE}TRACK 02 AUDIO\nINDEX 00 00:00:18\nINDEX 01 00:00:19\n");
    let image = image(&sheet, &beside("game.bin", mode_1(1, 20))).unwrap();
    assert_eq!(whole(&image), filled(1, 18));
}

#[test]
fn sound_and_a_gap_in_front_of_the_data_are_passed_over() {
    let sheet = "FILE g.bin BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n\
        TRACK 02 MODE1/2352\nINDEX 00 00:00:03\nINDEX 01 00:00:05\n";
    let mut bin = vec![0x77; 5 * 2352];
    bin.extend(mode_1(1, 20));
    let image = image(sheet, &beside("g.bin", bin)).unwrap();
    assert_eq!(whole(&image), filled(1, 20));
}

#[test]
fn sectors_in_front_may_have_another_length() {
    let sheet = "FILE g.bin BINARY\nTRACK 01 CDG\nINDEX 01 00:00:00\n\
        TRACK 02 MODE1/2352\nINDEX 01 00:00:05\n";
    let mut bin = vec![0x77; 5 * 2448];
    bin.extend(mode_1(1, 20));
    let image = image(sheet, &beside("g.bin", bin)).unwrap();
    assert_eq!(whole(&image), filled(1, 20));
}

#[test]
fn tracks_in_files_of_their_own_and_of_two_sessions_are_known() {
    let sheet = "REM SESSION 01\nFILE \"a (1).bin\" BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n\
        REM SESSION 02\nFILE \"a \"2\".bin\" BINARY\nTRACK 02 MODE1/2352\nINDEX 01 00:00:00\n";
    let image = image(sheet, &beside("a \"2\".bin", mode_1(1, 20))).unwrap();
    assert_eq!(whole(&image), filled(1, 20));
}

#[test]
fn a_piece_of_a_sector_at_the_end_is_left_out_with_a_note() {
    let mut bin = mode_1(1, 20);
    bin.extend([0; 100]);
    let image = image(ONE, &beside("game.bin", bin)).unwrap();
    assert_eq!(image.size(), 20 * 2048);
    assert_eq!(image.details().notes.len(), 1);
}

fn listed(sheet: &str, beside: &Beside) -> Result<Listed> {
    let options = OpenOptions {
        siblings: beside,
        ..OpenOptions::alone()
    };
    let source: Arc<dyn Source> = Arc::new(sheet.as_bytes().to_vec());
    files(&source, &options)
}

#[test]
fn the_sheet_is_shown_as_it_is_and_the_image_beside_it() {
    let listed = listed(ONE, &beside("game.bin", mode_1(1, 20))).unwrap();
    let contents: Vec<_> = listed.files.iter().map(|file| &file.content).collect();
    let image = Content::Blocks {
        size: 20 * 2048,
        number: 0,
    };
    assert_eq!(contents, [&Content::Stored, &image]);
    assert_eq!(listed.beside, ["Game.BIN"]);
}

#[test]
fn a_disc_of_sound_and_a_sheet_of_a_plain_image_are_shown_as_stored_alone() {
    let sound = "FILE a.wav WAVE\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n";
    let plain = "FILE a.iso BINARY\nTRACK 01 MODE1/2048\nINDEX 01 00:00:00\n";
    for sheet in [sound, plain] {
        let listed = listed(sheet, &beside("a.iso", vec![0; 40 * 2048])).unwrap();
        assert_eq!(listed.files.len(), 1);
        assert_eq!(listed.files[0].content, Content::Stored);
    }
    assert!(image(sound, &beside("a", vec![])).is_err());
}

#[test]
fn user_data_alone_is_a_view_too() {
    let sheet = "FILE a.bin BINARY\nTRACK 01 MODE1/2048\nINDEX 01 00:00:00\n";
    let image = image(sheet, &beside("a.bin", filled(3, 20))).unwrap();
    assert_eq!(whole(&image), filled(3, 20));
}

#[test]
fn rejects_a_file_that_is_not_there() {
    let err = image(ONE, &beside("other.bin", vec![])).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::MissingPart);
    assert!(err.to_string().contains("Game.BIN"), "{err}");
}

#[test]
fn rejects_an_index_behind_the_end_of_the_file() {
    let sheet = ONE.replace("00:00:00", "10:00:00");
    assert!(image(&sheet, &beside("game.bin", mode_1(1, 20))).is_err());
}

#[test]
fn rejects_a_sheet_above_the_limit() {
    let mut sheet = ONE.to_string();
    sheet.push_str(&" ".repeat(1 << 20));
    let err = image(&sheet, &beside("game.bin", mode_1(1, 20))).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::LimitExceeded);
}

#[test]
fn a_sheet_is_known_by_its_first_word() {
    let detect = |text: &[u8]| is_sheet(&text[..text.len().min(64)], &text.to_vec());
    assert!(detect(ONE.as_bytes()));
    assert!(detect(b"\xef\xbb\xbfrem x\r\nFILE y BINARY"));
    assert!(!detect(b"FILED away\n"));
    assert!(!detect(b""));
}
