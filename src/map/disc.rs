//! Data tracks of discs: stored sectors seen as the 2048 bytes of user data that each holds.

use std::ops::Range;

use super::{AsStored, BlockMap, Geometry, Stored, check_size};
use crate::{
    Error, ErrorKind, Result,
    codec::Codec,
    sector::{HEADER, SECTOR, SUBHEADER, SYNC, USER},
    source::{Source, read_array},
};

/// How the sectors of a data track are stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layout {
    /// The user data alone.
    User,
    /// Mode 2 from the subheader on, and so many bytes of subchannel behind.
    Mode2 {
        /// Bytes from one sector to the next, at least 2336.
        stride: u32,
    },
    /// Whole sectors of this mode, with so many bytes of subchannel behind.
    Whole {
        /// 1 or 2.
        mode: u8,
        /// Bytes from one sector to the next, at least 2352.
        stride: u32,
    },
}

impl Layout {
    /// Bytes from one sector to the next.
    #[must_use]
    pub fn stride(self) -> u32 {
        match self {
            Self::User => 2048,
            Self::Mode2 { stride } | Self::Whole { stride, .. } => stride,
        }
    }

    /// What people call it, such as `MODE1/2352`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::User => "2048".into(),
            Self::Mode2 { stride } => format!("MODE2/{stride}"),
            Self::Whole { mode, stride } => format!("MODE{mode}/{stride}"),
        }
    }

    /// The user data of a stored sector.
    fn user(self, sector: &[u8]) -> Result<&[u8]> {
        let range = match self {
            Self::User => 0..USER,
            Self::Mode2 { .. } => form_1(sector, 0)?,
            Self::Whole { mode, .. } => whole(sector, mode)?,
        };
        Ok(&sector[range])
    }
}

/// Where the user data of a whole sector lies, if it is one of this mode.
fn whole(sector: &[u8], mode: u8) -> Result<Range<usize>> {
    if sector[..HEADER] != SYNC {
        return Err(Error::corrupt(
            "the sector has no sync pattern, so it is no data sector",
        ));
    }
    match (mode, sector[HEADER + 3]) {
        (1, 1) => Ok(16..16 + USER),
        (2, 2) => form_1(sector, 16),
        (_, found) => Err(Error::corrupt(format!(
            "the sector's mode is {found}, the track's is {mode}"
        ))),
    }
}

/// Where the user data of mode 2 form 1 lies, with the subheader at `at`.
fn form_1(sector: &[u8], at: usize) -> Result<Range<usize>> {
    if sector[at + 2] & 0x20 != 0 {
        return Err(Error::corrupt(
            "the sector is of form 2, which has no 2048 bytes of user data",
        ));
    }
    Ok(at + 8..at + 8 + USER)
}

/// Sectors all over a track whose form is looked at.
const SPREAD: u64 = 8;

/// A data track in a source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DataTrack {
    /// Position of its first sector.
    pub at: u64,
    /// Number of sectors.
    pub sectors: u64,
    /// How they are stored.
    pub layout: Layout,
}

impl DataTrack {
    /// A track from `at` to `end`; a piece of a sector at its end is left out.
    ///
    /// # Errors
    /// `Corrupt` when no sector fits, or the source ends before.
    pub fn between(at: u64, end: u64, layout: Layout, source: &dyn Source) -> Result<Self> {
        if end > source.len() {
            return Err(Error::corrupt(format!(
                "the data track ends at {end}, its file at {}",
                source.len()
            )));
        }
        let sectors = end.saturating_sub(at) / u64::from(layout.stride());
        let track = Self {
            at,
            sectors,
            layout,
        };
        check_size(track.size()).map_err(|err| err.in_context("data track"))?;
        track.check_a_sector(source)?;
        track.check_forms(source)?;
        Ok(track)
    }

