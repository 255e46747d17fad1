//! A reader that refuses to go on for too long.

use std::io::{self, BufRead, Read};

/// Bytes of another reader, so many for one event of the parser and so many in all.
pub(super) struct Limited<R> {
    inner: R,
    per_event: u64,
    left_of_event: u64,
    left: u64,
}

impl<R> Limited<R> {
    pub(super) fn new(inner: R, per_event: u64, in_all: u64) -> Self {
        Self {
            inner,
            per_event,
            left_of_event: per_event,
            left: in_all,
        }
    }

    pub(super) fn next_event(&mut self) {
        self.left_of_event = self.per_event;
    }
}

impl<R: BufRead> Read for Limited<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Limited<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let most = self.left.min(self.left_of_event);
        let bytes = self.inner.fill_buf()?;
        if most == 0 && !bytes.is_empty() {
            let message = if self.left == 0 {
                "it is too long"
            } else {
                "one of its elements is too long"
            };
            return Err(io::Error::other(message));
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok(&bytes[..bytes.len().min(most)])
    }

    fn consume(&mut self, n: usize) {
        self.left -= n as u64;
        self.left_of_event -= n as u64;
        self.inner.consume(n);
    }
}
