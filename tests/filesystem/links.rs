//! Symbolic links and special files.

use std::{ffi::OsStr, os::unix::fs::symlink};

use plainiso::{
    ErrorKind,
    fs::{Filesystem, Kind, ROOT},
};

use crate::{
    formats::{cso, isz_set},
    library::{Library, contents, find, names, options, volume},
};

#[test]
fn a_link_to_an_image_of_the_library_is_that_image() {
    let plain = volume(40_000);
    let library = Library::with(&[("discs/Game.cso", &cso(&plain)), ("x", b"1")]);
    symlink("discs/Game.cso", library.path("Other.cso")).unwrap();
    symlink("discs/Game.cso", library.path("latest")).unwrap();
    let filesystem = library.mount();
    assert_eq!(
        names(&filesystem, ROOT),
        ["Other.iso", "discs", "latest.iso", "x"]
    );
    for name in ["Other.iso", "latest.iso"] {
        assert_eq!(find(&filesystem, name).unwrap().kind, Kind::File);
        assert_eq!(contents(&filesystem, name).unwrap(), plain);
    }
}

#[test]
fn a_link_that_leaves_the_library_is_shown_as_it_is() {
    let outside = Library::with(&[("secret.cso", &cso(&volume(40_000))), ("dir/x", b"1")]);
    let library = Library::with(&[("x", b"1")]);
    let target = outside.path("secret.cso");
    symlink(&target, library.path("a.cso")).unwrap();
    symlink(outside.path("dir"), library.path("dir")).unwrap();
    symlink("nowhere", library.path("dangling.cso")).unwrap();
    symlink("x", library.path("to x")).unwrap();
    let filesystem = library.mount();
    assert_eq!(
        names(&filesystem, ROOT),
        ["a.cso", "dangling.cso", "dir", "to x", "x"]
    );
    for name in ["a.cso", "dangling.cso", "dir", "to x"] {
        let link = find(&filesystem, name).unwrap();
        assert_eq!((link.kind, link.mode), (Kind::Link, 0o777), "{name}");
        assert_eq!(
            filesystem.open(link.ino).unwrap_err().kind(),
            ErrorKind::IsADirectory
        );
    }
    let link = find(&filesystem, "a.cso").unwrap();
    assert_eq!(filesystem.read_link(link.ino).unwrap(), target);
    assert_eq!(link.size, target.as_os_str().len() as u64);
    let x = find(&filesystem, "x").unwrap();
    assert_eq!(
        filesystem.read_link(x.ino).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

/// An image may name the files beside it, and such a file may be a link.
#[test]
fn a_file_beside_an_image_that_is_a_link_out_of_the_library_is_no_part_of_it() {
    let plain = volume(20 * 2048);
    let [first, second] = isz_set(&plain, 18);
    let sheet = b"FILE \"secret\" BINARY\n  TRACK 01 MODE1/2048\n    INDEX 01 00:00:00\n";
    let outside = Library::with(&[("secret", &plain), ("part", &second)]);
    let library = Library::with(&[("a/Disc.cue", sheet), ("b/Game.isz", &first)]);
    let (secret, part) = (library.path("a/secret"), library.path("b/Game.i01"));
    symlink(outside.path("secret"), &secret).unwrap();
    symlink(outside.path("part"), &part).unwrap();
    let filesystem = library.mount();
    assert_eq!(
        find(&filesystem, "a/Disc.iso").unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let err = contents(&filesystem, "b/Game.iso").unwrap_err();
    assert_eq!(err.kind(), ErrorKind::MissingPart);

    let mut asked = library.options();
    asked.follow_links = true;
    let asked = Filesystem::new(asked).unwrap();
    let named = [library.path("a/Disc.cue"), library.path("b/Game.isz")];
    let named = Filesystem::new(options(&[&named[0], &named[1]])).unwrap();
    for (filesystem, folders) in [(asked, ["a/", "b/"]), (named, ["", ""])] {
        for (folder, name) in folders.iter().zip(["Disc.iso", "Game.iso"]) {
            assert_eq!(
                contents(&filesystem, &format!("{folder}{name}")).unwrap(),
                plain
            );
        }
    }

    library.put("c/secret", &plain);
    library.put("c/part", &second);
    for (link, target) in [(secret, "../c/secret"), (part, "../c/part")] {
        std::fs::remove_file(&link).unwrap();
        symlink(target, &link).unwrap();
    }
    let filesystem = library.mount();
    for name in ["a/Disc.iso", "b/Game.iso"] {
        assert_eq!(contents(&filesystem, name).unwrap(), plain);
    }
}

#[test]
fn links_are_followed_when_asked_for_but_never_in_circles() {
    let outside = Library::with(&[("dir/Game.cso", &cso(&volume(40_000)))]);
    let library = Library::with(&[("a/x", b"1"), ("b/y", b"2")]);
    symlink(outside.path("dir"), library.path("out")).unwrap();
    symlink("..", library.path("a/up")).unwrap();
    symlink("../b", library.path("a/b")).unwrap();
    symlink("../a", library.path("b/a")).unwrap();
    let mut options = library.options();
    options.follow_links = true;
    let filesystem = Filesystem::new(options).unwrap();
    assert_eq!(
        contents(&filesystem, "out/Game.iso").unwrap(),
        volume(40_000)
    );
    assert_eq!(contents(&filesystem, "a/b/y").unwrap(), b"2");
    assert_eq!(find(&filesystem, "a/up").unwrap().kind, Kind::Link);
    assert_eq!(find(&filesystem, "a/b/a").unwrap().kind, Kind::Link);
}

#[test]
fn no_name_leads_out_of_the_mount() {
    let library = Library::with(&[("sub/x", b"1"), ("y", b"2")]);
    let filesystem = library.mount();
    let sub = find(&filesystem, "sub").unwrap().ino;
    for name in [".", "..", "../y", "/etc/passwd", ""] {
        let err = filesystem.lookup(sub, OsStr::new(name)).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::NotFound, "{name}");
    }
}

#[test]
fn pipes_devices_and_sockets_are_left_out() {
    let library = Library::with(&[("x", b"1")]);
    let fifo = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, library.path("pipe.cso"), fifo, mode, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(library.path("socket")).unwrap();
    assert_eq!(names(&library.mount(), ROOT), ["x"]);
}
