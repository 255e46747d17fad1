//! Makes the smallest deflate stream that it can find for a block of at most 16 KiB, at whatever cost.
//!
//! For every position it knows each match that is worth anything. With the costs of an earlier attempt it works out
//! the cheapest way through the block, takes the codes that this way needs, and goes round again with their costs.
//! The stream is one deflate block: in so few bytes a second header rarely pays.

#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // Nothing here is above 2^16.

use std::{mem, ops::Range};

mod bits;
mod header;
mod huffman;
mod matches;

use bits::Bits;
use header::Header;
use huffman::{code_lengths, codes};
use matches::{Found, Matches};

/// The longest block. In longer ones several deflate blocks are better, and others are good at those.
pub(super) const LONGEST: usize = 16 << 10;

/// Two more than are used: the fixed code counts them.
const LITERALS: usize = 288;
const DISTANCES: usize = 30;
const END: usize = 256;

/// Attempts at most, and attempts without a gain before it stops.
const ROUNDS: u32 = 14;
const PATIENCE: u32 = 4;

/// Lengths that are tried at both ends of a long match.
const MANY: usize = 12;

/// One step of a way: a match of that length and distance, or a literal with the length 1.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    len: u16,
    distance: u16,
}

/// How often each symbol is used.
#[derive(Clone, Debug)]
struct Counts {
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
}

/// The working memory.
#[derive(Debug, Default)]
pub(super) struct Squeezer {
    matches: Matches,
    costs: Vec<f32>,
    arrivals: Vec<Step>,
    steps: Vec<Step>,
    best: Vec<Step>,
}

impl Squeezer {
    /// Appends the stream. `plain` has at most [`LONGEST`] bytes.
    pub(super) fn deflate(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        self.matches.find(plain);
        self.walk(plain, &Prices::fixed());
        mem::swap(&mut self.steps, &mut self.best);
        let mut counts = Counts::of(plain, &self.best);
        let fixed_size = 3 + counts.bits(&fixed_literals(), &[5; DISTANCES]);
        let fixed = self.best.clone();
        let (mut best_size, mut waited) = (u64::MAX, 0);
        let mut before = counts.clone();
        for round in 0..ROUNDS {
            self.walk(plain, &Prices::of(&counts));
            let now = Counts::of(plain, &self.steps);
            let size = Header::quick(&now).size_with(&now);
            waited += 1;
            if size < best_size {
                (best_size, waited) = (size, 0);
                mem::swap(&mut self.steps, &mut self.best);
            }
            if waited > PATIENCE {
                break;
            }
            // Two ways can lead to each other for ever; between them lies a third.
            counts = if round > 3 {
                now.between(&before)
            } else {
                now.clone()
            };
            before = now;
        }
        let mut bits = Bits::new(out);
        if fixed_size <= best_size {
            bits.put(0b011, 3);
            put_steps(plain, &fixed, &fixed_literals(), &[5; DISTANCES], &mut bits);
        } else {
            let header = Header::of(&Counts::of(plain, &self.best));
            bits.put(0b101, 3);
            header.put(&mut bits);
            put_steps(
                plain,
                &self.best,
                &header.literals,
                &header.distances,
                &mut bits,
            );
        }
    }

    /// The cheapest way through the block.
    fn walk(&mut self, plain: &[u8], prices: &Prices) {
        self.costs.clear();
        self.costs.resize(plain.len() + 1, f32::INFINITY);
        self.costs[0] = 0.0;
        self.arrivals.clear();
        self.arrivals.resize(plain.len() + 1, Step::default());
        for (at, &byte) in plain.iter().enumerate() {
            let here = self.costs[at];
            let literal = here + prices.literals[usize::from(byte)];
            if literal < self.costs[at + 1] {
                self.costs[at + 1] = literal;
                self.arrivals[at + 1] = Step {
                    len: 1,
                    distance: 0,
                };
            }
            let mut shorter = 2;
            for index in self.matches.at(at) {
                let Found {
                    len,
                    distance,
                    symbol,
                } = self.matches.found(index);
                let here = here + prices.distances[usize::from(symbol)];
                let len = usize::from(len);
                // Of a long match, the lengths in the middle never make a difference to speak of.
                let middle = (shorter + 1 + MANY).min(len + 1);
                let upper = middle.max((len + 1).saturating_sub(MANY));
                for lens in [shorter + 1..middle, upper..len + 1] {
                    self.arrive(at, lens, here, distance, &prices.lens);
                }
                shorter = len;
            }
        }
        self.collect(plain.len());
    }

    /// Offers a match of each of these lengths.
    #[inline]
    fn arrive(
        &mut self,
        at: usize,
        lens: Range<usize>,
        here: f32,
        distance: u16,
        prices: &[f32; 259],
    ) {
        let costs = self.costs[at..][lens.clone()].iter_mut();
        let arrivals = self.arrivals[at..][lens.clone()].iter_mut();
        let prices = &prices[lens.clone()];
        for (((cost, arrival), price), len) in costs.zip(arrivals).zip(prices).zip(lens) {
            let matched = here + price;
            if matched < *cost {
                *cost = matched;
                *arrival = Step {
                    len: len as u16,
                    distance,
                };
            }
        }
    }

    /// The way that the arrivals tell, from the end back to the start.
    fn collect(&mut self, len: usize) {
        self.steps.clear();
        let mut at = len;
        while at > 0 {
            let step = self.arrivals[at];
            self.steps.push(step);
            at -= usize::from(step.len);
        }
        self.steps.reverse();
    }
}

