//! The ways in which the kernel reads a file: through its cache, around it, and past us.

#![cfg(target_os = "linux")]

mod library;

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use library::{Mount, folder, fuse_is_there, open, succeed, whole};

/// A library of a compressed image in blocks of 2 KiB, and the image's plain bytes.
fn library_of_one() -> (tempfile::TempDir, Vec<u8>) {
    let library = tempfile::tempdir().unwrap();
    let image = folder().join("Racer.zso");
    fs::copy(&image, library.path().join("Racer.zso")).unwrap();
    (library, whole(&open(&image).unwrap()).unwrap())
}

/// How often the server was asked for bytes of a file or, at the root, of any.
fn reads(path: &Path) -> u64 {
    let mut room = [0; 1000];
    let len = rustix::fs::getxattr(path, "user.plainiso.stats", &mut room).unwrap();
    let stats: serde_json::Value = serde_json::from_slice(&room[..len]).unwrap();
    stats["reads"].as_u64().unwrap()
}

/// Reads a file in every way that programs have, and compares.
fn reads_the_same_in_every_way(path: &Path, plain: &[u8]) {
    assert!(fs::read(path).unwrap() == plain, "read");
    let file = File::open(path).unwrap();
    for (at, len) in [(0, 1), (2047, 2), (5000, 70_000), (plain.len() - 9, 9)] {
        let mut got = vec![0; len];
        file.read_exact_at(&mut got, at as u64).unwrap();
        assert!(got == plain[at..at + len], "{len} bytes at {at}");
    }
    let expected = library::sha256(plain);
    for way in ["private", "shared", "direct"] {
        let mut python = Command::new("python3");
        python.args(["-c", SUM]).arg(way).arg(path);
        let sum = String::from_utf8(succeed(&mut python).stdout).unwrap();
        assert_eq!(sum.trim_end(), expected, "{way}");
    }
}

/// Sums a file up through a mapping of its pages, or through reads into a page that belong to no cache.
const SUM: &str = "
import hashlib, mmap, os, sys
way, path = sys.argv[1:]
sha = hashlib.sha256()
if way == 'direct':
    fd, page = os.open(path, os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, 1 << 16)
    while n := os.readv(fd, [page]):
        sha.update(page[:n])
else:
    flags = mmap.MAP_SHARED if way == 'shared' else mmap.MAP_PRIVATE
    fd = os.open(path, os.O_RDONLY)
    sha.update(mmap.mmap(fd, 0, flags=flags, prot=mmap.PROT_READ))
print(sha.hexdigest())
";

fn losetup() -> Command {
    let mut losetup = Command::new("losetup");
    losetup.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
    losetup
}

/// A loop device, detached when dropped.
struct Loop(PathBuf);

impl Loop {
    /// `None`, with a line that says so, where loop devices are not allowed.
    fn over(file: &Path, words: &[&str]) -> Option<Self> {
        let mut losetup = losetup();
        losetup
            .args(["--read-only", "--find", "--show"])
            .args(words);
        let output = losetup.arg(file).output().unwrap();
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            eprintln!("left out: a loop device: {why}");
            return None;
        }
        Some(Self(
            String::from_utf8(output.stdout).unwrap().trim_end().into(),
        ))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = losetup().arg("--detach").arg(&self.0).output();
    }
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
    let options = ["-o", "direct_io=sub/a*", "--direct_io=R*.iso"];
    let mount = Mount::with(library.path(), &options);
    for (name, is_cached) in [
        ("Racer.iso", false),
        ("sub/a.iso", false),
        ("sub/b.iso", true),
    ] {
        let path = mount.path().join(name);
        assert!(fs::read(&path).unwrap() == plain, "{name}");
        let before = reads(&path);
        assert!(fs::read(&path).unwrap() == plain, "{name}");
        assert_eq!(reads(&path) == before, is_cached, "{name}");
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
