//! Sets of files: joining them, and one test per rule.

use super::*;
use crate::ErrorKind;

/// About eight files of 6000 bytes each.
fn recipe(names: Names) -> Recipe {
    let mut recipe = Recipe::new(disc(240));
    recipe.split = Some(6000);
    recipe.names = names;
    recipe
}

fn set() -> Files {
    let files = recipe(Names::Extensions).write();
    assert!(files.0.len() > 3);
    files
}

#[test]
fn all_three_naming_schemes_read_back_whatever_the_letter_case() {
    for names in [Names::Extensions, Names::TwoDigits, Names::ThreeDigits] {
        let recipe = recipe(names);
        let mut files = recipe.write();
        let count = files.0.len();
        let details = open_files(&files).unwrap().details;
        let expected: Vec<_> = (0..count).map(|number| recipe.name(number)).collect();
        assert_eq!(details.parts, expected);
        assert_eq!(details.notes, [""; 0]);
        for (name, _) in &mut files.0 {
            name.make_ascii_uppercase();
        }
        let image = image(open_files(&files).unwrap());
        assert!(read_all(&image).unwrap() == recipe.plain);
    }
}

#[test]
fn a_numbered_first_file_may_have_lettered_others() {
    let recipe = recipe(Names::Extensions);
    let mut files = recipe.write();
    for (number, (name, _)) in files.0.iter_mut().enumerate() {
        *name = match number {
            0 => "Game.part01.isz".into(),
            _ => format!("Game.part01.i{number:02}"),
        };
    }
    assert!(read_all(&image(open_files(&files).unwrap())).unwrap() == recipe.plain);
}

#[test]
fn a_set_without_tables_reads_back() {
    for split in [4096, 6000, 61_440, 122_880 - 1] {
        let mut recipe = recipe(Names::Extensions);
        recipe.entry_len = 0;
        recipe.codecs = vec![Codec::Raw];
        recipe.split = Some(split);
        let details = assert_reads_back(&recipe);
        assert_eq!(details.parts.len() as u64, 122_880_u64.div_ceil(split));
    }
}

#[test]
fn probing_tells_first_and_later_files() {
    let files = set();
    let probed = |number: usize| super::super::probe(&files.0[number].1).unwrap();
    assert_eq!(probed(0).part, PartOf::First);
    assert_eq!(probed(0).size, 122_880);
    assert_eq!(probed(2).part, PartOf::Later(2));
    let single = Recipe::new(disc(95)).write();
    assert_eq!(
        super::super::probe(&single.0[0].1).unwrap().part,
        PartOf::Whole
    );
    let mut raw = recipe(Names::Extensions);
    raw.entry_len = 0;
    raw.codecs = vec![Codec::Raw];
    assert_eq!(
        super::super::probe(&raw.write().0[0].1).unwrap().part,
        PartOf::First
    );
}

fn refusal(files: &Files) -> String {
    let err = open_files(files).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt, "{err}");
    err.to_string()
}

#[test]
fn rejects_a_later_file_and_names_the_first() {
    for (names, first) in [
        (Names::Extensions, "Game.isz"),
        (Names::ThreeDigits, "Game.part001.isz"),
    ] {
        let mut files = recipe(names).write();
        files.0.swap(0, 2);
        let err = open_files(&files).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Unsupported);
        assert_eq!(
            err.to_string(),
            format!("this is file 3 of a set, open the first: {first}")
        );
    }
}

#[test]
fn rejects_a_set_with_a_missing_file_and_says_where_to_put_it() {
    for (names, missing, first) in [
        (Names::Extensions, "Game.i02", "Game.isz"),
        (Names::TwoDigits, "Game.part03.isz", "Game.part01.isz"),
    ] {
        let mut files = recipe(names).write();
        let count = files.0.len();
        files.0.remove(2);
        let err = open_files(&files).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::MissingPart);
        let expected =
            format!("file 3 of {count} of the set is missing: put {missing} beside {first}");
        assert_eq!(err.to_string(), expected);
    }
}

