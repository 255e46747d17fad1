//! Numbers that the kernel has forgotten, or has from an earlier run, as servers of NFS ask for them.

use std::{fs, io::Write, os::unix::fs::symlink};

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

fn is_stale<T>(result: plainiso::Result<T>) -> bool {
    result.is_err_and(|err| err.os_error() == Some(libc::ESTALE))
}

/// What a handle is made of.
fn handle(filesystem: &Filesystem, path: &str) -> (Ino, u32) {
    let found = find(filesystem, path).unwrap();
    (found.ino, found.generation)
}

fn replace(library: &Library, name: &str, bytes: &[u8]) {
    library.put("new", bytes);
    fs::rename(library.path("new"), library.path(name)).unwrap();
}

#[test]
fn a_file_that_was_replaced_has_another_generation_in_this_and_later_runs() {
    let library = library();
    symlink("y", library.path("link")).unwrap();
    let filesystem = library.mount_for_nfs();
    for (shown, stored) in [("a/b/c/Game.iso", "a/b/c/Game.cso"), ("y", "y")] {
        let first = handle(&filesystem, shown);
        assert_eq!(handle(&filesystem, shown), first);
        assert_eq!(handle(&library.mount_for_nfs(), shown), first);
        replace(&library, stored, &cso(&vec![7; 40_000]));
        let second = handle(&filesystem, shown);
        assert_eq!(handle(&filesystem, shown), second);
        // The kernel knows the older one by the number.
        assert_eq!(second.0, first.0.wrapping_add(1));
        assert_ne!(second.1, first.1);
        assert_eq!(handle(&library.mount_for_nfs(), shown), (first.0, second.1));
        let later = library.mount_for_nfs().look_up_number(first.0).unwrap();
        assert_eq!((later.ino, later.generation), (first.0, second.1));
        assert!(is_stale(filesystem.look_up_number(first.0)));
    }
    let first = handle(&filesystem, "link");
    symlink("a", library.path("new")).unwrap();
    fs::rename(library.path("new"), library.path("link")).unwrap();
    assert_ne!(handle(&filesystem, "link").1, first.1);
}

#[test]
fn a_file_that_was_replaced_keeps_its_number_where_there_are_no_handles() {
    let library = library();
    let filesystem = library.mount();
    let first = handle(&filesystem, "y");
    replace(&library, "y", b"new");
    assert_eq!(handle(&filesystem, "y"), first);
    assert_eq!(first.1, 0);
    replace(&library, "y", b"newer");
    assert!(filesystem.open(first.0).is_ok());
}

#[test]
fn an_image_that_is_overwritten_has_another_generation_and_a_plain_file_keeps_its_own() {
    let library = library();
    let filesystem = library.mount_for_nfs();
    let (image, plain) = ("a/b/c/Game.iso", "a/b/x");
    let first = [image, plain].map(|path| handle(&filesystem, path));
    library.put("a/b/c/Game.cso", &cso(&vec![7; 40_000]));
    let mut log = fs::File::options()
        .append(true)
        .open(library.path(plain))
        .unwrap();
    log.write_all(b"678").unwrap();
    // The kernel did not look it up again.
    let open = filesystem.open(first[1].0).unwrap();
    let mut bytes = [0; 9];
    assert_eq!(filesystem.read(open.handle, &mut bytes, 0).unwrap(), 8);
    assert!(is_stale(filesystem.open(first[0].0)));
    let second = [image, plain].map(|path| handle(&filesystem, path));
    assert_ne!(second[0], first[0]);
    assert_eq!(second[1], first[1]);
}

#[test]
fn folders_and_the_root_have_one_generation() {
    let library = library();
    let filesystem = library.mount_for_nfs();
    let a = handle(&filesystem, "a");
    fs::rename(library.path("a"), library.path("b")).unwrap();
    fs::create_dir(library.path("a")).unwrap();
    assert_eq!(handle(&filesystem, "a"), a);
    assert_eq!(a.1, 0);
    // With another one the kernel would give the whole mount up.
    assert_eq!(handle(&filesystem, ""), (ROOT, 0));
    let mut options = crate::library::options(&[&library.path("b/b/c/Game.cso")]);
    (options.root_is_file, options.nfs_export) = (true, true);
    let file = Filesystem::new(options).unwrap();
    assert_eq!(file.look_up_number(ROOT).unwrap().generation, 0);
    library.put("b/b/c/Game.cso", &cso(&vec![7; 50_000]));
    assert!(file.open(ROOT).is_ok());
}

#[test]
fn a_file_that_is_replaced_after_its_lookup_opens_when_it_was_looked_up_again() {
    let library = library();
    let filesystem = library.mount_for_nfs();
    for (shown, stored) in [("a/b/c/Game.iso", "a/b/c/Game.cso"), ("y", "y")] {
        let (ino, _) = handle(&filesystem, shown);
        let before = filesystem.open(ino).unwrap();
        filesystem.release(before.handle);
        replace(&library, stored, &cso(&vec![7; 50_000]));
        assert!(is_stale(filesystem.open(ino)), "{shown}");
        assert!(is_stale(filesystem.open(ino)), "{shown}");
        let (newcomer, _) = handle(&filesystem, shown);
        assert!(filesystem.open(newcomer).is_ok(), "{shown}");
    }
}

#[test]
fn the_generation_of_a_file_that_is_open_never_changes() {
    let library = library();
    let filesystem = library.mount_for_nfs();
    let first = handle(&filesystem, "a/b/c/Game.iso");
    let open = filesystem.open(first.0).unwrap();
    replace(&library, "a/b/c/Game.cso", &cso(&vec![7; 50_000]));
    let next = handle(&filesystem, "a/b/c/Game.iso");
    assert_ne!(next.0, first.0);
    assert_eq!(filesystem.generation_of(first.0), first.1);
    assert!(is_stale(filesystem.look_up_number(first.0)));
    assert_eq!(filesystem.read(open.handle, &mut [0; 9], 0).unwrap(), 9);
}

#[test]
fn a_plain_file_that_takes_the_inode_of_a_removed_one_has_another_generation() {
    let library = library();
    let filesystem = library.mount_for_nfs();
    let first = handle(&filesystem, "y");
    let Ok(born) = fs::metadata(library.path("y")).unwrap().created() else {
        return eprintln!("left out: the file system does not tell when a file was born");
    };
    // Until its clock has gone on.
    loop {
        library.put("clock", b"");
        if fs::metadata(library.path("clock"))
            .unwrap()
            .created()
            .unwrap()
            > born
        {
            break;
        }
        fs::remove_file(library.path("clock")).unwrap();
    }
    fs::remove_file(library.path("y")).unwrap();
    library.put("y", b"1");
    assert_ne!(handle(&filesystem, "y").1, first.1);
}
