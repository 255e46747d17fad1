use std::sync::Arc;

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::{
    cache::BlockCache,
    format::{self, OpenOptions},
};

/// A directory record.
fn record(name: &[u8], first_block: u32, len: u32, flags: u8) -> Vec<u8> {
    let mut record = vec![0; 33];
    record[2..6].copy_from_slice(&first_block.to_le_bytes());
    record[10..14].copy_from_slice(&len.to_le_bytes());
    record[25] = flags;
    record[32] = name.len() as u8;
    record.extend(name);
    record.resize(record.len().next_multiple_of(2), 0);
    record[0] = record.len() as u8;
    record
}

/// A disc with a root directory at sector 20, and more sectors.
fn disc(sectors: &[(usize, Vec<Vec<u8>>)]) -> Vec<u8> {
    let mut bytes = vec![0; 64 * 2048];
    bytes[0x8000] = 1;
    bytes[0x8001..0x8006].copy_from_slice(b"CD001");
    bytes[0x8080..0x8082].copy_from_slice(&2048_u16.to_le_bytes());
    let root = record(&[0], 20, 2048, 2);
    bytes[0x8000 + 156..][..root.len()].copy_from_slice(&root);
    for (sector, records) in sectors {
        let records = records.concat();
        bytes[sector * 2048..][..records.len()].copy_from_slice(&records);
    }
    bytes
}

fn image(bytes: Vec<u8>) -> Image {
    let opened = format::open(Arc::new(bytes), &OpenOptions::alone()).unwrap();
    Image::new(opened, Arc::new(BlockCache::new(1 << 20)))
}

fn names(volume: &Volume, bytes: Range<u64>) -> Vec<String> {
    volume.names_in(&[bytes]).remove(0)
}

#[test]
fn files_are_found_by_their_bytes() {
    let volume = Volume::read(&image(disc(&[
        (
            20,
            vec![
                record(&[0], 20, 2048, 2),
                record(&[1], 20, 2048, 2),
                record(b"SYSTEM.CNF;1", 30, 100, 0),
                record(b"SUB", 21, 2048, 2),
                record(b"BIG.BIN;1", 40, 4096, 0x80),
                record(b"BIG.BIN;1", 42, 4096, 0),
            ],
        ),
        (21, vec![record(b"NODOT.;1", 31, 2048, 0)]),
    ])))
    .unwrap();
    assert!(volume.is_complete());
    assert_eq!(names(&volume, 30 * 2048..30 * 2048 + 1), ["/SYSTEM.CNF"]);
    assert_eq!(names(&volume, 31 * 2048..32 * 2048), ["/SUB/NODOT"]);
    assert_eq!(names(&volume, 40 * 2048..44 * 2048), ["/BIG.BIN"]);
    assert_eq!(names(&volume, 20 * 2048..22 * 2048), ["/", "/SUB/"]);
    assert!(names(&volume, 30 * 2048 + 100..31 * 2048).is_empty());
    assert!(names(&volume, 0..20 * 2048).is_empty());
    let both = volume.names_in(&[0..30 * 2048 + 1, 31 * 2048 + 5..31 * 2048 + 6]);
    assert_eq!(both[0], ["/", "/SYSTEM.CNF", "/SUB/"]);
    assert_eq!(both[1], ["/SUB/NODOT"]);
}

#[test]
fn a_chain_of_directories_is_followed_to_a_limit() {
    let sector = |number: u32| {
        let below = record(b"D", number + 1, 2048, 2);
        (number as usize, vec![below])
    };
    let chain: Vec<_> = (20..60).map(sector).collect();
    let volume = Volume::read(&image(disc(&chain))).unwrap();
    assert!(!volume.is_complete());
    assert_eq!(volume.entries.len(), 1 + usize::from(MOST_DEPTH));
}

