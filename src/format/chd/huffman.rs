//! Canonical Huffman codes, and the two ways in which their lengths are written.

use super::bits::Bits;

/// Why a code cannot be used.
pub(super) type Fault = &'static str;

/// A code, as a table from its longest number of bits to symbol and length.
pub(super) struct Code {
    longest: u32,
    /// The symbol shifted by 8, and the number of bits; 0 where there is no symbol.
    table: Vec<u32>,
}

impl Code {
    /// Reads lengths of up to 8 bits for `symbols` symbols, with repetitions.
    pub(super) fn read_repeated(bits: &mut Bits<'_>, symbols: usize) -> Result<Self, Fault> {
        const WIDTH: u32 = 4;
        let mut lengths = Vec::with_capacity(symbols);
        while lengths.len() < symbols {
            let length = bits.take(WIDTH);
            if length != 1 {
                lengths.push(length);
                continue;
            }
            let length = bits.take(WIDTH);
            if length == 1 {
                lengths.push(1);
                continue;
            }
            let count = bits.take(WIDTH) as usize + 3;
            if lengths.len() + count > symbols {
                return Err("the code lengths repeat beyond the last symbol");
            }
            lengths.extend(std::iter::repeat_n(length, count));
        }
        Self::new(&lengths, 8)
    }

    /// Reads lengths of up to 16 bits for 256 symbols, which are themselves written in a code.
    pub(super) fn read_coded(bits: &mut Bits<'_>) -> Result<Self, Fault> {
        let small = Self::read_small(bits)?;
        let mut lengths = Vec::with_capacity(256);
        let mut last = 0;
        while lengths.len() < 256 {
            match small.next(bits)? {
                0 => {
                    let mut count = bits.take(3) as usize + 2;
                    if count == 9 {
                        count += bits.take(8) as usize;
                    }
                    lengths.extend(std::iter::repeat_n(last, count.min(256 - lengths.len())));
                }
                value => {
                    last = value - 1;
                    lengths.push(last);
                }
            }
        }
        Self::new(&lengths, 16)
    }

    /// The code for the lengths: 24 symbols of up to 6 bits.
    fn read_small(bits: &mut Bits<'_>) -> Result<Self, Fault> {
        let mut lengths = [0; 24];
        lengths[0] = bits.take(3);
        let start = bits.take(3) as usize + 1;
        for length in &mut lengths[start..] {
            match bits.take(3) {
                7 => break,
                bits => *length = bits,
            }
        }
        Self::new(&lengths, 6)
    }

    /// Gives each symbol its code, by length and then by number, the longest codes first.
    fn new(lengths: &[u32], limit: u32) -> Result<Self, Fault> {
        let mut next = [0_u32; 33];
        for &length in lengths {
            if length > limit {
                return Err("a code length is above the longest");
            }
            next[length as usize] += 1;
        }
        // Few codes use all the bits that they may have, and a table for those that none uses costs more than the
        // symbols of a small hunk do.
        let longest = lengths.iter().copied().max().unwrap_or(0).max(1);
        let mut start = 0;
        for length in (1..=longest as usize).rev() {
            let end = start + next[length];
            if length > 1 && end % 2 != 0 {
                return Err("the code lengths do not make a code");
            }
            next[length] = start;
            start = end / 2;
        }
        let mut table = vec![0; 1 << longest];
        for (symbol, &length) in (0_u32..).zip(lengths).filter(|(_, length)| **length > 0) {
            let code = next[length as usize] as usize;
            next[length as usize] += 1;
            let free = longest - length;
            let places = table.get_mut(code << free..(code + 1) << free);
            places
                .ok_or("the code lengths do not make a code")?
                .fill(symbol << 8 | length);
        }
        Ok(Self { longest, table })
    }

    /// The next symbol.
    #[inline]
    pub(super) fn next(&self, bits: &mut Bits<'_>) -> Result<u32, Fault> {
        let found = self.table[bits.peek(self.longest) as usize];
        if found == 0 {
            return Err("bits that are no code");
        }
        bits.skip(found & 0xff);
        Ok(found >> 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_told_by_their_codes() {
        // Lengths 1, 2, 2: the longest codes come first.
        let code = Code::new(&[1, 2, 2], 8).ok().unwrap();
        let mut bits = Bits::new(&[0b0001_1000]);
        let symbols = [0; 4].map(|_: u32| code.next(&mut bits).unwrap());
        assert_eq!(symbols, [1, 2, 0, 1]);
    }

    #[test]
    fn a_code_without_symbols_is_no_code_at_its_first_use() {
        let code = Code::new(&[0, 0, 0], 16).ok().unwrap();
        assert!(code.next(&mut Bits::new(&[0])).is_err());
    }

    #[test]
    fn rejects_lengths_that_make_no_code() {
        assert!(Code::new(&[2, 2, 2], 8).is_err());
        assert!(Code::new(&[1, 1, 1], 8).is_err());
        assert!(Code::new(&[9, 9], 8).is_err());
    }

    #[test]
    fn rejects_lengths_that_repeat_beyond_the_last_symbol() {
        let all = [0x1f, 0xf1, 0xff, 0x1f, 0xff];
        assert!(Code::read_repeated(&mut Bits::new(&all), 16).is_err());
    }

    #[test]
    fn rejects_bits_that_are_no_code() {
        let code = Code::new(&[1, 0], 8).ok().unwrap();
        let mut bits = Bits::new(&[0b0100_0000]);
        assert_eq!(code.next(&mut bits), Ok(0));
        assert!(code.next(&mut bits).is_err());
    }
}
