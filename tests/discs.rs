//! Discs of other writers: the image of their data track, through the library and through a real mount, and beside
//! the files that they are stored in.

mod common;
mod library;

use std::{fs, path::Path};

use library::{Mount, open, sha256, vectors, whole};

/// What all these discs hold.
const TINY: &str = "3e908324b071bec1d32433fb134f2565ec3d4d6143f23833cca459e3096bdcc1";

/// A stored file, what is shown beside it, and of which bytes.
const DISCS: &[(&str, &str, &str)] = &[
    ("nrg/tao_v1.nrg", "nrg/tao_v1.iso", TINY),
    ("nrg/dao_v2.nrg", "nrg/dao_v2.iso", TINY),
    ("ccd/clone.ccd", "ccd/clone.iso", TINY),
    ("mds/cd_m1.mds", "mds/cd_m1.iso", TINY),
    ("mds/cd_m1_sub.mds", "mds/cd_m1_sub.iso", TINY),
    ("mds/dvd.mds", "mds/dvd.iso", TINY),
    ("uif/iso.uif", "uif/iso.iso", TINY),
    (
        "ecm/tiny_m1.bin.ecm",
        "ecm/tiny_m1.bin",
        "8756d29c8931c769c9a032600091cf6ef917cfb92f4ce725c17492777112b15d",
    ),
];

fn others() -> Option<std::path::PathBuf> {
    vectors().map(|vectors| vectors.join("others"))
}

#[test]
fn every_disc_opens_as_its_data_track() {
    let Some(others) = others() else { return };
    for (stored, _, expected) in DISCS {
        let image = open(&others.join(stored)).unwrap();
        assert_eq!(sha256(&whole(&image).unwrap()), *expected, "{stored}");
    }
}

#[test]
fn a_mount_shows_the_image_beside_the_stored_files() {
    let Some(others) = others() else { return };
    if !library::fuse_is_there() {
        return;
    }
    let mount = Mount::of(&others);
    let same = |name: &str| fs::read(mount.path().join(name)).unwrap();
    for (stored, shown, expected) in DISCS {
        assert_eq!(sha256(&same(shown)), *expected, "{shown}");
        let ending = Path::new(stored).extension().unwrap();
        let is_decoded = ending == "ecm" || ending == "uif";
        assert_eq!(mount.path().join(stored).exists(), !is_decoded, "{stored}");
    }
    for name in [
        "ccd/clone.img",
        "ccd/clone.ccd",
        "mds/cd_m1.mdf",
        "nrg/tao_v1.nrg",
    ] {
        assert!(same(name) == fs::read(others.join(name)).unwrap(), "{name}");
    }
}

#[test]
fn the_image_follows_the_file_that_its_bytes_come_from() {
    if !library::fuse_is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for name in ["Darts.ccd", "Darts.img"] {
        fs::copy(library::folder().join(name), dir.path().join(name)).unwrap();
    }
    let mount = Mount::of(dir.path());
    let shown = mount.path().join("Darts.iso");
    let before = fs::metadata(&shown).unwrap().len();
    // Half of the sectors, as an image that is copied once more; by renaming, as files are replaced.
    let whole = fs::read(dir.path().join("Darts.img")).unwrap();
    let new = dir.path().join("new");
    fs::write(&new, &whole[..46 * 2352]).unwrap();
    fs::rename(&new, dir.path().join("Darts.img")).unwrap();
    common::eventually("the image has the new size", || {
        fs::metadata(&shown).is_ok_and(|now| now.len() == 46 * 2048 && now.len() != before)
    });
    let plain = fs::read(&shown).unwrap();
    assert!(plain == fs::read(library::folder().join("Tools.iso")).unwrap()[..46 * 2048]);
}

#[test]
fn a_sheet_that_cannot_be_read_hides_nothing() {
    if !library::fuse_is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let files: &[(&str, &[u8])] = &[
        ("a.cue", b"FILE \"a.bin\" BINARY\n  TRACK 99 MODE9/1\n"),
        ("b.ccd", b"[CloneCD]\n"),
        ("c.mds", b"MEDIA DESCRIPTOR\x07"),
        ("d.nrg", b"no image at all"),
        ("a.bin", b"bytes"),
    ];
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let mount = Mount::of(dir.path());
    assert_eq!(fs::read_dir(mount.path()).unwrap().count(), files.len());
    for (name, bytes) in files {
        assert_eq!(fs::read(mount.path().join(name)).unwrap(), *bytes, "{name}");
    }
}
