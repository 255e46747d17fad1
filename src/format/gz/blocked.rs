//! gzip in blocks, as `bgzip` writes it (BGZF): each member says how long it is, so that any of them can be found
//! without decoding those before it.
//!
//! | offset | size | field of a member |
//! |---|---|---|
//! | 0 | 4 | `1F 8B 08 04`: deflate, with an extra field |
//! | 4 | 6 | time, extra flags, system |
//! | 10 | 2 | bytes of the extra field: 6 |
//! | 12 | 4 | `BC`, and the bytes that follow: 2 |
//! | 16 | 2 | bytes of the whole member, less 1 |
//! | 18 | | deflate data |
//! | end − 8 | 4 | CRC-32 of the plain bytes |
//! | end − 4 | 4 | number of plain bytes, at most 65,536 |
//!
//! Numbers are little-endian. All members hold equally many plain bytes, but for the last one that has some; behind it
//! stands one that has none, whose data are the two bytes `03 00`.
//! Source: section 4.1 of the SAM specification, and files made by `bgzip` 1.16.

use crate::{
    Result,
    codec::{self, Codec},
    map::{BlockMap, Geometry, Stored, check_size},
    source::Source,
    unfold::{self, Piece},
};

#[cfg(test)]
mod tests;

/// Bytes of a member in front of its data, and behind.
const HEADER: usize = 18;
const TRAILER: usize = 8;

/// Bytes of a member that holds nothing, and of no other: two bytes of data have no room for a code. A longer one that
/// says it is empty may hold plain bytes all the same.
const EMPTY: u32 = 28;

/// The most plain bytes of a member.
const MOST_PLAIN: u32 = 64 << 10;

/// The most members, empty ones too: 64 GiB in pieces of 64 KiB. A file of more is read as a stream.
const MOST_MEMBERS: usize = 1 << 20;

/// The members that hold plain bytes, in order.
#[derive(Debug)]
pub(super) struct Members {
    geometry: Geometry,
    places: Box<[Member]>,
    /// Whether the last one is empty, as it should be.
    pub(super) is_ended: bool,
}

/// A member that lies inside the file.
#[derive(Clone, Copy, Debug)]
struct Member {
    at: u64,
    len: u32,
}

impl Members {
    /// Goes from member to member through the file, and decodes nothing. `None` for any file that does not consist of
    /// such members from its first byte to its last: gzip may be able to read it as a stream. Members of different
    /// sizes are left to it too: the place of each would depend on the word of all before it, which nothing protects.
    pub(super) fn read(source: &dyn Source) -> Result<Option<Self>> {
        let Some(header) = first_header(source)? else {
            return Ok(None);
        };
        match Self::kept(source) {
            Some(known) => Ok(Some(known)),
            None => Self::walk(source, header),
        }
    }

    /// The number of plain bytes of what [`Members::read`] gives; of members that were found before, nothing else is
    /// read.
    pub(super) fn size_in(source: &dyn Source) -> Result<Option<u64>> {
        let Some(header) = first_header(source)? else {
            return Ok(None);
        };
        match unfold::size_of_kept_pieces(source) {
            Some(size) => Ok(Some(size)),
            None => Ok(Self::walk(source, header)?.map(|members| members.size())),
        }
    }

