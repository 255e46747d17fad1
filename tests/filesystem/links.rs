//! Symbolic links and special files.

use std::{ffi::OsStr, os::unix::fs::symlink};

use plainiso::{
    ErrorKind,
    fs::{Filesystem, Kind, ROOT},
};

use crate::{
    formats::cso,
    library::{Library, contents, find, names, volume},
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
