use std::path::Path;

use super::*;

fn directory() -> Arc<Directory> {
    Arc::new(Directory::of(Vec::new()))
}

fn of_state(fingerprint: u64) -> Bearer {
    Bearer {
        fingerprint,
        ..Bearer::NO_FILE
    }
}

fn look_up(inodes: &Inodes, parent: Ino, directory: &Arc<Directory>, name: &OsStr) -> Ino {
    inodes.look_up(parent, directory, name, of_state(7)).0
}

#[test]
fn an_inode_that_was_never_used_takes_40_bytes_and_its_name() {
    assert_eq!(size_of::<Node>(), 40);
    let inodes = Inodes::new(&directory(), true);
    look_up(&inodes, ROOT, &directory(), OsStr::new("file"));
    assert!(inodes.known().states.is_empty());
}

#[test]
fn a_number_that_is_taken_by_another_name_goes_to_the_next() {
    let top = directory();
    let first = OsStr::new("first");
    let inodes = Inodes::new(&top, false);
    let hash = inodes.number_of(ROOT, first);
    let taken = Node::new(ROOT, &top, OsStr::new("other"));
    inodes.changed().nodes.insert(hash, taken);
    assert_eq!(inodes.number_of(ROOT, first), hash.wrapping_add(1));
    let found = look_up(&inodes, ROOT, &top, first);
    assert_eq!(found, hash.wrapping_add(1));
    assert_eq!(look_up(&inodes, ROOT, &top, first), found);
}

#[test]
fn a_number_has_one_generation_as_long_as_the_kernel_knows_it_where_there_are_handles() {
    let (top, name) = (directory(), OsStr::new("x"));
    for is_exported in [true, false] {
        let inodes = Inodes::new(&top, is_exported);
        let of = |state| inodes.look_up(ROOT, &top, name, of_state(state));
        let (first, second) = (of(1), of(2));
        assert_eq!(second.0 != first.0, is_exported);
        assert_eq!(second.1 != first.1, is_exported);
        assert_eq!(of(2), second);
        assert_eq!(inodes.check_named(first.0).is_err(), is_exported);
        inodes.forget(first.0, 3);
        // Its own number again, now that there is no other file under it.
        assert_eq!(of(2), (first.0, second.1));
    }
}

#[test]
fn an_inode_that_is_looked_up_without_end_is_never_forgotten() {
    let (top, name) = (directory(), OsStr::new("x"));
    let inodes = Inodes::new(&top, false);
    let ino = look_up(&inodes, ROOT, &top, name);
    inodes.changed().nodes.get_mut(&ino).unwrap().lookups = u32::MAX - 1;
    look_up(&inodes, ROOT, &top, name);
    look_up(&inodes, ROOT, &top, name);
    inodes.forget(ino, u64::MAX);
    assert!(inodes.check_named(ino).is_ok());
}

#[test]
fn numbers_lead_to_paths_and_never_in_circles() {
    let inodes = Inodes::new(&directory(), false);
    let sub = look_up(&inodes, ROOT, &directory(), OsStr::new("sub"));
    let file = look_up(&inodes, sub, &directory(), OsStr::new("file"));
    assert_eq!(inodes.path_of(file), Path::new("sub/file"));
    assert_eq!(inodes.path_of(ROOT), Path::new(""));
    let circle = Node::new(file, &directory(), OsStr::new("sub"));
    inodes.changed().nodes.insert(sub, circle);
    assert!(inodes.path_of(file).ends_with("sub/file"));
    inodes.forget(sub, 0);
    assert_eq!(inodes.path_of(file), Path::new("file"));
}

#[test]
fn what_hangs_on_an_inode_stays_when_its_directory_was_forgotten() {
    let name = OsStr::new("x");
    let inodes = Inodes::new(&directory(), false);
    let ino = look_up(&inodes, 5, &directory(), name);
    assert!(!inodes.with_state(ino, |state| state.keeps_pages(7, false)));
    inodes.with_state(ino, |state| state.has_pages_of(7));
    let again = directory();
    assert_eq!(look_up(&inodes, 5, &again, name), ino);
    let (found, _) = inodes.place_of(ino).unwrap();
    assert!(Arc::ptr_eq(&found, &again));
    assert!(inodes.with_state(ino, |state| state.keeps_pages(7, false)));
    // The kernel may have dropped or cut what it had.
    inodes.leaves_to_readers(ino, of_state(8));
    assert!(!inodes.with_state(ino, |state| state.keeps_pages(7, true)));
    inodes.forget(ino, 2);
    assert!(inodes.place_of(ino).is_err());
    assert!(!inodes.with_state(ino, |state| state.keeps_pages(7, false)));
    assert!(inodes.known().states.is_empty());
}
