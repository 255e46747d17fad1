//! Makes LZ4 blocks.
//!
//! Every match costs the same two bytes, however far it reaches, so the longest match at each position and its
//! shorter forms are all that can matter. From the end of the block to its start, the encoder works out the fewest
//! bytes that the rest of the block takes, and so finds the shortest block that these matches allow.
//!
//! The last five bytes are literals and the last match starts twelve bytes before the end: decoders that write
//! more than they must rely on it.

use crate::codec::{
    Level,
    chains::{self, Chains, Match, SHORTEST, WINDOW},
};

mod parse;

use parse::Parse;

/// Bytes at the end that are literals.
const TAIL: usize = 5;

/// No match starts in so many bytes at the end.
const NO_MATCH: usize = 12;

/// Positions that are weighed together. Larger blocks are cut, so that the working memory stays small.
const SEGMENT: usize = 1 << 16;

#[derive(Debug, Default)]
pub(in crate::codec) struct Encoder {
    chains: Chains,
    /// Places looked at for each match; 0 for the first one that is found, without weighing.
    depth: u32,
    parse: Parse,
}

impl Encoder {
    /// Takes the first match that it finds.
    pub(in crate::codec) fn fast() -> Self {
        Self::default()
    }

    /// Looks at more places the higher the level.
    pub(in crate::codec) fn thorough(level: Level) -> Self {
        const DEPTHS: [u32; 14] = [1, 2, 4, 6, 8, 12, 16, 24, 32, 40, 56, 128, 512, 4096];
        let depth = DEPTHS[usize::from(level.number())];
        Self {
            depth,
            ..Self::default()
        }
    }

    /// Appends the block for `plain`.
    pub(in crate::codec) fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        self.chains.start(plain.len());
        let anchor = match self.depth {
            0 => self.encode_fast(plain, out),
            _ => self.encode_thoroughly(plain, out),
        };
        put_sequence(&plain[anchor..], None, out);
    }

    /// Appends all but the last literals, and returns where they start.
    fn encode_fast(&mut self, plain: &[u8], out: &mut Vec<u8>) -> usize {
        let (mut anchor, mut at, mut misses) = (0, 0, 0);
        while at + NO_MATCH < plain.len() {
            let candidate = self.chains.insert(plain, at);
            let end = plain.len() - TAIL;
            let found = self
                .chains
                .longest(plain, at, end, candidate, Match::default(), 1);
            if found.len < SHORTEST {
                // What does not compress is passed over faster and faster.
                misses += 1;
                at += 1 + (misses >> 6);
                continue;
            }
            put_sequence(&plain[anchor..at], Some(found), out);
            at += found.len;
            (anchor, misses) = (at, 0);
            if at + NO_MATCH < plain.len() {
                self.chains.insert(plain, at - 2);
            }
        }
        anchor
    }

    /// Appends all but the last literals, and returns where they start.
    fn encode_thoroughly(&mut self, plain: &[u8], out: &mut Vec<u8>) -> usize {
        let (mut anchor, mut start) = (0, 0);
        while start < plain.len() {
            let end = plain.len().min(start + SEGMENT);
            self.find_matches(plain, start, end);
            let last = end == plain.len();
            self.parse.weigh(end - start, last);
            let next = self.parse.put(plain, start, anchor, out);
            // Literals at the end of a segment belong to the next one's first match.
            (anchor, start) = (next, end);
        }
        anchor
    }

    /// The longest match at each position of a segment, no longer than the segment.
    fn find_matches(&mut self, plain: &[u8], start: usize, end: usize) {
        let matches = &mut self.parse.matches;
        matches.clear();
        matches.resize(end - start, Match::default());
        let most = end.min(plain.len().saturating_sub(TAIL));
        let mut before = Match::default();
        for (at, here) in (start..end.min((plain.len() + 1).saturating_sub(NO_MATCH))).zip(matches)
        {
            let candidate = self.chains.insert(plain, at);
            let known = Match {
                len: before.len.saturating_sub(1),
                ..before
            };
            before = if chains::is_long_enough(known) {
                known
            } else {
                let least = if known.len < SHORTEST {
                    Match {
                        distance: 0,
                        len: SHORTEST - 1,
                    }
                } else {
                    known
                };
                self.chains
                    .longest(plain, at, most, candidate, least, self.depth)
            };
            if before.len >= SHORTEST && before.distance > 0 {
                *here = before;
            } else {
                before = Match::default();
            }
        }
    }
}

