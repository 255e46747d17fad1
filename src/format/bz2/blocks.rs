//! The blocks of bzip2 streams, found and decoded one by one.
//!
//! A block ends where the next mark stands, of a block or of the stream's end. Such bits may stand inside a block by
//! chance; then what ends there does not decode, and the block ends at a later mark.

use std::{
    io::{self, Read},
    sync::Arc,
};

use bzip2::read::BzDecoder;

use super::bits::{BLOCK, Bits, END, MARK};
use crate::{
    Error,
    source::Source,
    unfold::{self, Piece},
};

/// Bits of a checksum.
const CRC: usize = 32;

/// Marks that are taken for the end of one block, each after the one before was none.
const MOST_TRIES: usize = 4;

/// The most plain bytes of a block: 900,000, of which each five stand for 259.
const MOST_PLAIN: u64 = 900_000 / 5 * 259;

/// Blocks whose places are remembered: 16 TiB of plain zeroes, or 900 GB of noise.
const MOST_PIECES: usize = 1 << 20;

/// The plain bytes of all streams, block by block: each is compared with its checksum before it is given out.
pub(super) struct Plain<R> {
    bits: Bits<R>,
    place: Place,
    block: Vec<u8>,
    given: usize,
    /// The digit in the stream's header.
    level: u8,
    /// Made of the checksums of the stream's blocks so far.
    sum: u32,
    /// Where the blocks begin, in bits; `None` when there are too many.
    pieces: Option<Vec<Piece>>,
    is_one_block: bool,
    /// Where to keep that at the end.
    keep_for: Option<Arc<dyn Source>>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// The header of the first stream.
    First,
    /// The header of a stream, or what is none.
    Stream,
    /// A mark.
    Mark,
    Ended,
}

impl<R: Read> Plain<R> {
    pub(super) fn new(stored: R) -> Self {
        Self {
            bits: Bits::new(stored),
            place: Place::First,
            block: Vec::new(),
            given: 0,
            level: b'9',
            sum: 0,
            pieces: Some(Vec::new()),
            is_one_block: false,
            keep_for: None,
        }
    }

    /// As [`Plain::new`], and the places of the blocks are kept once they are all known.
    pub(super) fn that_keeps(stored: R, source: Arc<dyn Source>) -> Self {
        Self {
            keep_for: Some(source),
            ..Self::new(stored)
        }
    }

    /// The one block that begins at this bit of `stored`.
    pub(super) fn of_block(stored: R, bit: usize) -> Self {
        let mut plain = Self::new(stored);
        plain.bits.pass(bit);
        (plain.place, plain.is_one_block) = (Place::Mark, true);
        plain
    }

    /// The places of the blocks so far.
    #[cfg(test)]
    pub(super) fn pieces(&self) -> &[Piece] {
        self.pieces.as_deref().unwrap_or_default()
    }

    fn step(&mut self) -> io::Result<()> {
        match self.place {
            Place::First | Place::Stream => self.begin_stream(),
            Place::Ended => Ok(()),
            Place::Mark => match self.bits.peek(0, MARK)? {
                Some(BLOCK) => self.decode_block(),
                Some(END) => self.end_stream(),
                Some(_) => Err(damage("there is no block where one should begin")),
                None => Err(cut()),
            },
        }
    }

    fn begin_stream(&mut self) -> io::Result<()> {
        let header = self.bits.bytes(4)?;
        let is_cut = !header.is_empty() && b"BZh".starts_with(header);
        if let &[b'B', b'Z', b'h', level @ b'1'..=b'9'] = header {
            self.bits.pass(32);
            (self.place, self.level, self.sum) = (Place::Mark, level, 0);
            return Ok(());
        }
        if self.place == Place::First {
            return Err(damage("there is no bzip2 stream"));
        }
        if is_cut {
            return Err(cut());
        }
        // What follows and is no stream is ignored, as bzip2 does.
        self.place = Place::Ended;
        if let (Some(source), Some(pieces)) = (&self.keep_for, &self.pieces) {
            unfold::keep_pieces(source.as_ref(), pieces);
        }
        Ok(())
    }

    fn end_stream(&mut self) -> io::Result<()> {
        let carried = self.bits.peek(MARK, CRC)?.ok_or_else(cut)?;
        if carried != u64::from(self.sum) {
            return Err(damage(format!(
                "the checksum of the stream is {:08x}, its blocks have {:08x}",
                carried, self.sum
            )));
        }
        self.bits.pass(MARK + CRC);
        self.bits.align();
        self.place = Place::Stream;
        Ok(())
    }

    fn decode_block(&mut self) -> io::Result<()> {
        let crc = self.bits.peek(MARK, CRC)?.ok_or_else(cut)?;
        let crc = u32::try_from(crc).expect("it has 32 bits");
        let (mut end, mut why) = (MARK + CRC, None);
        for _ in 0..MOST_TRIES {
            let Some(found) = self.bits.find([BLOCK, END], end)? else {
                break;
            };
            match self.decode(found, crc) {
                Ok(()) => {
                    self.take_block(found, crc);
                    return Ok(());
                }
                Err(err) => why = why.or(Some(err)),
            }
            end = found + 1;
        }
        self.block.clear();
        let at = self.bits.position() / 8;
        Err(match why {
            Some(why) => damage(format!("the block at {at} is damaged: {why}")),
            None => damage(format!("the block at {at} has no end: the file is cut")),
        })
    }

    /// Decodes the next so many bits as the one block of a stream.
    fn decode(&mut self, bits: usize, crc: u32) -> io::Result<()> {
        let stream = self.bits.copied(bits, self.level, crc);
        self.block.clear();
        let decoder = BzDecoder::new(&stream[..]);
        let read = decoder.take(MOST_PLAIN + 1).read_to_end(&mut self.block)?;
        if read as u64 > MOST_PLAIN {
            return Err(damage("it holds more than a block can"));
        }
        Ok(())
    }

    /// A block of so many bits was decoded.
    fn take_block(&mut self, bits: usize, crc: u32) {
        let piece = Piece {
            at: self.bits.position(),
            plain: self.block.len() as u64,
        };
        match &mut self.pieces {
            Some(pieces) if pieces.len() < MOST_PIECES => pieces.push(piece),
            _ => self.pieces = None,
        }
        if self.is_one_block {
            self.place = Place::Ended;
        }
        self.sum = self.sum.rotate_left(1) ^ crc;
        self.given = 0;
        self.bits.pass(bits);
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.given == self.block.len() && self.place != Place::Ended {
            self.step()?;
        }
        let rest = &self.block[self.given..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.given += n;
        Ok(n)
    }
}

fn cut() -> io::Error {
    damage("the file ends inside a bzip2 stream")
}

fn damage(why: impl Into<String>) -> io::Error {
    io::Error::other(Error::corrupt(why))
}

#[cfg(test)]
mod tests;
