//! Images with one thing changed, of every format: each opens or is refused, each block is right or an error, and
//! nothing panics, hangs or takes the memory that a hostile header asks for.
//!
//! Every byte that is no block's, so the headers and the indexes, is changed at least once. The changes are the same
//! in every run. `PLAINISO_ALL_MUTATIONS=1` makes all of them, without it a part.

#[path = "changed_images/changes.rs"]
mod changes;
mod library;
#[path = "changed_images/original.rs"]
mod original;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use changes::Change;
use library::vectors;
use original::Original;
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};

/// Of all changes, about so many are made when there is little time.
const FEW: usize = 6000;

/// What one image may cost: far more than any takes, so that only a loop that does not end can take it. It is
/// the processor's time, so other programs do not count.
const MOST_TIME: Duration = Duration::from_secs(60);

/// Address space that this program may use; see `tests/properties.rs`.
const MOST_MEMORY: u64 = 2 << 30;

/// What all images together did.
#[derive(Debug, Default)]
struct Tally {
    images: u64,
    refused: u64,
    plain_files: u64,
    blocks_right: u64,
    blocks_refused: u64,
    /// Blocks without a checksum that decode to something else. Nothing can tell.
    blocks_other: u64,
    slowest: Duration,
    faults: Vec<String>,
}

#[test]
fn a_changed_image_is_refused_or_each_block_is_right_or_an_error() {
    let all = env::var_os("PLAINISO_ALL_MUTATIONS").is_some_and(|value| value == "1");
    let mut originals = original::below(&library::folder());
    let vectors = vectors();
    if let Some(vectors) = &vectors {
        originals.extend(original::below(vectors));
    }
    let changes: Vec<(&Original, Change)> = (0..)
        .zip(&originals)
        .flat_map(|(seed, original)| {
            let changes = changes::of(original.metadata(), original.stored().len(), seed);
            changes.into_iter().map(move |change| (original, change))
        })
        .collect();
    let part = if all { 1 } else { (changes.len() / FEW).max(1) };
    limit(Resource::As, MOST_MEMORY);
    let mut tally = Tally::default();
    for (original, change) in changes.iter().step_by(part) {
        run(original, change, &mut tally);
    }
    eprintln!("{} files, {tally:#?}", originals.len());
    assert!(tally.faults.is_empty(), "{:#?}", tally.faults);
    assert!(
        tally.images
            >= if all && vectors.is_some() {
                10_000
            } else {
                1000
            }
    );
}

/// Opens and reads one changed image.
fn run(original: &Original, change: &Change, tally: &mut Tally) {
    let before = processor_time();
    // The kernel ends this program when it takes longer.
    limit(Resource::Cpu, (before + MOST_TIME).as_secs());
    let stored = change.applied(original.stored());
    let at = change.at();
    let tried = catch_unwind(AssertUnwindSafe(|| original.compare(stored, at)));
    tally.images += 1;
    tally.slowest = tally.slowest.max(processor_time().saturating_sub(before));
    let name = original.path().display();
    let Ok(compared) = tried else {
        tally.faults.push(format!("{name}: {change:?}: it panics"));
        return;
    };
    tally.refused += u64::from(compared.plain_files == 0);
    tally.plain_files += compared.plain_files;
    tally.blocks_right += compared.right;
    tally.blocks_refused += compared.refused;
    tally.blocks_other += compared.other;
    let wrong = compared.wrong.iter();
    let wrong = wrong.map(|what| format!("{name}: {change:?}: {what}"));
    tally.faults.extend(wrong);
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap())
}

fn limit(what: Resource, current: u64) {
    let limit = Rlimit {
        current: Some(current),
        maximum: getrlimit(what).maximum,
    };
    setrlimit(what, limit).unwrap();
}
