//! WIA and RVZ are one layout with small differences.

/// Which of the two formats it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Wia,
    Rvz,
}

impl Kind {
    pub(super) fn magic(self) -> [u8; 4] {
        match self {
            Self::Wia => *b"WIA\x01",
            Self::Rvz => *b"RVZ\x01",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wia => "WIA",
            Self::Rvz => "RVZ",
        }
    }

    /// The oldest layout that has the meaning described here.
    pub(super) fn oldest(self) -> u32 {
        match self {
            Self::Wia => 0x0008_0000,
            Self::Rvz => 0x0003_0000,
        }
    }

    /// Bytes of an entry of the group table.
    pub(super) fn group_len(self) -> u32 {
        match self {
            Self::Wia => 8,
            Self::Rvz => 12,
        }
    }
}
