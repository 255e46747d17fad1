//! Groups: one stored chunk each.

use std::{
    borrow::Cow,
    io::{self, Cursor, Read},
};

use super::{
    bytes::Bytes,
    method::{Exactly, Method, Stream},
    packing::Unpacked,
};

/// What compression may add to a few bytes.
pub(super) const STORED_SLACK: u64 = 64 << 10;

/// Set in the length of a group of RVZ that is compressed.
const COMPRESSED: u32 = 1 << 31;

/// An entry of the group table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// Place in the file, divided by 4.
    pub(super) at: u32,
    /// Stored bytes; in RVZ with a flag.
    pub(super) len: u32,
    /// Bytes of the packed form, or 0; `None` in WIA, whose groups are all compressed.
    pub(super) packed: Option<u32>,
}

/// What a chunk holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Plain bytes without lists.
    pub(super) len: u64,
    /// Whether lists of exceptions stand in front.
    pub(super) has_lists: bool,
    /// Position of its first byte, as packed noise counts it.
    pub(super) at: u64,
}

/// Where a group's bytes are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: u64,
    /// 0 when all bytes of the chunk are zero.
    pub(super) len: u32,
    pub(super) method: Method,
    /// Bytes of the packed form, or 0.
    pub(super) packed: u32,
}

#[derive(Debug)]
pub(super) struct Groups {
    pub(super) entries: Box<[Group]>,
    pub(super) method: Method,
    pub(super) chunk: u32,
    pub(super) lists: u32,
    pub(super) most_exceptions: u16,
    pub(super) file_end: u64,
}

impl Groups {
    /// The place of a group, inside the file; or why it has none. The number is inside the table.
    pub(super) fn check(&self, number: u32) -> Result<Place, String> {
        let group = self.entries[number as usize];
        let is_compressed = group.packed.is_none() || group.len & COMPRESSED != 0;
        let place = Place {
            at: u64::from(group.at) * 4,
            len: match group.packed {
                None => group.len,
                Some(_) => group.len & !COMPRESSED,
            },
            method: if is_compressed {
                self.method
            } else {
                Method::Stored
            },
            packed: group.packed.unwrap_or(0),
        };
        if place.len == 0 {
            return Ok(place);
        }
        let (len, packed) = (u64::from(place.len), u64::from(place.packed));
        let most = self.most_stored();
        if len > most || packed > most {
            return Err(format!(
                "the group has {len} stored bytes, {packed} of them packed, more than the {most} that it can need"
            ));
        }
        if place.at + len > self.file_end {
            return Err(format!(
                "the group ends at {}, behind the file's end at {}",
                place.at + len,
                self.file_end
            ));
        }
        Ok(place)
    }

    /// The most stored bytes of a group.
    fn most_stored(&self) -> u64 {
        2 * u64::from(self.chunk) + self.most_lists() + STORED_SLACK
    }

    /// The most bytes of a chunk's lists of exceptions.
    fn most_lists(&self) -> u64 {
        u64::from(self.lists) * (2 + 22 * u64::from(self.most_exceptions)) + 4
    }

    /// The plain bytes of a chunk, with lists of exceptions in front where there are any. `stored` is what stands at
    /// `place`.
    pub(super) fn begin<'a>(
        &self,
        place: Place,
        stored: Bytes<'a>,
        wanted: Wanted,
    ) -> io::Result<Stream<'a>> {
        if place.len == 0 {
            return Ok(Box::new(io::repeat(0)));
        }
        let data = match place.packed {
            0 => wanted.len,
            packed => packed.into(),
        };
        let lists_len = if wanted.has_lists {
            self.most_lists()
        } else {
            0
        };
        let mut front = place.method.begin(stored, data + lists_len)?;
        let mut lists = Vec::new();
        if wanted.has_lists {
            self.read_lists(&mut front, &mut lists, place.method.pads_lists())?;
        }
        let data = Exactly::new(front.go_on(), data, place.method.has_end());
        Ok(if place.packed == 0 {
            Box::new(Cursor::new(lists).chain(data))
        } else {
            let packed = place.packed.into();
            let plain = Unpacked::new(data, packed, wanted.len, wanted.at);
            Box::new(Cursor::new(lists).chain(plain))
        })
    }

    /// Copies the lists of exceptions, without what is padded behind them.
    fn read_lists(
        &self,
        stream: &mut dyn Read,
        lists: &mut Vec<u8>,
        is_padded: bool,
    ) -> io::Result<()> {
        for _ in 0..self.lists {
            let mut count = [0; 2];
            stream.read_exact(&mut count)?;
            lists.extend(count);
            let count = u16::from_be_bytes(count);
            if count > self.most_exceptions {
                return Err(io::Error::other(format!(
                    "a list has {count} exceptions, more than the {} hashes that it can replace",
                    self.most_exceptions
                )));
            }
            let start = lists.len();
            lists.resize(start + 22 * usize::from(count), 0);
            stream.read_exact(&mut lists[start..])?;
        }
        if is_padded {
            let padding = lists.len().next_multiple_of(4) - lists.len();
            stream.read_exact(&mut [0; 3][..padding])?;
        }
        Ok(())
    }
}

impl Place {
    /// What lies in `fetched`, the bytes of the file from `at` on; `None` when it lies elsewhere.
    pub(super) fn of<'s>(&self, at: u64, fetched: &'s [u8]) -> Option<Bytes<'s>> {
        let skip = usize::try_from(self.at.checked_sub(at)?).ok()?;
        let bytes = fetched.get(skip..)?.get(..self.len as usize)?;
        Some(Cow::Borrowed(bytes))
    }
}
