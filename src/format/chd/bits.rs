//! Numbers of any number of bits, the highest bit first.

/// So many bits are always ahead when they are asked for.
const AT_ONCE: u32 = 56;

/// Reads bits from the front of `bytes`. Behind their end there are zero bits; [`Bits::is_overrun`] tells.
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    /// The next bits, from the highest one down.
    ahead: u64,
    /// How many bits of `ahead` are filled; negative when more were taken than there are.
    filled: i64,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            ahead: 0,
            filled: 0,
        }
    }

    /// The next `count` bits, at most 32, without taking them.
    #[inline]
    pub(super) fn peek(&mut self, count: u32) -> u32 {
        u32::try_from(self.peek_long(count)).expect("it has at most 32 bits")
    }

    /// The next `count` bits, at most [`AT_ONCE`].
    #[inline]
    fn peek_long(&mut self, count: u32) -> u64 {
        if self.filled < i64::from(count) {
            self.fill();
        }
        self.ahead >> 1 >> (63 - count)
    }

    /// Takes `count` bits after a `peek` of as many or more.
    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        self.ahead <<= count;
        self.filled -= i64::from(count);
    }

    /// Takes the next `count` bits, at most 32.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        let bits = self.peek(count);
        self.skip(count);
        bits
    }

    /// Takes the next `count` bits, at most 64.
    #[inline]
    pub(super) fn take_long(&mut self, count: u32) -> u64 {
        let low = count.min(AT_ONCE);
        let high = u64::from(self.take(count - low));
        let bits = high << low | self.peek_long(low);
        self.skip(low);
        bits
    }

    /// Fills at least [`AT_ONCE`] bits, as long as there are so many.
    #[inline]
    fn fill(&mut self) {
        let Some(word) = self.rest.first_chunk().copied().map(u64::from_be_bytes) else {
            return self.fill_by_bytes();
        };
        let Ok(filled @ 0..=63) = u32::try_from(self.filled) else {
            return;
        };
        // Bits of a byte that is not filled whole are filled again, with the same, the next time.
        self.ahead |= word >> filled;
        let bytes = (63 - filled) / 8;
        self.filled += i64::from(8 * bytes);
        self.rest = &self.rest[bytes as usize..];
    }

    #[cold]
    fn fill_by_bytes(&mut self) {
        while (0..=56).contains(&self.filled) {
            let Some((&byte, rest)) = self.rest.split_first() else {
                return;
            };
            self.ahead |= u64::from(byte) << (56 - self.filled);
            self.filled += 8;
            self.rest = rest;
        }
    }

    /// Whether more bits were taken than there are.
    pub(super) fn is_overrun(&self) -> bool {
        self.filled < 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_the_same_however_many_are_taken_at_once() {
        let bytes: Vec<u8> = (0..200_u32).map(|n| ((n * n * 7) >> 3) as u8).collect();
        let mut singly = Bits::new(&bytes);
        let mut together = Bits::new(&bytes);
        for count in (0..=64).cycle().take(60) {
            let bits = (0..count).fold(0, |bits, _| bits << 1 | u64::from(singly.take(1)));
            assert_eq!(together.take_long(count), bits, "{count} bits");
        }
        assert!(singly.is_overrun() && together.is_overrun());
    }

    #[test]
    fn bits_come_highest_first_and_zeroes_behind_the_end() {
        let mut bits = Bits::new(&[0b1010_0101, 0xff, 0x12, 0x34, 0x56, 0x78, 0x9a]);
        assert_eq!((bits.take(1), bits.take(3), bits.take(4)), (1, 2, 5));
        assert_eq!(bits.take(0), 0);
        assert_eq!(bits.take(32), 0xff12_3456);
        assert_eq!(bits.take_long(12), 0x789);
        assert!(!bits.is_overrun());
        assert_eq!(bits.take(8), 0xa0);
        assert!(bits.is_overrun());
        assert_eq!(bits.take_long(64), 0);
    }
}
