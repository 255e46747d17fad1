//! LZO1X: the stream that LZO1X-1 up to LZO1X-999 write.
//!
//! | instruction byte | more bytes | meaning |
//! |---|---|---|
//! | `0000LLLL` after no literals | length | L + 3 literals |
//! | `0000DDSS` after 1 to 3 literals | H | match of 2, distance (H << 2) + D + 1 |
//! | `0000DDSS` after 4 literals or more | H | match of 3, distance (H << 2) + D + 2049 |
//! | `0001HLLL` | length, D and S in 16 bits | match of L + 2, distance (H << 14) + D + 16384 |
//! | `001LLLLL` | length, D and S in 16 bits | match of L + 2, distance D + 1 |
//! | `LLLDDDSS`, L from 2 | H | match of L + 1, distance (H << 3) + D + 1 |
//!
//! S literals follow each match. An L of 0 goes on in bytes: 255 for each zero byte, then one byte that is not.
//! The distance 16384 with a length of 3 is the end mark. A first byte above 17 stands for that many literals
//! less 17.
//!
//! Source: the description of the stream in the Linux kernel (`Documentation/staging/lzo.rst`), without the run
//! length extension of its bitstream version 1. That page gives the first bytes 18 to 21 one literal too few; what
//! encoders write is as above.

use super::{
    Decoded,
    lz4::{TRUNCATED, copy_literals, copy_match},
};

mod encode;

pub(super) use encode::Encoder;

/// Decodes one stream into the front of `dst`. Bytes behind the end mark are an error: no writer pads LZO.
pub(super) fn decode(src: &[u8], dst: &mut [u8]) -> Decoded {
    let mut stream = Stream {
        rest: src,
        dst,
        done: 0,
        literals_before: 0,
    };
    stream.first_literals()?;
    while stream.instruction()? == Next::Instruction {}
    match stream.rest {
        [] => Ok(stream.done),
        _ => Err("bytes follow its end mark"),
    }
}

struct Stream<'a> {
    rest: &'a [u8],
    dst: &'a mut [u8],
    done: usize,
    /// Literals that the previous instruction copied; [`MANY`] stands for any number from 4 on.
    literals_before: usize,
}

const MANY: usize = 4;

#[derive(Eq, PartialEq)]
enum Next {
    Instruction,
    End,
}

struct Match {
    distance: usize,
    count: usize,
    literals: usize,
}

type Parsed<T> = std::result::Result<T, &'static str>;

