//! The plain bytes of frames that follow each other.

use std::io::{self, BufRead, Read};

use super::frames::is_skippable;
use crate::{
    Error, Result,
    codec::zstd::{self, Fault, Frame, Header, MAGIC, MOST_HEADER},
    unfold::Refuted,
};

/// Decodes all frames of `src`, which fill `dst` exactly.
pub(super) fn decode(mut src: &[u8], dst: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    while !src.is_empty() {
        let skipped = skipped_len(src)?;
        if skipped > 0 {
            src = &src[skipped..];
            continue;
        }
        let decoded = zstd::decode(src, &mut dst[filled..]).map_err(|why| match why {
            Fault::TooLong => Error::corrupt(format!(
                "the frame holds more than {} bytes",
                dst.len() - filled
            )),
            why => Error::corrupt(why.to_string()),
        })?;
        filled += decoded.plain;
        src = &src[decoded.stored..];
    }
    if filled == dst.len() {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "the frame holds {filled} bytes, not {}",
        dst.len()
    )))
}

/// Bytes of a frame at the front that is to be skipped, or 0.
fn skipped_len(src: &[u8]) -> Result<usize> {
    if !is_skippable(src) {
        return Ok(0);
    }
    let len = src
        .get(4..)
        .and_then(<[u8]>::first_chunk)
        .and_then(|len| usize::try_from(u32::from_le_bytes(*len)).ok())
        .and_then(|len| len.checked_add(8))
        .filter(|&end| end <= src.len());
    len.ok_or_else(|| Error::corrupt("the frame ends inside a skippable one"))
}

/// Reads frames from front to end, skips what is to be skipped, and compares checksums.
pub(super) struct Plain<R> {
    stored: R,
    frame: Option<Frame>,
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
            let header = self.read_header(head)?;
            self.frame = Some(Frame::new(&header)?);
            return Ok(true);
        }
    }

    /// Reads the header whose first four bytes are in `head`.
    fn read_header(&mut self, mut head: [u8; MOST_HEADER]) -> io::Result<Header> {
        let mut have = 4;
        loop {
            match Header::parse(&head[..have]) {
                Ok(header) => return Ok(header),
                Err(why) if have == MOST_HEADER || !head.starts_with(MAGIC) => {
                    return Err(io::Error::other(why));
                }
                // A byte more at a time: what is behind the header is not ours to read.
                Err(why) => match self.stored.by_ref().take(1).read(&mut head[have..])? {
                    0 => return Err(io::Error::other(why)),
                    n => have += n,
                },
            }
        }
    }
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
                if let Some(why) = frame.finish(&mut self.stored)? {
                    return Err(Refuted::error(why));
                }
            }
        }
    }
}

fn damage(why: impl Into<String>) -> io::Error {
    io::Error::other(Error::corrupt(why))
}
