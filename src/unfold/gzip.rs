//! What stands around deflate data: nothing, or the members of a gzip file.
//!
//! | size | field of a gzip member |
//! |---|---|
//! | 2 | `1F 8B` |
//! | 1 | method, 8 for deflate |
//! | 1 | flags: 1 text, 2 header CRC, 4 extra field, 8 name, 16 comment |
//! | 6 | time, extra flags, system |
//! | 2 + n | extra field |
//! | n | name, up to a zero byte |
//! | n | comment, up to a zero byte |
//! | 2 | CRC-16 of the header |
//! | | deflate data |
//! | 4 | CRC-32 of the plain bytes |
//! | 4 | number of plain bytes, its lowest 32 bits |
//!
//! Members follow each other; what follows and does not begin like one is ignored, as gzip does. Source: RFC 1952.

use std::sync::Arc;

use super::{
    bits::Bits,
    inflate::{Inflate, State, WINDOW},
};
use crate::{Error, Result, source::Source};

/// What stands around the deflate data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// Members of a gzip file.
    Gzip,
    /// Deflate alone, of plain bytes with this CRC-32.
    Raw(u32),
}

/// A name or comment in a header is not longer.
const MOST_TEXT: usize = 64 << 10;

/// A state between two plain bytes from which a walk can go on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Place {
    /// Position of the next bit.
    pub(super) bit: u64,
    pub(super) state: State,
    /// Plain bytes of the member so far, or of its last 32 KiB.
    pub(super) history: u64,
    pub(super) within: bool,
    pub(super) first: bool,
}

/// A place in a stream with the plain bytes before it, compressed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Access {
    pub(super) place: Place,
    pub(super) window: Arc<[u8]>,
}

/// A walk over the plain bytes of a stream.
#[derive(Debug)]
pub(super) struct Walk<'s> {
    bits: Bits<'s>,
    inflate: Inflate,
    framing: Framing,
    place: Place,
    sums: Option<crc32fast::Hasher>,
    /// Whether the last member's checksum is wrong.
    pub(super) is_refuted: bool,
}

impl<'s> Walk<'s> {
    /// A walk from a place on. Checksums are compared when it is `checked`, which takes one from the start.
    pub(super) fn new(
        source: &'s dyn Source,
        end: u64,
        framing: Framing,
        place: Place,
        checked: bool,
    ) -> Result<Self> {
        let mut bits = Bits::new(source, place.bit, end)?;
        let mut inflate = Inflate::default();
        if place.within {
            inflate.resume(place.state, &mut bits)?;
        }
        Ok(Self {
            bits,
            inflate,
            framing,
            place,
            sums: checked.then(crc32fast::Hasher::new),
            is_refuted: false,
        })
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        Place {
            bit: self.bits.at(),
            state: self.inflate.state(),
            history: self.place.history.min(WINDOW as u64),
            ..self.place
        }
    }

    /// Plain bytes of the member that it is in, if it began at its start.
    pub(super) fn of_member(&self) -> u64 {
        self.place.history
    }

    /// Decodes from `*at` on until `plain` is full or the stream ends. The 32 KiB in front of `*at` are what was
    /// decoded before. `*at` tells how far it came, also after an error.
    pub(super) fn fill(&mut self, plain: &mut [u8], at: &mut usize) -> Result<()> {
        while *at < plain.len() {
            if !self.place.within && !self.begin_member()? {
                return Ok(());
            }
            let before = *at;
            let history = usize::try_from(self.place.history).unwrap_or(before);
            let from = before.saturating_sub(history);
            let filled = self.inflate.fill(&mut self.bits, plain, at, from);
            if let Some(sums) = &mut self.sums {
                sums.update(&plain[before..*at]);
            }
            self.place.history += (*at - before) as u64;
            filled?;
            if self.inflate.finish(&mut self.bits)? {
                self.end_member()?;
            }
        }
        Ok(())
    }

    /// False when there is none.
    fn begin_member(&mut self) -> Result<bool> {
        match self.framing {
            Framing::Raw(_) if !self.place.first => return Ok(false),
            Framing::Raw(_) => {}
            Framing::Gzip => {
                if !self.gzip_header()? {
                    return Ok(false);
                }
            }
        }
        self.inflate.restart();
        self.place.history = 0;
        (self.place.within, self.place.first) = (true, false);
        Ok(true)
    }

    fn gzip_header(&mut self) -> Result<bool> {
        let bits = &mut self.bits;
        bits.align();
        if !self.place.first && bits.is_at_end() {
            return Ok(false);
        }
        let mut fixed = [0; 10];
        for (byte, magic) in fixed.iter_mut().zip([0x1F, 0x8B]) {
            *byte = bits.number(8)?.to_le_bytes()[0];
            if !self.place.first && *byte != magic {
                return Ok(false);
            }
        }
        // A member that is cut so early is one, and so is one that cannot be read now.
        bits.bytes(&mut fixed[2..])?;
        check_fixed(&fixed)?;
        let flags = fixed[3];
        if flags & 4 != 0 {
            let len = bits.number(16)?;
            bits.bytes(&mut vec![0; len as usize])?;
        }
        for flag in [8, 16] {
            if flags & flag != 0 {
                skip_text(bits)?;
            }
        }
        if flags & 2 != 0 {
            bits.number(16)?;
        }
        Ok(true)
    }

    fn end_member(&mut self) -> Result<()> {
        self.place.within = false;
        let found = self.sums.as_ref().map(|sums| sums.clone().finalize());
        let carried = match self.framing {
            Framing::Raw(crc) => crc,
            Framing::Gzip => {
                self.bits.align();
                let crc = self.bits.number(32)?;
                let len = self.bits.number(32)?;
                let wrong = u64::from(len) != self.place.history & 0xFFFF_FFFF;
                if self.sums.is_some() && wrong {
                    self.is_refuted = true;
                    return Err(Error::corrupt(format!(
                        "the member's plain bytes are {}, its trailer says {len}",
                        self.place.history
                    )));
                }
                crc
            }
        };
        if let Some(found) = found.filter(|&found| found != carried) {
            self.is_refuted = true;
            return Err(Error::corrupt(format!(
                "the CRC-32 of the plain bytes is {found:08x}, the file says {carried:08x}"
            )));
        }
        if let Some(sums) = &mut self.sums {
            sums.reset();
        }
        Ok(())
    }
}

/// The first bytes of a member's header.
pub(super) fn check_fixed(fixed: &[u8; 10]) -> Result<()> {
    if fixed[..2] != [0x1F, 0x8B] {
        return Err(Error::corrupt(format!(
            "a gzip member begins with {:02x} {:02x}, not with 1f 8b",
            fixed[0], fixed[1]
        )));
    }
    if fixed[2] != 8 {
        return Err(Error::unsupported(format!(
            "the gzip method is {}, only 8 (deflate) is known",
            fixed[2]
        )));
    }
    if fixed[3] & 0xE0 != 0 {
        return Err(Error::unsupported(format!(
            "the gzip flags are {:#04x}, of which the upper three bits are reserved",
            fixed[3]
        )));
    }
    Ok(())
}

fn skip_text(bits: &mut Bits<'_>) -> Result<()> {
    for _ in 0..MOST_TEXT {
        if bits.number(8)? == 0 {
            return Ok(());
        }
    }
    Err(Error::corrupt(
        "a name or comment in the gzip header is longer than 64 KiB",
    ))
}
