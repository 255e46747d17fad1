//! Fields one after the other, and numbers of seven bits a byte.

use crate::{Error, Result};

/// Fields that are left.
pub(super) struct Fields<'b> {
    left: &'b [u8],
    /// What they are part of, for messages.
    what: &'static str,
}

impl<'b> Fields<'b> {
    pub(super) fn new(left: &'b [u8], what: &'static str) -> Self {
        Self { left, what }
    }

    pub(super) fn bytes(&mut self, n: usize) -> Result<&'b [u8]> {
        let taken = self.left.split_at_checked(n);
        let (taken, left) = taken.ok_or_else(|| {
            Error::corrupt(format!("the {} ends inside one of its fields", self.what))
        })?;
        self.left = left;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        Ok(self.bytes(1)?[0])
    }

    /// A number of up to 63 bits, in nine bytes at most and not more than it needs.
    pub(super) fn number(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            if byte == 0 && shift > 0 {
                break;
            }
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Error::corrupt(format!(
            "a number of the {} is longer than it may be",
            self.what
        )))
    }

    /// The rest, which is padding.
    pub(super) fn zeroes(self) -> Result<()> {
        if self.left.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        Err(Error::corrupt(format!(
            "the padding of the {} is not zero",
            self.what
        )))
    }
}

/// Splits off a CRC-32 that stands behind the bytes that it covers, and compares it.
pub(super) fn checked<'b>(bytes: &'b [u8], what: &str) -> Result<&'b [u8]> {
    let split = bytes.split_last_chunk::<4>();
    let (covered, wanted) =
        split.ok_or_else(|| Error::corrupt(format!("the {what} has no room for its CRC-32")))?;
    check(covered, u32::from_le_bytes(*wanted), what)?;
    Ok(covered)
}

pub(super) fn check(covered: &[u8], wanted: u32, what: &str) -> Result<()> {
    let found = crc32fast::hash(covered);
    if found == wanted {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "the CRC-32 of the {what} is {found:08x}, the file says {wanted:08x}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[u8]) -> Result<u64> {
        Fields::new(bytes, "index").number()
    }

    #[test]
    fn numbers_have_seven_bits_a_byte() {
        assert_eq!(number(&[0]).unwrap(), 0);
        assert_eq!(number(&[0x80, 1]).unwrap(), 128);
        let most = [[0xFF; 8].as_slice(), &[0x7F]].concat();
        assert_eq!(number(&most).unwrap(), (1 << 63) - 1);
    }

    #[test]
    fn rejects_a_number_that_is_too_long_or_cut() {
        assert!(number(&[0x80, 0]).is_err());
        assert!(number(&[0xFF; 10]).is_err());
        assert!(number(&[0xFF]).is_err());
    }
}
