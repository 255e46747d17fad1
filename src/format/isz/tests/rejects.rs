//! One test per rule of the header, the chunk table and the chunks of a single file.

use super::*;
use crate::ErrorKind;

fn recipe() -> Recipe {
    Recipe::new(disc(95))
}

/// The sentence and kind with which a file is refused once `bytes` stand at `at`.
fn refusal(recipe: &Recipe, at: usize, bytes: &[u8]) -> (ErrorKind, String) {
    let mut files = recipe.write();
    files.first()[at..at + bytes.len()].copy_from_slice(bytes);
    refusal_of(&files)
}

fn refusal_of(files: &Files) -> (ErrorKind, String) {
    let err = open_files(files).unwrap_err();
    (err.kind(), err.to_string())
}

fn corrupt(message: &str) -> (ErrorKind, String) {
    (ErrorKind::Corrupt, message.into())
}

fn limit(message: &str) -> (ErrorKind, String) {
    (ErrorKind::LimitExceeded, message.into())
}

fn unsupported(message: &str) -> (ErrorKind, String) {
    (ErrorKind::Unsupported, message.into())
}

#[test]
fn rejects_another_signature() {
    assert_eq!(
        refusal(&recipe(), 3, b"?"),
        corrupt("signature is IsZ?, not IsZ!")
    );
}

#[test]
fn rejects_a_file_that_ends_in_its_header() {
    for len in [0, 4, 46] {
        let mut files = recipe().write();
        files.first().truncate(len);
        let expected = format!("the file ends at {len}, inside the header (47 bytes at 0)");
        assert_eq!(refusal_of(&files), corrupt(&expected));
    }
}

#[test]
fn rejects_a_header_size_below_47_or_above_the_file() {
    let expected = "header size is 46, not from 47 to the file's size of ";
    assert!(refusal(&recipe(), 4, &[46]).1.starts_with(expected));
    let mut files = recipe().write();
    files.first().truncate(60);
    assert_eq!(
        refusal_of(&files),
        corrupt("header size is 64, not from 47 to the file's size of 60")
    );
}

#[test]
fn rejects_version_2() {
    assert_eq!(
        refusal(&recipe(), 5, &[2]),
        unsupported("version is 2, known are 0 and 1")
    );
    let mut files = recipe().write();
    files.first()[5] = 0;
    assert!(open_files(&files).is_ok());
}

#[test]
fn rejects_a_sector_size_of_zero() {
    let expected = corrupt("sector size is 0, a sector has at least one byte");
    assert_eq!(refusal(&recipe(), 10, &[0, 0]), expected);
}

#[test]
fn rejects_a_chunk_size_that_is_no_multiple_of_the_sector_size() {
    for block in [0_u32, 4095] {
        let expected = format!("chunk size is {block}, not a multiple of the sector size of 512");
        assert_eq!(
            refusal(&recipe(), 29, &block.to_le_bytes()),
            corrupt(&expected)
        );
    }
}

#[test]
fn rejects_a_chunk_size_above_the_limit() {
    let expected = limit("chunk size is 16777728, more than the limit of 16777216");
    let block = (16_u32 << 20) + 512;
    assert_eq!(refusal(&recipe(), 29, &block.to_le_bytes()), expected);
}

#[test]
fn rejects_an_image_of_no_bytes_and_one_above_the_limit() {
    let expected = corrupt("image size is 0, an image has at least one byte");
    assert_eq!(refusal(&recipe(), 12, &[0; 4]), expected);
    let mut large = recipe();
    large.sector = 2048;
    let expected = limit("image size is 8796093020160, more than the limit of 1 TiB");
    assert_eq!(refusal(&large, 12, &[0xFF; 4]), expected);
}

#[test]
fn rejects_fewer_chunks_than_the_image_needs_and_notes_more() {
    let expected = corrupt("number of chunks is 11, but 48640 bytes in chunks of 4096 are 12");
    assert_eq!(refusal(&recipe(), 25, &11_u32.to_le_bytes()), expected);
    let mut files = recipe().write();
    files.first()[25..29].fill(0xFF);
    let opened = open_files(&files).unwrap();
    assert_eq!(
        opened.details.notes,
        ["the header gives 4294967295 chunks, the image has 12"]
    );
    assert_eq!(read_all(&image(opened)).unwrap(), recipe().plain);
}

