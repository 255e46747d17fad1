//! The map of version 5 without compression: 32 bits for each hunk, its position in hunks.

use super::{Hunk, Sum, table};
use crate::{
    Result,
    format::chd::{codecs::Method, header::Header},
    source::Source,
};

#[derive(Debug)]
pub(in crate::format::chd) struct Plain {
    /// As in the file: big-endian, 0 for a hunk that is not stored.
    entries: Vec<u8>,
    hunk_len: u32,
    has_parent: bool,
}

impl Plain {
    pub(super) fn read(source: &dyn Source, header: &Header) -> Result<Self> {
        let len = 4 * u64::from(header.hunks());
        Ok(Self {
            entries: table(source, header.map_at, len, "the map")?,
            hunk_len: header.hunk_len,
            has_parent: header.parent.is_some(),
        })
    }

    pub(super) fn hunk(&self, number: u32) -> Hunk {
        let at = 4 * number as usize;
        let entry = self.entries[at..at + 4].try_into();
        match u32::from_be_bytes(entry.expect("a range of 4 bytes")) {
            0 if self.has_parent => Hunk::Parent(u64::from(number) * u64::from(self.hunk_len)),
            0 => Hunk::Zeroes,
            place => Hunk::Stored {
                at: u64::from(place) * u64::from(self.hunk_len),
                len: self.hunk_len,
                method: Method::Nothing,
                sum: Sum::None,
            },
        }
    }
}
