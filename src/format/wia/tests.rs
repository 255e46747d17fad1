use std::io::{Read, Write};

use bzip2::{Compression, write::BzEncoder};
use proptest::{collection::vec, prelude::*, sample::Index as Any};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::bytes::sha1;
use crate::format::tests::{image, opened, read, reads, reads_like, survives};

mod partitions;
mod refused;

use partitions::partition_disc;

const KIB: usize = 1024;

/// What stands in the fields of a made-up file, before it is sealed by its checksums.
#[derive(Clone)]
struct Recipe {
    magic: [u8; 4],
    version: u32,
    method: u32,
    settings: Vec<u8>,
    chunk: usize,
    size: usize,
    start: Vec<u8>,
    partitions: Vec<u8>,
    raw: Vec<u8>,
    groups: Vec<u8>,
    /// Stored chunks, from [`DATA_AT`] on.
    data: Vec<u8>,
}

const DATA_AT: usize = 512;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap()
}

fn raw_entry(start: u64, len: u64, first: u32, groups: u32) -> Vec<u8> {
    [
        start.to_be_bytes().to_vec(),
        len.to_be_bytes().to_vec(),
        words(&[first, groups]),
    ]
    .concat()
}

fn compress(method: u32, plain: &[u8]) -> Vec<u8> {
    match method {
        1 => purge(&[(0, plain)]),
        2 => {
            let mut encoder = BzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        5 => compress_to_vec(plain, CompressionLevel::Fastest),
        _ => plain.to_vec(),
    }
}

fn purge(segments: &[(u32, &[u8])]) -> Vec<u8> {
    let mut stored = Vec::new();
    for (at, bytes) in segments {
        stored.extend(words(&[*at, number(bytes.len())]));
        stored.extend_from_slice(bytes);
    }
    stored.extend(sha1(&stored));
    stored
}

impl Recipe {
    fn new(magic: [u8; 4], method: u32, chunk: usize) -> Self {
        Self {
            magic,
            version: 0x0100_0000,
            method,
            settings: vec![],
            chunk,
            size: 0,
            start: vec![0; 128],
            partitions: vec![],
            raw: vec![],
            groups: vec![],
            data: vec![],
        }
    }

    fn is_rvz(&self) -> bool {
        self.magic[0] == b'R'
    }

    /// Adds a group that is stored as these bytes.
    fn store(&mut self, stored: &[u8], is_compressed: bool, packed: u32) {
        let flag = u32::from(self.is_rvz() && is_compressed) << 31;
        self.data.resize(self.data.len().next_multiple_of(4), 0);
        let at = number((DATA_AT + self.data.len()) / 4);
        self.groups
            .extend(words(&[at, number(stored.len()) | flag]));
        if self.is_rvz() {
            self.groups.extend(words(&[packed]));
        }
        self.data.extend_from_slice(stored);
    }

    fn group_count(&self) -> usize {
        self.groups.len() / if self.is_rvz() { 12 } else { 8 }
    }

    fn file(&self) -> Vec<u8> {
        let mut file = vec![0; DATA_AT];
        file.extend(&self.data);
        let raw_at = file.len();
        let raw = compress(self.method, &self.raw);
        file.extend(&raw);
        let groups_at = file.len();
        let groups = compress(self.method, &self.groups);
        file.extend(&groups);
        let partitions_at = file.len();
        file.extend(&self.partitions);
        let long = |at: usize| [0, number(at)];
        let [raw_len, groups_len] = [raw.len(), groups.len()].map(number);
        let mut disc = words(&[2, self.method, 5, number(self.chunk)]);
        disc.extend(&self.start);
        disc.extend(words(&[number(self.partitions.len() / 48), 48]));
        disc.extend(words(&long(partitions_at)));
        disc.extend(sha1(&self.partitions));
        disc.extend(words(&[number(self.raw.len() / 24)]));
        disc.extend(words(&long(raw_at)));
        disc.extend(words(&[raw_len, number(self.group_count())]));
        disc.extend(words(&long(groups_at)));
        disc.extend(words(&[groups_len]));
        disc.push(u8::try_from(self.settings.len()).unwrap());
        disc.extend(&self.settings);
        disc.resize(220, 0);
        file[72..292].copy_from_slice(&disc);
        file[..4].copy_from_slice(&self.magic);
        file[4..16].copy_from_slice(&words(&[self.version, self.version, 220]));
        let sizes = [long(self.size), long(file.len())].concat();
        file[36..52].copy_from_slice(&words(&sizes));
        seal(&mut file);
        file
    }
}

/// Makes the checksums of both headers.
fn seal(file: &mut [u8]) {
    let sum = sha1(&file[72..292]);
    file[16..36].copy_from_slice(&sum);
    let sum = sha1(&file[..52]);
    file[52..72].copy_from_slice(&sum);
}

const RVZ: [u8; 4] = *b"RVZ\x01";
const WIA: [u8; 4] = *b"WIA\x01";

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

/// Only the block with this number cannot be read.
fn fails_alone(recipe: &Recipe, bad: usize, wanted: &str) {
    let image = image(opened(recipe.file()).unwrap());
    let plain = plain();
    for (number, chunk) in plain.chunks(recipe.chunk).enumerate() {
        let got = read(&image, (number * recipe.chunk) as u64, chunk.len());
        if number == bad {
            says(&got.unwrap_err().to_string(), wanted);
        } else {
            assert!(got.unwrap() == chunk, "block {number}");
        }
    }
}

/// A group's entry with another word.
fn with_group(number: usize, field: usize, change: impl Fn(u32) -> u32) -> Recipe {
    let mut recipe = small();
    let word = &mut recipe.groups[12 * number + 4 * field..][..4];
    let changed = change(u32::from_be_bytes((&*word).try_into().unwrap()));
    word.copy_from_slice(&changed.to_be_bytes());
    recipe
}

#[test]
fn a_group_that_ends_behind_the_file_fails_alone() {
    fails_alone(&with_group(1, 0, |_| u32::MAX), 1, "behind the file's end");
}

#[test]
fn a_group_of_more_bytes_than_it_can_need_fails_alone() {
    fails_alone(&with_group(2, 1, |_| u32::MAX), 2, "more than the");
    fails_alone(&with_group(2, 2, |_| 1 << 20), 2, "more than the");
}

#[test]
fn a_group_that_is_cut_or_too_long_fails_alone() {
    fails_alone(&with_group(1, 1, |len| len - 9), 1, "zstd data");
    let mut recipe = small();
    let long = compress(5, &vec![1; 32769]);
    recipe.store(&long, true, 0);
    recipe.groups.copy_within(72..84, 0);
    recipe.groups.truncate(72);
    fails_alone(&recipe, 0, "more bytes than the chunk");
}

#[test]
fn a_frame_with_a_window_far_larger_than_its_chunk_fails_alone() {
    let mut recipe = small();
    recipe.store(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0xa0, 1, 0, 0], true, 0);
    recipe.groups.copy_within(72..84, 0);
    recipe.groups.truncate(72);
    fails_alone(&recipe, 0, "window");
}

