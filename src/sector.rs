//! CD sectors: where their user data lies, and the codes that protect it.
//!
//! A sector of 2352 bytes, all numbers in bytes:
//!
//! | at | mode 1 | mode 2 form 1 | mode 2 form 2 |
//! |---|---|---|---|
//! | 0 | sync, 12 | sync, 12 | sync, 12 |
//! | 12 | minute, second, frame (BCD), mode | the same | the same |
//! | 16 | user data, 2048 | subheader twice, 8 | subheader twice, 8 |
//! | 24 | | user data, 2048 | user data, 2324 |
//! | 2064 | EDC of 0..2064, 4; zeroes, 8 | | |
//! | 2072 | | EDC of 16..2072, 4 | |
//! | 2076 | ECC P, 172, and Q, 104 | ECC of it with a header of zeroes | |
//! | 2348 | | | EDC of 16..2348, 4, or zeroes |
//!
//! Source: ECMA-130 sections 14 and 20, annexes A and B; for mode 2 the layout is that of CD-ROM XA, whose forms the
//! submode byte at 18 tells apart (bit 5).

use std::ops::Range;

use crate::{Error, Result};

mod ecc;
mod edc;

pub use edc::edc;

/// Bytes of a sector as the disc holds it.
pub const SECTOR: usize = 2352;

/// Bytes of user data of a sector that a filesystem sees.
pub const USER: usize = 2048;

/// The first bytes of every data sector.
pub const SYNC: [u8; 12] = [0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0];

/// Position of the header: minute, second, frame, mode.
pub const HEADER: usize = 12;

/// Position of the subheader of mode 2.
pub const SUBHEADER: usize = 16;

/// Where the ECC lies: P, then Q.
pub const ECC: Range<usize> = 2076..SECTOR;

/// A whole sector.
pub type Sector = [u8; SECTOR];

/// How a data sector is laid out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Mode 1.
    Mode1,
    /// Mode 2 form 1.
    Mode2Form1,
    /// Mode 2 form 2: more user data, no correction.
    Mode2Form2,
}

impl Kind {
    /// The kind of a whole sector, by its sync, mode and submode.
    ///
    /// # Errors
    /// `Corrupt` when it is no data sector of these kinds.
    pub fn of(sector: &Sector) -> Result<Self> {
        if sector[..HEADER] != SYNC {
            return Err(Error::corrupt(format!(
                "the sector starts with {:02x?}, a data sector with the sync pattern",
                &sector[..4]
            )));
        }
        match sector[HEADER + 3] {
            1 => Ok(Self::Mode1),
            2 => Ok(Self::of_submode(sector[SUBHEADER + 2])),
            mode => Err(Error::corrupt(format!(
                "the sector's mode is {mode}, user data is in modes 1 and 2"
            ))),
        }
    }

    /// The kind of a mode 2 sector, by the third byte of its subheader.
    #[must_use]
    pub fn of_submode(submode: u8) -> Self {
        match submode & 0x20 {
            0 => Self::Mode2Form1,
            _ => Self::Mode2Form2,
        }
    }

    /// Where the user data lies in a whole sector.
    #[must_use]
    pub fn user(self) -> Range<usize> {
        match self {
            Self::Mode1 => 16..2064,
            Self::Mode2Form1 => 24..2072,
            Self::Mode2Form2 => 24..2348,
        }
    }

    /// What the EDC covers; it stands behind that.
    fn checked(self) -> Range<usize> {
        match self {
            Self::Mode1 => 0..2064,
            Self::Mode2Form1 => SUBHEADER..2072,
            Self::Mode2Form2 => SUBHEADER..2348,
        }
    }
}

/// Writes sync and mode, and the EDC and ECC of what the sector holds. The address in the header, the subheader and
/// the user data must be there.
pub fn complete(sector: &mut Sector, kind: Kind) {
    sector[..HEADER].copy_from_slice(&SYNC);
    sector[HEADER + 3] = match kind {
        Kind::Mode1 => 1,
        Kind::Mode2Form1 | Kind::Mode2Form2 => 2,
    };
    let checked = kind.checked();
    let sum = edc(&sector[checked.clone()]).to_le_bytes();
    sector[checked.end..checked.end + 4].copy_from_slice(&sum);
    match kind {
        Kind::Mode1 => sector[2068..ECC.start].fill(0),
        Kind::Mode2Form1 => {}
        Kind::Mode2Form2 => return,
    }
    put_ecc(sector);
}

/// Writes the ECC of a sector, whose mode says whether the header counts.
pub fn put_ecc(sector: &mut Sector) {
    let ecc = ecc::of(sector);
    sector[ECC].copy_from_slice(&ecc);
}

/// Whether the EDC, and the ECC where there is one, are what the sector's content makes them. A form 2 sector may do
/// without (zeroes).
#[must_use]
pub fn is_intact(sector: &Sector, kind: Kind) -> bool {
    let checked = kind.checked();
    let stored = &sector[checked.end..checked.end + 4];
    let is_right = || stored == edc(&sector[checked.clone()]).to_le_bytes();
    match kind {
        Kind::Mode2Form2 => *stored == [0; 4] || is_right(),
        Kind::Mode1 | Kind::Mode2Form1 => is_right() && sector[ECC] == ecc::of(sector),
    }
}

#[cfg(test)]
mod tests;
