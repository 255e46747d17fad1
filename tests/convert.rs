//! Converting: every format that is written comes back as the same bytes, and nothing is lost when it goes wrong.

#![allow(clippy::cast_possible_truncation)] // Test discs are small.

use std::{
    fs,
    num::{NonZeroU64, NonZeroUsize},
    sync::atomic::{AtomicBool, Ordering},
};

use plainiso::{
    ErrorKind, Result,
    codec::{Level, Method},
    convert::{self, Existing, Settings, Silent, Sum},
    format,
    pack::{Encryption, Layout, Output, Wish},
};
use proptest::prelude::*;
use tempfile::TempDir;
use zeroize::Zeroizing;

#[path = "convert/mod.rs"]
mod discs;

use discs::{Meanwhile, disc, names, open, plain_of, target, write};

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
                convert::file(&source, &output, &settings, &Meanwhile(|| ())).unwrap();
                prop_assert!(plain_of(&output) == plain, "{settings:?}");
            }
        }
    }
}

fn secret() -> Encryption {
    Encryption {
        key_bits: 128,
        password: Zeroizing::new(b"secret".to_vec()),
    }
}

/// Why a target refuses a wish for an image of that size.
fn refused(name: &str, size: u64, wish: &Wish) -> String {
    let err = target(name).prepare(size, wish).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Usage);
    err.to_string()
}

#[test]
fn rejects_a_method_that_the_format_cannot_hold_and_says_what_it_can() {
    let wish = |method| Wish {
        method: Some(method),
        ..Wish::default()
    };
    assert_eq!(
        refused("zso", 40_960, &wish(Method::Bzip2)),
        "zso cannot hold bzip2; it can hold lz4hc, lz4"
    );
    assert_eq!(
        refused("jso", 40_960, &wish(Method::Lz4)),
        "jso cannot hold lz4; it can hold deflate, lzo"
    );
}

#[test]
fn rejects_a_block_size_that_readers_do_not_take() {
    let wish = |size| Wish {
        block_size: Some(size),
        ..Wish::default()
    };
    for size in [0, 1024, 3072, 8 << 20] {
        let expected =
            format!("zso has blocks of 2048 to 4194304 bytes, by powers of two, not of {size}");
        assert_eq!(refused("zso", 40_960, &wish(size)), expected);
    }
    let dax = refused("dax", 40_960, &wish(2048));
    assert_eq!(dax, "dax has blocks of 8192 bytes, not of 2048");
    // One byte too long for a length of 22 bits.
    assert!(target("isz").prepare(8 << 20, &wish(4 << 20)).is_err());
}

#[test]
fn rejects_images_that_the_format_cannot_hold() {
    let wish = Wish::default();
    for (name, most, why) in [
        (
            "dax",
            u64::from(u32::MAX),
            "dax holds images below 4 GiB only",
        ),
        (
            "jso",
            u64::from(u32::MAX) - 2047,
            "jso holds images below 4 GiB only",
        ),
        (
            "isz",
            (u64::from(u32::MAX)) << 11,
            "isz holds images below 8 TiB only",
        ),
    ] {
        assert!(target(name).prepare(most, &wish).is_ok(), "{name}");
        assert_eq!(refused(name, most + 2048, &wish), why);
    }
    for name in ["isz", "jso"] {
        assert!(refused(name, 40_961, &wish).ends_with("whole sectors of 2048 bytes only"));
    }
}

#[test]
fn rejects_splitting_encrypting_and_aligning_where_the_format_has_none() {
    let split = Wish {
        split: NonZeroU64::new(1 << 20),
        ..Wish::default()
    };
    let encrypted = Wish {
        encryption: Some(secret()),
        ..Wish::default()
    };
    let aligned = |align| Wish {
        align: Some(align),
        ..Wish::default()
    };
    assert!(refused("cso", 40_960, &split).contains("only isz can be split"));
    assert!(refused("zso", 40_960, &encrypted).contains("only isz can"));
    assert!(refused("isz", 40_960, &aligned(64)).contains("cso and zso can"));
    for align in [3, 4096, 0] {
        assert!(refused("cso", 40_960, &aligned(align)).contains("at most 2048"));
    }
}

#[test]
fn rejects_files_of_a_set_that_could_not_hold_a_chunk() {
    let wish = Wish {
        split: NonZeroU64::new(100_000),
        ..Wish::default()
    };
    let why = refused("isz", 40_960, &wish);
    assert_eq!(
        why,
        "isz needs files of at least 133564 bytes for this image, not of 100000"
    );
}

/// Remembers the header, and how long the output got.
#[derive(Default)]
struct Header {
    bytes: Vec<u8>,
    len: u64,
}

