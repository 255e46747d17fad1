use super::*;
use crate::{format::Details, image::handmade::Handmade};

/// Blocks of 2048 bytes stored as they are, of which some have no place.
fn image(plain: &[u8], missing: &[u64], checksums: &[(&'static str, &'static str, &str)]) -> Image {
    let checksum = |&(covers, algorithm, value): &(&'static str, &'static str, &str)| Checksum {
        covers,
        algorithm,
        value: value.into(),
    };
    let details = Details {
        checksums: checksums.iter().map(checksum).collect(),
        ..Details::default()
    };
    Handmade::uniform(plain, 2048, missing).image(plain.to_vec(), details, 32 << 20)
}

/// `abc`, as the standards have it.
const ABC: [(Algorithm, &str); 4] = [
    (Algorithm::Crc32, "352441c2"),
    (Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
    (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (
        Algorithm::Sha256,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
];

fn run(image: &Image, algorithms: &[Algorithm]) -> Report {
    verify(image, algorithms, &mut |_| {})
}

#[test]
fn the_hashes_are_those_of_the_standards() {
    let report = run(&image(b"abc", &[], &[]), &Algorithm::ALL);
    for (algorithm, hash) in ABC {
        assert_eq!(report.hash(algorithm), Some(hash));
    }
    assert!(report.is_intact());
}

#[test]
fn only_what_is_asked_for_is_reported() {
    let carried = [("image", "md5", "900150983cd24fb0d6963f7d28e17f72")];
    let report = run(&image(b"abc", &[], &carried), &[Algorithm::Sha1]);
    assert_eq!(report.hashes, [(ABC[2].0, ABC[2].1.to_owned())]);
    assert!(report.checks[0].holds());
}

#[test]
fn a_wrong_checksum_of_the_image_or_the_stored_bytes_is_found() {
    for (covers, value, holds) in [
        ("image", "352441c2", true),
        ("image", "352441c3", false),
        ("stored", "352441c2", true),
        ("stored", "00000000", false),
    ] {
        let report = run(&image(b"abc", &[], &[(covers, "crc32", value)]), &[]);
        assert_eq!(report.checks[0].found.as_deref(), Some("352441c2"));
        assert_eq!(report.checks[0].holds(), holds);
        assert_eq!(report.is_intact(), holds);
    }
}

#[test]
fn damage_leaves_hashes_unknown_and_every_block_is_named() {
    let carried = [("image", "crc32", "352441c2"), ("stored", "crc32", "1")];
    let report = run(&image(&[1; 9000], &[1, 4], &carried), &Algorithm::ALL);
    assert!(report.hashes.is_empty() && !report.is_intact());
    assert!(report.checks.iter().all(|check| check.found.is_none()));
    let blocks: Vec<_> = report.damage.iter().map(|it| it.damage.block).collect();
    assert_eq!(blocks, [1, 4]);
    assert_eq!(
        (report.damaged_blocks, report.damaged_bytes),
        (2, 2048 + 808)
    );
}

#[test]
fn no_more_damage_is_listed_than_people_read() {
    let missing: Vec<u64> = (0..1500).collect();
    let report = run(&image(&vec![0; 2048 * 1500], &missing, &[]), &[]);
    assert_eq!(report.damage.len(), MOST_LISTED);
    assert_eq!(report.damaged_blocks, 1500);
}

#[test]
fn progress_rises_to_the_size() {
    let (mut last, mut calls) = (0, 0);
    verify(&image(&vec![3; 5 << 20], &[], &[]), &[], &mut |done| {
        assert!(done > last);
        (last, calls) = (done, calls + 1);
    });
    assert_eq!((last, calls), (5 << 20, 5));
}
