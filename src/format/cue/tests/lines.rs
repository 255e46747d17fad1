//! What a line may say.

use super::*;

fn refusal(sheet: &str) -> String {
    Sheet::parse(sheet.as_bytes())
        .and_then(|sheet| sheet.data_track().map(|_| ()))
        .unwrap_err()
        .to_string()
}

#[test]
fn rejects_a_name_that_leaves_the_folder() {
    for name in ["../a.bin", "/etc/passwd", "sub\\a.bin", "..", ".", ""] {
        let found = refusal(&ONE.replace("Game.BIN", name));
        assert!(found.starts_with("line 1: file name is"), "{found}");
    }
}

#[test]
fn rejects_a_name_whose_quotes_stay_open() {
    let found = refusal("FILE \"a.bin BINARY\nTRACK 01 AUDIO\n");
    assert!(found.contains("quotes"), "{found}");
}

#[test]
fn rejects_a_track_number_outside_1_to_99_and_one_that_does_not_rise() {
    for number in ["00", "100", "x", "-1"] {
        let found = refusal(&ONE.replace("TRACK 01", &format!("TRACK {number}")));
        assert!(found.starts_with("line 2: track number is"), "{found}");
    }
    let twice = format!("{ONE}TRACK 01 AUDIO\n");
    assert!(refusal(&twice).contains("above that of the track in front"));
}

#[test]
fn rejects_a_track_mode_that_does_not_exist() {
    let found = refusal(&ONE.replace("MODE1/2352", "MODE3/2352"));
    assert!(found.contains("track mode is \"MODE3/2352\""), "{found}");
}

#[test]
fn rejects_a_time_that_is_none() {
    for time in [
        "00:60:00",
        "00:00:75",
        "0:0",
        "1:2:3:4",
        "a:b:c",
        "99999:00:00",
        "",
    ] {
        let found = refusal(&ONE.replace("00:00:00", time));
        assert!(found.starts_with("line 3: time is"), "{time}: {found}");
    }
}

#[test]
fn rejects_an_index_that_goes_back() {
    let back = "TRACK 02 MODE1/2352\nINDEX 01 00:00:01\nTRACK 03 AUDIO\nINDEX 01 00:00:00\n";
    let sheet = format!("FILE a BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n{back}");
    assert!(refusal(&sheet).contains("an INDEX is sector 0, behind one of sector 1"));
}

#[test]
fn rejects_lines_in_the_wrong_order() {
    assert!(refusal("TRACK 01 AUDIO\n").contains("in front of any FILE"));
    assert!(refusal("FILE a BINARY\nINDEX 01 00:00:00\n").contains("in front of any TRACK"));
}

#[test]
fn rejects_a_sheet_without_tracks_and_a_track_without_an_index() {
    assert!(refusal("FILE a BINARY\n").contains("no TRACK"));
    assert!(refusal("FILE a BINARY\nTRACK 01 MODE1/2352\n").contains("no INDEX"));
    let gap = "FILE a BINARY\nTRACK 01 MODE1/2352\nINDEX 00 00:00:00\n";
    assert!(refusal(gap).contains("no INDEX 01"));
}

#[test]
fn lines_about_other_things_are_left_alone() {
    let sheet = format!("CATALOG 1234567890123\nREM x\nFLAGS DCP\nWHAT EVER\n\n{ONE}POSTGAP x\n");
    assert!(Sheet::parse(sheet.as_bytes()).is_ok());
}