#[test]
fn packed_data_of_another_length_fails_alone() {
    let packed = |len: u32, given: usize| {
        let mut recipe = small();
        let mut bytes = words(&[len]);
        bytes.resize(4 + given, 1);
        recipe.store(&bytes, false, number(bytes.len()));
        recipe.groups.copy_within(72..84, 0);
        recipe.groups.truncate(72);
        recipe
    };
    fails_alone(&packed(32769, 32769), 0, "packed with more");
    fails_alone(&packed(32768, 32769), 0, "packed with more");
    fails_alone(&packed(32767, 32767), 0, "ends before the chunk does");
    fails_alone(&packed(0, 0), 0, "ends before the chunk does");
    fails_alone(
        &packed(1 << 31 | 32768, 67),
        0,
        "ends before the chunk does",
    );
}

#[test]
fn what_no_table_tells_of_is_an_error() {
    let mut recipe = small();
    recipe.raw = [raw_entry(0, 32768, 0, 1), raw_entry(65536, 114_587, 2, 4)].concat();
    fails_alone(&recipe, 1, "no table tells");
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
fn a_damaged_purge_chunk_is_an_error() {
    let plain = [3; 5000];
    let read_with = |stored: &[u8]| {
        let mut recipe = raw_disc(WIA, 1, 2 << 20, &plain);
        recipe.data.clear();
        recipe.groups.clear();
        recipe.store(stored, true, 0);
        read(&image(opened(recipe.file()).unwrap()), 0, plain.len())
    };
    let parts = purge(&[(0, &plain[..150]), (200, &plain[200..])]);
    let read = read_with(&parts).unwrap();
    assert_eq!(read[150..200], [0; 50]);
    assert_eq!(read[200..], plain[200..]);
    let mut wrong = parts.clone();
    wrong[50] ^= 1;
    says(&read_with(&wrong).unwrap_err().to_string(), "SHA-1");
    let back = purge(&[(0, &plain[..300]), (200, &plain[200..])]);
    says(&read_with(&back).unwrap_err().to_string(), "begins at 200");
    says(
        &read_with(&[1; 19]).unwrap_err().to_string(),
        "room for its SHA-1",
    );
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
