use std::ffi::OsStr;

use proptest::{collection::vec, prelude::*, sample::Index as Any};

use super::*;
use crate::{
    ErrorKind,
    codec::Codec,
    format::tests::{Beside, image, opened, read, survives},
    image::Image,
};

const BLOCK: usize = 256 << 10;

/// A file with these blocks of the disc in use, one behind the other in the file; each is filled with its number.
fn wbfs(used: &[usize]) -> Vec<u8> {
    let mut file = vec![0; BLOCK];
    file[..4].copy_from_slice(b"WBFS");
    (file[8], file[9], file[12]) = (9, 18, 1);
    for (at, &block) in used.iter().enumerate() {
        let place = u16::try_from(1 + at).unwrap();
        file[768 + 2 * block..770 + 2 * block].copy_from_slice(&place.to_be_bytes());
        file.extend(stored(block));
    }
    file
}

fn stored(block: usize) -> Vec<u8> {
    (0..BLOCK)
        .map(|at| (block * 7 + at / 512 + 1).to_le_bytes()[0] | 1)
        .collect()
}

/// What the disc holds at `at`.
fn plain(used: &[usize], at: usize, len: usize) -> Vec<u8> {
    let byte = |at: usize| {
        let value = (at / BLOCK * 7 + at % BLOCK / 512 + 1).to_le_bytes()[0] | 1;
        u8::from(used.contains(&(at / BLOCK))) * value
    };
    (at..at + len).map(byte).collect()
}

const USED: [usize; 4] = [0, 1, 5, 300];

fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = wbfs(&USED);
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

fn refused(file: Vec<u8>) -> String {
    opened(file).unwrap_err().to_string()
}

#[test]
fn a_disc_of_one_layer_has_its_size_and_zeroes_where_nothing_is_stored() {
    let image = image(opened(wbfs(&USED)).unwrap());
    assert_eq!(image.size(), WII);
    assert_eq!(image.next_hole(0), 2 * BLOCK as u64);
    assert_eq!(image.next_data(2 * BLOCK as u64), 5 * BLOCK as u64);
    assert_eq!(image.next_data(301 * BLOCK as u64), WII);
    assert_eq!(read(&image, WII - 3, 9).unwrap(), [0; 3]);
}

#[test]
fn a_block_behind_the_first_layer_makes_a_disc_of_two() {
    let behind = usize::try_from(WII).unwrap() / BLOCK + 1;
    let image = image(opened(wbfs(&[0, behind])).unwrap());
    assert_eq!(image.size(), WII_OF_TWO_LAYERS);
    let at = behind * BLOCK;
    assert_eq!(
        read(&image, at as u64, BLOCK).unwrap(),
        plain(&[behind], at, BLOCK)
    );
}

#[test]
fn rejects_sizes_that_nobody_writes() {
    assert!(
        refused(changed(8, &[8])).starts_with("size of a hard-disk sector is 2 to the power of 8")
    );
    assert!(refused(changed(8, &[16])).contains("from 9 to 15"));
    assert!(refused(changed(9, &[14])).starts_with("size of a block is 2 to the power of 14"));
    assert!(refused(changed(9, &[31])).contains("from 15 to 30"));
}

#[test]
fn rejects_a_file_without_a_disc() {
    assert_eq!(refused(changed(12, &[0])), "no slot holds a disc, one must");
}

#[test]
fn rejects_a_file_of_several_discs() {
    let err = opened(changed(12, &[1, 0, 1])).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unsupported);
    assert!(err.to_string().starts_with("the file holds 2 discs"));
}

#[test]
fn rejects_a_disc_without_blocks() {
    assert!(refused(wbfs(&[])).starts_with("no block of the disc is in use"));
}

#[test]
fn rejects_a_block_behind_two_layers() {
    let behind = usize::try_from(WII_OF_TWO_LAYERS).unwrap().div_ceil(BLOCK);
    assert!(refused(wbfs(&[0, behind])).contains("a disc of two layers ends at"));
}

#[test]
fn rejects_a_file_that_ends_inside_its_table() {
    let mut file = wbfs(&USED);
    file.truncate(1000);
    assert!(refused(file).starts_with("the file ends at 1000, inside the block table"));
    assert!(refused(b"WBFS\0\0\0\0\x09".to_vec()).contains("WBFS header"));
    assert!(refused(b"WBFS\0\0\0\0\x09\x15\x01\0\x01".to_vec()).contains("list of slots"));
}

