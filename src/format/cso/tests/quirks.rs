//! One test for each known habit and each kind of damage.

use super::*;

const BLOCKS: usize = 20;

fn plain() -> Vec<u8> {
    patterned(BLOCKS * 2048)
}

/// Changes one index entry.
fn set_entry(file: &mut [u8], i: usize, change: impl Fn(u32) -> u32) {
    let field = &mut file[24 + 4 * i..28 + 4 * i];
    let entry = u32::from_le_bytes(field.try_into().unwrap());
    field.copy_from_slice(&change(entry).to_le_bytes());
}

fn entry(file: &[u8], i: usize) -> u32 {
    u32::from_le_bytes(file[24 + 4 * i..28 + 4 * i].try_into().unwrap()) & 0x7fff_ffff
}

/// A CSO with one entry changed, read except for `bad` blocks; returns their errors.
fn damaged(i: usize, change: impl Fn(u32) -> u32, bad: &[u64]) -> Vec<String> {
    let mut file = Writer::cso().write(&plain());
    set_entry(&mut file, i, change);
    let note = notes(file.clone());
    assert_eq!(note.len(), 1, "{note:?}");
    assert!(note[0].starts_with(&format!("{} of 20 blocks cannot be read", bad.len())));
    let errors = assert_reads_except(file, &plain(), bad);
    errors.iter().map(Error::to_string).collect()
}

#[test]
fn an_entry_that_points_back_costs_its_block_and_the_one_before() {
    let errors = damaged(5, |_| 200, &[4, 5]);
    assert!(
        errors[0].contains("but the next one back to 200"),
        "{errors:?}"
    );
    let rule = "its index entry 5 points back to 200, before the previous block's ";
    assert!(errors[1].contains(rule), "{errors:?}");
}

#[test]
fn an_entry_that_points_ahead_costs_its_block() {
    let errors = damaged(5, |entry| entry + 5000, &[5]);
    assert!(
        errors[0].contains("its index entry 5 points to "),
        "{errors:?}"
    );
}

#[test]
fn an_entry_behind_the_file_costs_its_block() {
    let errors = damaged(5, |_| 0x7fff_fff0, &[5]);
    assert!(errors[0].contains("points to 2147483632, behind the end of the file at "));
}

#[test]
fn an_entry_inside_the_index_costs_its_block() {
    let errors = damaged(0, |_| 30, &[0]);
    let rule = "its index entry 0 points to 30, inside the header and index, which end at 108";
    assert!(errors[0].contains(rule), "{errors:?}");
}

#[test]
fn two_equal_entries_cost_both_blocks() {
    let file = Writer::cso().write(&plain());
    let before = entry(&file, 4);
    let errors = damaged(5, |flag| flag & 1 << 31 | before, &[4, 5]);
    assert!(errors[0].contains("which leaves it no bytes"), "{errors:?}");
    assert!(errors[1].contains("like the previous one"), "{errors:?}");
}

#[test]
fn a_stored_flag_on_a_compressed_block_costs_the_block() {
    let file = Writer::cso().write(&plain());
    let short = (0..20).find(|&i| entry(&file, i + 1) - entry(&file, i) < 2048);
    let short = short.unwrap();
    let errors = damaged(short, |entry| entry | 1 << 31, &[short as u64]);
    assert!(
        errors[0].contains(" of its 2048 stored bytes"),
        "{errors:?}"
    );
}

#[test]
fn an_entry_inside_the_previous_stored_block_costs_both_blocks() {
    let writer = Writer {
        store_every: 1,
        ..Writer::zso()
    };
    let mut file = writer.write(&plain());
    set_entry(&mut file, 5, |entry| entry - 100);
    let errors = assert_reads_except(file, &plain(), &[4, 5]);
    let rule = "inside the previous block's stored bytes at 8300";
    assert!(errors[1].to_string().ends_with(rule), "{errors:?}");
}

#[test]
fn a_cut_file_reads_up_to_the_cut() {
    let mut file = Writer::zso().write(&plain());
    let cut = entry(&file, 12) as usize + 9;
    file.truncate(cut);
    let bad: Vec<u64> = (12..20).collect();
    let note = notes(file.clone());
    assert_eq!(note.len(), 1);
    let errors = assert_reads_except(file, &plain(), &bad);
    assert!(
        errors[0].to_string().contains("the file ends "),
        "{}",
        errors[0]
    );
    let rule = format!("behind the end of the file at {cut}");
    assert!(errors[1].to_string().ends_with(&rule));
}

#[test]
fn a_cut_last_block_is_noted_and_costs_that_block() {
    for writer in [Writer::cso(), Writer::zso()] {
        let mut file = writer.write(&plain());
        file.pop();
        let note = notes(file.clone());
        assert!(
            note[0].starts_with("the last block cannot be read"),
            "{note:?}"
        );
        assert_reads_except(file, &plain(), &[19]);
    }
}

