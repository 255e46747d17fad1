//! When folders are listed, and when not.

use std::os::unix::fs::symlink;

use super::*;

fn catalog(folder: &Path) -> (Catalog, Directory) {
    let options = Options {
        sources: vec![folder.to_path_buf()],
        naming: Naming::Strip,
        images_only: false,
        follow_links: true,
        tracks: Tracks::Both,
        parents: Vec::new(),
    };
    Catalog::new(options).unwrap()
}

/// A listing that is old enough to be used again. Until it is, each look makes a new one.
fn settled(catalog: &Catalog, top: &Directory) -> Arc<Listing> {
    loop {
        let listing = catalog.list(top).unwrap();
        if Arc::ptr_eq(&listing, &catalog.list(top).unwrap()) {
            return listing;
        }
    }
}

#[test]
fn an_unchanged_folder_is_listed_once() {
    let dir = tempfile::tempdir().unwrap();
    let (catalog, top) = catalog(dir.path());
    let listing = settled(&catalog, &top);
    assert!(Arc::ptr_eq(&listing, &catalog.list(&top).unwrap()));
    fs::write(dir.path().join("x"), b"").unwrap();
    let changed = catalog.list(&top).unwrap();
    assert_eq!((listing.len(), changed.len()), (0, 1));
}

#[test]
fn a_rescan_follows_links_again() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let link = other.path().join("current");
    fs::write(other.path().join("one"), b"1").unwrap();
    fs::write(other.path().join("two"), b"2").unwrap();
    symlink("one", &link).unwrap();
    symlink(&link, dir.path().join("x")).unwrap();
    let (catalog, top) = catalog(dir.path());
    let target = |listing: &Listing| listing.entry(0).unwrap().item.path();
    let before = settled(&catalog, &top);
    fs::remove_file(&link).unwrap();
    symlink("two", &link).unwrap();
    assert_eq!(target(&catalog.list(&top).unwrap()), target(&before));
    assert!(target(&before).ends_with("one"));
    catalog.rescan();
    assert!(target(&catalog.list(&top).unwrap()).ends_with("two"));
}

#[test]
fn a_folder_that_cannot_be_listed_does_not_hide_the_others() {
    let one = tempfile::tempdir().unwrap();
    let two = tempfile::tempdir().unwrap();
    fs::write(two.path().join("x"), b"").unwrap();
    let options = Options {
        sources: vec![one.path().to_path_buf(), two.path().to_path_buf()],
        naming: Naming::Strip,
        images_only: false,
        follow_links: false,
        tracks: Tracks::Both,
        parents: Vec::new(),
    };
    let (catalog, top) = Catalog::new(options).unwrap();
    drop(one);
    assert_eq!(catalog.list(&top).unwrap().len(), 1);
    drop(two);
    assert_eq!(catalog.list(&top).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn plain_names_do_not_depend_on_plain_files() {
    let names = |stored: &[(&str, PartOf)]| -> Vec<String> {
        let stored: Vec<_> = stored
            .iter()
            .map(|&(name, part)| (OsStr::new(name), part))
            .collect();
        let names = plain_names(&stored).into_iter();
        names.map(|name| name.into_string().unwrap()).collect()
    };
    let (whole, first) = (PartOf::Whole, PartOf::First);
    assert_eq!(
        names(&[("A.cso", whole), ("B.part01.isz", first)]),
        ["A.iso", "B.iso"]
    );
    assert_eq!(
        names(&[("A.cso", whole), ("A.zso", whole)]),
        ["A.cso.iso", "A.zso.iso"]
    );
    assert_eq!(names(&[("A.iso", whole)]), ["A.iso"]);
}
