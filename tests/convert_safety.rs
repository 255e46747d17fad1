//! What converting keeps safe, and what it answers.

#![allow(clippy::cast_possible_truncation)] // Test discs are small.

use std::{
    fs,
    num::{NonZeroU64, NonZeroUsize},
    sync::atomic::{AtomicBool, Ordering},
};

use plainiso::{
    convert::{self, Settings, Silent},
    digest::Algorithm,
    format,
    output::Existing,
};
use tempfile::TempDir;

#[path = "convert/mod.rs"]
mod discs;

use discs::{Meanwhile, disc, names, open, plain_of, settings, write};

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
    assert_eq!(sum(None, "a.zso"), None);
    let crc32 = format!("{:08x}", crc32fast::hash(&plain));
    assert_eq!(sum(Some(Algorithm::Crc32), "b.zso"), Some(crc32));
    let sha256 = sum(Some(Algorithm::Sha256), "c.zso").unwrap();
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
