use std::io::Read;

use proptest::{collection::vec, prelude::*, sample::Index as Any};

use crate::format::tests::{image, opened, read, reads, reads_like, survives};

mod damage;
mod partitions;
mod recipe;
mod refused;

use partitions::partition_disc;
use recipe::{RVZ, Recipe, WIA, compress, number, purge, raw_entry, seal, words};

const KIB: usize = 1024;

/// Noise, zeroes, and a tail.
fn plain() -> Vec<u8> {
    let mut x = 1_u32;
    let mut bytes: Vec<u8> = (0..70_000)
        .map(|_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            x.to_be_bytes()[0]
        })
        .collect();
    bytes.resize(170_000, 0);
    bytes.resize(180_123, 7);
    bytes
}

/// A disc of raw data only, all-zero chunks left out.
fn raw_disc(magic: [u8; 4], method: u32, chunk: usize, plain: &[u8]) -> Recipe {
    let mut recipe = Recipe::new(magic, method, chunk);
    recipe.size = plain.len();
    recipe.start = plain[..128].to_vec();
    let groups = number(plain.len().div_ceil(chunk));
    recipe.raw = raw_entry(0x80, plain.len() as u64 - 0x80, 0, groups);
    for chunk in plain.chunks(chunk) {
        if chunk.iter().all(|&byte| byte == 0) {
            recipe.store(&[], true, 0);
        } else {
            recipe.store(&compress(method, chunk), true, 0);
        }
    }
    recipe
}

fn small() -> Recipe {
    raw_disc(RVZ, 5, 32 * KIB, &plain())
}

/// Checks a message by what it says.
fn says(message: &str, wanted: &str) {
    assert!(message.contains(wanted), "{message}");
}

fn refused(file: Vec<u8>) -> String {
    opened(file).unwrap_err().to_string()
}

#[test]
fn a_part_that_begins_inside_a_sector_is_stored_from_the_sector_on() {
    let plain = plain();
    let mut recipe = small();
    recipe.raw = [
        raw_entry(0x80, 40_000 - 0x80, 0, 2),
        raw_entry(40_000, 140_123, 2, 5),
    ]
    .concat();
    recipe.groups.clear();
    recipe.data.clear();
    let second = [&vec![9; 40_000 - 32768][..], &plain[40_000..]].concat();
    for chunk in plain[..40_000].chunks(32768).chain(second.chunks(32768)) {
        recipe.store(&compress(5, chunk), true, 0);
    }
    let image = image(opened(recipe.file()).unwrap());
    assert!(read(&image, 0, plain.len()).unwrap() == plain);
    assert!(read(&image, 39_990, 20).unwrap() == plain[39_990..40_010]);
}

#[test]
fn the_first_bytes_are_those_of_the_header() {
    let mut recipe = small();
    recipe.start = vec![0xAB; 128];
    let image = image(opened(recipe.file()).unwrap());
    let read = read(&image, 0, 200).unwrap();
    assert_eq!(read[..128], [0xAB; 128]);
    assert_eq!(read[128..], plain()[128..200]);
}

#[test]
fn equal_chunks_may_be_stored_once() {
    let plain = [5, 6, 5].map(|byte| vec![byte; 32 * KIB]).concat();
    let mut recipe = raw_disc(RVZ, 5, 32 * KIB, &plain);
    recipe.groups.copy_within(0..12, 24);
    let image = image(opened(recipe.file()).unwrap());
    assert!(read(&image, 0, plain.len()).unwrap() == plain);
}

#[test]
fn a_chunk_of_several_blocks_reads_in_any_order() {
    let mut plain = vec![0; 5 << 20];
    for (at, byte) in plain.iter_mut().enumerate().step_by(1009) {
        *byte = at.to_le_bytes()[1];
    }
    for (magic, method) in [(WIA, 1), (RVZ, 0), (RVZ, 5)] {
        let recipe = raw_disc(magic, method, 4 << 20, &plain);
        let image = image(opened(recipe.file()).unwrap());
        for at in [4 << 20, 3 << 20, 0, (2 << 20) - 5, (5 << 20) - 10] {
            let end = plain.len().min(at + 3000);
            assert!(
                read(&image, at as u64, 3000).unwrap() == plain[at..end],
                "{at}"
            );
        }
    }
}

#[test]
fn packed_noise_goes_on_from_any_position() {
    let seed = [7; 68];
    let noise = |at: u64, len: u32| {
        let packed = [&words(&[1 << 31 | len])[..], &seed].concat();
        let mut plain = Vec::new();
        let len = u64::from(len);
        super::packing::Unpacked::new(&packed[..], 72, len, at)
            .read_to_end(&mut plain)
            .unwrap();
        plain
    };
    let whole = noise(0, 0x8000);
    for at in [1, 2083, 2084, 2085, 9000, 0x7fff] {
        assert!(noise(at as u64, 10)[..1] == whole[at..=at], "{at}");
        assert!(noise(at as u64 + 0x8000, 1) == whole[at..=at], "{at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_read_is_the_slice_of_the_plain_bytes(
        (magic, method) in prop_oneof![
            Just((RVZ, 0)), Just((RVZ, 2)), Just((RVZ, 5)), Just((WIA, 0)), Just((WIA, 1)), Just((WIA, 2))
        ],
        large in any::<bool>(),
        reads in reads(70_000),
    ) {
        let chunk = if large || magic == WIA { 2 << 20 } else { 64 * KIB };
        let image = image(opened(raw_disc(magic, method, chunk, &plain()).file()).unwrap());
        reads_like(&image, &plain(), &reads)?;
    }

    #[test]
    fn any_damage_gives_bytes_or_an_error(
        changes in vec((any::<Any>(), any::<u8>()), 1..6),
        method in prop_oneof![Just(0_u32), Just(2), Just(5)],
        is_partition in any::<bool>(),
    ) {
        let recipe = if is_partition {
            partition_disc(3, &[(1, 5)])
        } else {
            raw_disc(RVZ, method, 32 * KIB, &plain())
        };
        let mut file = recipe.file();
        let front = file.len().min(300);
        for (at, byte) in changes {
            let at = at.index(front + 300);
            let at = if at < front { at } else { file.len() - 300 + at - front };
            file[at] = byte;
        }
        seal(&mut file);
        survives(opened(file))?;
    }
}
