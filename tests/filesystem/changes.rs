//! What a library's changes do to a mount.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use plainiso::{ErrorKind, fs::ROOT};

use crate::{
    formats::{cso, isz_set},
    library::{Library, contents, find, names, volume},
};

#[test]
fn files_that_come_and_go_are_seen_at_the_next_look() {
    let library = Library::with(&[("a", b"")]);
    let filesystem = library.mount();
    for i in 0..200 {
        assert_eq!(names(&filesystem, ROOT), ["a"], "round {i}");
        library.put("b", b"");
        assert_eq!(names(&filesystem, ROOT), ["a", "b"], "round {i}");
        fs::remove_file(library.path("b")).unwrap();
    }
}

#[test]
fn a_file_that_grows_into_an_image_becomes_one() {
    let image = cso(&volume(40_000));
    let library = Library::with(&[("Game.cso", &image[..10]), ("plain.iso", b"")]);
    let filesystem = library.mount();
    assert!(contents(&filesystem, "Game.iso").is_err());
    library.put("Game.cso", &image);
    library.put("plain.iso", &image);
    for name in ["Game.iso", "plain.iso"] {
        assert_eq!(contents(&filesystem, name).unwrap(), volume(40_000));
    }
}

#[test]
fn a_missing_part_is_found_when_it_arrives() {
    let plain = volume(20 * 2048);
    let [first, second] = isz_set(&plain, 18);
    let library = Library::with(&[("Game.isz", &first)]);
    let filesystem = library.mount();
    let err = contents(&filesystem, "Game.iso").unwrap_err();
    assert_eq!(err.kind(), ErrorKind::MissingPart);
    library.put("Game.i01", &second);
    assert_eq!(contents(&filesystem, "Game.iso").unwrap(), plain);
    assert_eq!(names(&filesystem, ROOT), ["Game.iso"]);
}

#[test]
fn pages_are_kept_across_opens_while_the_source_is_unchanged() {
    let library = Library::with(&[("Game.cso", &cso(&volume(40_000)))]);
    let filesystem = library.mount();
    let ino = find(&filesystem, "Game.iso").unwrap().ino;
    let unchanged = || {
        let opened = filesystem.open(ino).unwrap();
        filesystem.release(opened.handle);
        opened.unchanged
    };
    assert!(!unchanged());
    assert!(unchanged());
    library.put("Game.cso", &cso(&volume(50_000)));
    assert!(!unchanged());
    assert!(unchanged());
}

/// The kernel may hear of the second open first, and would keep pages that the first one is to drop.
#[test]
fn pages_are_kept_only_when_the_kernel_has_heard_of_an_earlier_open() {
    let library = Library::with(&[("Game.cso", &cso(&volume(40_000)))]);
    let filesystem = library.mount();
    let ino = find(&filesystem, "Game.iso").unwrap().ino;
    let first = filesystem.open(ino).unwrap();
    let second = filesystem.open(ino).unwrap();
    assert!(!first.unchanged && !second.unchanged);
    filesystem.read(second.handle, &mut [0; 100], 0).unwrap();
    assert!(filesystem.open(ino).unwrap().unchanged);
}

#[test]
fn an_open_file_stays_the_old_one_when_another_takes_its_name() {
    let library = Library::with(&[("Game.cso", &cso(&volume(40_000)))]);
    let filesystem = library.mount();
    let ino = find(&filesystem, "Game.iso").unwrap().ino;
    let old = filesystem.open(ino).unwrap();
    library.put("new", &cso(&vec![7; 50_000]));
    fs::rename(library.path("new"), library.path("Game.cso")).unwrap();
    assert_eq!(find(&filesystem, "Game.iso").unwrap().size, 50_000);
    assert_eq!(contents(&filesystem, "Game.iso").unwrap(), vec![7; 50_000]);
    let mut out = vec![0; 40_000];
    assert_eq!(filesystem.read(old.handle, &mut out, 0).unwrap(), 40_000);
    assert_eq!(out, volume(40_000));
    assert_eq!(filesystem.attributes(ino).unwrap().size, 40_000);
    let err = filesystem.open(ino).unwrap_err();
    assert_eq!(err.os_error(), Some(libc::ESTALE));
    assert_ne!(find(&filesystem, "Game.iso").unwrap().ino, ino);
}

#[test]
fn a_removed_file_that_is_open_keeps_its_attributes_and_bytes() {
    let library = Library::with(&[("Game.cso", &cso(&volume(40_000)))]);
    let filesystem = library.mount();
    let ino = find(&filesystem, "Game.iso").unwrap().ino;
    let handle = filesystem.open(ino).unwrap().handle;
    fs::remove_file(library.path("Game.cso")).unwrap();
    assert_eq!(
        find(&filesystem, "Game.iso").unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(filesystem.attributes(ino).unwrap().size, 40_000);
    assert_eq!(filesystem.read(handle, &mut [0; 100], 0).unwrap(), 100);
    filesystem.release(handle);
    assert_eq!(
        filesystem.attributes(ino).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn a_folder_that_is_gone_is_not_found_and_comes_back() {
    let library = Library::with(&[("sub/x", b"1")]);
    let filesystem = library.mount();
    let sub = find(&filesystem, "sub").unwrap().ino;
    fs::remove_dir_all(library.path("sub")).unwrap();
    assert_eq!(
        filesystem.attributes(sub).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(
        filesystem.open_directory(sub).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    library.put("sub/y", b"2");
    assert_eq!(names(&filesystem, sub), ["y"]);
}

#[test]
fn a_folder_may_change_while_it_is_listed() {
    let library = Library::with(&[("a.cso", &cso(&volume(40_000)))]);
    let filesystem = library.mount();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                library.put("b.cso", &cso(&volume(33_000)));
                fs::remove_file(library.path("b.cso")).unwrap();
            }
        });
        for _ in 0..200 {
            assert!(names(&filesystem, ROOT).contains(&"a.iso".to_string()));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(names(&filesystem, ROOT), ["a.iso"]);
}

#[test]
fn a_displaced_file_keeps_its_number_and_its_name_gets_the_next() {
    let library = Library::with(&[("x", b"old")]);
    let filesystem = library.mount();
    let ino = find(&filesystem, "x").unwrap().ino;
    let old = filesystem.open(ino).unwrap();
    library.put("new", b"newer");
    fs::rename(library.path("new"), library.path("x")).unwrap();
    filesystem.check_named(ino).unwrap();
    filesystem.displace(ino, &filesystem.shared(old.handle).unwrap());
    let stale = |err: plainiso::Error| assert_eq!(err.os_error(), Some(libc::ESTALE));
    stale(filesystem.check_named(ino).unwrap_err());
    stale(filesystem.open(ino).unwrap_err());
    let next = find(&filesystem, "x").unwrap();
    assert_eq!((next.ino, next.size), (ino.wrapping_add(1), 5));
    assert_eq!(filesystem.attributes(ino).unwrap().size, 3);
    let mut out = [0; 9];
    assert_eq!(filesystem.read(old.handle, &mut out, 0).unwrap(), 3);
    let new = filesystem.open(next.ino).unwrap();
    assert_eq!(filesystem.read(new.handle, &mut out, 0).unwrap(), 5);
    let shared = |handle| filesystem.shared(handle).unwrap();
    assert!(shared(old.handle) == shared(old.handle) && shared(old.handle) != shared(new.handle));
}
