use std::io::{Read, Write};

use aes::cipher::{BlockDecrypt, KeyInit, generic_array::GenericArray};
use bzip2::{Compression, write::BzEncoder};
use proptest::{collection::vec, prelude::*, sample::Index as Any};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::{
    header::sha1,
    partition::{DATA, HASHES, ON_DISC},
};
use crate::{
    ErrorKind,
    format::tests::{image, opened, read, reads, reads_like, survives},
    image::Image,
};

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

fn refused(file: Vec<u8>) -> String {
    opened(file).unwrap_err().to_string()
}

/// Refused when a word of the second header is another.
fn refused_with(at: usize, word: u32) -> String {
    let mut file = small().file();
    file[72 + at..][..4].copy_from_slice(&word.to_be_bytes());
    seal(&mut file);
    refused(file)
}

/// Checks a message by what it says.
fn says(message: &str, wanted: &str) {
    assert!(message.contains(wanted), "{message}");
}

#[test]
fn rejects_headers_with_another_sha1() {
    for (at, wanted) in [
        (5, "SHA-1 of the first header"),
        (80, "SHA-1 of the second header"),
    ] {
        let mut file = small().file();
        file[at] ^= 1;
        says(&refused(file), wanted);
    }
}

#[test]
fn rejects_a_version_for_newer_readers() {
    let mut recipe = small();
    recipe.version = 0x0101_0000;
    let err = opened(recipe.file()).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unsupported);
    says(&err.to_string(), "version is 01010000");
}

#[test]
fn rejects_a_second_header_that_is_too_short_or_too_long() {
    for len in [212_u32, 4097] {
        let mut file = small().file();
        file[12..16].copy_from_slice(&len.to_be_bytes());
        seal(&mut file);
        says(&refused(file), &format!("second header has {len} bytes"));
    }
}

#[test]
fn rejects_an_image_size_of_zero() {
    let mut recipe = small();
    recipe.size = 0;
    says(&refused(recipe.file()), "image size is 0");
}

#[test]
fn rejects_chunk_sizes_that_the_format_does_not_have() {
    for (magic, chunk) in [
        (WIA, 0),
        (WIA, 1 << 20),
        (WIA, 3 << 20),
        (RVZ, 0),
        (RVZ, 16 << 10),
        (RVZ, 96 << 10),
        (RVZ, 3 << 20),
        (RVZ, 66 << 20),
    ] {
        let mut recipe = raw_disc(magic, 0, 2 << 20, &plain());
        recipe.chunk = chunk;
        says(&refused(recipe.file()), &format!("chunk size is {chunk}"));
    }
}

#[test]
fn rejects_a_compression_that_the_format_does_not_have() {
    for (magic, method) in [(WIA, 5), (WIA, 6), (RVZ, 1), (RVZ, 6)] {
        let recipe = raw_disc(magic, method, 2 << 20, &plain());
        says(&refused(recipe.file()), &format!("compression is {method}"));
    }
}

#[test]
fn rejects_settings_that_the_compression_does_not_have() {
    for (method, settings, wanted) in [
        (3, vec![225, 0, 0, 1, 0], "begin with 225"),
        (3, vec![93, 0, 0, 1], "have 4 bytes"),
        (4, vec![41], "[41]"),
        (4, vec![], "[]"),
        (0, vec![0; 8], "room for 7"),
    ] {
        let mut recipe = small();
        recipe.method = method;
        recipe.settings = settings[..settings.len().min(7)].to_vec();
        let mut file = recipe.file();
        file[72 + 212] = u8::try_from(settings.len()).unwrap();
        seal(&mut file);
        says(&refused(file), wanted);
    }
}

#[test]
fn rejects_tables_that_end_behind_the_file() {
    says(&refused_with(188, 1 << 20), "inside the table of raw data");
    says(&refused_with(204, 1 << 20), "inside the group table");
    let mut file = partition_disc(1, &[]).file();
    file.pop();
    says(&refused(file), "inside the partition table");
}

#[test]
fn rejects_tables_that_decompress_to_another_length() {
    says(&refused_with(180, 2), "table of raw data: zstd data ends");
    says(
        &refused_with(196, 5),
        "group table: zstd data does not decode",
    );
    says(
        &refused_with(208, 1 << 20),
        "the group table has 1048576 stored bytes",
    );
}

#[test]
fn rejects_tables_of_more_entries_than_any_disc_has() {
    says(&refused_with(144, 5000), "number of partitions is 5000");
    says(
        &refused_with(180, 5000),
        "number of entries of raw data is 5000",
    );
    says(&refused_with(196, 3 << 20), "number of groups is 3145728");
}

#[test]
fn rejects_parts_that_overlap() {
    let mut recipe = small();
    recipe.raw = [raw_entry(0, 65536, 0, 2), raw_entry(32768, 100, 2, 1)].concat();
    says(
        &refused(recipe.file()),
        "begins at 32768, the one before ends at 65536",
    );
}

#[test]
fn rejects_a_part_behind_the_image() {
    let mut recipe = small();
    recipe.raw = raw_entry(0, 180_124, 0, 6);
    says(&refused(recipe.file()), "behind the image's end at 180123");
    recipe.raw = raw_entry(u64::MAX - 5, u64::MAX, 0, 6);
    refused(recipe.file());
}

