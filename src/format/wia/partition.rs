//! Wii partitions: hashes made of the data, and both encrypted, as they are on the disc.
//!
//! A sector has 0x400 bytes of hashes and 0x7c00 of data. 64 sectors are hashed together:
//!
//! | offset | size | hashes of a sector |
//! |---|---|---|
//! | 0 | 31 x 20 | H0: SHA-1 of each 0x400 bytes of data of this sector |
//! | 0x280 | 8 x 20 | H1: SHA-1 of the H0 of each of 8 sectors |
//! | 0x340 | 8 x 20 | H2: SHA-1 of the H1 of each 8 sectors of the 64 |
//!
//! All between is zero. Exceptions replace 20 bytes each where a disc has other ones. Then the hashes are encrypted
//! by AES-128-CBC from a vector of zeroes, and the data from 16 bytes (0x3d0) of the encrypted hashes.

use std::io::{self, Read};

use aes::{
    Aes128,
    cipher::{BlockEncrypt, KeyInit, generic_array::GenericArray},
};

use super::{SECTOR, bytes::sha1};

/// Bytes of a sector on the disc.
pub(super) const ON_DISC: usize = SECTOR as usize;

/// Bytes of hashes in front of a sector's data.
pub(super) const HASHES: usize = 0x400;

/// Bytes of data of a sector.
pub(super) const DATA: usize = ON_DISC - HASHES;

/// Sectors that are hashed together.
const SECTORS: usize = 64;

/// Bytes that an exception replaces.
const REPLACED: usize = 20;

const H1_AT: usize = 0x280;
const H2_AT: usize = 0x340;

/// Where the encrypted hashes hold the vector that the data begins with.
const VECTOR_AT: usize = 0x3d0;

/// Twenty bytes of hashes that are not what the data gives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exception {
    /// Among the hashes of the sectors that its list is for.
    at: u16,
    bytes: [u8; REPLACED],
}

/// Reads a list of exceptions for as many sectors. `Err` when one lies behind their hashes.
pub(super) fn read_list(stream: &mut dyn Read, sectors: usize) -> io::Result<Vec<Exception>> {
    let mut count = [0; 2];
    stream.read_exact(&mut count)?;
    (0..u16::from_be_bytes(count))
        .map(|_| {
            let (mut at, mut bytes) = ([0; 2], [0; REPLACED]);
            stream.read_exact(&mut at)?;
            stream.read_exact(&mut bytes)?;
            let at = u16::from_be_bytes(at);
            if usize::from(at) + REPLACED > sectors * HASHES {
                return Err(io::Error::other(format!(
                    "an exception is at {at} of the {} bytes of hashes",
                    sectors * HASHES
                )));
            }
            Ok(Exception { at, bytes })
        })
        .collect()
}

/// Reads the data of whole sectors to where it belongs on the disc.
pub(super) fn read_data(stream: &mut dyn Read, sectors: &mut [u8]) -> io::Result<()> {
    let mut sectors = sectors.chunks_exact_mut(ON_DISC);
    sectors.try_for_each(|sector| stream.read_exact(&mut sector[HASHES..]))
}

/// Makes the hashes of up to 64 sectors whose data is there. Sectors that are missing count as zeroes.
pub(super) fn hash(sectors: &mut [u8]) {
    let mut h1 = [[0; 20]; SECTORS];
    let count = sectors.len() / ON_DISC;
    for (sector, h1) in sectors.chunks_exact_mut(ON_DISC).zip(&mut h1) {
        let (hashes, data) = sector.split_at_mut(HASHES);
        hashes.fill(0);
        for (hash, piece) in hashes.chunks_exact_mut(20).zip(data.chunks_exact(0x400)) {
            hash.copy_from_slice(&sha1(piece));
        }
        *h1 = sha1(&hashes[..31 * 20]);
    }
    if count < SECTORS {
        let of_zeroes = [sha1(&[0; 0x400]); 31];
        h1[count..].fill(sha1(of_zeroes.as_flattened()));
    }
    let mut h2 = [[0; 20]; 8];
    for (h2, h1) in h2.iter_mut().zip(h1.chunks_exact(8)) {
        *h2 = sha1(h1.as_flattened());
    }
    for (sector, number) in sectors.chunks_exact_mut(ON_DISC).zip(0..) {
        let of_eight: &[[u8; 20]] = &h1[number / 8 * 8..][..8];
        sector[H1_AT..H1_AT + 160].copy_from_slice(of_eight.as_flattened());
        sector[H2_AT..H2_AT + 160].copy_from_slice(h2.as_flattened());
    }
}

/// Puts the exceptions of a list in place, whose first sector is the first of `sectors`. What a list tells of sectors
/// behind the end of the partition has no place.
pub(super) fn replace(sectors: &mut [u8], exceptions: &[Exception]) {
    for exception in exceptions {
        for (at, byte) in (usize::from(exception.at)..).zip(exception.bytes) {
            let place = at / HASHES * ON_DISC + at % HASHES;
            if let Some(replaced) = sectors.get_mut(place) {
                *replaced = byte;
            }
        }
    }
}

/// Encrypts sectors.
pub(super) fn encrypt(sectors: &mut [u8], key: &[u8; 16]) {
    let cipher = Aes128::new(key.into());
    // A block waits for the one before it, but sectors do not: eight at once keep the processor busy.
    for some in sectors.chunks_mut(LANES * ON_DISC) {
        let lanes = some.len() / ON_DISC;
        let mut vectors = [GenericArray::from([0; 16]); LANES];
        chain(&cipher, some, 0..HASHES, &mut vectors[..lanes]);
        for (vector, sector) in vectors.iter_mut().zip(some.chunks_exact(ON_DISC)) {
            vector.copy_from_slice(&sector[VECTOR_AT..VECTOR_AT + 16]);
        }
        chain(&cipher, some, HASHES..ON_DISC, &mut vectors[..lanes]);
    }
}

/// Sectors that are encrypted side by side.
const LANES: usize = 8;

type Block = GenericArray<u8, aes::cipher::consts::U16>;

/// Encrypts the same bytes of each sector, from the vectors on.
fn chain(cipher: &Aes128, sectors: &mut [u8], part: std::ops::Range<usize>, vectors: &mut [Block]) {
    for at in part.step_by(16) {
        for (vector, sector) in vectors.iter_mut().zip(sectors.chunks_exact(ON_DISC)) {
            let plain: &[u8; 16] = sector[at..at + 16].try_into().expect("a range of 16 bytes");
            let mixed = u128::from_ne_bytes((*vector).into()) ^ u128::from_ne_bytes(*plain);
            *vector = mixed.to_ne_bytes().into();
        }
        cipher.encrypt_blocks(vectors);
        for (vector, sector) in vectors.iter().zip(sectors.chunks_exact_mut(ON_DISC)) {
            sector[at..at + 16].copy_from_slice(vector);
        }
    }
}
