//! The header of a frame: RFC 8878, section 3.1.1.1.

use crate::{Error, Result};

/// What a frame begins with.
pub(crate) const MAGIC: &[u8; 4] = b"\x28\xB5\x2F\xFD";

/// The largest window that memory is taken for, as of `zstd --long=27` and `--ultra -22`.
pub(super) const MOST_WINDOW: u64 = 128 << 20;

/// The window that a frame may ask for beyond what it is to hold: what the smallest writers round up to.
const SPARE_WINDOW: u64 = 8 << 20;

/// The longest header.
pub(crate) const MOST_HEADER: usize = 18;

/// The largest block.
const MOST_BLOCK: u64 = 128 << 10;

/// What a frame header says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    /// Bytes of the header.
    pub(crate) len: usize,
    /// Bytes that matches may reach back.
    pub(crate) window: u64,
    /// Number of plain bytes, where it is stored.
    pub(crate) plain: Option<u64>,
    /// Whether a checksum follows the last block.
    pub(crate) has_checksum: bool,
}

impl Header {
    /// Reads the header at the front of `bytes`, which may go on behind it. Its window is within the limit.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        Self::fields(bytes)?.check_window()
    }

    /// Reads the header of a frame that is to hold no more than `most` bytes. Memory for a window is taken before
    /// anything comes out, so it may not be far larger than these.
    pub(crate) fn parse_within(bytes: &[u8], most: u64) -> Result<Self> {
        let header = Self::fields(bytes)?;
        if header.window > most.saturating_add(SPARE_WINDOW) {
            return Err(Error::corrupt(format!(
                "the window of the frame has {} bytes, far more than the {most} that it may hold",
                header.window
            )));
        }
        header.check_window()
    }

    /// Reads a header whose window may be of any size.
    fn fields(bytes: &[u8]) -> Result<Self> {
        let cut = || Error::corrupt("the frame ends inside its header");
        if !bytes.starts_with(MAGIC) {
            return Err(Error::corrupt(format!(
                "there is no zstd frame where one should begin, but {}",
                bytes.get(..4).unwrap_or(bytes).escape_ascii()
            )));
        }
        let flags = *bytes.get(4).ok_or_else(cut)?;
        if flags & 8 != 0 {
            return Err(Error::unsupported(format!(
                "the flags of the frame are {flags:#04x}, bit 3 has no meaning yet"
            )));
        }
        let is_single = flags & 0x20 != 0;
        let mut at = 5;
        let mut number = |len: usize| {
            let field = bytes.get(at..at + len).ok_or_else(cut)?;
            at += len;
            let mut wide = [0; 8];
            wide[..len].copy_from_slice(field);
            Ok::<u64, Error>(u64::from_le_bytes(wide))
        };
        let window = if is_single { 0 } else { number(1)? };
        let dictionary = number([0, 1, 2, 4][usize::from(flags & 3)])?;
        if dictionary != 0 {
            return Err(Error::unsupported(format!(
                "the frame needs the dictionary {dictionary}: decompress it with zstd -D"
            )));
        }
        let plain = match flags >> 6 {
            0 if !is_single => None,
            0 => Some(number(1)?),
            1 => Some(number(2)? + 256),
            2 => Some(number(4)?),
            _ => Some(number(8)?),
        };
        let base = 1_u64 << (10 + (window >> 3));
        Ok(Self {
            len: at,
            window: match plain {
                Some(plain) if is_single => plain,
                _ => base + base / 8 * (window & 7),
            },
            plain,
            has_checksum: flags & 4 != 0,
        })
    }

    /// The bytes that matches can reach back, room for a block at the least.
    pub(super) fn reach(&self) -> u64 {
        self.window
            .min(self.plain.unwrap_or(u64::MAX))
            .max(MOST_BLOCK)
    }

    fn check_window(self) -> Result<Self> {
        if self.window <= MOST_WINDOW {
            return Ok(self);
        }
        Err(Error::unsupported(format!(
            "the window of the frame has {} bytes, more than the limit of {MOST_WINDOW}: \
             compress the image again with at most zstd --long=27",
            self.window
        )))
    }
}

