use super::*;
use crate::{
    Error,
    codec::Codec,
    format::{Details, FORMATS},
    map::{BlockMap, Geometry, Stored},
};

/// Blocks of 2048 bytes stored as they are, of which some have no place.
#[derive(Debug)]
struct Blocks {
    geometry: Geometry,
    missing: Vec<u64>,
}

impl BlockMap for Blocks {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let span = self.geometry.span(block);
        Stored {
            at: span.start,
            len: u32::try_from(span.end - span.start).unwrap(),
            codec: if self.missing.contains(&block) {
                Codec::Missing
            } else {
                Codec::Raw
            },
        }
    }

    fn decode(&self, _: u64, stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        match stored.codec {
            Codec::Missing => Err(Error::corrupt("it is missing")),
            codec => codec.decode(src, dst),
        }
    }
}

fn subject(
    plain: &[u8],
    missing: &[u64],
    checksums: &[(&'static str, &'static str, &str)],
) -> Subject {
    let checksum = |&(covers, algorithm, value): &(&'static str, &'static str, &str)| Checksum {
        covers,
        algorithm,
        value: value.into(),
    };
    let geometry = Geometry::Uniform {
        size: plain.len() as u64,
        block_size: 2048,
    };
    Subject::new(Opened {
        format: FORMATS[0],
        source: Arc::new(plain.to_vec()),
        map: Box::new(Blocks {
            geometry,
            missing: missing.into(),
        }),
        details: Details {
            checksums: checksums.iter().map(checksum).collect(),
            ..Details::default()
        },
    })
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

fn run(subject: &Subject, algorithms: &[Algorithm]) -> Report {
    verify(subject, algorithms, &mut |_| {})
}

#[test]
fn the_hashes_are_those_of_the_standards() {
    let report = run(&subject(b"abc", &[], &[]), &Algorithm::ALL);
    for (algorithm, hash) in ABC {
        assert_eq!(report.hash(algorithm), Some(hash));
    }
    assert!(report.is_intact());
}

#[test]
fn only_what_is_asked_for_is_reported() {
    let carried = [("image", "md5", "900150983cd24fb0d6963f7d28e17f72")];
    let report = run(&subject(b"abc", &[], &carried), &[Algorithm::Sha1]);
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
        let report = run(&subject(b"abc", &[], &[(covers, "crc32", value)]), &[]);
        assert_eq!(report.checks[0].found.as_deref(), Some("352441c2"));
        assert_eq!(report.checks[0].holds(), holds);
        assert_eq!(report.is_intact(), holds);
    }
}

#[test]
fn damage_leaves_hashes_unknown_and_every_block_is_named() {
    let carried = [("image", "crc32", "352441c2"), ("stored", "crc32", "1")];
    let report = run(&subject(&[1; 9000], &[1, 4], &carried), &Algorithm::ALL);
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
    let report = run(&subject(&vec![0; 2048 * 1500], &missing, &[]), &[]);
    assert_eq!(report.damage.len(), MOST_LISTED);
    assert_eq!(report.damaged_blocks, 1500);
}

#[test]
fn progress_rises_to_the_size() {
    let (mut last, mut calls) = (0, 0);
    verify(&subject(&vec![3; 5 << 20], &[], &[]), &[], &mut |done| {
        assert!(done > last);
        (last, calls) = (done, calls + 1);
    });
    assert_eq!((last, calls), (5 << 20, 5));
}