#[test]
fn a_lost_tail_is_an_error_never_zeroes() {
    let plain = patterned(9 * 6144 + 4096);
    for (shift, gap) in [(0, 0), (0, 40), (4, 0), (6, 0), (11, 0)] {
        let writer = Writer {
            block_size: 6144,
            tail: Tail::LeftOut,
            last: Final::Down,
            shift,
            gap,
            ..Writer::zso()
        };
        let file = writer.write(&plain);
        let note = notes(file.clone());
        assert_eq!(note.len(), 1, "shift {shift}, gap {gap}: {note:?}");
        assert!(note[0].contains("left out the last 4096 bytes"), "{note:?}");
        let errors = assert_reads_except(file, &plain, &[9]);
        let rule = "block 9 (image offset 55296): its writer left out the last 4096 bytes";
        assert!(errors[0].to_string().starts_with(rule), "{}", errors[0]);
    }
}

#[test]
fn rejects_an_image_smaller_than_its_blocks_that_was_left_out_as_a_whole() {
    let writer = Writer {
        tail: Tail::LeftOut,
        ..Writer::cso()
    };
    let err = open(writer.write(&patterned(700))).unwrap_err();
    let rule = "no block has a place in the file; block 0: its writer left out the last 700 bytes";
    assert!(err.to_string().starts_with(rule), "{err}");
}

#[test]
fn rejects_an_index_of_which_all_is_behind_the_file() {
    let mut file = Writer::cso().write(&plain());
    file[21] = 12;
    let err = open(file).unwrap_err();
    let rule = "no block has a place in the file; block 0: its index entry 0 points to 442368";
    assert!(err.to_string().starts_with(rule), "{err}");
}

#[test]
fn a_lost_last_byte_reads_as_zero_and_is_noted() {
    for shift in [0, 3] {
        for len in [2048 + 700, 2048 + 2] {
            for store_every in [0, 1] {
                let mut plain = patterned(len);
                let writer = Writer {
                    tail: Tail::OneByteShort,
                    filler: 0,
                    shift,
                    store_every,
                    ..Writer::zso()
                };
                let file = writer.write(&plain);
                *plain.last_mut().unwrap() = 0;
                // Padding behind a stored block stands in for the byte, and hides that it is not there.
                if shift == 0 || (len > 2050 && store_every == 0) {
                    let note = notes(file.clone());
                    assert!(
                        note[0].starts_with("the last byte of the image"),
                        "{note:?}"
                    );
                }
                assert_reads_except(file, &plain, &[]);
            }
        }
    }
}

#[test]
fn a_lost_last_entry_is_found_again() {
    for store_every in [0, 1, 2, 3] {
        for blocks in [1, 2, 3, 20] {
            let plain = patterned(blocks * 2048);
            let writer = Writer {
                last: Final::Lost,
                pack: headless_zlib,
                store_every,
                ..Writer::cso()
            };
            let file = writer.write(&plain);
            let note = notes(file.clone());
            assert!(note[0].contains("it was found at"), "{note:?}");
            assert_reads_except(file, &plain, &[]);
        }
    }
}

#[test]
fn a_lost_last_entry_that_cannot_be_proven_costs_the_last_block() {
    let writer = Writer {
        last: Final::Lost,
        ..Writer::cso()
    };
    assert_reads_except(writer.write(&plain()), &plain(), &[19]);
}

#[test]
fn a_block_that_holds_too_much_or_too_little_is_an_error() {
    let bomb: fn(&[u8]) -> Vec<u8> = |_| deflate(&vec![0; 100_000]);
    let short: fn(&[u8]) -> Vec<u8> = |_| deflate(&[0; 1000]);
    for pack in [bomb, short] {
        let writer = Writer {
            pack,
            ..Writer::cso()
        };
        assert_reads_except(writer.write(&[0; 2 * 2048]), &[0; 2 * 2048], &[0, 1]);
    }
}

#[test]
fn compressed_blocks_may_be_longer_than_plain_ones() {
    let writer = Writer {
        pack: |block| {
            // A stored deflate block: its header, the length, its complement, the bytes.
            let len = block.len() as u16;
            [&[1][..], &len.to_le_bytes(), &(!len).to_le_bytes(), block].concat()
        },
        ..Writer::cso()
    };
    let mut file = Vec::new();
    let plain = plain();
    let packed: Vec<Vec<u8>> = plain.chunks(2048).map(writer.pack).collect();
    file.extend(header(*b"CISO", plain.len() as u64, 2048, 1, 0));
    for i in 0..=packed.len() {
        file.extend((108 + 2053 * i as u32).to_le_bytes());
    }
    file.extend(packed.concat());
    assert_reads_except(file, &plain, &[]);
}

#[test]
fn an_unusual_header_is_noted() {
    let writer = Writer {
        header_size: 99,
        shift: 17,
        ..Writer::cso()
    };
    let note = notes(writer.write(&patterned(3000)));
    assert!(note[0].starts_with("header size is 99"), "{note:?}");
    assert!(note[1].starts_with("index shift is 17"), "{note:?}");
}
