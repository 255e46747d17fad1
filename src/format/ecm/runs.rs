//! Runs of sectors or bytes, and their heads.

use crate::{
    Error, Result,
    sector::{HEADER, Kind, SECTOR, SUBHEADER, Sector, complete},
};

/// The most bytes that the head of a run has.
pub(super) const MAX_HEAD: usize = 5;

/// What a run holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Type {
    Bytes,
    Sectors(Kind),
}

impl Type {
    /// Stored bytes of one sector, or of one byte.
    pub(super) fn stored(self) -> usize {
        match self {
            Self::Bytes => 1,
            Self::Sectors(Kind::Mode1) => 3 + 2048,
            Self::Sectors(Kind::Mode2Form1) => 4 + 2048,
            Self::Sectors(Kind::Mode2Form2) => 4 + 2324,
        }
    }

    /// Plain bytes of one sector, or of one byte.
    pub(super) fn plain(self) -> usize {
        match self {
            Self::Bytes => 1,
            Self::Sectors(Kind::Mode1) => SECTOR,
            Self::Sectors(_) => SECTOR - SUBHEADER,
        }
    }
}

/// What is left of a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Run {
    pub(super) kind: Type,
    pub(super) count: u32,
}

impl Run {
    /// Reads the head of a run: the run, `None` for the end mark, and how many bytes the head has.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Option<Self>, usize)> {
        let cut = || Error::corrupt("the file ends inside the head of a run");
        let first = *bytes.first().ok_or_else(cut)?;
        let mut count = u64::from(first >> 2 & 0x1f);
        let (mut more, mut shift, mut len) = (first & 0x80 != 0, 5, 1);
        while more {
            if len == MAX_HEAD {
                return Err(Error::corrupt("the head of a run has more than 5 bytes"));
            }
            let byte = *bytes.get(len).ok_or_else(cut)?;
            count |= u64::from(byte & 0x7f) << shift;
            (more, shift, len) = (byte & 0x80 != 0, shift + 7, len + 1);
        }
        let count = u32::try_from(count).map_err(|_| {
            Error::corrupt(format!("the count of a run is {count}, it has 32 bits"))
        })?;
        let Some(count) = count.checked_add(1) else {
            return Ok((None, len));
        };
        let kind = match first & 3 {
            0 => Type::Bytes,
            1 => Type::Sectors(Kind::Mode1),
            2 => Type::Sectors(Kind::Mode2Form1),
            _ => Type::Sectors(Kind::Mode2Form2),
        };
        Ok((Some(Self { kind, count }), len))
    }
}

/// Makes a sector of its stored bytes; `plain` gets it from the subheader on in mode 2.
pub(super) fn restore(kind: Kind, stored: &[u8], plain: &mut [u8]) {
    let mut sector: Sector = [0; SECTOR];
    let from = match kind {
        Kind::Mode1 => {
            sector[HEADER..HEADER + 3].copy_from_slice(&stored[..3]);
            sector[kind.user()].copy_from_slice(&stored[3..]);
            0
        }
        Kind::Mode2Form1 | Kind::Mode2Form2 => {
            sector[SUBHEADER..SUBHEADER + 4].copy_from_slice(&stored[..4]);
            sector[SUBHEADER + 4..SUBHEADER + 8].copy_from_slice(&stored[..4]);
            sector[kind.user()].copy_from_slice(&stored[4..]);
            SUBHEADER
        }
    };
    complete(&mut sector, kind);
    plain.copy_from_slice(&sector[from..]);
}
