//! Reading a file of a mount in every way that programs have.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use super::succeed;

/// How often the server was asked for bytes of an image or, at the root, of any file.
pub(crate) fn reads(path: &Path) -> u64 {
    let mut room = [0; 1000];
    let len = rustix::fs::getxattr(path, "user.plainiso.stats", &mut room).unwrap();
    let stats: serde_json::Value = serde_json::from_slice(&room[..len]).unwrap();
    stats["reads"].as_u64().unwrap()
}

/// The first two numbers of the kernel's version.
pub(crate) fn kernel() -> (u32, u32) {
    let name = rustix::system::uname();
    let name = name.release().to_string_lossy();
    let mut numbers = name
        .split(['.', '-'])
        .map_while(|number| number.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Reads a file in every way that programs have, and compares.
pub(crate) fn reads_the_same_in_every_way(path: &Path, plain: &[u8]) {
    assert!(fs::read(path).unwrap() == plain, "read");
    let file = File::open(path).unwrap();
    for (at, len) in [(0, 1), (2047, 2), (5000, 70_000), (plain.len() - 9, 9)] {
        let mut got = vec![0; len];
        file.read_exact_at(&mut got, at as u64).unwrap();
        assert!(got == plain[at..at + len], "{len} bytes at {at}");
    }
    let expected = super::sha256(plain);
    for way in ["private", "shared", "direct"] {
        if way == "shared" && kernel() < (6, 6) {
            eprintln!("left out: shared mappings: the kernel is older than 6.6");
            continue;
        }
        let mut python = Command::new("python3");
        python.args(["-c", SUM]).arg(way).arg(path);
        let sum = String::from_utf8(succeed(&mut python).stdout).unwrap();
        assert_eq!(sum.trim_end(), expected, "{way}");
    }
}

/// Sums a file up through a mapping of its pages, or through reads into a page that belong to no cache.
pub(crate) const SUM: &str = "
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
pub(crate) struct Loop(pub(crate) PathBuf);

impl Loop {
    /// `None`, with a line that says so, where loop devices are not allowed.
    pub(crate) fn over(file: &Path, words: &[&str]) -> Option<Self> {
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
