//! Stored bytes as bits, as many as one block needs at a time, with the marks that stand between blocks.

use std::io::{self, Read};

/// Bits of a mark.
pub(super) const MARK: usize = 48;

/// A block begins.
pub(super) const BLOCK: u64 = 0x3141_5926_5359;

/// A stream ends.
pub(super) const END: u64 = 0x1772_4538_5090;

/// Bytes that are fetched at once.
const FETCH: u64 = 128 << 10;

/// The most stored bytes of a block: its 900,000 symbols take 20 bits at most, and its tables are small.
const MOST_STORED: usize = 3 << 20;

/// The bits from a place in `stored` on. Positions in them count from that place.
pub(super) struct Bits<R> {
    stored: R,
    held: Vec<u8>,
    /// Bytes of `stored` before those that are held.
    before: u64,
    /// The place, in the held bytes.
    at: usize,
    is_all_held: bool,
}

impl<R: Read> Bits<R> {
    pub(super) fn new(stored: R) -> Self {
        Self {
            stored,
            held: Vec::new(),
            before: 0,
            at: 0,
            is_all_held: false,
        }
    }

    /// The place, from the start of `stored` on.
    pub(super) fn position(&self) -> u64 {
        self.before * 8 + self.at as u64
    }

    /// The number in the `n` bits from `at` on, 48 at most; `None` where fewer are left.
    pub(super) fn peek(&mut self, at: usize, n: usize) -> io::Result<Option<u64>> {
        let from = self.at + at;
        if !self.hold((from + n).div_ceil(8))? {
            return Ok(None);
        }
        Ok(Some(self.window(from / 8) << (from % 8) >> (64 - n)))
    }

    /// Up to `n` bytes from the place on, which is a whole byte; fewer where the file ends.
    pub(super) fn bytes(&mut self, n: usize) -> io::Result<&[u8]> {
        let from = self.at / 8;
        self.hold(from + n)?;
        let rest = self.held.get(from..).unwrap_or_default();
        Ok(&rest[..rest.len().min(n)])
    }

    /// Goes on by `n` bits.
    pub(super) fn pass(&mut self, n: usize) {
        self.at += n;
        let passed = self.at / 8;
        // Moving what is left costs no more than what was passed.
        if passed > self.held.len() / 2 && passed <= self.held.len() {
            self.held.drain(..passed);
            self.before += passed as u64;
            self.at %= 8;
        }
    }

    /// Goes on to the next whole byte.
    pub(super) fn align(&mut self) {
        self.pass(self.at.wrapping_neg() % 8);
    }

    /// Where the next of two marks stands, from `at` on; `None` when there is none within what a block can take.
    pub(super) fn find(&mut self, marks: [u64; 2], at: usize) -> io::Result<Option<usize>> {
        let mut from = self.at + at;
        loop {
            // A mark that begins in the last held bytes may reach behind them.
            let end = (self.held.len() * 8 + 1).saturating_sub(MARK);
            if let Some(found) = self.scan(marks, from, end) {
                return Ok(Some(found - self.at));
            }
            from = from.max(end);
            let behind = self.held.len() - self.at / 8;
            if behind >= MOST_STORED || !self.hold(self.held.len() + 1)? {
                return Ok(None);
            }
        }
    }

    fn scan(&self, marks: [u64; 2], from: usize, end: usize) -> Option<usize> {
        let first = from / 8;
        (first..end.div_ceil(8)).find_map(|byte| {
            let window = self.window(byte);
            let is_mark = |shift: &usize| marks.contains(&(window << shift >> (64 - MARK)));
            let found = |shift| byte * 8 + shift;
            let inside = |at: &usize| (from..end).contains(at);
            (0..8).filter(is_mark).map(found).find(inside)
        })
    }

    /// The bits up to `end` as a stream of one block with this checksum.
    pub(super) fn copied(&self, end: usize, level: u8, crc: u32) -> Vec<u8> {
        let mut stream = vec![b'B', b'Z', b'h', level];
        let (first, shift) = (self.at / 8, self.at % 8);
        let whole = end / 8;
        stream.reserve(whole + 11);
        stream.extend((0..whole).map(|n| {
            let pair = u16::from_be_bytes([self.byte(first + n), self.byte(first + n + 1)]);
            (pair << shift).to_be_bytes()[0]
        }));
        let (from, left) = (self.at + whole * 8, end % 8);
        let rest = match left {
            0 => 0,
            _ => self.window(from / 8) << (from % 8) >> (64 - left),
        };
        let tail = u128::from(rest) << (MARK + 32) | u128::from(END) << 32 | u128::from(crc);
        let bits = left + MARK + 32;
        let tail = (tail << (128 - bits)).to_be_bytes();
        stream.extend(&tail[..bits.div_ceil(8)]);
        stream
    }

    /// The 64 bits from a held byte on, with zeroes behind the last.
    fn window(&self, byte: usize) -> u64 {
        if let Some(bytes) = self.held.get(byte..).and_then(<[u8]>::first_chunk) {
            return u64::from_be_bytes(*bytes);
        }
        u64::from_be_bytes(std::array::from_fn(|n| self.byte(byte + n)))
    }

    fn byte(&self, at: usize) -> u8 {
        self.held.get(at).copied().unwrap_or(0)
    }

    /// Whether so many bytes are held, after those that are missing were fetched.
    fn hold(&mut self, len: usize) -> io::Result<bool> {
        while self.held.len() < len && !self.is_all_held {
            let mut fetched = self.stored.by_ref().take(FETCH);
            self.is_all_held = fetched.read_to_end(&mut self.held)? == 0;
        }
        Ok(self.held.len() >= len)
    }
}
