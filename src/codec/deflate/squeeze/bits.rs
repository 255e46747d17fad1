//! Bits, the lowest first.

pub(super) struct Bits<'o> {
    out: &'o mut Vec<u8>,
    pending: u64,
    count: u32,
}

impl<'o> Bits<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Self {
            out,
            pending: 0,
            count: 0,
        }
    }

    /// Appends the `count` low bits of `bits`; the others are zero.
    pub(super) fn put(&mut self, bits: u16, count: u8) {
        self.pending |= u64::from(bits) << self.count;
        self.count += u32::from(count);
        while self.count >= 8 {
            self.out.push(self.pending as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    /// Fills up the last byte.
    pub(super) fn finish(&mut self) {
        if self.count > 0 {
            self.put(0, 7);
        }
    }
}