    /// Number of plain bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.sectors.saturating_mul(USER as u64)
    }

    /// Looks whether the sectors are of the layout at all, at the one with the volume descriptor.
    fn check_a_sector(&self, source: &dyn Source) -> Result<()> {
        let sector = if self.sectors > 16 { 16 } else { 0 };
        let at = self.at + sector * u64::from(self.layout.stride());
        let mut bytes = vec![0; self.layout.stride() as usize];
        bytes[..24].copy_from_slice(&read_array::<24>(source, at, "sector")?);
        let user = self.layout.user(&bytes).map(|_| ());
        user.map_err(|err| err.in_context(format_args!("sector {sector} of the data track")))
    }

    /// Looks whether a track of mode 2 has sectors of form 2, which have no place in an image: at those up to the
    /// volume descriptor and at a few up to the last. The ones between may have some all the same.
    fn check_forms(&self, source: &dyn Source) -> Result<()> {
        let subheader = match self.layout {
            Layout::Mode2 { .. } => 0,
            Layout::Whole { mode: 2, .. } => SUBHEADER as u64,
            Layout::User | Layout::Whole { .. } => return Ok(()),
        };
        let last = self.sectors - 1;
        let spread = (1..=SPREAD).map(|part| last / SPREAD * part + last % SPREAD * part / SPREAD);
        for sector in (0..=last.min(16)).chain(spread) {
            let at = self.at + sector * u64::from(self.layout.stride()) + subheader;
            let bytes: [u8; 4] = read_array(source, at, "subheader")?;
            if bytes[2] & 0x20 != 0 {
                let message = format!(
                    "sector {sector} of the data track is of form 2, which has no 2048 bytes of user data: \
                     there is no plain image of it, the stored sectors are all there is"
                );
                return Err(Error::new(ErrorKind::UnknownFormat, message));
            }
        }
        Ok(())
    }

    /// The map of its user data.
    #[must_use]
    pub fn into_map(self) -> Box<dyn BlockMap> {
        match self.layout {
            Layout::User => Box::new(AsStored::from(self.at, self.size())),
            _ => Box::new(Sectors {
                track: self,
                geometry: Geometry::Uniform {
                    size: self.size(),
                    block_size: 2048,
                },
            }),
        }
    }
}

/// Sectors with more than user data: each is a block, so that a bad one is an error for its 2048 bytes alone.
#[derive(Debug)]
struct Sectors {
    track: DataTrack,
    geometry: Geometry,
}

impl BlockMap for Sectors {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let stride = self.track.layout.stride();
        // The subchannel behind a sector is left in the way, so that neighbours are read at once.
        Stored {
            at: self.track.at + block * u64::from(stride),
            len: stride,
            codec: Codec::Raw,
        }
    }

    fn decode(&self, _block: u64, _stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        dst.copy_from_slice(self.track.layout.user(src)?);
        Ok(())
    }
}

