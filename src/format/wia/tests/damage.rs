//! A chunk that is damaged, or has no place in the file, is an error, and the others are read.

use super::*;

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
