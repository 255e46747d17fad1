//! Mutated images: each opened and read, with no panic, bounded time and memory, and no wrong byte where the file
//! itself can tell.
//!
//! A part of the mutations is tried by default, and with `PLAINISO_ALL_MUTATIONS=1` every byte of headers and indexes
//! and at least ten thousand images in all.

mod library;

use std::{
    collections::BTreeMap,
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use library::{fixtures, open, sha256, whole};
use plainiso::{
    cache::BlockCache,
    format::{self, OpenOptions, Password},
    image::Image,
    source::Folder,
    verify::verify,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Bytes at the front of a file that headers and the first index entries lie in.
const HEAD: usize = 4096;
/// Images in all, where all are asked for.
const ALL: usize = 10_000;
/// Of each fixture, by default.
const FEW: usize = 24;
/// Far beyond what the largest fixture takes on a slow and busy machine; an endless loop is what it finds.
const LONGEST: Duration = Duration::from_secs(60);
/// Plain bytes of a mutated image that are read, from the front and around the end.
const MOST_READ: u64 = 1 << 20;

/// Address space that this program may use: far less than a hostile header can ask for.
const MOST_MEMORY: u64 = 2 << 30;

/// From here on an allocation by the word of a hostile header ends the program.
fn limit_memory() {
    let limit = Rlimit {
        current: Some(MOST_MEMORY),
        maximum: getrlimit(Resource::As).maximum,
    };
    setrlimit(Resource::As, limit).unwrap();
}

struct Sample {
    path: PathBuf,
    stored: Vec<u8>,
    plain: Vec<u8>,
}

fn samples() -> Vec<Sample> {
    let whole_ones = fixtures().into_iter().filter(|it| it.sha256.is_some());
    whole_ones
        .filter_map(|fixture| {
            let stored = fs::read(&fixture.path).unwrap();
            let image = open(&fixture.path).ok()?;
            // An image of a Gigabyte, mostly zeroes, is no fixture to read ten thousand times.
            let plain = (image.size() <= 8 << 20).then(|| whole(&image).unwrap())?;
            // Fixtures of several plain files are known by the sum of another one of these.
            let is_known = fixture.sha256 == Some(sha256(&plain));
            is_known.then_some(Sample {
                path: fixture.path,
                stored,
                plain,
            })
        })
        .collect()
}

/// A change of the stored bytes, and where it was.
fn mutated(stored: &[u8], number: usize, random: &mut impl FnMut() -> usize) -> (Vec<u8>, usize) {
    let mut bytes = stored.to_vec();
    let head = stored.len().min(HEAD);
    // Every byte of the head has its turn; then any byte of the file.
    let at = if number < head {
        number
    } else {
        random() % stored.len()
    };
    match random() % 6 {
        0 => bytes[at] = 0,
        1 => bytes[at] = 0xff,
        2 => bytes[at] ^= 1 << (random() % 8),
        3 => bytes[at] = bytes[at].wrapping_add(1),
        4 => {
            let end = (at + 4).min(bytes.len());
            bytes[at..end].fill_with(|| random().to_le_bytes()[0]);
        }
        _ => bytes[at] ^= 0x80,
    }
    (bytes, at)
}

/// What became of an image that opened.
#[derive(Debug, Eq, PartialEq)]
enum Ending {
    /// Every byte that could be read is right.
    Right,
    /// Some are wrong, and a checksum that the file carries says so, or none is carried.
    Wrong,
    /// Some are wrong, and the checksum that the file carries is right.
    Lied,
}

/// `None` when it does not open.
fn read(sample: &Sample, bytes: Vec<u8>) -> Option<Ending> {
    let beside = sample.path.with_extension("pwd");
    let password = || {
        let text = fs::read_to_string(&beside).ok();
        Ok(text.map(|text| Password::new(text.trim_end().into())))
    };
    let options = OpenOptions {
        name: sample.path.file_name().unwrap(),
        siblings: &Folder::of(&sample.path),
        password: &password,
        ..OpenOptions::alone()
    };
    let opened = format::open(Arc::new(bytes), &options).ok()?;
    let image = Image::new(opened, Arc::new(BlockCache::new(1 << 20)));
    let end = image.size().saturating_sub(MOST_READ / 2);
    let mut is_right = image.size() == sample.plain.len() as u64;
    for start in [0, end] {
        for at in (start..image.size().min(start + MOST_READ)).step_by(32 << 10) {
            let mut out = vec![0; 32 << 10];
            let Ok(len) = image.read_at(&mut out, at) else {
                continue;
            };
            let at = usize::try_from(at).unwrap();
            is_right &= sample.plain.get(at..at + len) == Some(&out[..len]);
        }
    }
    Some(match is_right {
        true => Ending::Right,
        // A size that the header made up is not worth decoding.
        false if image.size() > 8 << 20 || image.details().checksums.is_empty() => Ending::Wrong,
        false if verify(&image, &[], &mut |_| ()).is_intact() => Ending::Lied,
        false => Ending::Wrong,
    })
}

#[test]
fn no_mutated_image_panics_hangs_or_lies_where_a_checksum_knows() {
    let all = env::var_os("PLAINISO_ALL_MUTATIONS").is_some_and(|value| value == "1");
    let samples = samples();
    limit_memory();
    let each = if all {
        ALL.div_ceil(samples.len()).max(HEAD)
    } else {
        FEW
    };
    let noise = library::noise(1 << 16);
    let mut next = 0;
    let mut random = || {
        next = (next + 3) % (noise.len() - 3);
        usize::from(noise[next]) << 16
            | usize::from(noise[next + 1]) << 8
            | usize::from(noise[next + 2])
    };
    let (mut faults, mut counts) = (Vec::new(), BTreeMap::new());
    for sample in &samples {
        let name = sample
            .path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        // A small part of the head is spread over it.
        let stride = if all {
            1
        } else {
            (sample.stored.len().min(HEAD) / (FEW * 2 / 3)).max(1)
        };
        for turn in 0..each {
            let (bytes, at) = mutated(&sample.stored, turn * stride, &mut random);
            let is_same = bytes == sample.stored;
            let start = Instant::now();
            let done = catch_unwind(AssertUnwindSafe(|| read(sample, bytes)));
            let (opened, wrong): &mut (u32, u32) = counts.entry(name.clone()).or_default();
            match done {
                Err(_) => faults.push(format!("{name}: byte {at}: panic")),
                Ok(None) if is_same => faults.push(format!("{name}: unchanged and refused")),
                Ok(None) => {}
                Ok(Some(ending)) => {
                    *opened += 1;
                    *wrong += u32::from(ending != Ending::Right);
                    if ending == Ending::Lied || (is_same && ending != Ending::Right) {
                        faults.push(format!("{name}: byte {at}: {ending:?}"));
                    }
                }
            }
            if start.elapsed() > LONGEST {
                faults.push(format!("{name}: byte {at}: took {:?}", start.elapsed()));
            }
        }
    }
    eprintln!("opened and not noticed, of {each} each: {counts:?}");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
