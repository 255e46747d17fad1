//! The plain bytes of frames that follow each other, each block with those before it.

use std::{
    hash::Hasher,
    io::{self, BufRead, Read},
};

use twox_hash::XxHash32;

use super::{
    compare,
    header::{Header, MOST_HEADER, len_of},
    is_skippable,
};
use crate::{Error, codec, unfold::Refuted};

/// How far a match reaches back.
const WINDOW: usize = 64 << 10;

/// Reads frames from front to end.
pub(super) struct Plain<R> {
    stored: R,
    frame: Option<Frame>,
    /// The plain bytes before a block, and its own.
    decoded: Vec<u8>,
    /// The first byte of `decoded` that was not given out.
    next: usize,
    data: Vec<u8>,
}

struct Frame {
    header: Header,
    sum: XxHash32,
}

impl<R: BufRead> Plain<R> {
    pub(super) fn new(stored: R) -> Self {
        Self {
            stored,
            frame: None,
            decoded: Vec::new(),
            next: 0,
            data: Vec::new(),
        }
    }

    /// Goes to the next frame; false when there is none.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.stored.fill_buf()?.is_empty() {
            let mut head = [0; MOST_HEADER];
            self.stored.read_exact(&mut head[..5])?;
            let magic = [head[0], head[1], head[2], head[3]];
            if is_skippable(magic) {
                let mut rest = [0; 3];
                self.stored.read_exact(&mut rest)?;
                let len = u32::from_le_bytes([head[4], rest[0], rest[1], rest[2]]);
                let mut skipped = self.stored.by_ref().take(len.into());
                io::copy(&mut skipped, &mut io::sink())?;
                continue;
            }
            let len = len_of(head[4]);
            self.stored.read_exact(&mut head[5..len])?;
            let header = Header::parse(&head[..len]).map_err(io::Error::other)?;
            self.frame = Some(Frame {
                header,
                sum: XxHash32::with_seed(0),
            });
            self.decoded.clear();
            self.next = 0;
            return Ok(true);
        }
        Ok(false)
    }

    /// Decodes the next block; false at the end of the frame.
    fn decode_block(&mut self) -> io::Result<bool> {
        let Some(frame) = &mut self.frame else {
            return Ok(false);
        };
        let mut word = [0; 4];
        self.stored.read_exact(&mut word)?;
        let block = frame.header.block(word).map_err(io::Error::other)?;
        let Some((stored, is_raw)) = block else {
            return self.finish().map(|()| false);
        };
        self.data.resize(stored as usize, 0);
        self.stored.read_exact(&mut self.data)?;
        if frame.header.blocks_have_sums {
            let mut sum = [0; 4];
            self.stored.read_exact(&mut sum)?;
            compare(&self.data, &sum).map_err(io::Error::other)?;
        }
        let surplus = self.decoded.len().saturating_sub(WINDOW);
        self.decoded.drain(..surplus);
        if !frame.header.is_linked {
            self.decoded.clear();
        }
        let start = self.decoded.len();
        if is_raw {
            self.decoded.extend(&self.data);
        } else {
            self.decoded.resize(start + frame.header.block as usize, 0);
            let end = codec::lz4_behind(&self.data, &mut self.decoded, start);
            self.decoded.truncate(end.map_err(io::Error::other)?);
        }
        frame.sum.write(&self.decoded[start..]);
        self.next = start;
        Ok(true)
    }

    fn finish(&mut self) -> io::Result<()> {
        let frame = self.frame.take().filter(|frame| frame.header.has_sum);
        let Some(frame) = frame else { return Ok(()) };
        let mut wanted = [0; 4];
        self.stored.read_exact(&mut wanted)?;
        let found = frame.sum.finish_32();
        if found.to_le_bytes() == wanted {
            return Ok(());
        }
        Err(Refuted::error(format!(
            "the XXH32 of the frame's plain bytes is {found:08x}, the frame says {:08x}",
            u32::from_le_bytes(wanted)
        )))
    }
}

impl<R: BufRead> Read for Plain<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let cut = |err: io::Error| match err.kind() {
            io::ErrorKind::UnexpectedEof => {
                io::Error::other(Error::corrupt("the file ends inside a frame"))
            }
            _ => err,
        };
        while self.next == self.decoded.len() {
            let goes_on = match self.frame {
                Some(_) => self.decode_block().map(|_| true),
                None => self.begin(),
            };
            if !goes_on.map_err(cut)? {
                return Ok(0);
            }
        }
        let n = buf.len().min(self.decoded.len() - self.next);
        buf[..n].copy_from_slice(&self.decoded[self.next..self.next + n]);
        self.next += n;
        Ok(n)
    }
}
