//! Numbers of any number of bits, the highest bit first.

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
        if self.filled < i64::from(count) {
            self.fill();
        }
        let bits = self.ahead >> 1 >> (63 - count);
        u32::try_from(bits).expect("it has at most 32 bits")
    }

    /// Takes `count` bits, at most 32, after a `peek` of as many or more.
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
    pub(super) fn take_long(&mut self, count: u32) -> u64 {
        let low = count.min(32);
        let high = u64::from(self.take(count - low));
        high << low | u64::from(self.take(low))
    }

    fn fill(&mut self) {
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
