//! The house's one rule about imports: they point down.
//!
//! `docs/ARCHITECTURE.md` gives every file a floor. This test reads the `crate::` and `super::` paths of every file
//! in `src/` and names each that leads up, or to another room on the same floor.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The floor of each room, from the ground up. A room is a top-level module and everything below it.
const FLOORS: &[(&str, u8)] = &[
    ("error", 0),
    ("sector", 1),
    ("source", 1),
    ("codec", 1),
    ("cache", 1),
    ("digest", 1),
    ("output", 1),
    ("files", 2),
    ("map", 2),
    ("pack", 2),
    ("unfold", 2),
    ("format", 3),
    ("image", 4),
    ("stream", 5),
    ("volume", 5),
    ("catalog", 6),
    ("convert", 6),
    ("extract", 6),
    ("verify", 6),
    ("fs", 7),
    ("fuse", 8),
    ("cli", 9),
];

/// Names that the crate's root passes on, with the room they come from.
const FROM_THE_ROOT: &[(&str, &str)] = &[
    ("Error", "error"),
    ("ErrorKind", "error"),
    ("Result", "error"),
];

/// The only files that may name the crate `fuser`.
const FUSE_FILES: &[&str] = &[
    "fuse.rs",
    "fuse/attr.rs",
    "fuse/features.rs",
    "fuse/kernel.rs",
    "fuse/opening.rs",
    "fuse/server.rs",
    "fuse/session.rs",
];

/// Tests stand last in a file, or in a file of their own; they may use every room.
fn without_tests<'t>(file: &str, text: &'t str) -> &'t str {
    if file.ends_with("/tests.rs") || file.contains("/tests/") {
        return "";
    }
    text.split("#[cfg(test)]\nmod ").next().unwrap_or(text)
}

/// One complaint per import of `file` (a path inside `src/`) that the rule forbids.
fn complaints(file: &str, text: &str) -> Vec<String> {
    let code = without_comments(without_tests(file, text));
    let mut complaints = Vec::new();
    if code.contains("fuser::") && !FUSE_FILES.contains(&file) && !file.starts_with("fuse/session/")
    {
        complaints.push(format!("{file} names fuser"));
    }
    let room = room_of(file);
    for target in rooms_named(&code) {
        if let Err(why) = may_use(file, room, &target) {
            complaints.push(format!("{file} uses crate::{target}: {why}"));
        }
    }
    for name in other_formats_named(file, &code) {
        complaints.push(format!(
            "{file} uses format::{name}, another room on its floor"
        ));
    }
    complaints
}

/// Whether `file` of `room` may use what stands under `crate::target`.
fn may_use(file: &str, room: &str, target: &str) -> Result<(), String> {
    let from_root = FROM_THE_ROOT.iter().find(|(name, _)| *name == target);
    let target = from_root.map_or(target, |(_, room)| room);
    // What formats may use of their own floor is checked by name, in `other_formats_named`.
    if target == room {
        return Ok(());
    }
    // The root and the program stand outside the house and see all of it.
    if matches!(file, "lib.rs" | "main.rs") {
        return Ok(());
    }
    let (from, to) = (floor(room)?, floor(target)?);
    match () {
        // An adaptor that decodes would skip the filesystem: it sees floor 0 and the floor below only.
        () if room == "fuse" && !matches!(to, 0 | 7) => {
            Err(format!("fuse knows floors 0 and 7, not {to}"))
        }
        () if to < from => Ok(()),
        () => Err(format!("floor {from} must not know floor {to}")),
    }
}

fn floor(room: &str) -> Result<u8, String> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|(_, floor)| *floor)
        .ok_or_else(|| format!("no floor is known for `{room}`, tests/layers.rs lists them"))
}

/// `format/isz/header.rs` belongs to `format`.
fn room_of(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The formats that a format's file names. It may use the registry's types and its three functions, and its own
/// modules; another format it must not know.
fn other_formats_named(file: &str, code: &str) -> Vec<String> {
    let Some(own) = file.strip_prefix("format/") else {
        return Vec::new();
    };
    let own = own.split(['/', '.']).next().unwrap_or(own);
    let mut names = paths_after(code, "format::");
    names.extend(paths_after(code, "crate::format::"));
    if !own_modules_follow(file) {
        names.extend(paths_after(code, "super::"));
    }
    let formats = formats();
    names.retain(|name| formats.contains(name) && name != own);
    names
}

/// The files of `src/format/`.
fn formats() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/format");
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_string();
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| stem(entry.unwrap().path()))
        .collect()
}

