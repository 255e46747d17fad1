//! Plain bytes for the encoders' tests.

use proptest::prelude::*;

/// Up to `most` bytes, at least one: runs, noise, few symbols, and copies of what came before.
pub(super) fn sample(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = (
        0..4_u8,
        any::<u8>(),
        1..600_usize,
        any::<prop::sample::Index>(),
    );
    let noise = prop::collection::vec(any::<u8>(), 600);
    (prop::collection::vec(piece, 1..40), noise).prop_map(move |(pieces, noise)| {
        let mut plain = vec![0];
        for (kind, byte, len, place) in pieces {
            let from = place.index(plain.len());
            match kind {
                0 => plain.resize(plain.len() + len, byte),
                1 => plain.extend_from_slice(&noise[..len]),
                2 => plain.extend(noise[..len].iter().map(|b| b % 3)),
                _ => (from..from + len).for_each(|i| plain.push(plain[i])),
            }
        }
        plain.truncate(most);
        plain
    })
}