#[test]
fn rejects_groups_outside_the_table_or_too_few_of_them() {
    let mut recipe = small();
    recipe.raw = raw_entry(0, 180_123, 1, 6);
    says(
        &refused(recipe.file()),
        "6 groups from 1 on, the table has 6",
    );
    recipe.raw = raw_entry(0, 180_123, 0, 5);
    says(&refused(recipe.file()), "has 5 groups");
    recipe.raw = [raw_entry(0, 65536, 0, 4), raw_entry(65536, 65536, 2, 4)].concat();
    says(&refused(recipe.file()), "of which parts before have 4");
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
    let long = compress(5, &[1; 32769]);
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
    let chunk = [5; 32 * KIB];
    let plain = [chunk, [6; 32 * KIB], chunk].concat();
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

const KEY: [u8; 16] = *b"a title key  16b";

/// A disc of one partition of so many sectors, whose chunks of one sector have lists of exceptions.
fn partition_disc(sectors: usize, exceptions: &[(usize, u16)]) -> Recipe {
    let mut recipe = Recipe::new(RVZ, 0, ON_DISC);
    recipe.size = sectors * ON_DISC;
    for sector in 0..sectors {
        let here = exceptions.iter().filter(|(of, _)| *of == sector);
        let places: Vec<u16> = here.map(|(_, at)| *at).collect();
        let mut stored = u16::try_from(places.len()).unwrap().to_be_bytes().to_vec();
        for at in places {
            stored.extend(at.to_be_bytes());
            stored.extend([0xEE; 20]);
        }
        stored.resize(stored.len().next_multiple_of(4), 0);
        stored.resize(stored.len() + DATA, sector.to_le_bytes()[0]);
        recipe.store(&stored, false, 0);
    }
    let count = number(sectors);
    recipe.partitions = KEY.to_vec();
    recipe
        .partitions
        .extend(words(&[0, count.min(64), 0, count.min(64)]));
    let more = count.saturating_sub(64);
    recipe.partitions.extend(words(&[64, more, 64, more]));
    recipe
}

/// A sector of a partition, decrypted. The first bytes of the disc are the header's and not wanted.
fn decrypted(image: &Image, sector: usize) -> Vec<u8> {
    let stored = read(image, (sector * ON_DISC) as u64, ON_DISC).unwrap();
    let cipher = aes::Aes128::new(&KEY.into());
    let mut plain = Vec::new();
    let mut vector = [0; 16];
    for (number, block) in stored.chunks_exact(16).enumerate() {
        if number * 16 == HASHES {
            vector.copy_from_slice(&stored[0x3d0..0x3e0]);
        }
        let mut out = *GenericArray::from_slice(block);
        cipher.decrypt_block(&mut out);
        plain.extend(out.iter().zip(vector).map(|(a, b)| a ^ b));
        vector.copy_from_slice(block);
    }
    plain
}

#[test]
fn a_partition_is_its_data_with_hashes_and_exceptions_encrypted() {
    let exceptions = [(63, 0), (63, 1004), (65, 600), (7, 100)];
    let image = image(opened(partition_disc(66, &exceptions).file()).unwrap());
    for sector in [1, 7, 63, 64, 65] {
        let plain = decrypted(&image, sector);
        let data = vec![sector.to_le_bytes()[0]; DATA];
        assert!(plain[HASHES..] == data, "sector {sector}");
        let mut hashes = sha1(&data[..0x400]).repeat(31);
        let h0 = |sector: usize| {
            // What is missing behind the end counts as zeroes.
            let byte = if sector < 66 {
                sector.to_le_bytes()[0]
            } else {
                0
            };
            sha1(&[byte; 0x400]).repeat(31)
        };
        let h1 =
            |eight: usize| -> Vec<u8> { (0..8).flat_map(|n| sha1(&h0(eight * 8 + n))).collect() };
        hashes.resize(0x280, 0);
        hashes.extend(h1(sector / 8));
        hashes.resize(0x340, 0);
        let first = sector / 64 * 8;
        hashes.extend((first..first + 8).flat_map(|eight| sha1(&h1(eight))));
        hashes.resize(HASHES, 0);
        for (_, at) in exceptions.iter().filter(|(of, _)| *of == sector) {
            hashes[usize::from(*at)..][..20].fill(0xEE);
        }
        assert!(plain[..HASHES] == hashes, "hashes of sector {sector}");
    }
}

#[test]
fn a_list_of_exceptions_that_no_disc_needs_is_an_error() {
    let too_many: Vec<_> = (0..53).map(|_| (1, 0)).collect();
    for (exceptions, wanted) in [
        (&too_many[..], "a list has 53 exceptions"),
        (&[(1, 1005)][..], "an exception is at 1005 of the 1024"),
    ] {
        let image = image(opened(partition_disc(66, exceptions).file()).unwrap());
        let err = read(&image, 0, 10).unwrap_err().to_string();
        says(&err, wanted);
        decrypted(&image, 65);
    }
}

#[test]
fn rejects_a_partition_table_with_another_sha1() {
    let mut file = partition_disc(2, &[]).file();
    *file.last_mut().unwrap() ^= 1;
    says(&refused(file), "SHA-1 of the partition table");
}

#[test]
fn rejects_a_partition_whose_parts_share_hashes() {
    let mut recipe = partition_disc(66, &[]);
    recipe.partitions[32..36].copy_from_slice(&63_u32.to_be_bytes());
    says(&refused(recipe.file()), "data of partition 0 begins at 0");
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
