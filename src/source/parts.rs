//! Several pieces of sources, read as if they were one.

use std::{mem, sync::Arc};

use super::Source;
use crate::{Error, Result};

/// A piece of a source.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where the piece comes from.
    pub source: Arc<dyn Source>,
    /// Position of its first byte in `source`.
    pub at: u64,
    /// Number of bytes.
    pub len: u64,
    /// The file's name, for messages.
    pub name: String,
}

/// Pieces joined end to end.
#[derive(Debug)]
pub struct Parts {
    parts: Vec<Part>,
    /// End of each piece in the joined bytes, rising.
    ends: Vec<u64>,
}

impl Parts {
    /// Joins pieces in their order. A piece may reach past the end of its source: reads there fail.
    ///
    /// # Errors
    /// `Corrupt` when the lengths do not add up to a 64-bit number.
    pub fn new(parts: Vec<Part>) -> Result<Self> {
        let mut end = 0_u64;
        let mut ends = Vec::with_capacity(parts.len());
        for part in &parts {
            end = end
                .checked_add(part.len)
                .filter(|_| part.at.checked_add(part.len).is_some())
                .ok_or_else(|| Error::corrupt("the parts are together longer than 2^64 bytes"))?;
            ends.push(end);
        }
        Ok(Self { parts, ends })
    }
}

impl Source for Parts {
    fn len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> Result<()> {
        let (mut rest, mut at) = (buf, at);
        while !rest.is_empty() {
            let i = self.ends.partition_point(|&end| end <= at);
            let Some(part) = self.parts.get(i) else {
                let kind = std::io::ErrorKind::UnexpectedEof.into();
                return Err(Error::io(
                    kind,
                    format!("cannot read behind {}", self.len()),
                ));
            };
            let left = self.ends[i] - at;
            let n = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
            let (now, later) = mem::take(&mut rest).split_at_mut(n);
            part.source
                .read_exact_at(now, part.at + (part.len - left))
                .map_err(|e| e.in_context(&part.name))?;
            rest = later;
            at += n as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn part(bytes: &[u8], at: u64, len: u64) -> Part {
        Part {
            source: Arc::new(bytes.to_vec()),
            at,
            len,
            name: "p".into(),
        }
    }

    #[test]
    fn any_read_equals_the_slice_of_the_joined_bytes() {
        let parts = vec![
            part(b"xxabc", 2, 3),
            part(b"", 0, 0),
            part(b"defghi", 0, 5),
            part(b"-i", 1, 1),
        ];
        let joined = Parts::new(parts).unwrap();
        let plain = b"abcdefghi";
        assert_eq!(joined.len(), 9);
        for from in 0..=9 {
            for to in from..=9 {
                let mut buf = vec![0; to - from];
                joined.read_exact_at(&mut buf, from as u64).unwrap();
                assert_eq!(buf, &plain[from..to]);
            }
        }
        assert!(joined.read_exact_at(&mut [0; 2], 8).is_err());
    }

    #[test]
    fn rejects_parts_longer_than_64_bits() {
        let err = Parts::new(vec![part(b"", 0, u64::MAX), part(b"", 0, 1)]).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_short_part_fails_by_name() {
        let joined = Parts::new(vec![part(b"ab", 0, 4)]).unwrap();
        let err = joined.read_exact_at(&mut [0; 4], 0).unwrap_err();
        assert!(err.to_string().starts_with("p: cannot read"));
    }
}