/// In `format/isz/table.rs`, `super::` is the format itself and not the registry.
fn own_modules_follow(file: &str) -> bool {
    file.matches('/').count() > 1
}

/// The first names behind every `crate::`, grouped imports taken apart.
fn rooms_named(code: &str) -> Vec<String> {
    let mut rooms = paths_after(code, "crate::");
    rooms.sort();
    rooms.dedup();
    rooms
}

fn paths_after(code: &str, prefix: &str) -> Vec<String> {
    code.match_indices(prefix)
        .filter(|(at, _)| !ends_in_word(&code[..*at]))
        .flat_map(|(at, _)| first_names(&code[at + prefix.len()..]))
        .collect()
}

fn ends_in_word(before: &str) -> bool {
    before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$' || c == ':')
}

/// `{a::b, c::{d, e}, F}` names `a`, `c` and `F`; `a::b` names `a`.
fn first_names(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![identifier(path)];
    };
    let (mut names, mut depth, mut expected) = (Vec::new(), 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            c if expected && !c.is_whitespace() => {
                names.push(identifier(&group[at..]));
                expected = false;
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// Comments and doc links may name any room.
fn without_comments(text: &str) -> String {
    let code = |line: &'_ str| line.split("//").next().unwrap_or("").to_string();
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// The folder, and all files in it.
fn all_source_files() -> (PathBuf, Vec<PathBuf>) {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&src, &mut files);
    assert!(files.len() > 10, "src/ was not found");
    (src, files)
}

#[test]
fn every_import_points_down() {
    let (src, files) = all_source_files();
    let mut found = Vec::new();
    for path in files {
        let file = path.strip_prefix(&src).unwrap().to_str().unwrap();
        found.extend(complaints(file, &fs::read_to_string(&path).unwrap()));
    }
    found.sort();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn unsafe_code_is_allowed_in_one_file() {
    let (src, mut files) = all_source_files();
    files.retain(|path| {
        fs::read_to_string(path)
            .unwrap()
            .contains("allow(unsafe_code)")
    });
    assert_eq!(files, [src.join("cli/allocator.rs")]);
}

#[test]
fn an_upward_import_is_found_grouped_or_inline() {
    let grouped =
        "use crate::{\n    Error,\n    codec::{Codec, image::X},\n    format::Format,\n};";
    let found = complaints("map.rs", grouped);
    assert_eq!(
        found,
        ["map.rs uses crate::format: floor 2 must not know floor 3"]
    );
    let inline = "fn f() -> crate::fuse::Session { todo!() }";
    let found = complaints("fs/handles.rs", inline);
    assert_eq!(
        found,
        ["fs/handles.rs uses crate::fuse: floor 7 must not know floor 8"]
    );
}

#[test]
fn two_rooms_on_one_floor_do_not_know_each_other() {
    assert_eq!(
        complaints("codec/lz4.rs", "use crate::source::Source;").len(),
        1
    );
    assert_eq!(
        complaints("format/jso.rs", "use super::cso::Index;").len(),
        1
    );
    assert_eq!(
        complaints("format/jso.rs", "use crate::format::cso;").len(),
        1
    );
    let grouped = "use crate::{codec::Codec, format::{isz::Header, Details}};";
    assert_eq!(complaints("format/jso.rs", grouped).len(), 1);
    assert!(complaints("format/jso.rs", "use super::{Details, Format};").is_empty());
    let types = "use crate::{Error, format::{Password, isz::table}};";
    assert!(complaints("format/isz/cipher.rs", types).is_empty());
}

#[test]
fn only_the_adaptor_names_fuser() {
    assert_eq!(
        complaints("cli/mount.rs", "use fuser::MountOption;").len(),
        1
    );
    assert!(complaints("fuse/session.rs", "use fuser::MountOption;").is_empty());
    assert_eq!(complaints("fuse.rs", "use crate::image::Image;").len(), 1);
}

#[test]
fn a_room_without_a_floor_is_found() {
    let found = complaints("fs.rs", "use crate::helpers::all;");
    assert!(found[0].contains("no floor is known"), "{found:?}");
}

#[test]
fn tests_may_use_every_room() {
    let text = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::format;\n}\n";
    assert!(complaints("format/iso.rs", text).is_empty());
}

#[test]
fn comments_may_name_what_they_like() {
    assert!(complaints("error.rs", "/// See [`crate::fuse`].\nstruct E;").is_empty());
}
