//! What must hold for every image of every format: any reads equal the plain bytes, and damage never panics.
//!
//! The images are the sample library's, so a new format is tested here as soon as it has a fixture.

mod library;

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use library::{Fixture, fixtures, open, whole};
use plainiso::{
    Result,
    cache::BlockCache,
    format::{self, FORMATS, OpenOptions, Password},
    image::Image,
    source::Folder,
};
use proptest::{prelude::*, sample::Index, test_runner::FileFailurePersistence};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// An image of the sample library with everything it must decode to.
struct Sample {
    fixture: Fixture,
    image: Image,
    plain: Vec<u8>,
}

fn samples() -> Vec<Sample> {
    let is_whole = |fixture: &Fixture| fixture.sha256.is_some();
    let sample = |fixture: Fixture| {
        let image = open(&fixture.path).unwrap();
        let plain = whole(&image).unwrap();
        assert_eq!(
            Some(library::sha256(&plain)),
            fixture.sha256,
            "{}",
            fixture.shown
        );
        // A fresh one, so that the cache is empty.
        let image = open(&fixture.path).unwrap();
        Sample {
            fixture,
            image,
            plain,
        }
    };
    fixtures()
        .into_iter()
        .filter(is_whole)
        .map(sample)
        .collect()
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    }
}

#[test]
fn every_format_has_a_fixture() {
    let tested: BTreeSet<String> = fixtures()
        .into_iter()
        .map(|fixture| fixture.format)
        .chain(library::sparse().into_iter().map(|disc| disc.format))
        .collect();
    for format in FORMATS {
        assert!(
            tested.contains(format.name),
            "add an image made by a foreign tool to tests/fixtures/library for {}",
            format.name
        );
    }
}

/// A read as a program does it: anywhere, of any length, the end included and passed.
fn reads() -> impl Strategy<Value = Vec<(Index, usize)>> {
    let length = prop_oneof![0_usize..5000, 0_usize..200_000, Just(1 << 20)];
    proptest::collection::vec((any::<Index>(), length), 1..12)
}

fn check_read(sample: &Sample, at: Index, len: usize) {
    let (image, plain) = (&sample.image, &sample.plain);
    let at = at.index(plain.len() + 2000);
    let mut out = vec![0xAA; len];
    let n = image.read_at(&mut out, at as u64).unwrap();
    let expected = plain.get(at..).unwrap_or_default();
    let expected = &expected[..expected.len().min(len)];
    assert!(
        out[..n] == *expected,
        "{}: {len} bytes at {at}",
        sample.fixture.shown
    );
}

#[test]
fn any_sequence_of_reads_on_any_number_of_threads_equals_the_plain_bytes() {
    let samples = samples();
    let strategy = (0..samples.len(), proptest::collection::vec(reads(), 1..4));
    proptest!(config(64), |((which, threads) in strategy)| {
        let sample = &samples[which];
        thread::scope(|scope| {
            for reads in &threads {
                scope.spawn(move || {
                    for (at, len) in reads {
                        check_read(sample, *at, *len);
                    }
                });
            }
        });
    });
}

#[test]
fn the_result_does_not_depend_on_how_a_range_is_cut() {
    for sample in samples() {
        for piece in [1 << 20, 131_072, 4096, 2048, 2000] {
            let mut read = vec![0; sample.plain.len()];
            for (number, out) in read.chunks_mut(piece).enumerate() {
                let n = sample.image.read_at(out, (number * piece) as u64).unwrap();
                assert_eq!(n, out.len());
            }
            assert!(read == sample.plain, "{} by {piece}", sample.fixture.shown);
        }
    }
}

/// One change to a file.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Fill(Index, usize, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
}

/// Headers and indexes stand at the front, so half of the damage goes there.
fn damage() -> impl Strategy<Value = (bool, Damage)> {
    let change = prop_oneof![
        4 => (any::<Index>(), 1_u8..).prop_map(|(at, with)| Damage::Flip(at, with)),
        2 => (any::<Index>(), 1_usize..64, any::<u8>()).prop_map(|(at, n, b)| Damage::Fill(at, n, b)),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), proptest::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ];
    (any::<bool>(), change)
}

fn apply(stored: &mut Vec<u8>, in_front: bool, damage: &Damage) {
    if stored.is_empty() {
        return;
    }
    let reach = if in_front {
        stored.len().min(600)
    } else {
        stored.len()
    };
    match damage {
        Damage::Flip(at, with) => stored[at.index(reach)] ^= with,
        Damage::Fill(at, n, byte) => {
            let at = at.index(reach);
            let end = stored.len().min(at + n);
            stored[at..end].fill(*byte);
        }
        Damage::Cut(at) => stored.truncate(at.index(reach)),
        Damage::Insert(at, bytes) => {
            let at = at.index(reach);
            stored.splice(at..at, bytes.iter().copied());
        }
    }
}