impl Stream<'_> {
    fn first_literals(&mut self) -> Parsed<()> {
        match *self.rest {
            [first @ 18..=255, ref after @ ..] => {
                self.rest = after;
                self.copy_literals(usize::from(first) - 17)
            }
            _ => Ok(()),
        }
    }

    fn instruction(&mut self) -> Parsed<Next> {
        let byte = self.byte()?;
        let matched = match byte {
            0..16 if self.literals_before == 0 => {
                let count = self.length(byte, 15)?.saturating_add(3);
                self.copy_literals(count)?;
                return Ok(Next::Instruction);
            }
            0..16 => self.match_after_literals(byte)?,
            16..32 => self.far_match(byte)?,
            32..64 => self.long_match(byte)?,
            _ => self.near_match(byte)?,
        };
        if byte < 32 && matched.distance == END {
            return match matched.count {
                3 => Ok(Next::End),
                _ => Err("its end mark has a length other than 3"),
            };
        }
        let most = self.dst.len();
        self.done = copy_match(matched.distance, matched.count, self.dst, self.done, most)?;
        self.copy_literals(matched.literals)?;
        Ok(Next::Instruction)
    }

    /// The shortest matches, which only pay where the literals before them leave two bits free.
    fn match_after_literals(&mut self, byte: usize) -> Parsed<Match> {
        let near = (self.byte()? << 2) + (byte >> 2) + 1;
        let (distance, count) = match self.literals_before {
            MANY => (near + 2048, 3),
            _ => (near, 2),
        };
        Ok(Match {
            distance,
            count,
            literals: byte & 3,
        })
    }

    fn far_match(&mut self, byte: usize) -> Parsed<Match> {
        let count = self.length(byte & 7, 7)?.saturating_add(2);
        let word = self.word()?;
        Ok(Match {
            distance: ((byte & 8) << 11) + (word >> 2) + END,
            count,
            literals: word & 3,
        })
    }

    fn long_match(&mut self, byte: usize) -> Parsed<Match> {
        let count = self.length(byte & 31, 31)?.saturating_add(2);
        let word = self.word()?;
        Ok(Match {
            distance: (word >> 2) + 1,
            count,
            literals: word & 3,
        })
    }

    fn near_match(&mut self, byte: usize) -> Parsed<Match> {
        Ok(Match {
            distance: (self.byte()? << 3) + (byte >> 2 & 7) + 1,
            count: (byte >> 5) + 1,
            literals: byte & 3,
        })
    }

    fn copy_literals(&mut self, count: usize) -> Parsed<()> {
        let most = self.dst.len();
        self.done = copy_literals(count, &mut self.rest, self.dst, self.done, most)?;
        self.literals_before = count.min(MANY);
        Ok(())
    }

    /// A length of which `bits` stood in the instruction; `all` is what they count when they are 0.
    fn length(&mut self, bits: usize, all: usize) -> Decoded {
        if bits != 0 {
            return Ok(bits);
        }
        let zeroes = self.rest.iter().take_while(|&&byte| byte == 0).count();
        self.rest = &self.rest[zeroes..];
        let last = self.byte()?;
        Ok(zeroes.saturating_mul(255).saturating_add(all + last))
    }

    fn byte(&mut self) -> Decoded {
        let (&byte, after) = self.rest.split_first().ok_or(TRUNCATED)?;
        self.rest = after;
        Ok(usize::from(byte))
    }

    fn word(&mut self) -> Decoded {
        let (word, after) = self.rest.split_first_chunk().ok_or(TRUNCATED)?;
        self.rest = after;
        Ok(usize::from(u16::from_le_bytes(*word)))
    }
}

/// The distance from which the far matches count on. A far match of exactly this distance is the end mark; other
/// kinds may have it as a distance.
const END: usize = 16_384;

#[cfg(test)]
mod tests {
    use std::panic;

    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::{super::TOO_LONG, *};

    const MARK: [u8; 3] = [0x11, 0, 0];

