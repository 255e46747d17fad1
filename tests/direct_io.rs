//! Files that are read around the kernel's cache.

#![cfg(target_os = "linux")]

mod common;
mod library;

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
};

use common::eventually;
use library::{
    Mount, folder, fuse_is_there, open,
    reading::{Loop, reads, reads_the_same_in_every_way},
    whole,
};

/// A library of a compressed image in blocks of 2 KiB, and the image's plain bytes.
fn library_of_one() -> (tempfile::TempDir, Vec<u8>) {
    let library = tempfile::tempdir().unwrap();
    let image = folder().join("Racer.zso");
    fs::copy(&image, library.path().join("Racer.zso")).unwrap();
    (library, whole(&open(&image).unwrap()).unwrap())
}

#[test]
fn a_file_read_around_the_cache_is_the_same_in_every_way() {
    if !fuse_is_there() {
        return;
    }
    let (library, plain) = library_of_one();
    let mount = Mount::with(library.path(), &["-o", "direct_io"]);
    reads_the_same_in_every_way(&mount.path().join("Racer.iso"), &plain);
}

#[test]
fn a_loop_device_over_a_file_read_around_the_cache_is_its_bytes() {
    if !fuse_is_there() {
        return;
    }
    let (library, plain) = library_of_one();
    let mount = Mount::with(library.path(), &["--direct_io"]);
    for words in [&[][..], &["--direct-io=on"]] {
        let Some(device) = Loop::over(&mount.path().join("Racer.iso"), words) else {
            return;
        };
        assert!(fs::read(&device.0).unwrap() == plain, "{words:?}");
    }
}

#[test]
fn only_files_that_a_pattern_is_for_are_read_around_the_cache() {
    if !fuse_is_there() {
        return;
    }
    let (library, plain) = library_of_one();
    fs::create_dir(library.path().join("sub")).unwrap();
    for name in ["sub/a.zso", "sub/b.zso"] {
        fs::copy(library.path().join("Racer.zso"), library.path().join(name)).unwrap();
    }
    fs::write(library.path().join("plain.bin"), &plain).unwrap();
    let options = [
        "-o",
        "direct_io=sub/a*,direct_io=?*.bin",
        "--direct_io=R*.iso",
    ];
    let mount = Mount::with(library.path(), &options);
    for (name, is_cached) in [
        ("Racer.iso", false),
        ("plain.bin", false),
        ("sub/a.iso", false),
        ("sub/b.iso", true),
    ] {
        let path = mount.path().join(name);
        assert!(fs::read(&path).unwrap() == plain, "{name}");
        let before = reads(mount.path());
        assert!(fs::read(&path).unwrap() == plain, "{name}");
        if is_cached {
            assert_eq!(reads(mount.path()), before, "{name}");
        } else {
            // What was read is counted with the open files, or when the last one who holds the file lets go of it.
            eventually("a read is counted", || reads(mount.path()) > before);
        }
    }
}

/// Through the cache a good block is lost with its page of 4 KiB.
#[test]
fn with_direct_io_only_the_damaged_block_is_lost() {
    if !fuse_is_there() {
        return;
    }
    let (library, plain) = library_of_one();
    let stored = library.path().join("Racer.zso");
    let mut bytes = fs::read(&stored).unwrap();
    // An entry that points behind the file: block 100 has no place.
    bytes[24 + 4 * 100..][..4].copy_from_slice(&0x7fff_fff0_u32.to_le_bytes());
    fs::write(&stored, bytes).unwrap();
    for (options, lost) in [("direct_io", &[100][..]), ("ro", &[100, 101])] {
        let mount = Mount::with(library.path(), &["-o", options]);
        let shown = File::open(mount.path().join("Racer.iso")).unwrap();
        let mut failing = Vec::new();
        for (block, want) in plain.chunks(2048).enumerate().skip(90).take(20) {
            let mut got = [0; 2048];
            match shown.read_exact_at(&mut got, block as u64 * 2048) {
                Ok(()) => assert!(got == want, "block {block}"),
                Err(_) => failing.push(block),
            }
        }
        assert_eq!(failing, lost, "{options}");
    }
}
