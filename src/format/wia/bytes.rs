//! Stored bytes: the numbers in them, and the sums over them.

use std::borrow::Cow;

use sha1::{Digest, Sha1};

/// Stored bytes, borrowed from the engine or read for a chunk of many blocks.
pub(super) type Bytes<'a> = Cow<'a, [u8]>;

pub(super) fn sha1(bytes: &[u8]) -> [u8; 20] {
    Sha1::digest(bytes).into()
}

pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a range of N bytes")
}

pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(array(bytes, at))
}

pub(super) fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(array(bytes, at))
}
