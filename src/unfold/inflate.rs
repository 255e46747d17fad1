//! Deflate that can stop at any byte and go on from there later, or in another thread.
//!
//! What a decoder holds besides the last 32 KiB is small: where the block's header stands, where the next code
//! stands, and what is left of a match. The tables of codes are read from the header again.
//! Source: RFC 1951.

use super::{
    bits::Bits,
    huffman::{Entry, Kind, Table},
};
use crate::{Error, Result};

/// The farthest that a match reaches back.
pub(super) const WINDOW: usize = 32 << 10;

/// Where a stream stands between two bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct State {
    pub(super) place: Place,
    /// A match of which so many bytes are still to be copied, from so far back.
    pub(super) left: u16,
    pub(super) distance: u16,
}

/// Where the next bits belong.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Place {
    /// A block's header comes next.
    #[default]
    Between,
    /// Inside a block of stored bytes.
    Stored { left: u16, last: bool },
    /// Inside a block of codes, whose header stands at this bit.
    Codes { header: u64 },
    /// Behind the last block.
    Ended,
}

/// A decoder. It holds no plain bytes: they stand in its caller's buffer, with what came before them.
#[derive(Debug, Default)]
pub(super) struct Inflate {
    state: State,
    literals: Table,
    distances: Table,
    last: bool,
}