#[test]
fn directories_in_circles_are_read_once() {
    let volume = Volume::read(&image(disc(&[
        (
            20,
            vec![record(b"A", 21, 2048, 2), record(b"B", 20, 2048, 2)],
        ),
        (
            21,
            vec![record(b"A", 21, 2048, 2), record(b"C", 20, 4096, 2)],
        ),
    ])))
    .unwrap();
    assert_eq!(volume.entries.len(), 2);
}

#[test]
fn a_directory_without_an_end_is_left() {
    let endless = record(b"ENDLESS", 21, u32::MAX, 2);
    let volume = Volume::read(&image(disc(&[(20, vec![endless])]))).unwrap();
    assert!(!volume.is_complete());
}

#[test]
fn directories_scattered_over_large_blocks_are_left() {
    let image = image(disc(&[(20, vec![record(&[0], 20, 2048, 2)])]));
    let mut walk = Walk {
        image: &image,
        block_size: 2048,
        volume: Volume::default(),
        seen: HashSet::new(),
        sectors_left: MOST_SECTORS,
        decoding_left: 3 * (64 << 10),
        last_block: None,
    };
    let blocks = [0, 2048, 70_000, 72_000, 0, 2048, 70_000];
    let read = blocks.map(|at| walk.may_read(at));
    assert_eq!(read, [true, true, true, true, true, false, false]);
}

#[test]
fn records_that_are_cut_end_their_sector_only() {
    let mut cut = record(b"CUT", 50, 1, 0);
    cut[32] = 200;
    let mut bytes = disc(&[(20, vec![record(b"WHOLE", 30, 1, 0), cut])]);
    let root_len = 0x8000 + 156 + 10;
    bytes[root_len..root_len + 4].copy_from_slice(&4096_u32.to_le_bytes());
    let next = record(b"NEXT", 31, 1, 0);
    bytes[21 * 2048..][..next.len()].copy_from_slice(&next);
    let volume = Volume::read(&image(bytes)).unwrap();
    let found: Vec<&str> = volume.entries.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(found[1..], ["WHOLE", "NEXT"]);
}

#[test]
fn rejects_a_logical_block_of_an_impossible_size() {
    for size in [0, 100, 256, 4096_u16] {
        let mut bytes = disc(&[]);
        bytes[0x8080..0x8082].copy_from_slice(&size.to_le_bytes());
        assert!(Volume::read(&image(bytes)).is_none(), "{size}");
    }
}

#[test]
fn another_kind_of_disc_has_no_volume() {
    let mut bytes = disc(&[]);
    bytes[0x8000] = 255;
    assert!(Volume::read(&image(bytes.clone())).is_none());
    bytes[0x8001..0x8006].copy_from_slice(b"BEA01");
    assert!(Volume::read(&image(bytes)).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damage_never_panics_and_stays_bounded(
        damage in vec((any::<Index>(), any::<u8>()), 1..40),
        cut in any::<Index>(),
    ) {
        let mut bytes = disc(&[
            (20, vec![record(&[0], 20, 2048, 2), record(b"A", 21, 4096, 2), record(b"B", 30, 1, 0)]),
            (21, vec![record(b"C", 23, 2048, 2), record(b"D", 40, 9000, 0x80)]),
        ]);
        // The descriptor's fields and the directories, where nearly all that matters stands.
        let places = (0x8000 + 120..0x8000 + 200).chain(20 * 2048..20 * 2048 + 130).chain(21 * 2048..21 * 2048 + 80);
        let places: Vec<usize> = places.collect();
        for (place, byte) in damage {
            bytes[places[place.index(places.len())]] = byte;
        }
        bytes.truncate(bytes.len() - cut.index(24 * 2048));
        let size = bytes.len() as u64;
        if let Some(volume) = Volume::read(&image(bytes)) {
            prop_assert!(volume.entries.len() < 10_000);
            let names = volume.names_in(&[0..size / 2, size / 2..size, size..u64::MAX]);
            prop_assert!(names.iter().all(|names| names.len() <= MOST_NAMES));
        }
    }
}
