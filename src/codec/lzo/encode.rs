//! Makes LZO1X streams, with matches of up to 16 KiB distance: no JISO block is larger.

use crate::codec::{
    Level,
    chains::{Chains, Match, SHORTEST},
};

/// The farthest match of three bytes, and of two.
const FAR: usize = 16 << 10;
const NEAR: usize = 2 << 10;

/// The longest match of two bytes.
const SHORT: usize = 8;

const END_MARK: [u8; 3] = [0x11, 0, 0];

#[derive(Debug)]
pub(in crate::codec) struct Encoder {
    chains: Chains,
    /// Places looked at for each match.
    depth: u32,
}

impl Encoder {
    pub(in crate::codec) fn new(level: Level) -> Self {
        Self {
            chains: Chains::default(),
            depth: 1 << level.number().min(12),
        }
    }

    /// Appends the stream for `plain`.
    pub(in crate::codec) fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        self.chains.start(plain.len());
        let (mut anchor, mut at) = (0, 0);
        let mut found = self.find(plain, at);
        while at + SHORTEST <= plain.len() {
            let next = self.find(plain, at + 1);
            // A match that is longer one byte later is worth a literal.
            if found.len < SHORTEST || next.len > found.len + 1 {
                (at, found) = (at + 1, next);
                continue;
            }
            put_literals(&plain[anchor..at], start, out);
            put_match(found, out);
            for passed in at + 2..at + found.len {
                self.find_nothing(plain, passed);
            }
            at += found.len;
            anchor = at;
            found = self.find(plain, at);
        }
        put_literals(&plain[anchor..], start, out);
        out.extend_from_slice(&END_MARK);
    }

    /// The longest match at `at`; its length is 0 when there is none.
    fn find(&mut self, plain: &[u8], at: usize) -> Match {
        if at + SHORTEST > plain.len() {
            return Match::default();
        }
        let candidate = self.chains.insert(plain, at);
        let candidate = candidate.filter(|from| at - from <= FAR);
        let least = Match {
            distance: 0,
            len: SHORTEST - 1,
        };
        let found = self
            .chains
            .longest(plain, at, plain.len(), candidate, least, self.depth);
        if found.distance == 0 || found.distance > FAR {
            Match::default()
        } else {
            found
        }
    }

    fn find_nothing(&mut self, plain: &[u8], at: usize) {
        if at + SHORTEST <= plain.len() {
            self.chains.insert(plain, at);
        }
    }
}

/// One to three literals stand in the match before them, more have an instruction; `start` is the stream's own.
fn put_literals(literals: &[u8], start: usize, out: &mut Vec<u8>) {
    let count = literals.len();
    let byte = |n: usize| u8::try_from(n).expect("the range is checked");
    match count {
        0 => {}
        1..=238 if out.len() == start => out.push(byte(17 + count)),
        1..=3 => {
            let state = out.len() - 2;
            out[state] |= byte(count);
        }
        4..=18 => out.push(byte(count - 3)),
        _ => {
            out.push(0);
            put_length(count - 18, out);
        }
    }
    out.extend_from_slice(literals);
}

fn put_match(found: Match, out: &mut Vec<u8>) {
    let Match { distance, len } = found;
    let byte = |n: usize| u8::try_from(n).expect("the range is checked");
    let back = distance - 1;
    if len <= SHORT && distance <= NEAR {
        out.extend_from_slice(&[byte((len - 1) << 5 | (back & 7) << 2), byte(back >> 3)]);
        return;
    }
    if len <= 33 {
        out.push(byte(32 | (len - 2)));
    } else {
        out.push(32);
        put_length(len - 33, out);
    }
    let back = u16::try_from(back << 2).expect("a distance has 14 bits");
    out.extend_from_slice(&back.to_le_bytes());
}

/// 255 for each zero byte, then what is left, which is not 0.
fn put_length(length: usize, out: &mut Vec<u8>) {
    let mut rest = length;
    while rest > 255 {
        out.push(0);
        rest -= 255;
    }
    out.push(u8::try_from(rest).expect("it is at most 255"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::samples::sample;

    proptest! {
        #[test]
        fn another_decoder_reads_every_stream(plain in sample(16_384)) {
            for level in [0, 10] {
                let mut stream = Vec::new();
                Encoder::new(Level::new(level).unwrap()).encode(&plain, &mut stream);
                prop_assert!(lzokay_native::decompress_all(&stream, None).unwrap() == plain);
                let mut back = vec![0; plain.len()];
                prop_assert_eq!(crate::codec::lzo::decode(&stream, &mut back), Ok(plain.len()));
                prop_assert!(back == plain);
            }
        }
    }
}