#[test]
fn rejects_unknown_encryption_and_the_old_password_scheme() {
    let expected = "encryption is 1, the old password scheme, which is documented nowhere";
    assert_eq!(refusal(&recipe(), 16, &[1]), unsupported(expected));
    let expected = "encryption is 5, known are 0 (none) and 2, 3, 4 (AES)";
    assert_eq!(refusal(&recipe(), 16, &[5]), unsupported(expected));
}

#[test]
fn rejects_table_entries_of_no_or_of_nine_bytes() {
    for entry_len in [0, 9, 255] {
        let expected = format!("bytes per chunk table entry are {entry_len}, not from 1 to 8");
        assert_eq!(refusal(&recipe(), 33, &[entry_len]), corrupt(&expected));
    }
}

#[test]
fn rejects_more_chunks_than_the_limit() {
    let mut files = recipe().write();
    files.first()[12..16].copy_from_slice(&(20_u32 << 20).to_le_bytes());
    files.first()[25..29].copy_from_slice(&(20_u32 << 20).to_le_bytes());
    files.first()[29..33].copy_from_slice(&512_u32.to_le_bytes());
    let expected = limit("number of chunks is 20971520, more than the limit of 16777216");
    assert_eq!(refusal_of(&files), expected);
}

#[test]
fn rejects_a_chunk_table_outside_the_file_or_inside_the_header() {
    let mut files = recipe().write();
    files.first().truncate(90);
    let expected = "the chunk table (36 bytes at 64) is not between the header (64 bytes) and the file's end at 90";
    assert_eq!(refusal_of(&files), corrupt(expected));
    for at in [4_u32, 63, 0xFFFF_FFF0] {
        let expected = format!("the chunk table (36 bytes at {at}) is not between");
        let found = refusal(&recipe(), 35, &at.to_le_bytes());
        assert!(found.1.starts_with(&expected), "{}", found.1);
    }
}

#[test]
fn rejects_data_outside_the_file_or_inside_the_header() {
    for at in [63_u32, u32::MAX] {
        let expected = format!("data offset is {at}, not between the header (64 bytes)");
        let found = refusal(&recipe(), 43, &at.to_le_bytes());
        assert!(found.1.starts_with(&expected), "{}", found.1);
    }
}

/// The file once the chunk table has `word` as the entry of `chunk`.
fn with_entry(chunk: usize, word: u32) -> Files {
    let mut files = recipe().write();
    for (i, byte) in word.to_le_bytes()[..3].iter().enumerate() {
        let at = chunk * 3 + i;
        files.first()[64 + at] = byte ^ !b"IsZ!"[at % 4];
    }
    files
}

#[test]
fn rejects_a_chunk_longer_than_the_chunk_size() {
    for (kind, name) in [(0, "zero"), (1, "stored"), (2, "zlib"), (3, "bzip2")] {
        let expected =
            format!("chunk 5: length of the {name} data is 4097, more than the chunk size of 4096");
        assert_eq!(
            refusal_of(&with_entry(5, (kind << 22) + 4097)),
            corrupt(&expected)
        );
    }
}

#[test]
fn rejects_a_stored_chunk_that_is_not_as_long_as_the_chunk() {
    let expected = "chunk 5: length of the stored data is 4095, not the chunk's 4096";
    assert_eq!(
        refusal_of(&with_entry(5, (1 << 22) + 4095)),
        corrupt(expected)
    );
    let expected = "chunk 11: length of the stored data is 4096, not the chunk's 3584";
    assert_eq!(
        refusal_of(&with_entry(11, (1 << 22) + 4096)),
        corrupt(expected)
    );
}

#[test]
fn rejects_a_compressed_chunk_of_no_bytes() {
    for (kind, name) in [(2, "zlib"), (3, "bzip2")] {
        let expected =
            format!("chunk 5: length of the {name} data is 0, a stream has at least one byte");
        assert_eq!(refusal_of(&with_entry(5, kind << 22)), corrupt(&expected));
    }
}