/// A header for a decoder that is to know nothing but a window of at least so many bytes. All else that a header says
/// is looked after here.
pub(super) fn bare(window: u64) -> [u8; 6] {
    let window = window.max(1 << 10);
    let exponent = window.ilog2();
    let eighths = (window - (1 << exponent)).div_ceil(1 << (exponent - 3));
    let field = (u64::from(exponent) - 10) * 8 + eighths;
    let [a, b, c, d] = *MAGIC;
    let field = u8::try_from(field).expect("no window is above MOST_WINDOW");
    [a, b, c, d, 0, field]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(fields: &[u8]) -> Result<Header> {
        Header::parse(&[MAGIC, fields].concat())
    }

    #[test]
    fn a_header_gives_window_size_and_checksum() {
        let piped = header(&[4, 0x58]).unwrap();
        assert_eq!((piped.window, piped.plain, piped.len), (2 << 20, None, 6));
        assert!(piped.has_checksum);
        let single = header(&[0x60, 0, 1]).unwrap();
        assert_eq!((single.window, single.plain), (512, Some(512)));
        let sized = header(&[0x80, 0x88, 0, 0, 0, 1]).unwrap();
        assert_eq!((sized.window, sized.plain), (128 << 20, Some(1 << 24)));
    }

    #[test]
    fn a_bare_header_has_the_next_larger_window() {
        for (window, told) in [
            (0, 1 << 10),
            (1 << 17, 1 << 17),
            ((1 << 17) + 1, 9 << 14),
            ((1 << 18) - 1, 1 << 18),
            (MOST_WINDOW, MOST_WINDOW),
        ] {
            let header = Header::parse(&bare(window)).unwrap();
            assert_eq!((header.window, header.len), (told, 6));
            assert_eq!((header.plain, header.has_checksum), (None, false));
        }
    }

    #[test]
    fn rejects_a_window_above_the_limit() {
        let single = [&[0xE0_u8][..], &u64::MAX.to_le_bytes()].concat();
        for fields in [&[0, 0x89][..], &[0, 0xFF], &single] {
            let err = header(fields).unwrap_err().to_string();
            assert!(err.contains("more than the limit"), "{err}");
        }
    }

    #[test]
    fn rejects_a_window_far_larger_than_what_the_frame_may_hold() {
        let within =
            |window: u8, most| Header::parse_within(&[MAGIC, &[0, window][..]].concat(), most);
        // Exponents from 10 on, in the higher five bits: 8 MiB, 16 MiB, the largest.
        for (window, most) in [(13 << 3, 0), (14 << 3, 8 << 20), (14 << 3, u64::MAX)] {
            assert_eq!(
                within(window, most).unwrap().window,
                1 << (10 + (window >> 3))
            );
        }
        for (window, most) in [
            (13 << 3 | 1, 0),
            (14 << 3, (8 << 20) - 1),
            (31 << 3, 8 << 20),
        ] {
            let err = within(window, most).unwrap_err().to_string();
            assert!(err.contains("far more than"), "{err}");
        }
        let err = within(31 << 3, u64::MAX).unwrap_err().to_string();
        assert!(err.contains("more than the limit"), "{err}");
    }

    #[test]
    fn rejects_a_dictionary_a_reserved_flag_and_a_cut_header() {
        let refusal = |fields: &[u8]| header(fields).unwrap_err().to_string();
        assert!(refusal(&[1, 0x58, 9]).contains("dictionary 9"));
        assert!(refusal(&[8, 0x58]).contains("bit 3"));
        assert!(refusal(&[0xC0, 0x58, 1, 2]).contains("ends inside"));
        assert!(Header::parse(b"none").is_err());
    }
}
