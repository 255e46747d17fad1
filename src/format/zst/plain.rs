//! The plain bytes of frames that follow each other.

use std::{
    hash::Hasher,
    io::{self, BufRead, Cursor, Read},
};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use twox_hash::XxHash64;

use super::{
    header::{Header, MOST_HEADER},
    is_skippable,
};
use crate::{Error, unfold::Refuted};

/// The largest window that the decoder takes. It keeps all bytes that it has not given out, so those of a larger
/// window are left with it.
const DECODERS_WINDOW: u64 = 64 << 20;

/// Reads frames from front to end, skips what is to be skipped, and compares checksums.
pub(super) struct Plain<R> {
    stored: R,
    frame: Option<Frame>,
}

struct Frame {
    decoder: Box<FrameDecoder>,
    /// Bytes of the window beyond what the decoder knows of.
    beyond: usize,
    has_checksum: bool,
    sum: XxHash64,
    /// Plain bytes that are left, where the header tells.
    left: Option<u64>,
}

impl<R: BufRead> Plain<R> {
    pub(super) fn new(stored: R) -> Self {
        Self {
            stored,
            frame: None,
        }
    }

    /// Goes to the next frame; false when there is none.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.stored.fill_buf()?.is_empty() {
                return Ok(false);
            }
            let mut head = [0; MOST_HEADER];
            self.stored.read_exact(&mut head[..4])?;
            if is_skippable(&head) {
                let mut len = [0; 4];
                self.stored.read_exact(&mut len)?;
                let len = u64::from(u32::from_le_bytes(len));
                if io::copy(&mut self.stored.by_ref().take(len), &mut io::sink())? < len {
                    return Err(damage("the file ends inside a skippable frame"));
                }
                continue;
            }
            self.frame = Some(self.read_header(head)?);
            return Ok(true);
        }
    }

    /// Reads the header whose first four bytes are in `head`.
    fn read_header(&mut self, mut head: [u8; MOST_HEADER]) -> io::Result<Frame> {
        let mut have = 4;
        let header = loop {
            match Header::parse(&head[..have]) {
                Ok(header) => break header,
                Err(why) if !head.starts_with(super::MAGIC) => return Err(io::Error::other(why)),
                // A byte more at a time: what is behind the header is not ours to read.
                Err(why) => match self.stored.by_ref().take(1).read(&mut head[have..])? {
                    0 => return Err(io::Error::other(why)),
                    n => have += n,
                },
            }
            if have == MOST_HEADER {
                break Header::parse(&head).map_err(io::Error::other)?;
            }
        };
        let told = header.window.min(DECODERS_WINDOW);
        let mut decoder = Box::new(FrameDecoder::new());
        decoder
            .reset(Cursor::new(header_for(told)))
            .map_err(|_| damage("the frame header is damaged"))?;
        Ok(Frame {
            decoder,
            beyond: usize::try_from(header.window - told).expect("it is at most MOST_WINDOW"),
            has_checksum: header.has_checksum,
            sum: XxHash64::with_seed(0),
            left: header.plain,
        })
    }
}

/// A header for the decoder, with a window of at least so many bytes, and nothing else.
fn header_for(window: u64) -> [u8; 6] {
    let exponent = window.max(1024).next_power_of_two().trailing_zeros();
    let [a, b, c, d] = *super::MAGIC;
    let exponent = u8::try_from(exponent - 10).expect("it is at most 16");
    [a, b, c, d, 0, exponent << 3]
}

impl<R: BufRead> Read for Plain<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            if self.frame.is_none() && !self.begin()? {
                return Ok(0);
            }
            let frame = self.frame.as_mut().expect("it was begun");
            let n = frame.read(&mut self.stored, buf)?;
            if n > 0 {
                return Ok(n);
            }
            if let Some(frame) = self.frame.take() {
                frame.finish(&mut self.stored)?;
            }
        }
    }
}

impl Frame {
    /// Some plain bytes, or none at the end of the frame.
    fn read(&mut self, stored: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
        while !self.decoder.is_finished() && self.decoder.can_collect() <= self.beyond {
            self.decoder
                .decode_blocks(&mut *stored, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|err| damage(format!("the frame is damaged: {err}")))?;
        }
        let held_back = if self.decoder.is_finished() {
            0
        } else {
            self.beyond
        };
        let ready = self.decoder.can_collect() - held_back;
        let n = ready.min(buf.len());
        self.decoder.read_exact(&mut buf[..n])?;
        self.sum.write(&buf[..n]);
        if let Some(left) = &mut self.left {
            *left = left
                .checked_sub(n as u64)
                .ok_or_else(|| damage("the frame holds more bytes than its header says"))?;
        }
        Ok(n)
    }

    fn finish(self, stored: &mut impl Read) -> io::Result<()> {
        if let Some(left @ 1..) = self.left {
            return Err(damage(format!(
                "the frame holds {left} bytes fewer than its header says"
            )));
        }
        if !self.has_checksum {
            return Ok(());
        }
        let mut wanted = [0; 4];
        stored.read_exact(&mut wanted)?;
        let wanted = u32::from_le_bytes(wanted);
        let found = super::seekable::low(self.sum.finish());
        if found == wanted {
            return Ok(());
        }
        Err(Refuted::error(format!(
            "the XXH64 of the frame's plain bytes ends in {found:08x}, the frame says {wanted:08x}"
        )))
    }
}

fn damage(why: impl Into<String>) -> io::Error {
    io::Error::other(Error::corrupt(why))
}
