use std::{ffi::OsStr, sync::Arc};

use proptest::{prelude::*, sample::Index as Anywhere};

use super::*;
use crate::{
    codec::Codec,
    format::{
        Password,
        tests::{image, reads, reads_like, survives},
    },
    image::Image,
};

mod real;
mod rejects;
mod sets;
mod writer;

use writer::{Files, Names, Recipe};

fn open_with(files: &Files, password: Option<&[u8]>) -> Result<Opened> {
    let (name, bytes) = &files.0[0];
    let options = OpenOptions {
        name: OsStr::new(name),
        siblings: files,
        password: &|| Ok(password.map(|bytes| Password::new(bytes.to_vec()))),
        ..OpenOptions::alone()
    };
    super::open(Arc::new(bytes.clone()), &options)
}

fn open_files(files: &Files) -> Result<Opened> {
    open_with(files, None)
}

fn read_all(image: &Image) -> Result<Vec<u8>> {
    let mut plain = vec![0xEE; image.size() as usize];
    image.read_at(&mut plain, 0)?;
    Ok(plain)
}

/// Sectors of text, noise and zeroes in turn, so that all four kinds of chunks occur.
fn disc(sectors: usize) -> Vec<u8> {
    let mut noise = 1_u32;
    let mut sector = |i: usize| -> Vec<u8> {
        let byte = |at: usize| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match i / 16 % 3 {
                0 => b"some plain words "[at % 17],
                1 => (noise >> 24) as u8,
                _ => 0,
            }
        };
        (0..512).map(byte).collect()
    };
    (0..sectors).flat_map(&mut sector).collect()
}

fn assert_reads_back(recipe: &Recipe) -> Details {
    let password = recipe.key.as_ref().map(|(_, password)| &password[..]);
    let opened = open_with(&recipe.write(), password).unwrap();
    let details = opened.details.clone();
    assert!(
        read_all(&image(opened)).unwrap() == recipe.plain,
        "{recipe:?}"
    );
    details
}

#[test]
fn every_header_size_and_table_width_reads_back() {
    for header_size in [47, 48, 64, 100, 255] {
        for entry_len in [2, 3, 4, 5, 8] {
            for masked in [true, false] {
                let mut recipe = Recipe::new(disc(95));
                recipe.header_size = header_size;
                recipe.entry_len = entry_len;
                recipe.masked = masked;
                let details = assert_reads_back(&recipe);
                assert_eq!(
                    details.notes.len(),
                    usize::from(entry_len != 3) + usize::from(!masked)
                );
            }
        }
    }
}

#[test]
fn a_table_of_one_byte_entries_reads_back() {
    let mut recipe = Recipe::new(disc(96));
    recipe.sector = 16;
    recipe.block = 48;
    recipe.entry_len = 1;
    recipe.codecs = vec![Codec::Zero, Codec::Raw];
    assert_reads_back(&recipe);
}

#[test]
fn a_table_that_makes_sense_with_and_without_its_mask_is_read_so_that_nothing_is_left_over() {
    // 2048 stored bytes, or with the mask 1206 bytes of bzip2 data and something behind them.
    let mut recipe = Recipe::new(disc(4));
    recipe.block = 2048;
    recipe.entry_len = 2;
    recipe.masked = false;
    recipe.codecs = vec![Codec::Raw];
    assert_reads_back(&recipe);
}

#[test]
fn bzip2_data_reads_back_whatever_its_first_bytes_were_replaced_by() {
    for start in [b"ISz", b"BZh", b"???"] {
        let mut recipe = Recipe::new(disc(95));
        recipe.codecs = vec![Codec::Bzip2];
        recipe.bzip2_start = *start;
        assert_reads_back(&recipe);
    }
}

#[test]
fn chunks_of_zeroes_take_no_space_whatever_length_they_give() {
    for zero_gives_length in [true, false] {
        let mut recipe = Recipe::new(disc(200));
        recipe.zero_gives_length = zero_gives_length;
        let details = assert_reads_back(&recipe);
        assert_eq!(details.notes, [""; 0]);
        recipe.plain.fill(0);
        assert_reads_back(&recipe);
    }
}

#[test]
fn a_raw_image_has_blocks_of_our_own() {
    let mut recipe = Recipe::new(disc(300));
    recipe.codecs = vec![Codec::Raw];
    recipe.entry_len = 0;
    let details = assert_reads_back(&recipe);
    assert_eq!(details.variant, "ISZ, 64-byte header, no chunk table");
    let opened = open_files(&recipe.write()).unwrap();
    assert_eq!(opened.map.geometry().largest_block(), 64 << 10);
}

#[test]
fn details_say_what_the_header_says() {
    let recipe = Recipe::new(disc(95));
    let details = assert_reads_back(&recipe);
    assert_eq!(details.variant, "ISZ, 64-byte header, 4096-byte chunks");
    assert_eq!(details.encryption, None);
    assert_eq!(details.parts, [""; 0]);
    let covers: Vec<_> = details.checksums.iter().map(|sum| sum.covers).collect();
    assert_eq!(covers, ["image", "stored"]);
    let crc = format!("{:08x}", crc32fast::hash(&recipe.plain));
    assert_eq!(details.checksums[0].value, crc);
}