fn open_bytes(stored: Vec<u8>, path: &Path) -> Result<Image> {
    let options = OpenOptions {
        name: path.file_name().unwrap_or(OsStr::new("")),
        siblings: &Folder::of(path),
        password: &|| Ok(Some(Password::new(b"open sesame".to_vec()))),
        ..OpenOptions::alone()
    };
    let opened = format::open(Arc::new(stored), &options)?;
    Ok(Image::new(opened, Arc::new(BlockCache::new(1 << 20))))
}

/// Reads blocks here and there, those of a huge false size too; errors are fine, panics are not.
fn read_around(image: &Image, at: Index) {
    let mut out = vec![0; 70_000];
    let size = image.size();
    let somewhere = at.index(usize::try_from(size).unwrap()) as u64;
    for at in [0, 2048, somewhere, size.saturating_sub(1), size, u64::MAX] {
        let _ = image.read_at(&mut out, at);
    }
    let blocks = image.geometry().blocks();
    for block in (0..blocks.min(40)).chain(blocks.saturating_sub(3)..blocks) {
        let _ = image.locate(block);
    }
    // Only for images of a few blocks: the walk over all of a false terabyte would take its time.
    if blocks < 10_000 {
        let _ = (image.next_data(somewhere), image.next_hole(somewhere));
    }
}

#[test]
fn damage_anywhere_never_panics_and_memory_stays_bounded() {
    let stored: Vec<(PathBuf, Vec<u8>)> = fixtures()
        .into_iter()
        .map(|fixture| (fixture.path.clone(), fs::read(&fixture.path).unwrap()))
        .collect();
    let strategy = (
        0..stored.len(),
        proptest::collection::vec(damage(), 1..4),
        any::<Index>(),
    );
    limit_memory();
    proptest!(config(400), |((which, damages, at) in strategy)| {
        let (path, stored) = &stored[which];
        let mut stored = stored.clone();
        for (in_front, damage) in &damages {
            apply(&mut stored, *in_front, damage);
        }
        if let Ok(image) = open_bytes(stored, path) {
            read_around(&image, at);
        }
    });
}

/// Where every block carries a checksum, a block that decodes is right: damage of the stored bytes shows.
#[test]
fn a_damaged_block_with_a_checksum_is_right_or_an_error() {
    // The index of these files is far in front of the upper half, and what stands there is blocks.
    let checked = |sample: &Sample| {
        matches!(sample.fixture.format.as_str(), "dax" | "gcz")
            || sample.fixture.shown == "Workbench.iso"
    };
    let samples: Vec<Sample> = samples().into_iter().filter(checked).collect();
    assert!(samples.len() >= 2);
    let strategy = (0..samples.len(), any::<Index>(), 1_u8..);
    proptest!(config(100), |((which, at, with) in strategy)| {
        let sample = &samples[which];
        let mut stored = fs::read(&sample.fixture.path).unwrap();
        let half = stored.len() / 2;
        let at = half + at.index(half);
        let image = open(&sample.fixture.path).unwrap();
        if lies_in_a_stored_block(&image, at as u64) {
            return Ok(());
        }
        stored[at] ^= with;
        let Ok(image) = open_bytes(stored, &sample.fixture.path) else { return Ok(()) };
        for block in 0..image.geometry().blocks() {
            let span = image.geometry().span(block);
            let expected = &sample.plain[usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap()];
            let mut plain = vec![0; expected.len()];
            if image.read_at(&mut plain, span.start).is_ok() {
                prop_assert!(plain == expected, "{} block {block}", sample.fixture.shown);
            }
        }
    });
}

/// Blocks that are stored plain carry no checksum in any format.
fn lies_in_a_stored_block(image: &Image, at: u64) -> bool {
    (0..image.geometry().blocks()).any(|block| {
        let stored = image.locate(block);
        let holds = stored.at <= at && at < stored.at + u64::from(stored.len);
        holds && stored.codec == plainiso::codec::Codec::Raw
    })
}

/// Address space that this program may use: room for the threads' stacks and arenas and for the largest block many
/// times over, and far less than a hostile header can ask for.
const MOST_MEMORY: u64 = 2 << 30;

/// From here on an allocation by the word of a hostile header ends the program.
fn limit_memory() {
    let limit = Rlimit {
        current: Some(MOST_MEMORY),
        maximum: getrlimit(Resource::As).maximum,
    };
    setrlimit(Resource::As, limit).unwrap();
}
