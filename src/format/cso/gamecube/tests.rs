use proptest::{collection::vec, prelude::*, sample::Index as Any};

use super::*;
use crate::{
    ErrorKind, format,
    format::tests::{image, opened, read, reads, reads_like, survives},
    map::console::{GAMECUBE, WII, WII_OF_TWO_LAYERS},
};

const BLOCK: usize = 32 << 10;

/// The blocks in use, each filled with its number; `magic` goes into the first at this place.
fn ciso(used: &[usize], magic: Option<(usize, u32)>) -> Vec<u8> {
    let mut file = vec![0; 0x8000];
    file[..4].copy_from_slice(b"CISO");
    file[4..8].copy_from_slice(&u32::try_from(BLOCK).unwrap().to_le_bytes());
    for &block in used {
        file[8 + block] = 1;
        file.extend(vec![(block + 1).to_le_bytes()[0]; BLOCK]);
    }
    if let Some((at, magic)) = magic {
        file[0x8000 + at..0x8004 + at].copy_from_slice(&magic.to_be_bytes());
    }
    file
}

/// The plain bytes of a disc without a magic.
fn plain(used: &[usize]) -> Vec<u8> {
    let end = used.iter().max().unwrap() + 1;
    let block = |block| {
        let byte = if used.contains(&block) { block + 1 } else { 0 };
        vec![byte.to_le_bytes()[0]; BLOCK]
    };
    (0..end).flat_map(block).collect()
}

const USED: [usize; 4] = [0, 2, 3, 9];

fn size_with(used: &[usize], magic: (usize, u32)) -> u64 {
    format::probe(&ciso(used, Some(magic)), "x.ciso".as_ref())
        .unwrap()
        .1
        .size
}

#[test]
fn a_disc_has_the_size_of_its_kind() {
    let (wii, gamecube) = ((24, 0x5d1c_9ea3), (28, 0xc233_9f3d));
    assert_eq!(size_with(&USED, gamecube), GAMECUBE);
    assert_eq!(size_with(&USED, wii), WII);
    // Blocks of 256 KiB, of which the last lies on the second layer.
    let mut file = ciso(&[0, 20_000], Some(wii));
    file[4..8].copy_from_slice(&(256_u32 << 10).to_le_bytes());
    assert_eq!(probe(&file).unwrap().size, WII_OF_TWO_LAYERS);
}

#[test]
fn a_disc_of_another_kind_ends_with_its_last_block() {
    assert_eq!(size_with(&USED, (24, 7)), 10 * BLOCK as u64);
}

#[test]
fn what_is_not_stored_is_a_hole() {
    let image = image(opened(ciso(&USED, Some((28, 0xc233_9f3d)))).unwrap());
    assert_eq!(image.next_hole(0), BLOCK as u64);
    assert_eq!(image.next_data(BLOCK as u64), 2 * BLOCK as u64);
    assert_eq!(image.next_data(10 * BLOCK as u64), GAMECUBE);
    assert_eq!(read(&image, GAMECUBE - 2, 5).unwrap(), [0, 0]);
}

#[test]
fn the_content_decides_and_not_the_name() {
    for name in ["x.cso", "x.ciso", "x"] {
        let found = format::detect(&ciso(&USED, None), name.as_ref()).unwrap();
        assert_eq!(found.name, "ciso");
    }
}

fn refused(file: &Vec<u8>) -> String {
    probe(file).unwrap_err().to_string()
}

#[test]
fn rejects_a_block_size_that_is_no_multiple_of_32_kib() {
    for size in [0, 24, 0x8001, 0x4000_u32] {
        let mut file = ciso(&USED, None);
        file[4..8].copy_from_slice(&size.to_le_bytes());
        assert!(refused(&file).starts_with(&format!("block size is {size}, ")));
    }
}

#[test]
fn rejects_a_map_of_other_bytes_than_0_and_1() {
    let mut file = ciso(&USED, None);
    file[8 + 77] = 2;
    assert_eq!(
        refused(&file),
        "the map has 2 for block 77, it must be 0 or 1"
    );
    assert!(!is_one(&file[..64], &file));
}

#[test]
fn rejects_a_map_without_a_block() {
    assert!(refused(&ciso(&[], None)).starts_with("no block of the disc is stored"));
}

#[test]
fn rejects_a_file_that_ends_inside_its_map() {
    let file = ciso(&USED, None)[..0x7fff].to_vec();
    assert!(refused(&file).starts_with("the file ends at 32767, inside the map"));
    assert!(refused(&file[..7].to_vec()).contains("CISO header"));
    assert!(refused(&ciso(&USED, None)[..0x8010].to_vec()).contains("disc header"));
}

#[test]
fn rejects_a_disc_above_the_limit() {
    let mut file = ciso(&[0, 32_000], None);
    file[4..8].copy_from_slice(&0x8000_0000_u32.to_le_bytes());
    assert_eq!(probe(&file).unwrap_err().kind(), ErrorKind::LimitExceeded);
}

#[test]
fn a_file_that_is_cut_lacks_the_sectors_behind_the_cut_only() {
    let mut file = ciso(&USED, None);
    file.truncate(file.len() - BLOCK);
    let opened = opened(file).unwrap();
    assert!(opened.details.notes[0].contains("cannot be read"));
    let image = image(opened);
    for block in 0..10 {
        let got = read(&image, (block * BLOCK) as u64, 10);
        assert_eq!(got.is_ok(), block != 9, "{block}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_read_is_the_slice_of_the_plain_bytes(reads in reads(100_000)) {
        let image = image(opened(ciso(&USED, None)).unwrap());
        reads_like(&image, &plain(&USED), &reads)?;
    }

    #[test]
    fn any_damage_gives_bytes_or_an_error(changes in vec((any::<Any>(), any::<u8>()), 1..6)) {
        let mut file = ciso(&USED, None);
        for (at, byte) in changes {
            let at = at.index(200);
            file[at] = byte;
        }
        survives(opened(file))?;
    }
}
