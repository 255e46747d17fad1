//! Earlier places that begin with the same four bytes: what the LZ4 and LZO encoders find their matches with.

use super::wide;

/// How far back a match reaches at most, plus one.
pub(super) const WINDOW: usize = 1 << 16;

/// The shortest match.
pub(super) const SHORTEST: usize = 4;

/// A match this long is taken without looking for a longer one.
const LONG_ENOUGH: usize = 96;

const NONE: u32 = u32::MAX;

/// A match: where its bytes stand, seen from its start, and how many they are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Match {
    pub(super) distance: usize,
    pub(super) len: usize,
}

/// Chains of positions whose first four bytes have one hash, nearest first.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// The last position with a hash.
    head: Vec<u32>,
    /// The one before a position, by the low bits of the position.
    previous: Vec<u32>,
    shift: u32,
}

impl Chains {
    /// Forgets everything, and gets ready for a block of `len` bytes.
    pub(super) fn start(&mut self, len: usize) {
        let bits = len.max(1).ilog2().clamp(8, 15) + 1;
        self.shift = 32 - bits;
        self.head.clear();
        self.head.resize(1 << bits, NONE);
        if self.previous.len() < len.min(WINDOW) {
            self.previous
                .resize(len.min(WINDOW).next_power_of_two(), NONE);
        }
    }

    fn hash(&self, plain: &[u8], at: usize) -> usize {
        let four = plain[at..at + 4].try_into().expect("a range of 4 bytes");
        (u32::from_le_bytes(four).wrapping_mul(0x9E37_79B1) >> self.shift) as usize
    }

    fn slot(&self, at: usize) -> usize {
        at & (self.previous.len() - 1)
    }

    /// Adds a position, and returns the last one with its hash. Four bytes must follow it.
    #[inline]
    pub(super) fn insert(&mut self, plain: &[u8], at: usize) -> Option<usize> {
        let hash = self.hash(plain, at);
        let before = self.head[hash];
        self.head[hash] = position(at);
        let slot = self.slot(at);
        self.previous[slot] = before;
        (before != NONE).then_some(before as usize)
    }

    /// The longest match of more than `known.len` bytes that starts at `at`, else `known`.
    ///
    /// `candidate` is what [`Chains::insert`] gave; at most `depth` places are looked at. The match ends at `end`
    /// at the latest.
    #[inline]
    pub(super) fn longest(
        &self,
        plain: &[u8],
        at: usize,
        end: usize,
        candidate: Option<usize>,
        known: Match,
        depth: u32,
    ) -> Match {
        let (plain, mut best) = (&plain[..end], known);
        let mut from = candidate.unwrap_or(at);
        let Some(mut wanted) = last_four(plain, at, best.len) else {
            return best;
        };
        for _ in 0..depth {
            if from >= at || at - from >= WINDOW {
                break;
            }
            // What differs there cannot be longer; in the first four bytes it only shares the hash.
            if last_four(plain, from, best.len) == Some(wanted) {
                let len = wide::common(plain, from, at);
                if len > best.len {
                    let distance = at - from;
                    best = Match { distance, len };
                    match last_four(plain, at, len) {
                        Some(four) if len < LONG_ENOUGH => wanted = four,
                        _ => break,
                    }
                }
            }
            from = self.previous[self.slot(from)] as usize;
        }
        best
    }
}

/// The four bytes with which a match from `at` on would become longer than `len`.
#[inline]
fn last_four(plain: &[u8], at: usize, len: usize) -> Option<u32> {
    let end = at + len.max(SHORTEST - 1) + 1;
    let four = plain.get(end - 4..end)?.try_into().ok()?;
    Some(u32::from_le_bytes(four))
}

/// Whether a match needs no search for a longer one.
pub(super) fn is_long_enough(found: Match) -> bool {
    found.len >= LONG_ENOUGH
}

fn position(at: usize) -> u32 {
    u32::try_from(at).expect("a block has at most 16 MiB")
}
