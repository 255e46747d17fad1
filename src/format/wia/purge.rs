//! PURGE: segments of data, between which everything is zero, and the SHA-1 of all before it.
//!
//! A segment is its place in the plain bytes, its length (4 bytes each), and its bytes. Places rise.

use std::{
    borrow::Cow,
    io::{self, Cursor, Read},
};

use super::bytes::{Bytes, sha1};

/// The plain bytes of segments, and zeroes without end behind them.
pub(super) struct Purge<'a> {
    segments: Cursor<Bytes<'a>>,
    /// Plain bytes before.
    at: u64,
    /// Zeroes before the next segment; `None` behind the last.
    zeroes: Option<u64>,
    /// Bytes left of the segment.
    left: u64,
}

impl<'a> Purge<'a> {
    /// Compares the SHA-1 and takes it away.
    pub(super) fn check(stored: Bytes<'a>) -> io::Result<Bytes<'a>> {
        let end = stored.len().checked_sub(20);
        let end = end.ok_or_else(|| io::Error::other("it has no room for its SHA-1"))?;
        if sha1(&stored[..end]) != stored[end..] {
            return Err(io::Error::other(
                "the SHA-1 of the stored bytes is not the one behind them",
            ));
        }
        Ok(match stored {
            Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[..end]),
            Cow::Owned(mut bytes) => {
                bytes.truncate(end);
                Cow::Owned(bytes)
            }
        })
    }

    pub(super) fn new(segments: Cursor<Bytes<'a>>) -> Self {
        Self {
            segments,
            at: 0,
            zeroes: Some(0),
            left: 0,
        }
    }

    fn next_segment(&mut self) -> io::Result<()> {
        if self.segments.position() == self.segments.get_ref().len() as u64 {
            self.zeroes = None;
            return Ok(());
        }
        let mut head = [[0; 4]; 2];
        self.segments.read_exact(head.as_flattened_mut())?;
        let [start, len] = head.map(|bytes| u64::from(u32::from_be_bytes(bytes)));
        let zeroes = start.checked_sub(self.at).ok_or_else(|| {
            io::Error::other(format!(
                "a segment begins at {start}, the one before ends at {}",
                self.at
            ))
        })?;
        (self.zeroes, self.left) = (Some(zeroes), len);
        Ok(())
    }
}

impl Read for Purge<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.zeroes == Some(0) && self.left == 0 {
            self.next_segment()?;
        }
        let part = |left: u64| usize::try_from(left).map_or(out.len(), |left| left.min(out.len()));
        let n = match &mut self.zeroes {
            Some(0) => {
                let n = part(self.left);
                self.segments.read_exact(&mut out[..n])?;
                self.left -= n as u64;
                n
            }
            zeroes => {
                let n = zeroes.map_or(out.len(), part);
                out[..n].fill(0);
                *zeroes = zeroes.map(|zeroes| zeroes - n as u64);
                n
            }
        };
        self.at += n as u64;
        Ok(n)
    }
}