#[test]
fn a_disc_in_another_slot_is_found() {
    let table = 2 * usize::try_from(SECTORS >> 6).unwrap();
    let slot = (256 + table).next_multiple_of(512);
    let mut file = vec![0; 3 << 21];
    file[..4].copy_from_slice(b"WBFS");
    (file[8], file[9], file[13]) = (9, 21, 1);
    file[512 + slot + 256 + 1] = 2;
    file[2 << 21] = 77;
    let image = image(opened(file).unwrap());
    assert_eq!(read(&image, 0, 2).unwrap(), [77, 0]);
}

#[test]
fn a_file_that_is_cut_lacks_the_sectors_behind_the_cut_only() {
    let mut file = wbfs(&USED);
    file.truncate(file.len() - 40_000);
    let opened = opened(file).unwrap();
    assert!(opened.details.notes[0].contains("cannot be read"));
    let image = image(opened);
    let last = 300 * BLOCK as u64;
    let sector = 32 << 10;
    for (at, works) in [
        (0, true),
        (last + 5 * sector, true),
        (last + 6 * sector, false),
        (last + 7 * sector, false),
        (last + 8 * sector, true),
    ] {
        assert_eq!(read(&image, at, 100).is_ok(), works, "{at}");
    }
    assert_eq!(image.locate(last / sector + 6).codec, Codec::Missing);
}

#[test]
fn rejects_a_table_that_reaches_behind_the_first_block() {
    assert!(
        refused(changed(9, &[16])).starts_with("the block table ends at 287632, it must end in")
    );
    assert!(refused(changed(9, &[17])).contains("which has 131072 bytes"));
}

fn open_set(first: &[u8], beside: &Beside) -> Opened {
    let options = OpenOptions {
        name: OsStr::new("Game.wbfs"),
        siblings: beside,
        ..OpenOptions::alone()
    };
    crate::format::open(Arc::new(first.to_vec()), &options).unwrap()
}

#[test]
fn a_set_of_files_is_read_as_one() {
    let file = wbfs(&USED);
    let cut = [file.len() - 150_000, file.len() - 100_000];
    let beside = Beside(vec![
        ("game.wbf1", file[cut[0]..cut[1]].to_vec()),
        ("GAME.WBF2", file[cut[1]..].to_vec()),
    ]);
    let opened = open_set(&file[..cut[0]], &beside);
    assert_eq!(
        opened.details.parts,
        ["Game.wbfs", "Game.wbf1", "Game.wbf2"]
    );
    let image = image(opened);
    for block in USED {
        let at = block * BLOCK;
        assert_eq!(
            read(&image, at as u64, BLOCK).unwrap(),
            plain(&USED, at, BLOCK)
        );
    }
}

#[test]
fn the_first_file_of_a_set_is_known_by_what_it_lacks() {
    let file = wbfs(&USED);
    assert_eq!(probe(&file).unwrap().part, PartOf::Whole);
    assert_eq!(
        probe(&file[..file.len() - 1].to_vec()).unwrap().part,
        PartOf::First
    );
    assert!(is_part_extension("wbf1") && !is_part_extension("wbfs") && !is_part_extension("wbf"));
}

#[test]
fn a_set_without_its_next_file_says_which_it_is() {
    let file = wbfs(&USED);
    let beside = Beside(vec![("game.wbf1", vec![0; 3])]);
    let opened = open_set(&file[..file.len() - 5], &beside);
    assert!(opened.details.notes[0].contains("Game.wbf2 is not beside"));
}

fn reads_as_stored(image: &Image, at: usize, len: usize) -> bool {
    read(image, at as u64, len).unwrap() == plain(&USED, at, len)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_read_is_the_slice_of_the_disc(at in 0..310 * BLOCK, near in 0..8 * BLOCK, len in 0..3 * BLOCK) {
        let image = image(opened(wbfs(&USED)).unwrap());
        prop_assert!(reads_as_stored(&image, at, len), "{len} bytes at {at}");
        prop_assert!(reads_as_stored(&image, near, len), "{len} bytes at {near}");
    }

    #[test]
    fn any_damage_gives_bytes_or_an_error(changes in vec((any::<Any>(), any::<u8>()), 1..6)) {
        let mut file = wbfs(&USED);
        for (at, byte) in changes {
            let at = at.index(1400);
            file[at] = byte;
        }
        survives(opened(file))?;
    }
}
