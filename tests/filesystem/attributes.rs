//! Sizes, times, permissions, inode numbers, extended attributes.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, File, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    time::{Duration, SystemTime},
};

use plainiso::{
    ErrorKind,
    fs::{Filesystem, Kind, ROOT},
};

use crate::{
    formats::{cso, isz_set},
    library::{Library, contents, find, volume},
};

#[test]
fn sizes_times_and_owners_are_those_of_the_source() {
    let image = cso(&volume(40_001));
    let library = Library::with(&[("Game.cso", &image)]);
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    let file = File::options()
        .write(true)
        .open(library.path("Game.cso"))
        .unwrap();
    file.set_modified(time).unwrap();
    let attributes = find(&library.mount(), "Game.iso").unwrap();
    let source = fs::metadata(library.path("Game.cso")).unwrap();
    assert_eq!(attributes.kind, Kind::File);
    assert_eq!(attributes.size, 40_001);
    assert_eq!(attributes.stored_size, image.len() as u64);
    assert_eq!(attributes.mtime, time);
    assert_eq!(
        (attributes.uid, attributes.gid),
        (source.uid(), source.gid())
    );
    assert_eq!(attributes.links, 1);
}

#[test]
fn a_set_is_as_new_as_its_newest_file() {
    let [first, second] = isz_set(&volume(20 * 2048), 18);
    let library = Library::with(&[("Game.isz", &first), ("Game.i01", &second)]);
    let newest = SystemTime::now() + Duration::from_secs(1000);
    let file = File::options()
        .write(true)
        .open(library.path("Game.i01"))
        .unwrap();
    file.set_modified(newest).unwrap();
    assert_eq!(find(&library.mount(), "Game.iso").unwrap().mtime, newest);
}

#[test]
fn permissions_are_read_only_and_no_wider_than_the_sources() {
    let library = Library::with(&[("sub/Game.cso", &cso(&volume(40_000)))]);
    let set = |name, mode| {
        fs::set_permissions(library.path(name), Permissions::from_mode(mode)).unwrap();
    };
    set("sub/Game.cso", 0o600);
    set("sub", 0o750);
    let filesystem = library.mount();
    assert_eq!(find(&filesystem, "sub/Game.iso").unwrap().mode, 0o400);
    let sub = find(&filesystem, "sub").unwrap();
    assert_eq!((sub.mode, sub.links, sub.kind), (0o550, 2, Kind::Directory));
}

#[test]
fn umask_and_owner_override_the_sources() {
    let library = Library::with(&[("sub/Game.cso", &cso(&volume(40_000)))]);
    let mode = Permissions::from_mode(0o600);
    fs::set_permissions(library.path("sub/Game.cso"), mode).unwrap();
    let mut options = library.options();
    options.umask = Some(0o027);
    options.uid = Some(4321);
    options.gid = Some(1234);
    let filesystem = Filesystem::new(options).unwrap();
    let file = find(&filesystem, "sub/Game.iso").unwrap();
    assert_eq!((file.mode, file.uid, file.gid), (0o440, 4321, 1234));
    assert_eq!(find(&filesystem, "sub").unwrap().mode, 0o550);
}

#[test]
fn inode_numbers_are_the_same_after_a_restart_and_as_files_come_and_go() {
    let library = Library::with(&[("sub/Game.cso", &cso(&volume(40_000))), ("sub/x", b"")]);
    let numbers = |filesystem: &Filesystem| {
        ["sub", "sub/Game.iso", "sub/x"].map(|path| find(filesystem, path).unwrap().ino)
    };
    let first = library.mount();
    let before = numbers(&first);
    let unique: HashSet<_> = before.iter().filter(|&&ino| ino > ROOT).collect();
    assert_eq!(unique.len(), 3);
    library.put("sub/another.cso", &cso(&volume(40_000)));
    assert_eq!(numbers(&first), before);
    assert_eq!(numbers(&library.mount()), before);
    // The number is part of what backups and NFS handles rely on: it does not change between versions.
    assert_eq!(before[0], 0xcb9e_2da4_6350_351f);
}

#[test]
fn the_lines_of_a_directory_tell_the_same_numbers_as_lookups() {
    let library = Library::with(&[("sub/x", b""), ("y", b"")]);
    let filesystem = library.mount();
    let handle = filesystem.open_directory(ROOT).unwrap();
    for index in 2..4 {
        let line = filesystem.read_directory(handle, index).unwrap().unwrap();
        let found = filesystem.lookup(ROOT, &line.name).unwrap();
        assert_eq!((line.ino, line.kind), (found.ino, found.kind));
    }
}

#[test]
fn a_forgotten_inode_is_unknown_until_it_is_looked_up_again() {
    let library = Library::with(&[("x", b"12345")]);
    let filesystem = library.mount();
    let ino = find(&filesystem, "x").unwrap().ino;
    find(&filesystem, "x").unwrap();
    filesystem.forget(ino, 1);
    assert!(filesystem.attributes(ino).is_ok());
    filesystem.forget(ino, 1);
    assert_eq!(
        filesystem.attributes(ino).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(find(&filesystem, "x").unwrap().ino, ino);
    filesystem.forget(ROOT, u64::MAX);
    assert!(filesystem.attributes(ROOT).is_ok());
}

#[test]
fn a_file_below_a_forgotten_directory_is_still_known() {
    let library = Library::with(&[("sub/x", b"12345")]);
    let filesystem = library.mount();
    let sub = find(&filesystem, "sub").unwrap().ino;
    let x = find(&filesystem, "sub/x").unwrap().ino;
    filesystem.forget(sub, 2);
    assert_eq!(filesystem.attributes(x).unwrap().size, 5);
    assert_eq!(filesystem.shown_path(x).unwrap(), Path::new("x"));
    assert_eq!(contents(&filesystem, "sub/x").unwrap(), b"12345");
    assert_eq!(filesystem.shown_path(x).unwrap(), Path::new("sub/x"));
}

#[test]
fn extended_attributes_say_what_an_image_is_made_of() {
    let image = cso(&volume(40_960));
    let library = Library::with(&[("Game.cso", &image), ("x", b"")]);
    let filesystem = library.mount();
    let ino = find(&filesystem, "Game.iso").unwrap().ino;
    let value = |name: &str| {
        let value = filesystem.xattr(ino, OsStr::new(name)).unwrap();
        value.map(|value| String::from_utf8(value).unwrap())
    };
    let path = library.path("Game.cso").display().to_string();
    assert_eq!(value("user.plainiso.format").unwrap(), "cso");
    assert_eq!(value("user.plainiso.source").unwrap(), path);
    assert_eq!(value("user.plainiso.block_size").unwrap(), "2048");
    assert_eq!(
        value("user.plainiso.stored_size").unwrap(),
        image.len().to_string()
    );
    let ratio = format!(
        "{:.3}",
        f64::from(u32::try_from(image.len()).unwrap()) / 40_960.0
    );
    assert_eq!(value("user.plainiso.ratio").unwrap(), ratio);
    assert_eq!(value("user.other"), None);
    for name in filesystem.xattr_names(ino).unwrap() {
        assert!(value(name).is_some(), "{name}");
    }
    let x = find(&filesystem, "x").unwrap().ino;
    assert!(filesystem.xattr_names(x).unwrap().is_empty());
}

#[test]
fn space_is_that_of_the_file_system_below() {
    let library = Library::with(&[("x", b"")]);
    let space = library.mount().space().unwrap();
    assert!(space.blocks > 0 && space.block_size > 0);
    assert_eq!(space.name_len, 255);
}