/// Appends literals and the match behind them; the last sequence has none.
fn put_sequence(literals: &[u8], found: Option<Match>, out: &mut Vec<u8>) {
    let matched = found.map_or(0, |found| found.len - SHORTEST);
    let nibble = |length: usize| u8::try_from(length.min(15)).expect("it is at most 15");
    out.push(nibble(literals.len()) << 4 | nibble(matched));
    put_length(literals.len(), out);
    out.extend_from_slice(literals);
    if let Some(found) = found {
        debug_assert!(found.distance < WINDOW);
        let distance = u16::try_from(found.distance).expect("it is inside the window");
        out.extend_from_slice(&distance.to_le_bytes());
        put_length(matched, out);
    }
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    if let Some(mut rest) = length.checked_sub(15) {
        while rest >= 255 {
            out.push(255);
            rest -= 255;
        }
        out.push(u8::try_from(rest).expect("it is below 255"));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::samples::sample;

    fn encoders() -> impl Iterator<Item = Encoder> {
        let levels = [0, 3, 10, 12]
            .into_iter()
            .map(|level| Level::new(level).unwrap());
        let thorough = levels.chain([Level::MAX]).map(Encoder::thorough);
        thorough.chain([Encoder::fast()])
    }

    /// A length that starts in a token's four bits.
    fn length(block: &[u8], at: &mut usize, nibble: u8) -> usize {
        let mut length = usize::from(nibble);
        if nibble == 15 {
            loop {
                *at += 1;
                length += usize::from(block[*at - 1]);
                if block[*at - 1] != 255 {
                    break;
                }
            }
        }
        length
    }

    /// Where the last match starts, and how many literals end the block.
    fn end_of(block: &[u8]) -> (usize, usize) {
        let (mut at, mut plain, mut last_match) = (0, 0, 0);
        loop {
            let token = block[at];
            at += 1;
            let literals = length(block, &mut at, token >> 4);
            at += literals;
            plain += literals;
            if at == block.len() {
                return (last_match, literals);
            }
            last_match = plain;
            at += 2;
            plain += length(block, &mut at, token & 15) + SHORTEST;
        }
    }

    proptest! {
        #[test]
        fn another_decoder_reads_every_block(plain in sample(9000)) {
            for mut encoder in encoders() {
                let mut block = Vec::new();
                encoder.encode(&plain, &mut block);
                prop_assert!(lz4_flex::block::decompress(&block, plain.len()).unwrap() == plain);
                let (last_match, literals) = end_of(&block);
                prop_assert!(last_match == 0 || literals >= TAIL);
                prop_assert!(last_match == 0 || last_match + NO_MATCH <= plain.len());
            }
        }
    }

    #[test]
    fn blocks_of_many_segments_are_read_and_matched_across_them() {
        let piece: Vec<u8> = (0..60_000_u32)
            .map(|i| (i.wrapping_mul(i) >> 9) as u8)
            .collect();
        let plain = piece.repeat(5);
        for mut encoder in encoders() {
            let mut block = Vec::new();
            encoder.encode(&plain, &mut block);
            assert!(lz4_flex::block::decompress(&block, plain.len()).unwrap() == plain);
            assert!(block.len() < piece.len() * 11 / 10, "{}", block.len());
        }
    }

    #[test]
    fn the_more_an_encoder_looks_the_smaller_the_block() {
        let plain: Vec<u8> = (0..40_000_u32)
            .map(|i| b"etaoin shrdlu"[(i.wrapping_mul(2_654_435_761) >> 20) as usize % 13])
            .collect();
        let len = |encoder: &mut Encoder| {
            let mut block = Vec::new();
            encoder.encode(&plain, &mut block);
            block.len()
        };
        let lens: Vec<usize> = encoders().map(|mut encoder| len(&mut encoder)).collect();
        assert!(
            lens[4] <= lens[2] && lens[2] < lens[0] && lens[0] < lens[5],
            "{lens:?}"
        );
    }
}
