//! What goes wrong below or inside a mount costs those who ask for it, and nobody else.

#![cfg(target_os = "linux")]

mod common;
mod library;

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    process::Command,
    time::{Duration, UNIX_EPOCH},
};

use common::eventually;
use library::{Mount, PLAINISO, cso, fuse_is_there, noise};

/// An image of blocks that are stored as they are, and its plain bytes.
fn image(blocks: usize, byte: u8) -> (Vec<u8>, Vec<u8>) {
    let mut plain = noise(blocks * 2048);
    plain[..2048].fill(byte);
    let size = plain.len() as u64;
    (
        cso(size, 2048, plain.chunks(2048).map(<[u8]>::to_vec)),
        plain,
    )
}

/// Writes a file in place, with a time of its own however fast that goes.
fn overwrite(path: &Path, bytes: &[u8], second: u64) {
    fs::write(path, bytes).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(second))
        .unwrap();
}

#[test]
fn an_image_that_is_overwritten_under_its_reader_is_never_a_mixture() {
    if !fuse_is_there() {
        return;
    }
    let library = tempfile::tempdir().unwrap();
    let stored = library.path().join("a.cso");
    let (old, old_plain) = image(2000, 1);
    let mut new_plain = old_plain.clone();
    new_plain.reverse();
    let new = cso(
        new_plain.len() as u64,
        2048,
        new_plain.chunks(2048).map(<[u8]>::to_vec),
    );
    overwrite(&stored, &old, 1);
    let mount = Mount::of(library.path());
    let shown = mount.path().join("a.iso");
    let reader = File::open(&shown).unwrap();
    let mut out = vec![0; 4096];
    reader.read_exact_at(&mut out, 0).unwrap();
    assert_eq!(out, old_plain[..4096]);
    overwrite(&stored, &new, 2);
    let mut refused = 0;
    for at in (0..old_plain.len() - 4096).step_by(4096) {
        match reader.read_exact_at(&mut out, at as u64) {
            Ok(()) => assert!(out == old_plain[at..at + 4096], "at {at}"),
            Err(err) => {
                refused += 1;
                let number = err.raw_os_error();
                assert!(
                    [Some(libc::ESTALE), Some(libc::EIO)].contains(&number),
                    "{err}"
                );
            }
        }
    }
    assert!(refused > 0, "the kernel does not read 4 MB ahead");
    eventually("a new reader gets the new bytes", || {
        fs::read(&shown).is_ok_and(|bytes| bytes == new_plain)
    });
}

#[test]
fn an_image_that_is_cut_and_comes_back_is_readable_again() {
    if !fuse_is_there() {
        return;
    }
    let library = tempfile::tempdir().unwrap();
    let stored = library.path().join("a.cso");
    let (whole, plain) = image(2000, 1);
    overwrite(&stored, &whole, 1);
    let mount = Mount::of(library.path());
    let shown = mount.path().join("a.iso");
    assert!(fs::read(&shown).unwrap() == plain);
    overwrite(&stored, &whole[..100_000], 2);
    eventually("the cut image fails its readers", || {
        fs::read(&shown).is_err()
    });
    fs::remove_file(&stored).unwrap();
    eventually("the name goes", || !shown.exists());
    overwrite(&stored, &whole, 1);
    eventually("the whole image is back", || {
        fs::read(&shown).is_ok_and(|bytes| bytes == plain)
    });
}

#[test]
fn too_many_open_files_are_refused_and_closed_ones_make_room() {
    if !fuse_is_there() {
        return;
    }
    let library = tempfile::tempdir().unwrap();
    let (stored, plain) = image(2, 1);
    for number in 0..100 {
        fs::write(library.path().join(format!("{number}.cso")), &stored).unwrap();
    }
    let place = tempfile::tempdir().unwrap();
    let at = place.path().join("mount");
    fs::create_dir(&at).unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 40 && exec \"$@\"", "sh", PLAINISO, "mount"])
        .args([library.path(), &at]);
    library::succeed(&mut command);
    let _mount = Unmounted(&at);
    let shown = |number: usize| at.join(format!("{number}.iso"));
    for number in 0..100 {
        assert_eq!(fs::read(shown(number)).unwrap(), plain, "{number}");
    }
    let opened: Vec<_> = (0..100).map(|number| File::open(shown(number))).collect();
    let numbers = opened.iter().filter_map(|it| it.as_ref().err());
    let numbers: Vec<_> = numbers.map(std::io::Error::raw_os_error).collect();
    assert!(!numbers.is_empty(), "40 descriptors are not enough for 100");
    assert!(
        numbers.iter().all(|it| *it == Some(libc::EMFILE)),
        "{numbers:?}"
    );
    for file in opened.iter().flatten() {
        let mut out = vec![0; 4096];
        file.read_exact_at(&mut out, 0).unwrap();
        assert_eq!(out, plain);
    }
    drop(opened);
    eventually("there is room again", || fs::read(shown(99)).is_ok());
}

/// Unmounts a path at the end of a test.
struct Unmounted<'p>(&'p Path);

impl Drop for Unmounted<'_> {
    fn drop(&mut self) {
        let mut umount = Command::new(PLAINISO);
        let _ = umount.args(["umount", "-z"]).arg(self.0).output();
    }
}
