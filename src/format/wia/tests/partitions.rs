//! Partitions: hashes, exceptions and encryption, undone here by other code.

use aes::cipher::{BlockDecrypt, KeyInit, generic_array::GenericArray};

use super::*;
use crate::{
    format::wia::{
        bytes::sha1,
        partition::{DATA, HASHES, ON_DISC},
    },
    image::Image,
};

const KEY: [u8; 16] = *b"a title key  16b";

/// A disc of one partition of so many sectors, whose chunks of one sector have lists of exceptions.
pub(super) fn partition_disc(sectors: usize, exceptions: &[(usize, u16)]) -> Recipe {
    let mut recipe = Recipe::new(RVZ, 0, ON_DISC);
    recipe.size = sectors * ON_DISC;
    for sector in 0..sectors {
        let here = exceptions.iter().filter(|(of, _)| *of == sector);
        let places: Vec<u16> = here.map(|(_, at)| *at).collect();
        let mut stored = u16::try_from(places.len()).unwrap().to_be_bytes().to_vec();
        for at in places {
            stored.extend(at.to_be_bytes());
            stored.extend([0xEE; 20]);
        }
        stored.resize(stored.len().next_multiple_of(4), 0);
        stored.resize(stored.len() + DATA, sector.to_le_bytes()[0]);
        recipe.store(&stored, false, 0);
    }
    let count = number(sectors);
    recipe.partitions = KEY.to_vec();
    recipe
        .partitions
        .extend(words(&[0, count.min(64), 0, count.min(64)]));
    let more = count.saturating_sub(64);
    recipe.partitions.extend(words(&[64, more, 64, more]));
    recipe
}

/// A sector of a partition, decrypted. The first bytes of the disc are the header's and not wanted.
fn decrypted(image: &Image, sector: usize) -> Vec<u8> {
    let stored = read(image, (sector * ON_DISC) as u64, ON_DISC).unwrap();
    let cipher = aes::Aes128::new(&KEY.into());
    let mut plain = Vec::new();
    let mut vector = [0; 16];
    for (number, block) in stored.chunks_exact(16).enumerate() {
        if number * 16 == HASHES {
            vector.copy_from_slice(&stored[0x3d0..0x3e0]);
        }
        let mut out = *GenericArray::from_slice(block);
        cipher.decrypt_block(&mut out);
        plain.extend(out.iter().zip(vector).map(|(a, b)| a ^ b));
        vector.copy_from_slice(block);
    }
    plain
}

#[test]
fn a_partition_is_its_data_with_hashes_and_exceptions_encrypted() {
    let exceptions = [(63, 0), (63, 1004), (65, 600), (7, 100)];
    let image = image(opened(partition_disc(66, &exceptions).file()).unwrap());
    for sector in [1, 7, 63, 64, 65] {
        let plain = decrypted(&image, sector);
        let data = vec![sector.to_le_bytes()[0]; DATA];
        assert!(plain[HASHES..] == data, "sector {sector}");
        let mut hashes = sha1(&data[..0x400]).repeat(31);
        let h0 = |sector: usize| {
            // What is missing behind the end counts as zeroes.
            let byte = if sector < 66 {
                sector.to_le_bytes()[0]
            } else {
                0
            };
            sha1(&[byte; 0x400]).repeat(31)
        };
        let h1 =
            |eight: usize| -> Vec<u8> { (0..8).flat_map(|n| sha1(&h0(eight * 8 + n))).collect() };
        hashes.resize(0x280, 0);
        hashes.extend(h1(sector / 8));
        hashes.resize(0x340, 0);
        let first = sector / 64 * 8;
        hashes.extend((first..first + 8).flat_map(|eight| sha1(&h1(eight))));
        hashes.resize(HASHES, 0);
        for (_, at) in exceptions.iter().filter(|(of, _)| *of == sector) {
            hashes[usize::from(*at)..][..20].fill(0xEE);
        }
        assert!(plain[..HASHES] == hashes, "hashes of sector {sector}");
    }
}

#[test]
fn a_list_of_exceptions_that_no_disc_needs_is_an_error() {
    let too_many: Vec<_> = (0..53).map(|_| (1, 0)).collect();
    for (exceptions, wanted) in [
        (&too_many[..], "a list has 53 exceptions"),
        (&[(1, 1005)][..], "an exception is at 1005 of the 1024"),
    ] {
        let image = image(opened(partition_disc(66, exceptions).file()).unwrap());
        let err = read(&image, 0, 10).unwrap_err().to_string();
        says(&err, wanted);
        decrypted(&image, 65);
    }
}

#[test]
fn rejects_a_partition_table_with_another_sha1() {
    let mut file = partition_disc(2, &[]).file();
    *file.last_mut().unwrap() ^= 1;
    says(&refused(file), "SHA-1 of the partition table");
}

#[test]
fn rejects_a_partition_whose_parts_share_hashes() {
    let mut recipe = partition_disc(66, &[]);
    recipe.partitions[32..36].copy_from_slice(&63_u32.to_be_bytes());
    says(&refused(recipe.file()), "data of partition 0 begins at 0");
}