#[test]
fn a_longer_last_chunk_is_cut() {
    let mut recipe = Recipe::new(disc(8));
    recipe.codecs = vec![Codec::Zlib];
    let mut files = recipe.write();
    // Seven sectors instead of eight, in the same chunk.
    files.first()[12] = 7;
    let opened = open_files(&files).unwrap();
    assert_eq!(read_all(&image(opened)).unwrap(), recipe.plain[..7 * 512]);
}

#[test]
fn bytes_behind_the_data_do_not_matter() {
    let recipe = Recipe::new(disc(95));
    let mut files = recipe.write();
    files.first().extend([7; 68]);
    assert_eq!(
        read_all(&image(open_files(&files).unwrap())).unwrap(),
        recipe.plain
    );
}

#[test]
fn an_incomplete_file_opens_and_its_missing_chunks_are_errors() {
    let recipe = Recipe::new(disc(240));
    let mut files = recipe.write();
    let len = files.first().len();
    files.first().truncate(len - len / 3);
    let opened = open_files(&files).unwrap();
    assert!(opened.details.notes[0].starts_with("Game.isz is cut short"));
    let image = image(opened);
    let mut missing = 0;
    for block in 0..image.geometry().blocks() {
        let span = image.geometry().span(block);
        let expected = &recipe.plain[span.start as usize..span.end as usize];
        let mut found = vec![0xEE; expected.len()];
        match image.read_at(&mut found, span.start) {
            Ok(_) => assert!(found == expected),
            Err(err) => {
                assert!(err.to_string().contains("Game.isz is cut short"), "{err}");
                missing += 1;
            }
        }
    }
    assert!(missing > 0 && missing < image.geometry().blocks());
}

#[test]
fn every_key_length_reads_back() {
    for (len, name) in [(16, "AES-128"), (24, "AES-192"), (32, "AES-256")] {
        for codecs in [
            vec![Codec::Zero, Codec::Zlib, Codec::Bzip2],
            vec![Codec::Raw],
        ] {
            for entry_len in [0, 3] {
                let mut recipe = Recipe::new(disc(95));
                recipe.entry_len = entry_len;
                recipe.codecs = if entry_len == 0 {
                    vec![Codec::Raw]
                } else {
                    codecs.clone()
                };
                recipe.key = Some((len, b"secret".to_vec()));
                let details = assert_reads_back(&recipe);
                assert_eq!(details.encryption, Some(name));
            }
        }
    }
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let split = prop::option::of(0..20_000_u64);
    (forms(), keys(), split).prop_map(|(recipe, key, split)| Recipe {
        key,
        // No chunk may lie in three files, and there are at most 100.
        split: split.map(|room| room + u64::from(recipe.block) * 3),
        ..recipe
    })
}

fn keys() -> impl Strategy<Value = Option<(usize, Vec<u8>)>> {
    let password = prop::collection::vec(any::<u8>(), 1..40);
    prop::option::of((prop::sample::select(vec![16, 24, 32]), password))
}

/// Single files without encryption.
fn forms() -> impl Strategy<Value = Recipe> {
    let all = vec![Codec::Zero, Codec::Raw, Codec::Zlib, Codec::Bzip2];
    let codecs = prop::collection::vec(prop::sample::select(all), 1..5);
    let sizes = (1..200_usize, 1..9_u32, 47..=255_u8);
    let names = prop::sample::select(vec![
        Names::Extensions,
        Names::TwoDigits,
        Names::ThreeDigits,
    ]);
    let form =
        |((sectors, per_block, header_size), codecs, names, masked, zero_gives_length)| Recipe {
            block: per_block * 512,
            header_size,
            codecs,
            names,
            masked,
            zero_gives_length,
            ..Recipe::new(disc(sectors))
        };
    let tabled = (sizes, codecs, names, any::<bool>(), any::<bool>()).prop_map(form);
    let entry_len = prop_oneof![Just(0), 2..=8_usize];
    (tabled, entry_len).prop_map(|(recipe, entry_len)| match entry_len {
        0 => Recipe {
            entry_len,
            codecs: vec![Codec::Raw],
            ..recipe
        },
        _ => Recipe {
            entry_len,
            ..recipe
        },
    })
}

proptest! {
    #[test]
    fn any_read_equals_the_slice(recipe in recipes(), reads in reads(70_000)) {
        let password = recipe.key.as_ref().map(|(_, password)| &password[..]);
        let image = image(open_with(&recipe.write(), password).unwrap());
        reads_like(&image, &recipe.plain, &reads)?;
    }

    #[test]
    fn damage_never_panics_nor_points_outside(
        recipe in recipes(),
        damage in prop::collection::vec((any::<Anywhere>(), 0..400_usize, any::<u8>()), 0..6),
        cut in prop::option::of((any::<Anywhere>(), any::<Anywhere>())),
    ) {
        let password = recipe.key.as_ref().map(|(_, password)| &password[..]);
        let mut files = recipe.write();
        for (file, at, byte) in damage {
            let file = file.index(files.0.len());
            if let Some(old) = files.0[file].1.get_mut(at) {
                *old = byte;
            }
        }
        if let Some((file, len)) = cut {
            let file = file.index(files.0.len());
            let bytes = &mut files.0[file].1;
            bytes.truncate(len.index(bytes.len() + 1));
        }
        let _ = super::probe(&files.0[0].1);
        survives(open_with(&files, password))?;
    }
}
