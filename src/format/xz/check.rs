//! The check behind each block, and plain bytes that are compared with it at their end.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use crate::unfold::Refuted;

/// The kind of a check, as the flags of its stream give it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Check(pub(super) u8);

impl Check {
    pub(super) fn len(self) -> usize {
        match self.0 {
            0 => 0,
            1..=3 => 4,
            4..=6 => 8,
            7..=9 => 16,
            10..=12 => 32,
            _ => 64,
        }
    }

    /// The name of one that is compared.
    pub(super) fn name(self) -> Option<&'static str> {
        match self.0 {
            1 => Some("crc32"),
            4 => Some("crc64"),
            10 => Some("sha256"),
            _ => None,
        }
    }

    fn hasher(self) -> Option<Hasher> {
        match self.0 {
            1 => Some(Hasher::Crc32(crc32fast::Hasher::new())),
            4 => Some(Hasher::Crc64(!0)),
            10 => Some(Hasher::Sha256(Sha256::new())),
            _ => None,
        }
    }
}

enum Hasher {
    Crc32(crc32fast::Hasher),
    Crc64(u64),
    Sha256(Sha256),
}

impl Hasher {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Crc64(state) => *state = crc64(*state, bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc32(hasher) => hasher.finalize().to_le_bytes().to_vec(),
            Self::Crc64(state) => (!state).to_le_bytes().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
        }
    }
}

/// Plain bytes that are compared with their check when there are no more.
pub(super) struct Checked<R> {
    plain: R,
    hasher: Option<Hasher>,
    wanted: Vec<u8>,
    name: &'static str,
}

impl<R: Read> Checked<R> {
    pub(super) fn new(plain: R, check: Check, wanted: &[u8]) -> Self {
        Self {
            plain,
            hasher: check.hasher(),
            wanted: wanted.to_vec(),
            name: check.name().unwrap_or("none"),
        }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.plain.read(buf)?;
        if n > 0 {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buf[..n]);
            }
            return Ok(n);
        }
        if buf.is_empty() {
            return Ok(0);
        }
        match self.hasher.take().map(Hasher::finish) {
            Some(found) if found != self.wanted => Err(Refuted::error(format!(
                "the {} of the block's plain bytes is not what is stored behind it",
                self.name
            ))),
            _ => Ok(0),
        }
    }
}

/// CRC-64 by the polynomial of ECMA-182, its bits reversed.
const POLYNOMIAL: u64 = 0xC96C_5795_D787_0F42;

/// For the byte that has `i` others behind it: what it does to the state.
static TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut state = byte as u64;
        let mut table = 0;
        while table < 8 {
            let mut bit = 0;
            while bit < 8 {
                state = (state >> 1) ^ ((state & 1) * POLYNOMIAL);
                bit += 1;
            }
            tables[table][byte] = state;
            table += 1;
        }
        byte += 1;
    }
    tables
}

fn crc64(mut state: u64, bytes: &[u8]) -> u64 {
    let mut eights = bytes.chunks_exact(8);
    for eight in eights.by_ref() {
        let eight = u64::from_le_bytes(eight.try_into().expect("a chunk of 8 bytes"));
        let mixed = (state ^ eight).to_le_bytes();
        state = 0;
        for (i, byte) in mixed.into_iter().enumerate() {
            state ^= TABLES[7 - i][usize::from(byte)];
        }
    }
    for byte in eights.remainder() {
        let [low, ..] = state.to_le_bytes();
        state = (state >> 8) ^ TABLES[0][usize::from(low ^ byte)];
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc64_is_that_of_the_xz_specification() {
        assert_eq!(!crc64(!0, b"123456789"), 0x995D_C9BB_DF19_39FA);
        let long: Vec<u8> = (0..1000_u32).map(|i| ((i * i) >> 3) as u8).collect();
        let by_bytes = long.iter().fold(!0, |state, byte| crc64(state, &[*byte]));
        assert_eq!(crc64(!0, &long), by_bytes);
    }

    #[test]
    fn a_wrong_check_is_an_error_behind_the_last_byte() {
        let wanted = crc32fast::hash(b"plain").to_le_bytes();
        let mut out = Vec::new();
        let checked = |wanted: &[u8]| Checked::new(&b"plain"[..], Check(1), wanted);
        checked(&wanted).read_to_end(&mut out).unwrap();
        let err = checked(&[0; 4]).read_to_end(&mut out).unwrap_err();
        assert!(err.to_string().starts_with("the crc32 of the block"));
        checked(&wanted).read_exact(&mut []).unwrap();
    }
}
