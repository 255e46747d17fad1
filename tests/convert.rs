//! Converting: every format that is written comes back as the same bytes, and nothing is lost when it goes wrong.

#![allow(clippy::cast_possible_truncation)] // Test discs are small.

use std::{
    fs,
    num::{NonZeroU64, NonZeroUsize},
    path::{Path, PathBuf},
    sync::Arc,
};

use plainiso::{
    Result,
    cache::BlockCache,
    codec::Level,
    convert::{self, Phase, Settings, Silent, Watch},
    format::{self, Password},
    image::Image,
    pack::{Encryption, Target},
};
use proptest::prelude::*;
use tempfile::TempDir;
use zeroize::Zeroizing;

const SECTOR: usize = 2048;

fn target(name: &str) -> &'static Target {
    format::targets()
        .find(|target| target.name == name)
        .unwrap()
}

/// A disc of so many sectors: zeroes, noise, text and repeated pieces in turn, as the seed has it.
fn disc(sectors: usize, seed: u64) -> Vec<u8> {
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

fn write(folder: &TempDir, name: &str, plain: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, plain).unwrap();
    path
}

fn open(path: &Path) -> Image {
    let password = || Ok(Some(Password::new(b"secret".to_vec())));
    Image::open(path, Arc::new(BlockCache::new(1 << 20)), &password).unwrap()
}

fn plain_of(path: &Path) -> Vec<u8> {
    let image = open(path);
    let mut plain = vec![0; image.size() as usize];
    assert_eq!(image.read_at(&mut plain, 0).unwrap(), plain.len());
    plain
}

struct WithPassword;

impl Watch for WithPassword {
    fn begin(&self, _phase: Phase, _size: u64) {}
    fn advance(&self, _plain: u64, _stored: u64) {}
    fn stops(&self) -> bool {
        false
    }
    fn note(&self, _note: &str) {}
    fn password(&self, _source: &Path) -> Result<Option<Password>> {
        Ok(Some(Password::new(b"secret".to_vec())))
    }
}

fn settings(name: &str) -> Settings {
    Settings {
        verify: true,
        jobs: NonZeroUsize::new(3).unwrap(),
        ..Settings::to(target(name))
    }
}

#[test]
fn every_pair_of_formats_keeps_every_byte() {
    let folder = TempDir::new().unwrap();
    let plain = disc(331, 7);
    let source = write(&folder, "a.iso", &plain);
    for first in format::targets() {
        let packed = folder
            .path()
            .join(format!("{}.{}", first.name, first.extension));
        if first.name == "iso" {
            fs::copy(&source, &packed).unwrap();
        } else {
            convert::file(&source, &packed, &settings(first.name), &Silent).unwrap();
        }
        for second in format::targets() {
            let name = format!("{}-{}.{}", first.name, second.name, second.extension);
            let again = folder.path().join(name);
            convert::file(&packed, &again, &settings(second.name), &Silent).unwrap();
            assert!(
                plain_of(&again) == plain,
                "{} to {}",
                first.name,
                second.name
            );
            assert_eq!(open(&again).details().notes, [""; 0], "{}", again.display());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn every_method_and_block_size_keeps_every_byte(
        sectors in 18..400_usize,
        seed in any::<u64>(),
        level in 0..=13_u8,
        bits in 11..=22_u32,
        align in 0..=11_u32,
        jobs in 1..5_usize,
        split in any::<bool>(),
        aes in 0..4_u16,
    ) {
        let folder = TempDir::new().unwrap();
        let plain = disc(sectors, seed);
        let source = write(&folder, "a.iso", &plain);
        for target in format::targets() {
            for &method in target.methods {
                let output = folder.path().join(format!("{}-{}.{}", target.name, method.name(), target.extension));
                let mut settings = settings(target.name);
                let block = (1 << bits).clamp(target.blocks.min, target.blocks.max);
                settings.jobs = NonZeroUsize::new(jobs).unwrap();
                settings.wish.method = Some(method);
                settings.wish.level = Level::new(level).unwrap_or(Level::MAX);
                settings.wish.block_size = Some(block);
                settings.wish.align = target.aligns.then_some(1 << align);
                if target.splits && split {
                    settings.wish.split = NonZeroU64::new(u64::from(block) + 8192);
                }
                if target.encrypts && aes > 0 {
                    let password = Zeroizing::new(b"secret".to_vec());
                    settings.wish.encryption = Some(Encryption { key_bits: 64 + 64 * aes, password });
                }
                convert::file(&source, &output, &settings, &WithPassword).unwrap();
                prop_assert!(plain_of(&output) == plain, "{settings:?}");
            }
        }
    }
}
