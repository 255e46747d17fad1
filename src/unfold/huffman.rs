//! Tables of the prefix codes of deflate.

use crate::{Error, Result};

/// Bits that the first look takes.
const FIRST: u32 = 10;

/// The longest code.
const LONGEST: usize = 15;

/// What a code stands for: bits of the code in the lowest byte, a kind, extra bits, and a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry(u32);

/// What an entry is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Literal,
    /// A base with extra bits behind the code.
    Base,
    EndOfBlock,
    /// No code leads here.
    Unused,
    /// The value says where the longer codes stand.
    Longer,
}

impl Entry {
    const UNUSED: Self = Self::new(Kind::Unused, 0, 0);

    pub(super) const fn new(kind: Kind, extra: u32, value: u16) -> Self {
        Self((value as u32) << 16 | extra << 11 | (kind as u32) << 8)
    }

    fn with_bits(self, bits: u32) -> Self {
        Self(self.0 | bits)
    }

    #[inline]
    pub(super) fn bits(self) -> u32 {
        self.0 & 0xFF
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        match self.0 >> 8 & 7 {
            0 => Kind::Literal,
            1 => Kind::Base,
            2 => Kind::EndOfBlock,
            4 => Kind::Longer,
            _ => Kind::Unused,
        }
    }

    #[inline]
    pub(super) fn extra(self) -> u32 {
        self.0 >> 11 & 31
    }

    #[inline]
    pub(super) fn value(self) -> u32 {
        self.0 >> 16
    }
}

/// A table of codes.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    entries: Vec<Entry>,
}

impl Table {
    /// The codes of `lengths`, which stand for what `meaning` says.
    ///
    /// # Errors
    /// `Corrupt` when there are more codes than fit, or fewer; a single code may stand alone, and none at all.
    pub(super) fn fill(&mut self, lengths: &[u8], meaning: impl Fn(usize) -> Entry) -> Result<()> {
        let mut next = first_codes(lengths)?;
        self.entries.clear();
        self.entries.resize(1 << FIRST, Entry::UNUSED);
        let mut longer: Vec<(u32, u32, Entry)> = Vec::new();
        for (symbol, &len) in lengths.iter().enumerate().filter(|(_, len)| **len > 0) {
            let len = u32::from(len);
            let code = next[len as usize];
            next[len as usize] += 1;
            let reversed = code.reverse_bits() >> (32 - len);
            let entry = meaning(symbol).with_bits(len);
            if len <= FIRST {
                self.repeat(0, FIRST, reversed, len, entry);
            } else {
                longer.push((reversed, len, entry));
            }
        }
        self.add_longer(&longer);
        Ok(())
    }

    /// Puts an entry at every index whose lowest `len` bits are `code`, in a table of `bits` bits at `from`.
    fn repeat(&mut self, from: usize, bits: u32, code: u32, len: u32, entry: Entry) {
        let mut at = code as usize;
        while at < 1 << bits {
            self.entries[from + at] = entry;
            at += 1 << len;
        }
    }

    /// Codes longer than the first look: each beginning gets a table of its own.
    fn add_longer(&mut self, longer: &[(u32, u32, Entry)]) {
        let mask = (1_u32 << FIRST) - 1;
        for &(code, _, _) in longer {
            let head = (code & mask) as usize;
            if self.entries[head].kind() == Kind::Longer {
                continue;
            }
            let same = longer
                .iter()
                .filter(|(other, ..)| other & mask == code & mask);
            let bits = same.map(|(_, len, _)| len - FIRST).max().unwrap_or(1);
            let from = u16::try_from(self.entries.len()).expect("there are few codes");
            self.entries[head] = Entry::new(Kind::Longer, bits, from);
            self.entries
                .resize(usize::from(from) + (1 << bits), Entry::UNUSED);
        }
        for &(code, len, entry) in longer {
            let head = self.entries[(code & mask) as usize];
            let from = head.value() as usize;
            self.repeat(from, head.extra(), code >> FIRST, len - FIRST, entry);
        }
    }

    /// The entry for the code that `bits` begin with.
    #[inline]
    pub(super) fn look_up(&self, bits: u64) -> Entry {
        let at = (bits & ((1 << FIRST) - 1)) as usize;
        let entry = self.entries[at];
        if entry.kind() == Kind::Longer {
            let rest = bits >> FIRST & ((1 << entry.extra()) - 1);
            return self.entries[entry.value() as usize + rest as usize];
        }
        entry
    }
}

/// The first code of each length.
fn first_codes(lengths: &[u8]) -> Result<[u32; LONGEST + 1]> {
    let mut counts = [0_u32; LONGEST + 1];
    for &len in lengths {
        counts[usize::from(len)] += 1;
    }
    counts[0] = 0;
    let (mut next, mut code, mut left) = ([0; LONGEST + 1], 0, 1_i64);
    for len in 1..=LONGEST {
        code = (code + counts[len - 1]) << 1;
        next[len] = code;
        left = left * 2 - i64::from(counts[len]);
        if left < 0 {
            return Err(Error::corrupt("a deflate block has more codes than fit"));
        }
    }
    let alone = counts.iter().sum::<u32>() <= 1;
    if left > 0 && !alone {
        return Err(Error::corrupt(
            "a deflate block leaves codes without a meaning",
        ));
    }
    Ok(next)
}