#[test]
fn rejects_a_file_of_another_image() {
    let mut files = set();
    files.0[1].1[6] ^= 1;
    let expected =
        "Game.i01: volume serial number is 4d188485, not 4d188484: it belongs to another image";
    assert_eq!(refusal(&files), expected);
}

#[test]
fn rejects_two_files_with_swapped_names() {
    let mut files = set();
    let (one, two) = files.0.split_at_mut(2);
    std::mem::swap(&mut one[1].1, &mut two[0].1);
    let expected =
        "Game.i01: segment number is 2, not 1: it bears the name of another file of the set";
    assert_eq!(refusal(&files), expected);
}

#[test]
fn rejects_a_later_file_that_is_no_isz_file() {
    let mut files = set();
    files.0[1].1[0] = b'X';
    assert_eq!(refusal(&files), "Game.i01: signature is XsZ!, not IsZ!");
    files.0[1].1.clear();
    let expected = "Game.i01: the file ends at 0, inside the header (47 bytes at 0)";
    assert_eq!(refusal(&files), expected);
}

#[test]
fn a_file_that_is_cut_short_costs_its_own_chunks_only() {
    let recipe = recipe(Names::Extensions);
    let mut files = recipe.write();
    files.0[1].1.truncate(3000);
    let opened = open_files(&files).unwrap();
    let notes = &opened.details.notes;
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("Game.i01 is cut short")),
        "{notes:?}"
    );
    let image = image(opened);
    let mut missing = 0;
    for (block, expected) in recipe.plain.chunks(4096).enumerate() {
        let mut found = vec![0xEE; 4096];
        match image.read_at(&mut found, block as u64 * 4096) {
            Ok(_) => assert!(found == expected),
            Err(err) => {
                assert!(err.to_string().contains("Game.i01 is cut short"), "{err}");
                missing += 1;
            }
        }
    }
    assert!((1..20).contains(&missing), "{missing}");
}

/// The segment table's field at `at` of entry `segment`, as it is once `value` is there.
fn with_field(segment: usize, at: usize, value: i32) -> Files {
    let mut files = set();
    let at = segment * 24 + at;
    for (i, byte) in value.to_le_bytes().iter().enumerate() {
        files.first()[64 + at + i] = byte ^ !b"IsZ!"[(at + i) % 4];
    }
    files
}

const COUNT: usize = 8;
const FIRST: usize = 12;
const OFFSET: usize = 16;
const LEFT: usize = 20;

#[test]
fn rejects_negative_fields() {
    for (at, name) in [
        (COUNT, "number of chunks"),
        (FIRST, "first chunk"),
        (OFFSET, "chunk offset"),
        (LEFT, "bytes left for the next file"),
    ] {
        let expected = format!("segment 1: {name} is -1, less than 0");
        assert_eq!(refusal(&with_field(1, at, -1)), expected);
    }
}

#[test]
fn rejects_an_empty_table() {
    let mut files = set();
    for at in 0..8 {
        files.first()[64 + at] = !b"IsZ!"[at % 4];
    }
    assert_eq!(refusal(&files), "the segment table is empty");
}

#[test]
fn rejects_a_table_without_its_closing_entry() {
    let mut files = set();
    // Without a mask on what is read, zeroes would close the table: fill it with entries of its own first.
    let entry = files.first()[64..88].to_vec();
    files.first().extend(entry.repeat(101));
    let at = (files.first().len() - 101 * 24) as u32;
    files.first()[39..43].copy_from_slice(&at.to_le_bytes());
    let expected = "the segment table has no closing entry behind 100 segments";
    assert_eq!(refusal(&files), expected);
    let len = files.first().len();
    files.first().truncate(len - 60 * 24 - 1);
    assert!(refusal(&files).contains("inside the segment table (24 bytes at "));
}