#[test]
fn notes_a_chunk_of_zeroes_with_another_length() {
    let opened = open_files(&with_entry(4, 5)).unwrap();
    assert_eq!(
        opened.details.notes,
        ["chunks of zeroes whose length is neither 0 nor the chunk's: 1"]
    );
}

#[test]
fn notes_a_table_that_contradicts_the_stored_size() {
    let mut recipe = recipe();
    recipe.codecs = vec![Codec::Zlib];
    let mut files = recipe.write();
    files.first()[52] ^= 1;
    let notes = open_files(&files).unwrap().details.notes;
    assert!(
        notes[0].contains(" stored bytes, the header says "),
        "{notes:?}"
    );
}

#[test]
fn a_damaged_chunk_fails_alone() {
    let mut recipe = recipe();
    recipe.codecs = vec![Codec::Zlib];
    let mut files = recipe.write();
    files.first()[110..118].fill(0xA5);
    let image = image(open_files(&files).unwrap());
    let mut found = vec![0; 4096];
    let err = image.read_at(&mut found, 0).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt);
    let expected = "block 0 (image offset 0, stored at 100, ";
    assert!(err.to_string().starts_with(expected), "{err}");
    image.read_at(&mut found, 4096).unwrap();
    assert_eq!(found, recipe.plain[4096..8192]);
}

fn encrypted(codecs: Vec<Codec>) -> Recipe {
    let mut recipe = recipe();
    recipe.codecs = codecs;
    recipe.key = Some((16, b"secret".to_vec()));
    recipe
}

fn refusal_with(recipe: &Recipe, password: Option<&[u8]>) -> String {
    let err = open_with(&recipe.write(), password).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Password);
    err.to_string()
}

#[test]
fn rejects_an_encrypted_image_without_a_password() {
    let expected = "the image is encrypted with AES-128; give the password with --password-file, PLAINISO_PASSWORD, or in a file NAME.pwd beside it";
    assert_eq!(refusal_with(&encrypted(vec![Codec::Zlib]), None), expected);
}

#[test]
fn rejects_a_wrong_password_by_compressed_chunks() {
    for codec in [Codec::Zlib, Codec::Bzip2] {
        let found = refusal_with(&encrypted(vec![codec]), Some(b"Secret"));
        assert!(
            found.starts_with("the password is wrong: with it, chunk 0: "),
            "{found}"
        );
    }
}

#[test]
fn a_damaged_first_chunk_does_not_make_the_password_wrong() {
    let mut files = encrypted(vec![Codec::Zlib]).write();
    files.first()[110..130].fill(0xA5);
    assert!(open_with(&files, Some(b"secret")).is_ok());
}

#[test]
fn rejects_a_wrong_password_by_the_checksum_when_no_chunk_is_compressed() {
    let mut recipe = encrypted(vec![Codec::Raw]);
    let found = refusal_with(&recipe, Some(b"Secret"));
    assert!(
        found.starts_with("the password is wrong: with it, the image's CRC-32 is "),
        "{found}"
    );
    recipe.header_size = 48;
    let opened = open_with(&recipe.write(), Some(b"Secret")).unwrap();
    assert_eq!(
        opened.details.notes,
        ["nothing in the image tells whether the password is right"]
    );
}

#[test]
fn a_chunk_too_short_to_be_encrypted_does_not_make_the_password_right() {
    let mut recipe = encrypted(vec![Codec::Raw, Codec::Zlib]);
    recipe.sector = 32;
    recipe.plain = [&disc(95)[512 * 16..][..4096], &[b'a'; 32]].concat();
    let found = refusal_with(&recipe, Some(b"Secret"));
    assert!(found.contains("the image's CRC-32 is "), "{found}");
}

#[test]
fn a_volume_descriptor_shows_that_the_password_is_right() {
    for mark in [b"CD001", b"BEA01"] {
        let mut recipe = encrypted(vec![Codec::Raw]);
        recipe.header_size = 48;
        recipe.plain[0x8001..0x8006].copy_from_slice(mark);
        let opened = open_with(&recipe.write(), Some(b"secret")).unwrap();
        assert_eq!(opened.details.notes, [""; 0]);
    }
}