    fn walk(source: &dyn Source, mut header: [u8; HEADER]) -> Result<Option<Self>> {
        let mut walk = Walk::default();
        while let Some(len) = member_len(&header) {
            match walk.pass(source, len, &mut header)? {
                Next::Member => {}
                Next::End => {
                    if !walk.is_sure_of_two(source)? {
                        return Ok(None);
                    }
                    let members = walk.finish()?;
                    unfold::keep_pieces(source, &members.pieces());
                    return Ok(Some(members));
                }
                Next::Nothing => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Those that were found before: the walk takes a read for each, which a disk may take long for.
    fn kept(source: &dyn Source) -> Option<Self> {
        Self::of_pieces(&unfold::kept_pieces(source)?, source.len())
    }

    fn of_pieces(pieces: &[Piece], end: u64) -> Option<Self> {
        let mut walk = Walk::default();
        for piece in pieces {
            let len = u32::try_from(piece.at & 0xFFFF).expect("it has 16 bits") + 1;
            let (at, plain) = (piece.at >> 16, u32::try_from(piece.plain).ok()?);
            let holds = walk.at <= at && at + u64::from(len) <= end && plain <= MOST_PLAIN;
            if len as usize <= HEADER + TRAILER || !holds || !walk.takes(plain) {
                return None;
            }
            walk.members.push(Member { at, len });
            walk.at = at + u64::from(len);
        }
        walk.is_ended = walk.at < end;
        walk.finish().ok()
    }

    /// To be kept: the position of each member, shifted up, with its length less 1 in the lower 16 bits.
    fn pieces(&self) -> Vec<Piece> {
        let piece = |(number, member): (u64, &Member)| Piece {
            at: member.at << 16 | u64::from(member.len - 1),
            plain: self.geometry.len_of(number) as u64,
        };
        (0..).zip(&self.places).map(piece).collect()
    }

    /// Number of plain bytes.
    pub(super) fn size(&self) -> u64 {
        self.geometry.size()
    }

    /// Number of members.
    pub(super) fn count(&self) -> usize {
        self.places.len()
    }

    fn member(&self, block: u64) -> Member {
        self.places[usize::try_from(block).expect("a block number fits the table")]
    }
}

/// The header of the first member, if it is one that tells its length.
fn first_header(source: &dyn Source) -> Result<Option<[u8; HEADER]>> {
    let mut header = [0; HEADER];
    if source.len() < HEADER as u64 {
        return Ok(None);
    }
    source.read_exact_at(&mut header, 0)?;
    Ok(member_len(&header).map(|_| header))
}

/// The length of the member that begins so, if it is one that tells it.
fn member_len(header: &[u8; HEADER]) -> Option<u32> {
    let is_one = header[..4] == [0x1F, 0x8B, 8, 4] && header[10..16] == *b"\x06\0BC\x02\0";
    let len = u32::from(u16::from_le_bytes([header[16], header[17]])) + 1;
    (is_one && len as usize >= HEADER + TRAILER).then_some(len)
}

/// What follows a member.
enum Next {
    Member,
    End,
    /// Something that is no member, or the member itself is cut.
    Nothing,
}

/// The members that were passed.
#[derive(Default)]
struct Walk {
    at: u64,
    /// Empty ones too.
    passed: usize,
    members: Vec<Member>,
    /// Plain bytes of the first member, and of the last.
    piece: u32,
    last: u32,
    is_ended: bool,
}

impl Walk {
    /// Passes a member: what is looked at is its last bytes together with the header of the next.
    fn pass(&mut self, source: &dyn Source, len: u32, header: &mut [u8; HEADER]) -> Result<Next> {
        let end = self.at + u64::from(len);
        self.passed += 1;
        let Some(behind) = source.len().checked_sub(end) else {
            return Ok(Next::Nothing);
        };
        let mut seam = [0; TRAILER + HEADER];
        let next = usize::try_from(behind).map_or(HEADER, |behind| behind.min(HEADER));
        source.read_exact_at(&mut seam[..TRAILER + next], end - TRAILER as u64)?;
        let plain = u32::from_le_bytes(seam[4..TRAILER].try_into().expect("4 bytes"));
        let is_sound = plain <= MOST_PLAIN && (plain > 0 || len == EMPTY);
        if !is_sound || self.passed > MOST_MEMBERS {
            return Ok(Next::Nothing);
        }
        if plain > 0 {
            if !self.takes(plain) {
                return Ok(Next::Nothing);
            }
            self.members.push(Member { at: self.at, len });
        }
        (self.at, self.is_ended) = (end, plain == 0);
        header.copy_from_slice(&seam[TRAILER..]);
        Ok(match next {
            0 => Next::End,
            HEADER => Next::Member,
            _ => Next::Nothing,
        })
    }

    /// Whether a member of so many plain bytes may follow.
    fn takes(&mut self, plain: u32) -> bool {
        if self.members.is_empty() {
            self.piece = plain;
        } else if self.last != self.piece || plain > self.piece {
            return false;
        }
        self.last = plain;
        true
    }

    /// Where there are but two members, that the first holds as many plain bytes as it says: of more, each but the last
    /// bears out all others.
    fn is_sure_of_two(&self, source: &dyn Source) -> Result<bool> {
        let [Member { at, len }, _] = self.members[..] else {
            return Ok(true);
        };
        let mut stored = vec![0; len as usize];
        source.read_exact_at(&mut stored, at)?;
        let plain = &mut vec![0; self.piece as usize];
        Ok(codec::gzip_member(&stored, HEADER, plain).is_ok())
    }

    fn finish(self) -> Result<Members> {
        let full = (self.members.len() as u64).saturating_sub(1);
        let geometry = Geometry::Uniform {
            size: check_size(full * u64::from(self.piece) + u64::from(self.last))?,
            block_size: self.piece,
        };
        Ok(Members {
            geometry,
            places: self.members.into(),
            is_ended: self.is_ended,
        })
    }
}

impl BlockMap for Members {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let Member { at, len } = self.member(block);
        Stored {
            at,
            len,
            codec: Codec::Own {
                name: "deflate",
                checksum: Some("crc32"),
            },
        }
    }

    fn decode(&self, _block: u64, _: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        codec::gzip_member(src, HEADER, dst)
    }
}