#[test]
fn rejects_a_table_outside_the_file_or_inside_the_header() {
    for at in [63_u32, u32::MAX] {
        let mut files = set();
        files.first()[39..43].copy_from_slice(&at.to_le_bytes());
        let expected = format!("segment table offset is {at}, not between the header (64 bytes)");
        assert!(refusal(&files).starts_with(&expected));
    }
}

#[test]
fn rejects_an_inner_file_that_starts_no_chunk() {
    let expected = "segment 1: number of chunks is 0, only the last file may start none";
    assert_eq!(refusal(&with_field(1, COUNT, 0)), expected);
}

#[test]
fn rejects_gaps_and_overlaps_between_files() {
    for first in [0, 99] {
        let found = refusal(&with_field(1, FIRST, first));
        let expected = format!("segment 1: first chunk is {first}, not ");
        assert!(found.starts_with(&expected), "{found}");
    }
}

#[test]
fn rejects_more_or_fewer_chunks_than_the_image_has() {
    let found = refusal(&with_field(1, COUNT, 1000));
    assert!(
        found.starts_with("segment 1: number of chunks is 1000, the image has only "),
        "{found}"
    );
    let last = set().0.len() - 1;
    let found = refusal(&with_field(last, COUNT, 0));
    assert!(found.starts_with("the segment table holds "), "{found}");
}

#[test]
fn rejects_more_bytes_left_than_a_chunk_has() {
    let found = refusal(&with_field(0, LEFT, i32::MAX));
    let expected =
        "segment 0: bytes left for the next file are 2147483647, its last chunk has only ";
    assert!(found.starts_with(expected), "{found}");
}

#[test]
fn rejects_bytes_left_in_the_last_file() {
    let last = set().0.len() - 1;
    let expected =
        format!("segment {last}: bytes left for the next file are 5, but this is the last");
    assert_eq!(refusal(&with_field(last, LEFT, 5)), expected);
}

#[test]
fn rejects_chunk_data_inside_a_header() {
    let expected = "its chunk data begins at 63, inside the header of 64 bytes";
    assert_eq!(refusal(&with_field(0, OFFSET, 63)), expected);
    let found = refusal(&with_field(1, OFFSET, 64));
    assert!(
        found.starts_with("Game.i01: its chunk data begins at ")
            || found.contains("must precede it"),
        "{found}"
    );
    let found = refusal(&with_field(1, OFFSET, 0));
    assert!(
        found.contains("bytes of the chunk before must precede it"),
        "{found}"
    );
}

#[test]
fn notes_a_file_of_another_size() {
    let mut files = set();
    files.0[1].1.extend([0; 10]);
    let notes = open_files(&files).unwrap().details.notes;
    assert!(
        notes[0].starts_with("Game.i01 has ") && notes.len() == 1,
        "{notes:?}"
    );
}

#[test]
fn rejects_a_segment_size_without_room_for_data() {
    let mut raw = recipe(Names::Extensions);
    raw.entry_len = 0;
    raw.codecs = vec![Codec::Raw];
    let mut files = raw.write();
    files.first()[17..25].copy_from_slice(&64_u64.to_le_bytes());
    let expected = "segment size is 64, which leaves no room for data behind offset 64";
    assert_eq!(refusal(&files), expected);
}

#[test]
fn rejects_a_later_header_that_leaves_no_room_for_data() {
    let mut raw = recipe(Names::Extensions);
    raw.entry_len = 0;
    raw.codecs = vec![Codec::Raw];
    raw.split = Some(100);
    let mut files = raw.write();
    files.0[1].1[4] = 164;
    let found = refusal(&files);
    assert_eq!(
        found,
        "Game.i01: header size is 164, which leaves no room for data in a file of 164"
    );
}

#[test]
fn rejects_a_set_of_more_than_100_files() {
    let mut raw = recipe(Names::Extensions);
    raw.entry_len = 0;
    raw.codecs = vec![Codec::Raw];
    raw.split = Some(600);
    assert_eq!(
        refusal(&raw.write()),
        "the set has 205 files, more than 100"
    );
}