impl Output for Header {
    fn len(&self) -> u64 {
        self.len
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn skip(&mut self, bytes: u64) -> Result<()> {
        self.len += bytes;
        Ok(())
    }

    fn write_at(&mut self, _file: usize, at: u64, bytes: &[u8]) -> Result<()> {
        if at == 0 {
            self.bytes = bytes.to_vec();
        }
        Ok(())
    }

    fn next_file(&mut self, _extension: &str) -> Result<()> {
        unreachable!("it is one file")
    }
}

#[test]
fn the_index_shift_is_the_smallest_that_reaches_the_end_of_a_file_that_did_not_shrink() {
    let shift_of = |size: u64| {
        let pack = target("cso").prepare(size, &Wish::default()).unwrap();
        let (mut layout, mut out): (Box<dyn Layout>, _) = (pack.layout(), Header::default());
        layout.begin(&mut out).unwrap();
        layout.finish(&mut out).unwrap();
        u32::from(out.bytes[21])
    };
    for size in [40_960, 1 << 31, 4_700_372_992, 8_543_666_176, 50 << 30] {
        let most: u64 = 24 + 4 * (size / 2048 + 1) + size;
        let shift = shift_of(size);
        assert!(most < (1 << 31) << shift, "{size}: {shift}");
        assert!(
            shift == 0 || most >= (1 << 31) << (shift - 1),
            "{size}: {shift}"
        );
    }
    // 2^31 bytes with header and index: the last image that needs no shift, and the next.
    let last = ((1_u64 << 31) - 28) / 2052 * 2048;
    assert_eq!((shift_of(last), shift_of(last + 2048)), (0, 1));
    assert!(target("cso").prepare(1 << 43, &Wish::default()).is_err());
}

#[test]
fn an_output_that_is_there_is_kept_unless_it_is_to_be_replaced() {
    let folder = TempDir::new().unwrap();
    let source = write(&folder, "a.iso", &disc(40, 1));
    let output = write(&folder, "a.cso", b"mine");
    let err = convert::file(&source, &output, &settings("cso"), &Silent).unwrap_err();
    assert!(
        err.to_string()
            .ends_with("the output is there already; --force replaces it")
    );
    assert_eq!(fs::read(&output).unwrap(), b"mine");
    let mut settings = settings("cso");
    settings.existing = Existing::Replace;
    convert::file(&source, &output, &settings, &Silent).unwrap();
    assert!(plain_of(&output) == disc(40, 1));
    assert_eq!(names(folder.path()), ["a.cso", "a.iso"]);
}

#[test]
fn an_output_never_replaces_its_own_source() {
    let folder = TempDir::new().unwrap();
    let source = write(&folder, "a.iso", &disc(40, 1));
    let link = folder.path().join("b.cso");
    fs::hard_link(&source, &link).unwrap();
    let mut settings = settings("cso");
    settings.existing = Existing::Replace;
    for output in [&source, &link] {
        let err = convert::file(&source, output, &settings, &Silent).unwrap_err();
        assert!(
            err.to_string().contains("would replace its own source"),
            "{err}"
        );
    }
    assert!(fs::read(&source).unwrap() == disc(40, 1));
}

#[test]
fn a_file_of_the_sources_set_is_not_replaced_by_one_of_the_outputs() {
    let folder = TempDir::new().unwrap();
    let source = write(&folder, "a.iso", &disc(400, 1));
    let set = folder.path().join("a.isz");
    let mut settings = settings("isz");
    settings.wish.split = NonZeroU64::new(140_000);
    convert::file(&source, &set, &settings, &Silent).unwrap();
    fs::rename(&set, folder.path().join("a.part01.isz")).unwrap();
    let first = folder.path().join("a.part01.isz");
    fs::rename(
        folder.path().join("a.i01"),
        folder.path().join("a.part01.i01"),
    )
    .unwrap();
    for number in 2..9 {
        let name = |stem| folder.path().join(format!("{stem}.i{number:02}"));
        let _ = fs::rename(name("a"), name("a.part01"));
    }
    settings.existing = Existing::Replace;
    let output = folder.path().join("a.part01.xyz");
    let before = plain_of(&first);
    let err = convert::file(&first, &output, &settings, &Silent).unwrap_err();
    assert!(
        err.to_string().contains("would replace its own source"),
        "{err}"
    );
    assert!(plain_of(&first) == before);
    assert!(!output.exists());
}

#[test]
fn a_source_that_shrinks_or_changes_leaves_no_output() {
    for change in [
        (|path| {
            fs::OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(3 << 20)
                .unwrap();
        }) as fn(&std::path::Path),
        |path| fs::write(path, disc(2048, 9)).unwrap(),
    ] {
        let folder = TempDir::new().unwrap();
        let source = write(&folder, "a.iso", &disc(2048, 1));
        let done = AtomicBool::new(false);
        let watch = Meanwhile(|| {
            if !done.swap(true, Ordering::SeqCst) {
                change(&source);
            }
        });
        let err = convert::file(
            &source,
            &folder.path().join("a.cso"),
            &settings("cso"),
            &watch,
        );
        let err = err.unwrap_err();
        assert_eq!(names(folder.path()), ["a.iso"], "{err}");
    }
}

#[test]
fn a_change_after_the_last_read_is_seen_as_well() {
    let folder = TempDir::new().unwrap();
    let source = write(&folder, "a.iso", &disc(30, 1));
    let watch = Meanwhile(|| {
        let file = fs::OpenOptions::new().append(true).open(&source).unwrap();
        file.set_len(80_000).unwrap();
    });
    let mut settings = settings("cso");
    settings.verify = false;
    let err = convert::file(&source, &folder.path().join("a.cso"), &settings, &watch).unwrap_err();
    assert!(
        err.to_string()
            .contains("the source changed while it was read"),
        "{err}"
    );
    assert_eq!(names(folder.path()), ["a.iso"]);
}

#[test]
fn a_source_is_deleted_only_when_its_output_was_compared_and_it_did_not_change() {
    let folder = TempDir::new().unwrap();
    let source = write(&folder, "a.iso", &disc(40, 1));
    let convert = |name: &str, verify| {
        let settings = Settings {
            verify,
            ..settings("zso")
        };
        convert::file(&source, &folder.path().join(name), &settings, &Silent).unwrap()
    };
    let err = convert("a.zso", false).delete_sources().unwrap_err();
    assert!(err.to_string().contains("only after"), "{err}");
    let report = convert("b.zso", true);
    fs::write(&source, disc(40, 2)).unwrap();
    assert!(report.delete_sources().is_err());
    assert!(source.exists());
    convert("c.zso", true).delete_sources().unwrap();
    assert_eq!(names(folder.path()), ["a.zso", "b.zso", "c.zso"]);
}

#[test]
fn an_output_that_is_not_the_source_is_found_by_comparing() {
    let folder = TempDir::new().unwrap();
    let (mut plain, jobs) = (disc(700, 1), NonZeroUsize::new(2).unwrap());
    let first = open(&write(&folder, "a.iso", &plain));
    plain[1_234_567] ^= 1;
    let other = open(&write(&folder, "b.iso", &plain));
    let err = convert::compare(&first, &other, jobs, &Silent).unwrap_err();
    assert!(err.to_string().ends_with("image offset 1234567"), "{err}");
    let shorter = open(&write(&folder, "c.iso", &plain[..2048 * 600]));
    assert!(convert::compare(&first, &shorter, jobs, &Silent).is_err());
    convert::compare(&first, &first, jobs, &Silent).unwrap();
}

#[test]
fn checksums_are_those_of_the_plain_bytes() {
    let folder = TempDir::new().unwrap();
    let mut plain = vec![0; 40_960];
    plain[0x8001..0x8006].copy_from_slice(b"CD001");
    let source = write(&folder, "a.iso", &plain);
    let sum = |sum, name: &str| {
        let settings = Settings {
            sum,
            ..settings("zso")
        };
        convert::file(&source, &folder.path().join(name), &settings, &Silent)
            .unwrap()
            .sum
    };
    assert_eq!(sum(Sum::None, "a.zso"), None);
    let crc32 = format!("{:08x}", crc32fast::hash(&plain));
    assert_eq!(sum(Sum::Crc32, "b.zso"), Some(crc32));
    let sha256 = sum(Sum::Sha256, "c.zso").unwrap();
    assert_eq!(
        sha256,
        "5cdebc148d5b582c11edac50a64b524143ca37f3de66c26dbfa5d0d8a6f4ff16"
    );
}

#[test]
fn the_same_image_becomes_the_same_file_whatever_the_jobs() {
    let folder = TempDir::new().unwrap();
    let source = write(&folder, "a.iso", &disc(3000, 5));
    for target in format::targets() {
        let files = [1, 4].map(|jobs| {
            let output = folder
                .path()
                .join(format!("{}-{jobs}.{}", target.name, target.extension));
            let mut settings = settings(target.name);
            settings.jobs = NonZeroUsize::new(jobs).unwrap();
            settings.verify = false;
            convert::file(&source, &output, &settings, &Silent).unwrap();
            fs::read(output).unwrap()
        });
        assert!(files[0] == files[1], "{}", target.name);
    }
}
