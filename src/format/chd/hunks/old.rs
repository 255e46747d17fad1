//! The map of versions 3 and 4: 16 bytes for each hunk.

use super::{Hunk, Sum, flatten, table};
use crate::{
    Error, Result,
    format::chd::{codecs::Method, header::Header},
    source::Source,
};

#[derive(Debug)]
pub(in crate::format::chd) struct Old {
    /// As in the file, copies flattened: place, CRC-32, low half of the length, its high byte, kind.
    entries: Vec<u8>,
    hunk_len: u32,
    method: Method,
}

const ENTRY: usize = 16;
const COPY: u8 = 4;
const NO_SUM: u8 = 0x10;

impl Old {
    pub(super) fn read(source: &dyn Source, header: &Header) -> Result<Self> {
        let len = ENTRY as u64 * u64::from(header.hunks());
        let mut map = Self {
            entries: table(source, header.map_at, len, "the map")?,
            hunk_len: header.hunk_len,
            method: header.methods[0],
        };
        for hunk in 0..header.hunks() {
            map.check(hunk)?;
        }
        flatten(&mut map, header.hunks(), Self::copied, Self::set_copied)?;
        Ok(map)
    }

    fn check(&self, hunk: u32) -> Result<()> {
        match self.kind(hunk) {
            1..=5 => Ok(()),
            6 => Err(Error::unsupported(format!(
                "hunk {hunk} is of kind 6, sounds that need another program"
            ))),
            kind => Err(Error::corrupt(format!(
                "hunk {hunk} is of kind {kind}, there are 1 to 6"
            ))),
        }
    }

    fn entry(&self, hunk: u32) -> &[u8; ENTRY] {
        let at = ENTRY * hunk as usize;
        let entry = self.entries[at..at + ENTRY].try_into();
        entry.expect("a range of 16 bytes")
    }

    fn kind(&self, hunk: u32) -> u8 {
        self.entry(hunk)[15] & 0x0f
    }

    fn place(&self, hunk: u32) -> u64 {
        let place = self.entry(hunk)[..8].try_into();
        u64::from_be_bytes(place.expect("a range of 8 bytes"))
    }

    fn copied(&self, hunk: u32) -> Option<u32> {
        let target = || u32::try_from(self.place(hunk)).unwrap_or(u32::MAX);
        (self.kind(hunk) == COPY).then(target)
    }

    fn set_copied(&mut self, hunk: u32, target: u32) {
        let at = ENTRY * hunk as usize;
        self.entries[at..at + 8].copy_from_slice(&u64::from(target).to_be_bytes());
    }

    pub(super) fn hunk(&self, number: u32) -> Hunk {
        let number = self.copied(number).unwrap_or(number);
        let entry = self.entry(number);
        let place = self.place(number);
        let len = u32::from_be_bytes([0, entry[14], entry[12], entry[13]]);
        match self.kind(number) {
            1 => stored(entry, place, len, self.method),
            2 => stored(entry, place, self.hunk_len, Method::Nothing),
            3 => Hunk::Pattern(place.to_be_bytes()),
            // Places that no parent has are an error when they are read.
            _ => Hunk::Parent(place.saturating_mul(u64::from(self.hunk_len))),
        }
    }
}

fn stored(entry: &[u8; ENTRY], at: u64, len: u32, method: Method) -> Hunk {
    let sum = [8, 9, 10, 11].map(|i| entry[i]);
    Hunk::Stored {
        at,
        len,
        method,
        sum: match entry[15] & NO_SUM {
            0 => Sum::Crc32(u32::from_be_bytes(sum)),
            _ => Sum::None,
        },
    }
}
