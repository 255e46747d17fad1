//! The header of a dynamic block: both codes, as lengths, which are compressed themselves.

use std::ops::Range;

use super::{Bits, Counts, DISTANCES, LITERALS, code_lengths, codes};

/// The order in which the lengths of the code for code lengths stand (RFC 1951, section 3.2.7).
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// A symbol of the code for code lengths, and what follows it.
#[derive(Clone, Copy, Debug)]
struct Run {
    symbol: u8,
    more: u8,
    value: u8,
}

#[derive(Debug)]
pub(super) struct Header {
    pub(super) literals: [u8; LITERALS],
    pub(super) distances: [u8; DISTANCES],
    used_literals: usize,
    used_distances: usize,
    runs: Vec<Run>,
    lens: [u8; 19],
    used_lens: usize,
    /// Bits of the header itself.
    bits: u64,
}

impl Header {
    pub(super) fn of(counts: &Counts) -> Self {
        let exact = Self::with(counts, 0..8);
        let smooth = Self::with(&counts.smoothed(), 0..8);
        if smooth.size_with(counts) < exact.size_with(counts) {
            smooth
        } else {
            exact
        }
    }

    /// One that is near to the best, for telling which of two ways is the better.
    pub(super) fn quick(counts: &Counts) -> Self {
        Self::with(counts, 7..8)
    }

    /// The shortest header for the codes that fit `shape`, of those that join runs in these manners.
    fn with(shape: &Counts, manners: Range<u8>) -> Self {
        let literals = code_lengths(&shape.literals, 15);
        let mut distances = code_lengths(&shape.distances, 15);
        // Old decoders want two distances, used or not.
        for symbol in 0..2 {
            if distances.iter().filter(|len| **len > 0).count() < 2 && distances[symbol] == 0 {
                distances[symbol] = 1;
            }
        }
        let used = |lens: &[u8], least: usize| {
            let last = lens.iter().rposition(|&len| len > 0);
            last.map_or(least, |last| least.max(last + 1))
        };
        let (used_literals, used_distances) = (used(&literals, 257), used(&distances, 1));
        let lens: Vec<u8> = literals[..used_literals]
            .iter()
            .chain(&distances[..used_distances])
            .copied()
            .collect();
        let mut best: Option<Self> = None;
        for allowed in manners {
            let runs = runs(&lens, allowed);
            let mut counts = [0; 19];
            for run in &runs {
                counts[usize::from(run.symbol)] += 1;
            }
            let lens = code_lengths(&counts, 7);
            let used_lens = ORDER.iter().rposition(|&symbol| lens[symbol] > 0);
            let used_lens = used_lens.map_or(4, |last| 4.max(last + 1));
            let each = runs
                .iter()
                .map(|run| u64::from(lens[usize::from(run.symbol)] + run.more));
            let bits = 14 + 3 * used_lens as u64 + each.sum::<u64>();
            if best.as_ref().is_none_or(|best| bits < best.bits) {
                best = Some(Self {
                    literals,
                    distances,
                    used_literals,
                    used_distances,
                    runs,
                    lens,
                    used_lens,
                    bits,
                });
            }
        }
        best.expect("there were eight")
    }

    /// Bits of a whole block with these counts.
    pub(super) fn size_with(&self, counts: &Counts) -> u64 {
        3 + self.bits + counts.bits(&self.literals, &self.distances)
    }

    pub(super) fn put(&self, bits: &mut Bits<'_>) {
        bits.put((self.used_literals - 257) as u16, 5);
        bits.put((self.used_distances - 1) as u16, 5);
        bits.put((self.used_lens - 4) as u16, 4);
        for &symbol in &ORDER[..self.used_lens] {
            bits.put(self.lens[symbol].into(), 3);
        }
        let codes = codes(&self.lens);
        for run in &self.runs {
            let symbol = usize::from(run.symbol);
            bits.put(codes[symbol], self.lens[symbol]);
            bits.put(run.value.into(), run.more);
        }
    }
}

/// Joins equal lengths. The bits of `allowed` say whether symbols 16, 17 and 18 may stand for runs.
fn runs(lens: &[u8], allowed: u8) -> Vec<Run> {
    let may = |symbol: u8| allowed >> (symbol - 16) & 1 == 1;
    let mut runs = Vec::with_capacity(lens.len());
    let mut rest = lens;
    while let Some(&len) = rest.first() {
        let mut count = rest.iter().take_while(|other| **other == len).count();
        rest = &rest[count..];
        let mut put = |symbol, more, value: usize| {
            let value = value as u8;
            runs.push(Run {
                symbol,
                more,
                value,
            });
        };
        if len == 0 {
            while may(18) && count >= 11 {
                let n = count.min(138);
                put(18, 7, n - 11);
                count -= n;
            }
            while may(17) && count >= 3 {
                let n = count.min(10);
                put(17, 3, n - 3);
                count -= n;
            }
        } else if may(16) && count >= 4 {
            put(len, 0, 0);
            count -= 1;
            while count >= 3 {
                // A rest of one or two would need symbols of its own.
                let n = if count > 6 && count < 9 {
                    count - 3
                } else {
                    count.min(6)
                };
                put(16, 2, n - 3);
                count -= n;
            }
        }
        for _ in 0..count {
            put(len, 0, 0);
        }
    }
    runs
}

impl Counts {
    /// Counts that are more alike, so that more neighbours get codes of one length and the header gets shorter.
    fn smoothed(&self) -> Self {
        let mut counts = self.clone();
        smooth(&mut counts.literals);
        smooth(&mut counts.distances);
        counts
    }
}

/// Levels stretches of counts that are near to their average.
fn smooth(counts: &mut [u32]) {
    let mut start = 0;
    while start < counts.len() {
        let (mut end, mut sum) = (start, 0);
        let is_zero = counts[start] == 0;
        while end < counts.len() && (counts[end] == 0) == is_zero {
            let (count, average) = (counts[end], sum / (end - start).max(1) as u32);
            if end > start && count.abs_diff(average) > 1 + average / 3 {
                break;
            }
            sum += count;
            end += 1;
        }
        if !is_zero && end - start >= 3 {
            let average = (sum + (end - start) as u32 / 2) / (end - start) as u32;
            counts[start..end].fill(average.max(1));
        }
        start = end;
    }
}
