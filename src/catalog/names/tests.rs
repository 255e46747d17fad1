//! The naming rules as a table, and what holds for any folder.

use std::{collections::HashSet, os::unix::ffi::OsStringExt};

use proptest::prelude::*;

use super::*;

/// A folder: `+` in front is a compressed image, `1` the first file of a set, anything else keeps its name.
fn folder<'a>(stored: &[&'a str]) -> Vec<(&'a OsStr, Role<'static>)> {
    let role = |name: &&'a str| match name.split_at(1) {
        ("+", name) => (OsStr::new(name), Role::Image),
        ("1", name) => (OsStr::new(name), Role::First),
        _ => (OsStr::new(*name), Role::Own),
    };
    stored.iter().map(role).collect()
}

/// All shown names, those that are kept among them.
fn all_shown(stored: &[(&OsStr, Role<'_>)], naming: Naming) -> Vec<OsString> {
    let names = shown(stored, naming).into_iter().zip(stored);
    let names = names.map(|(name, (own, _))| name.unwrap_or_else(|| own.to_os_string()));
    names.collect()
}

fn check(naming: Naming, stored: &[&str], expected: &[&str]) {
    assert_eq!(all_shown(&folder(stored), naming), expected, "{stored:?}");
}

#[test]
fn a_table_of_folders() {
    let strip = |stored: &[&str], expected: &[&str]| check(Naming::Strip, stored, expected);
    strip(&["+Game.zso", "notes"], &["Game.iso", "notes"]);
    strip(&["+Game.iso.cso"], &["Game.iso"]);
    strip(&["+GAME.ISO.CSO", "+a.CSO"], &["GAME.ISO", "a.iso"]);
    strip(&["1Game.isz"], &["Game.iso"]);
    strip(
        &["1Game.part01.isz", "+x.part01.isz"],
        &["Game.iso", "x.part01.iso"],
    );
    strip(&["1Game.Part001.ISZ"], &["Game.iso"]);
    strip(&["+v1.2.cso", "+a.b"], &["v1.2.iso", "a.b.iso"]);
}

#[test]
fn a_plain_file_wins_and_the_other_gets_its_appended_name() {
    let stored = ["Game.iso", "+Game.cso"];
    check(Naming::Strip, &stored, &["Game.iso", "Game.cso.iso"]);
}

#[test]
fn two_images_of_one_name_both_get_their_appended_names() {
    let stored = ["+Game.cso", "+Game.zso", "1Game.part01.isz"];
    let expected = ["Game.cso.iso", "Game.zso.iso", "Game.part01.isz.iso"];
    check(Naming::Strip, &stored, &expected);
}

/// A sheet with two tracks, as a disc in one stored file is shown.
fn disc<'a>(stored: &'a str, names: &'a [PlainName]) -> Vec<(&'a OsStr, Role<'a>)> {
    let file = |name| (OsStr::new(stored), Role::File(name));
    names.iter().map(file).collect()
}

#[test]
fn the_plain_files_of_a_stored_one_make_way_together() {
    let files = [".cue", " (Track 1).bin", " (Track 2).bin"];
    let files = files.map(|ending| PlainName::Behind(ending.into()));
    let mut stored = disc("Game.isz", &files);
    let free = ["Game.cue", "Game (Track 1).bin", "Game (Track 2).bin"];
    assert_eq!(all_shown(&stored, Naming::Strip), free);
    stored.push((OsStr::new("Game (Track 2).bin"), Role::Own));
    let appended = [
        "Game.isz.cue",
        "Game.isz (Track 1).bin",
        "Game.isz (Track 2).bin",
        "Game (Track 2).bin",
    ];
    assert_eq!(all_shown(&stored, Naming::Strip), appended);
    assert_eq!(all_shown(&stored, Naming::Append), appended);
}

#[test]
fn members_and_stored_files_keep_their_names_where_they_can() {
    let files = [PlainName::Own("Game.bin".into()), PlainName::Stored];
    let mut stored = disc("Game.isz", &files);
    assert_eq!(all_shown(&stored, Naming::Strip), ["Game.bin", "Game.isz"]);
    stored.push((OsStr::new("Game.bin"), Role::Own));
    let appended = ["Game.isz.Game.bin", "Game.isz", "Game.bin"];
    assert_eq!(all_shown(&stored, Naming::Strip), appended);
}

#[test]
fn members_of_one_name_end_as_the_stored_file() {
    let files = [(); 2].map(|()| PlainName::Own("a.iso".into()));
    let names = all_shown(&disc("Game.isz", &files), Naming::Strip);
    assert_eq!(names, ["Game.isz", "Game.isz"]);
}

#[test]
fn tracks_with_names_too_long_take_their_sheet_with_them() {
    let files = [".cue", " (Track 1).bin"].map(|ending| PlainName::Behind(ending.into()));
    let long = format!("{}.isz", "x".repeat(246));
    assert_eq!(all_shown(&disc(&long, &files), Naming::Strip), [&*long; 2]);
}

#[test]
fn an_ending_that_a_stem_has_is_not_doubled() {
    let files = [PlainName::Behind(".bin".into())];
    let stored = disc("Game.BIN.isz", &files);
    assert_eq!(all_shown(&stored, Naming::Strip), ["Game.BIN"]);
}

#[test]
fn names_that_differ_in_letter_case_only_do_not_clash() {
    check(
        Naming::Strip,
        &["+game.cso", "Game.iso"],
        &["game.iso", "Game.iso"],
    );
}

#[test]
fn an_appended_name_that_is_taken_is_appended_once_more() {
    let stored = ["Game.iso", "Game.cso.iso", "+Game.cso"];
    check(
        Naming::Strip,
        &stored,
        &["Game.iso", "Game.cso.iso", "Game.cso.iso.iso"],
    );
    let stored = ["a.iso", "+a.cso", "+a.cso.cso"];
    check(
        Naming::Strip,
        &stored,
        &["a.iso", "a.cso.iso.iso", "a.cso.cso.iso"],
    );
}

#[test]
fn appending_keeps_the_stored_name_in_front() {
    check(
        Naming::Append,
        &["+Game.zso", "1Game.isz"],
        &["Game.zso.iso", "Game.isz.iso"],
    );
    check(
        Naming::Append,
        &["+Game.zso", "Game.zso.iso"],
        &["Game.zso.iso.iso", "Game.zso.iso"],
    );
}

#[test]
fn a_name_that_would_be_longer_than_255_bytes_stays_as_stored() {
    let longest = "x".repeat(251);
    let stored = format!("{longest}.cso");
    let plain = format!("{longest}.iso");
    let image = format!("+{stored}");
    check(Naming::Strip, &[&image], &[&plain]);
    check(Naming::Append, &[&image], &[&stored]);
    check(Naming::Strip, &[&image, &plain], &[&stored, &plain]);
}

#[test]
fn names_are_bytes() {
    let stored = OsString::from_vec(b"a\n\xff.cso".to_vec());
    let names = all_shown(&[(&stored, Role::Image)], Naming::Strip);
    assert_eq!(names, [OsString::from_vec(b"a\n\xff.iso".to_vec())]);
}

#[test]
fn a_set_is_known_by_its_stem_whatever_the_letter_case() {
    let key = |name| SetKey::of_image(OsStr::new(name), "isz");
    assert_eq!(key("Game.isz"), key("GAME.part02.ISZ"));
    assert_eq!(
        SetKey::of_part(OsStr::new("gAME.I01")),
        Some(key("Game.isz"))
    );
    assert_eq!(SetKey::of_part(OsStr::new("Game.cso")), None);
    assert_ne!(key("Game.isz"), key("Game 2.isz"));
}

/// Folders whose names are likely to clash. Images do not end with `.iso`: such files keep their names.
fn folders() -> impl Strategy<Value = Vec<(String, Role<'static>)>> {
    let endings = ["", ".iso", ".cso", ".isz", ".part1.isz"].map(String::from);
    let ending = proptest::sample::select(endings.to_vec());
    let name = ("[ab]{1,2}", proptest::collection::vec(ending, 0..5));
    let name = name.prop_map(|(stem, endings)| stem + &endings.concat());
    let role = proptest::sample::select(vec![Role::Own, Role::Image, Role::First]);
    proptest::collection::btree_map(name, role, 0..20).prop_map(|folder| {
        let roles = folder.into_iter().map(|(name, role)| {
            let own = extension_of(OsStr::new(&name)) == "iso";
            (name, if own { Role::Own } else { role })
        });
        roles.collect()
    })
}

fn borrow<'a>(folder: &'a [(String, Role<'static>)]) -> Vec<(&'a OsStr, Role<'static>)> {
    folder
        .iter()
        .map(|(name, role)| (OsStr::new(name), *role))
        .collect()
}

proptest! {
    #[test]
    fn every_file_is_shown_under_a_name_of_its_own(folder in folders()) {
        for naming in [Naming::Strip, Naming::Append] {
            let names = all_shown(&borrow(&folder), naming);
            prop_assert_eq!(names.len(), folder.len());
            let unique: HashSet<_> = names.iter().collect();
            prop_assert_eq!(unique.len(), folder.len(), "{:?}", names);
            for (name, (stored, role)) in names.iter().zip(&folder) {
                prop_assert!(*role != Role::Own || name.as_os_str() == stored.as_str());
            }
        }
    }

    #[test]
    fn names_do_not_depend_on_the_order(folder in folders().prop_flat_map(|folder| {
        (Just(folder.clone()), Just(folder).prop_shuffle())
    })) {
        let names = |folder: &[(String, Role<'static>)]| -> HashSet<_> {
            let names = all_shown(&borrow(folder), Naming::Strip);
            folder.iter().map(|(stored, _)| stored.clone()).zip(names).collect()
        };
        prop_assert_eq!(names(&folder.0), names(&folder.1));
    }
}
