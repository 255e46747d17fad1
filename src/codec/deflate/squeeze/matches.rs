//! All matches that are worth anything: for each position and length the nearest.

use std::ops::Range;

use super::distance_symbol;
use crate::codec::wide;

const SHORTEST: usize = 3;
const LONGEST: usize = 258;
const NONE: u16 = u16::MAX;
const HASH_BITS: u32 = 12;

/// A match for which no longer one is looked for.
const LONG_ENOUGH: usize = 130;

/// Places looked at for one position.
const DEPTH: u32 = 1000;

/// A match that no nearer one is as long as.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) len: u16,
    pub(super) distance: u16,
    /// The symbol of its distance.
    pub(super) symbol: u8,
}

#[derive(Debug, Default)]
pub(super) struct Matches {
    /// Of all positions one after the other, each nearest and shortest first.
    found: Vec<Found>,
    /// Where each position's begin, and where the last one's end.
    starts: Vec<u32>,
    head: Vec<u16>,
    previous: Vec<u16>,
}

impl Matches {
    /// The numbers of a position's matches, nearest and shortest first.
    pub(super) fn at(&self, at: usize) -> Range<usize> {
        self.starts[at] as usize..self.starts[at + 1] as usize
    }

    pub(super) fn found(&self, number: usize) -> Found {
        self.found[number]
    }

    pub(super) fn find(&mut self, plain: &[u8]) {
        self.found.clear();
        self.starts.clear();
        self.head.clear();
        self.head.resize(1 << HASH_BITS, NONE);
        self.previous.clear();
        self.previous.resize(plain.len(), NONE);
        for at in 0..plain.len() {
            self.starts.push(self.found.len() as u32);
            if at + SHORTEST <= plain.len() {
                self.find_at(plain, at);
            }
        }
        self.starts.push(self.found.len() as u32);
    }

    fn find_at(&mut self, plain: &[u8], at: usize) {
        let hash = hash(plain, at);
        let mut from = self.head[hash];
        self.previous[at] = from;
        self.head[hash] = at as u16;
        let plain = &plain[..plain.len().min(at + LONGEST)];
        let mut best = SHORTEST - 1;
        for _ in 0..DEPTH {
            if from == NONE || at + best == plain.len() || best >= LONG_ENOUGH {
                return;
            }
            let start = usize::from(from);
            if plain[start + best] == plain[at + best]
                && plain[start + best - 1] == plain[at + best - 1]
            {
                let len = wide::common(plain, start, at);
                if len > best {
                    let distance = at as u16 - from;
                    self.found.push(Found {
                        len: len as u16,
                        distance,
                        symbol: distance_symbol(distance) as u8,
                    });
                    best = len;
                }
            }
            from = self.previous[usize::from(from)];
        }
    }
}

fn hash(plain: &[u8], at: usize) -> usize {
    let three = u32::from_le_bytes([plain[at], plain[at + 1], plain[at + 2], 0]);
    (three.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize
}