// The checks above look at fixed places of a stored sector.
const _: () = assert!(SECTOR > 2336 && USER + 24 < 2336);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sector::{Kind, complete};

    fn track(kind: Kind, layout: Layout) -> Vec<u8> {
        let stride = layout.stride() as usize;
        let mut stored = vec![0x99; 7];
        for number in 0..20_u8 {
            let mut sector = [number; SECTOR];
            sector[16..24].fill(0);
            sector[kind.user()].fill(number);
            sector[HEADER..HEADER + 3].copy_from_slice(&[0, 2, number]);
            complete(&mut sector, kind);
            let from = if matches!(layout, Layout::Mode2 { .. }) {
                16
            } else {
                0
            };
            let mut bytes = sector[from..].to_vec();
            bytes.resize(stride, 0x55);
            stored.extend(bytes);
        }
        stored
    }

    fn layouts() -> [(Kind, Layout); 5] {
        let whole = |mode, stride| Layout::Whole { mode, stride };
        [
            (Kind::Mode1, whole(1, 2352)),
            (Kind::Mode1, whole(1, 2448)),
            (Kind::Mode2Form1, whole(2, 2352)),
            (Kind::Mode2Form1, Layout::Mode2 { stride: 2336 }),
            (Kind::Mode2Form1, whole(2, 2448)),
        ]
    }

    fn block(map: &dyn BlockMap, stored: &[u8], block: u64) -> Result<Vec<u8>> {
        let place = map.locate(block);
        let at = usize::try_from(place.at).unwrap();
        let mut src = stored[at..at + place.len as usize].to_vec();
        let mut dst = vec![0; map.geometry().len_of(block)];
        map.decode(block, place, &mut src, &mut dst)?;
        Ok(dst)
    }

    #[test]
    fn every_layout_gives_the_user_data() {
        for (kind, layout) in layouts() {
            let stored = track(kind, layout);
            let found = DataTrack::between(7, stored.len() as u64, layout, &stored).unwrap();
            assert_eq!(found.sectors, 20, "{layout:?}");
            let map = found.into_map();
            for number in 0..20 {
                let plain = block(map.as_ref(), &stored, number).unwrap();
                assert_eq!(plain, [number as u8; 2048], "{layout:?}");
            }
        }
    }

    #[test]
    fn a_sector_of_another_mode_is_an_error_for_its_block_alone() {
        for (kind, layout) in layouts() {
            let mut stored = track(kind, layout);
            let map = DataTrack::between(7, stored.len() as u64, layout, &stored)
                .unwrap()
                .into_map();
            let third = 7 + 3 * layout.stride() as usize;
            match layout {
                Layout::Mode2 { .. } => stored[third + 2] = 0x20,
                _ => stored[third + 15] = 0,
            }
            assert!(block(map.as_ref(), &stored, 3).is_err(), "{layout:?}");
            assert!(block(map.as_ref(), &stored, 2).is_ok());
            assert!(block(map.as_ref(), &stored, 4).is_ok());
        }
    }

    #[test]
    fn a_sector_without_sync_and_one_of_form_2_are_errors() {
        let layout = Layout::Whole {
            mode: 2,
            stride: 2352,
        };
        let mut stored = track(Kind::Mode2Form1, layout);
        let map = DataTrack::between(7, stored.len() as u64, layout, &stored)
            .unwrap()
            .into_map();
        stored[7] = 1;
        stored[7 + 2352 + 18] = 0x20;
        let err = block(map.as_ref(), &stored, 0).unwrap_err();
        assert!(err.to_string().contains("sync"), "{err}");
        let err = block(map.as_ref(), &stored, 1).unwrap_err();
        assert!(err.to_string().contains("form 2"), "{err}");
    }

    #[test]
    fn rejects_a_track_with_sectors_of_form_2_where_it_is_looked_at() {
        for (kind, layout) in layouts() {
            let subheader = match layout {
                Layout::Mode2 { .. } => 0,
                _ => 16,
            };
            for sector in [0, 7, 16, 19] {
                let mut stored = track(kind, layout);
                let len = stored.len() as u64;
                stored[7 + sector * layout.stride() as usize + subheader + 2] |= 0x20;
                let found = DataTrack::between(7, len, layout, &stored);
                let Err(err) = found else {
                    assert_eq!(kind, Kind::Mode1, "{layout:?}");
                    continue;
                };
                assert!(err.to_string().contains("form 2"), "{err}");
            }
        }
    }

    #[test]
    fn rejects_a_track_that_ends_behind_its_file() {
        let err = DataTrack::between(0, 4097, Layout::User, &vec![0; 4096]).unwrap_err();
        assert!(err.to_string().contains("ends at 4097, its file at 4096"));
    }

    #[test]
    fn rejects_a_track_without_a_whole_sector() {
        let err = DataTrack::between(100, 2147, Layout::User, &vec![0; 4096]).unwrap_err();
        assert!(err.to_string().contains("size is 0"), "{err}");
    }

    #[test]
    fn rejects_a_track_whose_sectors_are_of_another_mode() {
        let layout = Layout::Whole {
            mode: 1,
            stride: 2352,
        };
        let stored = track(Kind::Mode1, layout);
        let other = Layout::Whole {
            mode: 2,
            stride: 2352,
        };
        let err = DataTrack::between(7, stored.len() as u64, other, &stored).unwrap_err();
        assert!(
            err.to_string().contains("sector 16 of the data track"),
            "{err}"
        );
    }
}
