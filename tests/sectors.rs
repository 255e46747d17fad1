//! Sectors that other programs' readers accept: `bin2ecm` and `chdman` drop the codes of each and restore them.

mod library;

use std::fs;

use plainiso::sector::{HEADER, Kind, SECTOR, Sector, complete, is_intact};

fn check(sectors: &[u8], expected: Kind) {
    for (i, sector) in sectors.chunks_exact(SECTOR).enumerate() {
        let sector: &Sector = sector.try_into().unwrap();
        assert_eq!(Kind::of(sector).unwrap(), expected, "sector {i}");
        assert!(is_intact(sector, expected), "sector {i}");
        let mut made = [0; SECTOR];
        made[HEADER..HEADER + 3].copy_from_slice(&sector[HEADER..HEADER + 3]);
        made[16..24].copy_from_slice(&sector[16..24]);
        made[expected.user()].copy_from_slice(&sector[expected.user()]);
        complete(&mut made, expected);
        assert_eq!(&made, sector, "sector {i}");
    }
}

#[test]
fn codes_are_those_of_other_programs() {
    let Some(vectors) = library::vectors() else {
        return;
    };
    let files = [
        ("others/src/tiny_m1.bin", Kind::Mode1),
        ("others/src/tiny_m2.bin", Kind::Mode2Form1),
        ("others/mds/cd_m1.mdf", Kind::Mode1),
    ];
    for (file, kind) in files {
        match fs::read(vectors.join(file)) {
            Ok(bytes) => check(&bytes, kind),
            Err(err) => eprintln!("{file} was left out: {err}"),
        }
    }
}
