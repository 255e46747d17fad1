//! The bits of a stored stream, lowest first.

use crate::{Error, Result, source::Source};

/// Stored bytes that are fetched at once.
const FETCH: u64 = 64 << 10;

/// A reader of bits that can be put anywhere.
#[derive(Debug)]
pub(super) struct Bits<'s> {
    source: &'s dyn Source,
    /// The stored bytes end here, though the source may go on.
    end: u64,
    fetched: Vec<u8>,
    /// Position of the first fetched byte.
    fetched_at: u64,
    /// The next byte of `fetched`.
    next: usize,
    /// Bits that were taken out of `fetched` and not used; those from `count` on may be anything.
    held: u64,
    count: u32,
}

impl<'s> Bits<'s> {
    /// The bits from bit `at` of the source on, up to byte `end`.
    pub(super) fn new(source: &'s dyn Source, at: u64, end: u64) -> Result<Self> {
        let mut bits = Self {
            source,
            end: end.min(source.len()),
            fetched: Vec::new(),
            fetched_at: at / 8,
            next: 0,
            held: 0,
            count: 0,
        };
        bits.go_to(at)?;
        Ok(bits)
    }

    /// Goes to bit `at`.
    pub(super) fn go_to(&mut self, at: u64) -> Result<()> {
        let byte = at / 8;
        let inside = byte
            .checked_sub(self.fetched_at)
            .filter(|&back| back <= self.fetched.len() as u64);
        if let Some(next) = inside {
            self.next = usize::try_from(next).expect("it is inside the fetched bytes");
        } else {
            (self.fetched_at, self.next) = (byte, 0);
            self.fetched.clear();
        }
        (self.held, self.count) = (0, 0);
        let within = (at % 8) as u32;
        if within > 0 {
            self.need(8)?;
            self.drop(within);
        }
        Ok(())
    }

    /// The position, in bits.
    pub(super) fn at(&self) -> u64 {
        (self.fetched_at + self.next as u64) * 8 - u64::from(self.count)
    }

    /// Whether all bytes are used up.
    pub(super) fn is_at_end(&self) -> bool {
        self.at() >= self.end.saturating_mul(8)
    }

    /// Takes in bits until at least 56 are held, or all that are left.
    #[inline]
    pub(super) fn refill(&mut self) -> Result<()> {
        if self.count >= 48 {
            return Ok(());
        }
        if let Some(word) = self.fetched.get(self.next..self.next + 8) {
            let word = u64::from_le_bytes(word.try_into().expect("a range of 8 bytes"));
            // What is above `count` was there already and is the same.
            self.held |= word << self.count;
            self.next += ((63 - self.count) >> 3) as usize;
            self.count |= 0x38;
            return Ok(());
        }
        self.refill_slowly()
    }

    #[cold]
    fn refill_slowly(&mut self) -> Result<()> {
        self.held &= (1_u64 << self.count) - 1;
        while self.count <= 48 {
            if self.next == self.fetched.len() && !self.fetch()? {
                return Ok(());
            }
            self.held |= u64::from(self.fetched[self.next]) << self.count;
            self.next += 1;
            self.count += 8;
        }
        Ok(())
    }

    /// Fetches the bytes behind those that were fetched; false at the end.
    fn fetch(&mut self) -> Result<bool> {
        let at = self.fetched_at + self.fetched.len() as u64;
        let len = self.end.saturating_sub(at).min(FETCH);
        let len = usize::try_from(len).expect("it is at most FETCH");
        if len == 0 {
            return Ok(false);
        }
        self.fetched.resize(len, 0);
        (self.fetched_at, self.next) = (at, 0);
        self.source.read_exact_at(&mut self.fetched, at)?;
        Ok(true)
    }

    /// The bits that are held; those that are not there are 0 or lie behind.
    #[inline]
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Gives up `n` bits.
    ///
    /// # Errors
    /// `Corrupt` when so many are not left.
    #[inline]
    pub(super) fn take(&mut self, n: u32) -> Result<()> {
        if n > self.count {
            return Err(ends());
        }
        self.drop(n);
        Ok(())
    }

    #[inline]
    fn drop(&mut self, n: u32) {
        self.held >>= n;
        self.count -= n;
    }

    fn need(&mut self, n: u32) -> Result<()> {
        self.refill()?;
        if self.count < n { Err(ends()) } else { Ok(()) }
    }

    /// The next `n` bits, 32 at most.
    pub(super) fn number(&mut self, n: u32) -> Result<u32> {
        self.need(n)?;
        let value = self.held & ((1_u64 << n) - 1);
        self.drop(n);
        Ok(u32::try_from(value).expect("it has 32 bits at most"))
    }

    /// Goes on at the next whole byte.
    pub(super) fn align(&mut self) {
        self.drop(self.count % 8);
    }

    /// Fills `out` with whole bytes, of which the first is aligned.
    pub(super) fn bytes(&mut self, mut out: &mut [u8]) -> Result<()> {
        while self.count >= 8 && !out.is_empty() {
            out[0] = self.held.to_le_bytes()[0];
            self.drop(8);
            out = &mut out[1..];
        }
        if out.is_empty() {
            return Ok(());
        }
        self.held = 0;
        while !out.is_empty() {
            if self.next == self.fetched.len() && !self.fetch()? {
                return Err(ends());
            }
            let n = out.len().min(self.fetched.len() - self.next);
            out[..n].copy_from_slice(&self.fetched[self.next..self.next + n]);
            self.next += n;
            out = &mut std::mem::take(&mut out)[n..];
        }
        Ok(())
    }
}

fn ends() -> Error {
    Error::corrupt("the stored bytes end inside the stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_wherever_reading_begins() {
        let bytes: Vec<u8> = (0..200_000_u32)
            .map(|i| (i.wrapping_mul(i) >> 5) as u8)
            .collect();
        let bit = |at: u64| u32::from(bytes[(at / 8) as usize] >> (at % 8) & 1);
        for start in [0, 5, 8 * 65_530 + 3, 8 * 199_990] {
            let mut bits = Bits::new(&bytes, start, bytes.len() as u64).unwrap();
            let mut at = start;
            for n in [1, 3, 13, 7, 32, 9].into_iter().cycle().take(4000) {
                if at + u64::from(n) > 8 * bytes.len() as u64 {
                    assert!(bits.number(n).is_err());
                    break;
                }
                let expected: u64 = (0..u64::from(n)).map(|i| u64::from(bit(at + i)) << i).sum();
                assert_eq!(u64::from(bits.number(n).unwrap()), expected, "bit {at}");
                at += u64::from(n);
                assert_eq!(bits.at(), at);
            }
        }
    }
}
