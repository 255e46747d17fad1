//! Converting: every format that is written comes back as the same bytes.

#![allow(clippy::cast_possible_truncation)] // Test discs are small.

use std::{
    fs,
    num::{NonZeroU64, NonZeroUsize},
    path::Path,
};

use plainiso::{
    codec::Level,
    convert::{self, Silent},
    format,
    pack::Encryption,
};
use proptest::prelude::*;
use tempfile::TempDir;
use zeroize::Zeroizing;

#[path = "convert/mod.rs"]
mod discs;

use discs::{Meanwhile, SECTOR, disc, open, plain_of, settings, write};

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

#[test]
fn an_image_without_a_volume_is_read_back_as_the_plain_bytes_that_it_is() {
    let folder = TempDir::new().unwrap();
    let disc = Path::new("tests/fixtures/library/Cube.gcz");
    let output = folder.path().join("cube.iso");
    let settings = settings("iso");
    assert!(settings.verify);
    convert::file(disc, &output, &settings, &Silent).unwrap();
    assert!(fs::read(&output).unwrap() == plain_of(disc));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_method_and_block_size_keeps_every_byte(
        sectors in 18..400_usize,
        cut in prop_oneof![Just(0), 1..SECTOR],
        seed in any::<u64>(),
        level in 0..=13_u8,
        bits in 11..=22_u32,
        align in 0..=11_u32,
        jobs in 1..5_usize,
        split in any::<bool>(),
        aes in 0..4_u16,
    ) {
        let folder = TempDir::new().unwrap();
        let mut plain = disc(sectors, seed);
        plain.truncate(plain.len() - cut);
        let source = write(&folder, "a.iso", &plain);
        // Two formats hold whole sectors only.
        let holds = |name| cut == 0 || !matches!(name, "isz" | "jso");
        for target in format::targets().filter(|target| holds(target.name)) {
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
                convert::file(&source, &output, &settings, &Meanwhile(|| ())).unwrap();
                prop_assert!(plain_of(&output) == plain, "{settings:?}");
            }
        }
    }
}