impl Inflate {
    /// Goes on from a state that another decoder gave.
    pub(super) fn resume(&mut self, state: State, bits: &mut Bits<'_>) -> Result<()> {
        self.state = state;
        if let Place::Codes { header } = state.place {
            let at = bits.at();
            bits.go_to(header)?;
            self.begin_block(bits)?;
            if !matches!(self.state.place, Place::Codes { .. }) {
                return Err(Error::corrupt("an access point leads into no block"));
            }
            bits.go_to(at)?;
            self.state = state;
        }
        Ok(())
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Begins a new stream.
    pub(super) fn restart(&mut self) {
        self.state = State::default();
    }

    /// Decodes into `plain` from `*at` on until it is full or the stream ends. What stands before `from` does not
    /// belong to the stream. `*at` tells how far it came, also after an error.
    pub(super) fn fill(
        &mut self,
        bits: &mut Bits<'_>,
        plain: &mut [u8],
        at: &mut usize,
        from: usize,
    ) -> Result<()> {
        self.copy_rest(plain, at);
        while *at < plain.len() && self.state.place != Place::Ended {
            match self.state.place {
                Place::Between => self.begin_block(bits)?,
                Place::Stored { left, last } => {
                    let n = usize::from(left).min(plain.len() - *at);
                    bits.bytes(&mut plain[*at..*at + n])?;
                    *at += n;
                    let left = left - u16::try_from(n).expect("it is at most `left`");
                    self.state.place = after_stored(left, last);
                }
                Place::Codes { .. } => self.codes(bits, plain, at, from)?,
                Place::Ended => {}
            }
        }
        // An end mark may follow the last byte that was asked for.
        Ok(())
    }

    /// Goes over what holds no bytes any more, up to the end of the stream; true when it is reached.
    pub(super) fn finish(&mut self, bits: &mut Bits<'_>) -> Result<bool> {
        while self.state.left == 0 {
            match self.state.place {
                Place::Ended => return Ok(true),
                Place::Between => self.begin_block(bits)?,
                Place::Stored { .. } => return Ok(false),
                Place::Codes { .. } => {
                    bits.refill()?;
                    let entry = self.literals.look_up(bits.held());
                    if entry.kind() != Kind::EndOfBlock {
                        return Ok(false);
                    }
                    bits.take(entry.bits())?;
                    self.end_block();
                }
            }
        }
        Ok(false)
    }

    fn end_block(&mut self) {
        self.state.place = if self.last {
            Place::Ended
        } else {
            Place::Between
        };
    }

    fn begin_block(&mut self, bits: &mut Bits<'_>) -> Result<()> {
        let header = bits.at();
        self.last = bits.number(1)? == 1;
        match bits.number(2)? {
            0 => {
                bits.align();
                let (len, check) = (bits.number(16)?, bits.number(16)?);
                if len != !check & 0xFFFF {
                    return Err(Error::corrupt(
                        "a stored deflate block contradicts its length",
                    ));
                }
                let len = u16::try_from(len).expect("it has 16 bits");
                self.state.place = after_stored(len, self.last);
                return Ok(());
            }
            1 => self.fixed_codes()?,
            2 => self.own_codes(bits)?,
            _ => {
                return Err(Error::corrupt(
                    "a deflate block is of type 3, which is none",
                ));
            }
        }
        self.state.place = Place::Codes { header };
        Ok(())
    }

    fn fixed_codes(&mut self) -> Result<()> {
        let mut lengths = [8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        self.literals.fill(&lengths, literal)?;
        self.distances.fill(&[5; 32], distance)
    }

    fn own_codes(&mut self, bits: &mut Bits<'_>) -> Result<()> {
        const ORDER: [usize; 19] = [
            16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
        ];
        let literals = bits.number(5)? as usize + 257;
        let distances = bits.number(5)? as usize + 1;
        let codes = bits.number(4)? as usize + 4;
        if literals > 286 || distances > 30 {
            return Err(Error::corrupt(
                "a deflate block has more codes than there are",
            ));
        }
        let mut lengths = [0; 19];
        for &symbol in &ORDER[..codes] {
            lengths[symbol] = u8::try_from(bits.number(3)?).expect("it has 3 bits");
        }
        self.distances.fill(&lengths, |symbol| {
            Entry::new(Kind::Literal, 0, u16::try_from(symbol).unwrap_or(0))
        })?;
        let mut all = [0; 286 + 30];
        read_lengths(bits, &self.distances, &mut all[..literals + distances])?;
        if all[256] == 0 {
            return Err(Error::corrupt("a deflate block has no end mark"));
        }
        self.literals.fill(&all[..literals], literal)?;
        self.distances
            .fill(&all[literals..literals + distances], distance)
    }

    fn codes(
        &mut self,
        bits: &mut Bits<'_>,
        plain: &mut [u8],
        at: &mut usize,
        from: usize,
    ) -> Result<()> {
        while *at < plain.len() {
            bits.refill()?;
            let entry = self.literals.look_up(bits.held());
            match entry.kind() {
                Kind::Literal => {
                    bits.take(entry.bits())?;
                    plain[*at] = entry.value().to_le_bytes()[0];
                    *at += 1;
                }
                Kind::Base => {
                    bits.take(entry.bits())?;
                    let len = take_extra(bits, entry)?;
                    let entry = self.distances.look_up(bits.held());
                    if entry.kind() != Kind::Base {
                        return Err(no_meaning());
                    }
                    bits.take(entry.bits())?;
                    let distance = take_extra(bits, entry)?;
                    if distance as usize > *at - from {
                        return Err(Error::corrupt("a match reaches back before the stream"));
                    }
                    self.copy(plain, at, len as usize, distance as usize);
                }
                Kind::EndOfBlock => {
                    bits.take(entry.bits())?;
                    self.end_block();
                    return Ok(());
                }
                Kind::Unused | Kind::Longer => return Err(no_meaning()),
            }
        }
        Ok(())
    }

    #[inline]
    fn copy(&mut self, plain: &mut [u8], at: &mut usize, len: usize, distance: usize) {
        let now = len.min(plain.len() - *at);
        let start = *at - distance;
        if distance >= now {
            plain.copy_within(start..start + now, *at);
        } else if distance == 1 {
            let byte = plain[start];
            plain[*at..*at + now].fill(byte);
        } else {
            for i in 0..now {
                plain[*at + i] = plain[start + i];
            }
        }
        *at += now;
        self.state.left = u16::try_from(len - now).expect("a match has 258 bytes at most");
        self.state.distance = u16::try_from(distance).expect("it is at most 32768");
    }

    fn copy_rest(&mut self, plain: &mut [u8], at: &mut usize) {
        let (left, distance) = (self.state.left, self.state.distance);
        if left > 0 {
            self.copy(plain, at, left.into(), distance.into());
        }
    }
}

fn after_stored(left: u16, last: bool) -> Place {
    match (left, last) {
        (0, true) => Place::Ended,
        (0, false) => Place::Between,
        _ => Place::Stored { left, last },
    }
}

#[inline]
fn take_extra(bits: &mut Bits<'_>, entry: Entry) -> Result<u32> {
    let n = entry.extra();
    let extra = bits.held() & ((1 << n) - 1);
    bits.take(n)?;
    Ok(entry.value() + u32::try_from(extra).expect("it has 13 bits at most"))
}

fn no_meaning() -> Error {
    Error::corrupt("a deflate code has no meaning")
}

/// The lengths of the codes of a block, which are themselves in a code.
fn read_lengths(bits: &mut Bits<'_>, codes: &Table, lengths: &mut [u8]) -> Result<()> {
    let mut at = 0;
    while at < lengths.len() {
        bits.refill()?;
        let entry = codes.look_up(bits.held());
        if entry.kind() != Kind::Literal {
            return Err(no_meaning());
        }
        bits.take(entry.bits())?;
        let value = entry.value().to_le_bytes()[0];
        let (value, times) = match value {
            16 if at == 0 => return Err(Error::corrupt("a deflate block repeats no length")),
            16 => (lengths[at - 1], 3 + bits.number(2)?),
            17 => (0, 3 + bits.number(3)?),
            18 => (0, 11 + bits.number(7)?),
            _ => (value, 1),
        };
        let end = at + times as usize;
        let run = lengths.get_mut(at..end);
        run.ok_or_else(|| Error::corrupt("a deflate block has more lengths than codes"))?
            .fill(value);
        at = end;
    }
    Ok(())
}

fn literal(symbol: usize) -> Entry {
    let value = u16::try_from(symbol).unwrap_or(u16::MAX);
    match symbol {
        0..256 => Entry::new(Kind::Literal, 0, value),
        256 => Entry::new(Kind::EndOfBlock, 0, 0),
        257..265 => Entry::new(Kind::Base, 0, value - 254),
        265..285 => {
            let extra = u32::from(value - 261) / 4;
            let base = ((value - 261) % 4 + 4) << extra;
            Entry::new(Kind::Base, extra, base + 3)
        }
        285 => Entry::new(Kind::Base, 0, 258),
        _ => Entry::new(Kind::Unused, 0, 0),
    }
}

fn distance(symbol: usize) -> Entry {
    let value = u16::try_from(symbol).unwrap_or(u16::MAX);
    match symbol {
        0..4 => Entry::new(Kind::Base, 0, value + 1),
        4..30 => {
            let extra = u32::from(value) / 2 - 1;
            Entry::new(Kind::Base, extra, ((2 + value % 2) << extra) + 1)
        }
        _ => Entry::new(Kind::Unused, 0, 0),
    }
}
