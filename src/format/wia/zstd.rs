//! Chunks and tables that are one zstd frame each.

use std::io::{self, Cursor, Read};

use super::bytes::Bytes;
use crate::codec::zstd::{Frame, Header};

/// The plain bytes of a frame.
pub(super) struct OneFrame<'a> {
    stored: Cursor<Bytes<'a>>,
    /// `None` when its checksum was compared.
    frame: Option<Frame>,
}

impl<'a> OneFrame<'a> {
    /// The frame that is `stored`, and holds no more than `most` bytes.
    pub(super) fn new(stored: Bytes<'a>, most: u64) -> io::Result<Self> {
        let header = Header::parse_within(&stored, most).map_err(io::Error::other)?;
        if header.plain.is_some_and(|plain| plain > most) {
            return Err(io::Error::other("it holds more bytes than the chunk"));
        }
        let header = Header {
            // Nothing is further back than all that is wanted.
            window: header.window.min(most),
            ..header
        };
        let mut stored = Cursor::new(stored);
        stored.set_position(header.len as u64);
        Ok(Self {
            stored,
            frame: Some(Frame::new(&header)?),
        })
    }
}

impl Read for OneFrame<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(frame) = &mut self.frame else {
            return Ok(0);
        };
        let n = frame.read(&mut self.stored, buf)?;
        if n > 0 || buf.is_empty() {
            return Ok(n);
        }
        let refuted = self
            .frame
            .take()
            .map(|frame| frame.finish(&mut self.stored));
        match refuted.transpose()?.flatten() {
            None => Ok(0),
            Some(why) => Err(io::Error::other(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::zstd::checksum;

    /// A frame of one stored block with a checksum, with a window of so many times 1 KiB, as a power of two.
    fn frame(plain: &[u8], window: u8) -> Vec<u8> {
        let head = u32::try_from(plain.len()).unwrap() << 3 | 1;
        let front = [0x28, 0xb5, 0x2f, 0xfd, 4, window << 3];
        let sum = checksum(plain).to_le_bytes();
        [&front, &head.to_le_bytes()[..3], plain, &sum].concat()
    }

    fn read(stored: &[u8], most: u64) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        OneFrame::new(stored.into(), most)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn a_window_may_be_larger_than_what_is_wanted() {
        assert_eq!(read(&frame(b"chunk", 13), 5).unwrap(), b"chunk");
    }

    #[test]
    fn rejects_a_window_far_larger_than_the_data() {
        for window in [14, 31] {
            let refusal = read(&frame(b"chunk", window), 5).unwrap_err();
            assert!(refusal.to_string().contains("far more"), "{refusal}");
        }
    }

    #[test]
    fn rejects_a_wrong_checksum() {
        let mut stored = frame(b"chunk", 10);
        *stored.last_mut().unwrap() ^= 1;
        let refusal = read(&stored, 5).unwrap_err().to_string();
        assert!(refusal.contains("the frame says"), "{refusal}");
    }

    #[test]
    fn rejects_a_header_that_tells_more_than_the_chunk() {
        let mut stored = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, 6, 0x31, 0, 0];
        stored.extend(b"chunks");
        assert_eq!(read(&stored, 6).unwrap(), b"chunks");
        let refusal = read(&stored, 5).unwrap_err().to_string();
        assert!(refusal.contains("more bytes than the chunk"), "{refusal}");
    }
}
