//! Numbers that the kernel has forgotten, or has from an earlier run, as servers of NFS ask for them.

use std::fs;

use plainiso::{
    ErrorKind,
    fs::{Filesystem, Ino, ROOT},
};

use crate::{
    formats::cso,
    library::{Library, find, volume},
};

fn library() -> Library {
    Library::with(&[
        ("a/b/c/Game.cso", &cso(&volume(40_000))),
        ("a/b/x", b"12345"),
        ("y", b"1"),
    ])
}

const PATHS: [&str; 6] = ["a", "a/b", "a/b/c", "a/b/c/Game.iso", "a/b/x", "y"];

fn numbers_of(library: &Library) -> [Ino; 6] {
    let filesystem = library.mount();
    PATHS.map(|path| find(&filesystem, path).unwrap().ino)
}

fn is_unknown(filesystem: &Filesystem, ino: Ino) -> bool {
    let found = filesystem.look_up_number(ino);
    found.is_err_and(|err| err.kind() == ErrorKind::NotFound)
}

#[test]
fn a_number_of_an_earlier_run_leads_to_its_file() {
    let library = library();
    let numbers = numbers_of(&library);
    // In whatever order they come, with nothing known before.
    for first in 0..numbers.len() {
        let filesystem = library.mount();
        for at in (0..numbers.len()).map(|at| (first + at) % numbers.len()) {
            let found = filesystem.look_up_number(numbers[at]).unwrap();
            let expected = find(&library.mount(), PATHS[at]).unwrap();
            assert_eq!(found.ino, numbers[at]);
            assert_eq!((found.kind, found.size), (expected.kind, expected.size));
        }
        let open = filesystem.open(numbers[4]).unwrap();
        let mut bytes = [0; 9];
        assert_eq!(filesystem.read(open.handle, &mut bytes, 0).unwrap(), 5);
        assert_eq!(&bytes[..5], b"12345");
    }
}

#[test]
fn a_number_leads_to_the_folder_above_it() {
    let library = library();
    let [a, b, c, game, ..] = numbers_of(&library);
    let filesystem = library.mount();
    for (below, above) in [(game, c), (c, b), (b, a), (a, ROOT), (ROOT, ROOT)] {
        assert_eq!(filesystem.look_up_parent(below).unwrap().ino, above);
    }
}

#[test]
fn a_number_that_was_found_is_counted_as_a_lookup_and_forgotten() {
    let library = library();
    let ino = numbers_of(&library)[4];
    let filesystem = library.mount();
    assert!(filesystem.attributes(ino).is_err());
    filesystem.look_up_number(ino).unwrap();
    filesystem.look_up_number(ino).unwrap();
    filesystem.forget(ino, 1);
    assert!(filesystem.attributes(ino).is_ok());
    filesystem.forget(ino, 1);
    assert!(filesystem.attributes(ino).is_err());
    assert_eq!(filesystem.look_up_number(ino).unwrap().ino, ino);
}

#[test]
fn a_number_whose_file_is_gone_or_that_nothing_ever_had_is_unknown() {
    let library = library();
    let numbers = numbers_of(&library);
    let filesystem = library.mount();
    for made_up in [0, 2, 12345, Ino::MAX] {
        assert!(is_unknown(&filesystem, made_up));
    }
    // Both were seen on the walk above.
    fs::remove_file(library.path("a/b/x")).unwrap();
    fs::rename(library.path("a/b/c"), library.path("a/b/d")).unwrap();
    for gone in [numbers[2], numbers[3], numbers[4]] {
        assert!(is_unknown(&filesystem, gone));
    }
    fs::rename(library.path("a/b/d"), library.path("a/b/c")).unwrap();
    assert!(filesystem.look_up_number(numbers[3]).is_ok());
}

#[test]
fn a_number_that_came_after_the_walk_is_found_by_the_next() {
    let library = library();
    let filesystem = library.mount();
    assert!(is_unknown(&filesystem, 12345));
    library.put("a/b/newcomer/z", b"123");
    let ino = find(&library.mount(), "a/b/newcomer/z").unwrap().ino;
    filesystem.rescan();
    assert_eq!(filesystem.look_up_number(ino).unwrap().size, 3);
}

#[test]
fn many_threads_that_ask_for_numbers_share_one_walk() {
    let library = library();
    let numbers = numbers_of(&library);
    let filesystem = library.mount();
    std::thread::scope(|scope| {
        for first in 0..numbers.len() {
            let filesystem = &filesystem;
            scope.spawn(move || {
                for at in 0..numbers.len() {
                    let ino = numbers[(first + at) % numbers.len()];
                    assert_eq!(filesystem.look_up_number(ino).unwrap().ino, ino);
                }
            });
        }
    });
}
