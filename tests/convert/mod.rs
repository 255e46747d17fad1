//! Discs to convert, and what came of them.

#![allow(dead_code)] // Each test crate uses a part of it.
#![allow(clippy::cast_possible_truncation)] // Test discs are small.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use plainiso::{
    Result,
    cache::BlockCache,
    convert::{Phase, Settings, Watch},
    format::{self, Password},
    image::Image,
    pack::Target,
};
use tempfile::TempDir;

pub(crate) const SECTOR: usize = 2048;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_plainiso");

/// Runs `plainiso convert` in a folder.
pub(crate) fn convert(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("convert").args(arguments).current_dir(folder);
    command.stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The usual settings for a target, with the output read back.
pub(crate) fn settings(name: &str) -> Settings {
    Settings {
        verify: true,
        jobs: NonZeroUsize::new(3).unwrap(),
        ..Settings::to(target(name))
    }
}

pub(crate) fn target(name: &str) -> &'static Target {
    let found = format::targets().find(|target| target.name == name);
    found.unwrap()
}

/// A disc of so many sectors: zeroes, noise, text and repeated pieces in turn, as the seed has it.
pub(crate) fn disc(sectors: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut plain = Vec::with_capacity(sectors * SECTOR);
    while plain.len() < sectors * SECTOR {
        let len = random() as usize % 9000;
        let start = plain.len();
        match random() % 5 {
            0 => plain.resize(start + len, 0),
            1 => plain.extend((0..len).map(|_| random() as u8)),
            2 => plain.extend(
                (0..len).map(|i| b"the quick brown fox "[i % 20] ^ u8::from(random() % 64 == 0)),
            ),
            3 => plain.extend((0..len).map(|_| (random() % 5) as u8)),
            _ => {
                let from = random() as usize % (start + 1);
                for i in from..start.min(from + len) {
                    plain.push(plain[i]);
                }
            }
        }
    }
    plain.truncate(sectors * SECTOR);
    if plain.len() > 0x8806 {
        plain[0x8001..0x8006].copy_from_slice(b"CD001");
    }
    plain
}

pub(crate) fn write(folder: &TempDir, name: &str, plain: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, plain).unwrap();
    path
}

pub(crate) fn open(path: &Path) -> Image {
    let password = || Ok(Some(Password::new(b"secret".to_vec())));
    Image::open(path, Arc::new(BlockCache::new(1 << 20)), &password).unwrap()
}

pub(crate) fn plain_of(path: &Path) -> Vec<u8> {
    let image = open(path);
    let mut plain = vec![0; image.size() as usize];
    assert_eq!(image.read_at(&mut plain, 0).unwrap(), plain.len());
    plain
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Does something when the first bytes were written.
pub(crate) struct Meanwhile<F: Fn() + Sync>(pub(crate) F);

impl<F: Fn() + Sync> Watch for Meanwhile<F> {
    fn begin(&self, _phase: Phase, _size: u64) {}

    fn advance(&self, _plain: u64, _stored: u64) {
        (self.0)();
    }

    fn stops(&self) -> bool {
        false
    }

    fn note(&self, _note: &str) {}

    fn password(&self, _source: &Path) -> Result<Option<Password>> {
        Ok(Some(Password::new(b"secret".to_vec())))
    }
}