/// What each choice costs, in bits.
struct Prices {
    literals: [f32; 256],
    lens: [f32; 259],
    /// With the bits that follow the symbol.
    distances: [f32; DISTANCES],
}

impl Prices {
    fn fixed() -> Self {
        let lens = fixed_literals().map(f32::from);
        Self::from_symbols(&lens, &[5.0; DISTANCES])
    }

    fn of(counts: &Counts) -> Self {
        Self::from_symbols(&entropies(&counts.literals), &entropies(&counts.distances))
    }

    fn from_symbols(literals: &[f32; LITERALS], distances: &[f32; DISTANCES]) -> Self {
        let mut prices = Self {
            literals: [0.0; 256],
            lens: [0.0; 259],
            distances: *distances,
        };
        prices.literals.copy_from_slice(&literals[..256]);
        for len in 3..259 {
            let (symbol, bits, _) = len_symbol(len);
            prices.lens[len] = literals[symbol] + f32::from(bits);
        }
        for (symbol, price) in prices.distances.iter_mut().enumerate() {
            *price += f32::from(distance_bits(symbol));
        }
        prices
    }
}

/// The bits that an ideal code would give each symbol; what is not used costs as if it were used once.
fn entropies<const N: usize>(counts: &[u32; N]) -> [f32; N] {
    let all = counts.iter().sum::<u32>().max(1) as f32;
    counts.map(|count| (all / count.max(1) as f32).log2())
}

impl Counts {
    fn of(plain: &[u8], steps: &[Step]) -> Self {
        let mut counts = Self {
            literals: [0; LITERALS],
            distances: [0; DISTANCES],
        };
        let mut at = 0;
        for step in steps {
            if step.distance == 0 {
                counts.literals[usize::from(plain[at])] += 1;
            } else {
                counts.literals[len_symbol(step.len.into()).0] += 1;
                counts.distances[distance_symbol(step.distance)] += 1;
            }
            at += usize::from(step.len);
        }
        counts.literals[END] = 1;
        counts
    }

    /// Bits of the symbols and of what follows them, with codes of these lengths.
    fn bits(&self, literals: &[u8; LITERALS], distances: &[u8; DISTANCES]) -> u64 {
        let sum = |counts: &[u32], lens: &[u8], more: &dyn Fn(usize) -> u8| -> u64 {
            let each = counts.iter().zip(lens).enumerate();
            each.map(|(symbol, (&count, &len))| u64::from(count) * u64::from(len + more(symbol)))
                .sum()
        };
        sum(&self.literals, literals, &len_bits) + sum(&self.distances, distances, &distance_bits)
    }

    fn between(&self, other: &Self) -> Self {
        let mut counts = self.clone();
        for (count, other) in counts.literals.iter_mut().zip(other.literals) {
            *count = *count * 2 + other;
        }
        for (count, other) in counts.distances.iter_mut().zip(other.distances) {
            *count = *count * 2 + other;
        }
        counts
    }
}

fn put_steps(
    plain: &[u8],
    steps: &[Step],
    literal_lens: &[u8; LITERALS],
    distance_lens: &[u8; DISTANCES],
    bits: &mut Bits<'_>,
) {
    let (literals, distances) = (codes(literal_lens), codes(distance_lens));
    let mut at = 0;
    for step in steps {
        if step.distance == 0 {
            let byte = usize::from(plain[at]);
            bits.put(literals[byte], literal_lens[byte]);
        } else {
            let (symbol, more, value) = len_symbol(step.len.into());
            bits.put(literals[symbol], literal_lens[symbol]);
            bits.put(value, more);
            let symbol = distance_symbol(step.distance);
            bits.put(distances[symbol], distance_lens[symbol]);
            let more = distance_bits(symbol);
            bits.put((step.distance - 1) & ((1 << more) - 1), more);
        }
        at += usize::from(step.len);
    }
    bits.put(literals[END], literal_lens[END]);
    bits.finish();
}

/// The code lengths of RFC 1951, section 3.2.6.
fn fixed_literals() -> [u8; LITERALS] {
    let mut lens = [8; LITERALS];
    lens[144..256].fill(9);
    lens[256..280].fill(7);
    lens
}

/// The symbol of a match length, the number of bits that follow it, and these bits.
fn len_symbol(len: usize) -> (usize, u8, u16) {
    let over = len - 3;
    match over {
        0..8 => (257 + over, 0, 0),
        255 => (285, 0, 0),
        _ => {
            let more = over.ilog2() as usize - 2;
            let symbol = 257 + 4 * more + (over >> more);
            (symbol, more as u8, (over & ((1 << more) - 1)) as u16)
        }
    }
}

/// The bits that follow a symbol of a literal or length.
fn len_bits(symbol: usize) -> u8 {
    match symbol {
        265..285 => ((symbol - 261) / 4) as u8,
        _ => 0,
    }
}

fn distance_symbol(distance: u16) -> usize {
    let over = usize::from(distance - 1);
    if over < 4 {
        return over;
    }
    let more = over.ilog2() as usize - 1;
    2 * more + (over >> more)
}

/// The bits that follow a distance symbol.
fn distance_bits(symbol: usize) -> u8 {
    (symbol / 2).saturating_sub(1) as u8
}
