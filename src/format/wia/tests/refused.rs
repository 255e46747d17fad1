//! One test for each rule that a whole file must keep.

use super::*;
use crate::ErrorKind;

/// Refused when a word of the second header is another.
fn refused_with(at: usize, word: u32) -> String {
    let mut file = small().file();
    file[72 + at..][..4].copy_from_slice(&word.to_be_bytes());
    seal(&mut file);
    refused(file)
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