    fn decoded(stored: &[u8], len: usize) -> std::result::Result<Vec<u8>, &'static str> {
        let mut dst = vec![0; len];
        let n = decode(stored, &mut dst)?;
        dst.truncate(n);
        Ok(dst)
    }

    /// A first instruction that copies 19 literals or more.
    fn literal_run(literals: &[u8]) -> Vec<u8> {
        let zeroes = (literals.len() - 19) / 255;
        let last = literals.len() - 18 - 255 * zeroes;
        [&vec![0; 1 + zeroes], &[last as u8][..], literals].concat()
    }

    /// Pieces of noise, of runs and of repeats from near and far, so that every kind of match occurs.
    fn plain() -> impl Strategy<Value = Vec<u8>> {
        let noise = vec(any::<u8>(), 1..40).prop_map(|noise| (noise, 1));
        let run = (any::<u8>(), 1..3000_usize).prop_map(|(byte, n)| (vec![byte], n));
        let fresh = prop_oneof![3 => noise, 1 => run];
        let piece = (fresh, any::<Index>(), 0..60_usize);
        vec(piece, 1..150).prop_map(|pieces| {
            let mut plain = Vec::new();
            for ((fresh, times), from, len) in pieces {
                plain.extend(fresh.repeat(times));
                let from = from.index(plain.len());
                let repeat = plain[from..plain.len().min(from + len)].to_vec();
                plain.extend(repeat);
            }
            plain
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn decodes_what_another_encoder_wrote(plain in plain()) {
            let stored = lzokay_native::compress(&plain).unwrap();
            prop_assert_eq!(decoded(&stored, plain.len()), Ok(plain));
        }

        #[test]
        fn damage_never_panics_and_never_decodes_to_something_else_than_another_decoder_says(
            plain in plain(),
            damage in vec((any::<Index>(), any::<u8>()), 1..4),
        ) {
            let mut stored = lzokay_native::compress(&plain).unwrap();
            for (at, byte) in damage {
                let at = at.index(stored.len());
                stored[at] = byte;
            }
            if let Ok(ours) = decoded(&stored, plain.len() + 100) {
                // The other decoder indexes out of bounds on some damaged input.
                let theirs = panic::catch_unwind(|| lzokay_native::decompress_all(&stored, None));
                if let Ok(Ok(theirs)) = theirs {
                    prop_assert_eq!(ours, theirs);
                }
            }
        }

        #[test]
        fn any_bytes_never_panic(stored in vec(any::<u8>(), 0..200), len in 0..5000_usize) {
            let _ = decoded(&stored, len);
        }
    }

    #[test]
    fn the_first_byte_counts_literals() {
        for count in [1, 2, 3, 4, 238] {
            let literals = vec![b'x'; count];
            let stored = [&[17 + count as u8], &literals[..], &MARK].concat();
            assert_eq!(decoded(&stored, count), Ok(literals));
        }
    }

    #[test]
    fn a_match_of_two_follows_few_literals_and_a_match_of_three_many() {
        let few = [&[19, b'a', b'b', 0b0100, 0][..], &MARK].concat();
        assert_eq!(decoded(&few, 4), Ok(b"abab".to_vec()));
        let mut literals = vec![b'x'; 2302];
        literals[..3].copy_from_slice(b"yzz");
        // (63 << 2) + 1 + 2049 is 2302, so the match begins at the first byte.
        let many = [&literal_run(&literals), &[0b0100, 63][..], &MARK].concat();
        assert_eq!(decoded(&many, 2305).unwrap()[2302..], *b"yzz");
    }

    #[test]
    fn a_long_match_may_have_the_distance_of_the_end_mark() {
        let mut literals = vec![b'x'; 16_384];
        literals[0] = b'y';
        let stored = [&literal_run(&literals), &[33, 0xfc, 0xff][..], &MARK].concat();
        assert_eq!(decoded(&stored, 16_387).unwrap()[16_384..], *b"yxx");
    }

    #[test]
    fn an_empty_stream_is_its_end_mark() {
        assert_eq!(decoded(&MARK, 0), Ok(vec![]));
    }

    #[test]
    fn rejects_a_stream_without_its_end_mark() {
        let stored = lzokay_native::compress(&b"abcdefgh".repeat(400)).unwrap();
        for len in 0..stored.len() {
            assert_eq!(decoded(&stored[..len], 3200), Err(TRUNCATED), "{len}");
        }
    }

    #[test]
    fn rejects_bytes_behind_the_end_mark() {
        let stored = [&[18, b'a'][..], &MARK, &[0]].concat();
        assert_eq!(decoded(&stored, 1), Err("bytes follow its end mark"));
    }

    #[test]
    fn rejects_an_end_mark_of_another_length() {
        let stored = [18, b'a', 0x12, 0, 0];
        let why = Err("its end mark has a length other than 3");
        assert_eq!(decoded(&stored, 1), why);
    }

    #[test]
    fn rejects_a_distance_before_the_start() {
        let far = [&[21, 1, 2, 3, 4, 0x40 | 0b1_0000, 0][..], &MARK].concat();
        assert!(decoded(&far, 99).is_err());
        let just = [&[21, 1, 2, 3, 4, 0x40 | 0b0_1100, 0][..], &MARK].concat();
        assert_eq!(decoded(&just, 99), Ok(vec![1, 2, 3, 4, 1, 2, 3]));
    }

    #[test]
    fn rejects_literals_and_matches_past_the_block() {
        let literals = [&[21, 1, 2, 3, 4][..], &MARK].concat();
        assert_eq!(decoded(&literals, 3), Err(TOO_LONG));
        let matched = [&[21, 1, 2, 3, 4, 0x40, 0][..], &MARK].concat();
        assert_eq!(decoded(&matched, 6), Err(TOO_LONG));
        assert_eq!(decoded(&matched, 7), Ok(vec![1, 2, 3, 4, 4, 4, 4]));
    }
}
