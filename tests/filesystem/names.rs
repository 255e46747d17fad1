//! Which names a library shows.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStringExt,
};

use plainiso::fs::{Filesystem, Naming, ROOT};

use crate::{
    formats::{cso, isz_set},
    library::{Library, contents, find, names, options, volume},
};

#[test]
fn clashing_names_are_told_apart() {
    let image = cso(&volume(40_000));
    let library = Library::with(&[
        ("a.cso", &image),
        ("a.iso", b"plain"),
        ("b.cso", &image),
        ("b.zso", &image),
    ]);
    let filesystem = library.mount();
    let expected = ["a.cso.iso", "a.iso", "b.cso.iso", "b.zso.iso"];
    assert_eq!(names(&filesystem, ROOT), expected);
    assert_eq!(contents(&filesystem, "a.iso").unwrap(), b"plain");
    assert_eq!(contents(&filesystem, "a.cso.iso").unwrap(), volume(40_000));
}

#[test]
fn names_are_appended_when_asked_for() {
    let library = Library::with(&[("a.cso", &cso(&volume(40_000))), ("b.txt", b"")]);
    let mut options = library.options();
    options.naming = Naming::Append;
    let filesystem = Filesystem::new(options).unwrap();
    assert_eq!(names(&filesystem, ROOT), ["a.cso.iso", "b.txt"]);
}

#[test]
fn content_decides_and_not_the_extension() {
    let plain = volume(40_000);
    let library = Library::with(&[
        ("compressed.iso", &cso(&plain)),
        ("plain.cso", &plain),
        ("plain.iso", &plain),
        ("short.iso", b"no volume"),
        ("zso.CSO", &cso(&plain)),
    ]);
    let filesystem = library.mount();
    let expected = [
        "compressed.iso",
        "plain.iso",
        "plain.cso.iso",
        "short.iso",
        "zso.iso",
    ];
    let mut expected = expected.map(String::from).to_vec();
    expected.sort();
    assert_eq!(names(&filesystem, ROOT), expected);
    for name in ["compressed.iso", "plain.iso", "plain.cso.iso", "zso.iso"] {
        assert_eq!(contents(&filesystem, name).unwrap(), plain, "{name}");
    }
    assert_eq!(contents(&filesystem, "short.iso").unwrap(), b"no volume");
}

#[test]
fn only_images_are_shown_when_asked_for() {
    let [first, second] = isz_set(&volume(20 * 2048), 18);
    let library = Library::with(&[
        ("a.cso", &cso(&volume(40_000))),
        ("b.iso", &volume(40_000)),
        ("c.isz", &first),
        ("c.i01", &second),
        ("readme", b""),
        ("sub/x", b""),
    ]);
    let mut options = library.options();
    options.images_only = true;
    let filesystem = Filesystem::new(options).unwrap();
    assert_eq!(names(&filesystem, ROOT), ["a.iso", "b.iso", "c.iso", "sub"]);
    let sub = find(&filesystem, "sub").unwrap().ino;
    assert!(names(&filesystem, sub).is_empty());
}

#[test]
fn folders_are_merged_and_the_first_source_wins() {
    let one = Library::with(&[("x", b"one"), ("sub/a", b"one"), ("sub/deep/p", b"one")]);
    let two = Library::with(&[("x", b"two"), ("sub/b", b"two"), ("sub/deep/p", b"two")]);
    two.put("Game.cso", &cso(&volume(40_000)));
    let filesystem = Filesystem::new(options(&[one.root(), two.root()])).unwrap();
    assert_eq!(names(&filesystem, ROOT), ["Game.iso", "sub", "x"]);
    assert_eq!(contents(&filesystem, "x").unwrap(), b"one");
    assert_eq!(contents(&filesystem, "sub/a").unwrap(), b"one");
    assert_eq!(contents(&filesystem, "sub/b").unwrap(), b"two");
    assert_eq!(contents(&filesystem, "sub/deep/p").unwrap(), b"one");
}

#[test]
fn files_named_by_the_user_stand_at_the_top() {
    let plain = volume(40_000);
    let [first, second] = isz_set(&volume(20 * 2048), 18);
    let one = Library::with(&[("Game.cso", &cso(&plain)), ("x.bin", &cso(&plain))]);
    let two = Library::with(&[
        ("Game.cso", b"hidden"),
        ("S.isz", &first),
        ("S.i01", &second),
    ]);
    let folder = Library::with(&[("sub/y", b"")]);
    let files = [
        one.path("Game.cso"),
        one.path("x.bin"),
        two.path("Game.cso"),
        two.path("S.isz"),
    ];
    let sources: Vec<_> = files
        .iter()
        .map(AsRef::as_ref)
        .chain([folder.root()])
        .collect();
    let filesystem = Filesystem::new(options(&sources)).unwrap();
    assert_eq!(
        names(&filesystem, ROOT),
        ["Game.iso", "S.iso", "sub", "x.bin.iso"]
    );
    assert_eq!(contents(&filesystem, "Game.iso").unwrap(), plain);
    assert_eq!(contents(&filesystem, "x.bin.iso").unwrap(), plain);
    assert_eq!(contents(&filesystem, "S.iso").unwrap(), volume(20 * 2048));
    let set = find(&filesystem, "S.iso").unwrap();
    assert_eq!(set.stored_size, (first.len() + second.len()) as u64);
}

#[test]
fn names_are_bytes() {
    let library = Library::new();
    let stored = OsString::from_vec(b"a\n\xff.cso".to_vec());
    std::fs::write(library.root().join(&stored), cso(&volume(40_000))).unwrap();
    let filesystem = library.mount();
    let shown = OsString::from_vec(b"a\n\xff.iso".to_vec());
    assert_eq!(filesystem.lookup(ROOT, &shown).unwrap().size, 40_000);
    assert!(filesystem.lookup(ROOT, OsStr::new("a.iso")).is_err());
}
