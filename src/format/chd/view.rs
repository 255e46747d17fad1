//! A plain file as blocks: one for each hunk, so that any read decodes a hunk once.

use std::cell::RefCell;

use super::{
    codecs::{FRAME, with_buffer},
    disk::Disk,
    tracks::{Kind, Track},
};
use crate::{
    Error, Result,
    map::{BlockMap, Geometry, Stored},
    sector::{self, HEADER, SECTOR, SUBHEADER, USER},
};

/// A plain file of an image.
#[derive(Debug)]
pub(super) struct View {
    geometry: Geometry,
    disk: Disk,
    cut: Cut,
}

/// What the plain file has of the hunks.
#[derive(Debug)]
enum Cut {
    /// Everything.
    All,
    /// Something of each frame.
    Frames {
        /// The first frame.
        first: u64,
        frames_per_hunk: u64,
        of_each: Part,
    },
}

/// What is taken of a frame.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// The first bytes.
    Front(u32),
    /// The sector, with the two bytes of each sample in the other order.
    Sound,
    /// The user data of a sector, by what its own header says.
    User,
    /// The user data of a mode 2 sector that begins with its subheader.
    UserBehindSubheader,
}

impl Part {
    fn len(self) -> u32 {
        match self {
            Self::Front(len) => len,
            Self::Sound => 2352,
            Self::User | Self::UserBehindSubheader => 2048,
        }
    }
}

impl View {
    /// All plain bytes.
    pub(super) fn all(disk: Disk) -> Self {
        Self {
            geometry: Geometry::Uniform {
                size: disk.header.size,
                block_size: disk.header.hunk_len,
            },
            disk,
            cut: Cut::All,
        }
    }

    /// A track, as its `.bin`.
    pub(super) fn track(disk: Disk, track: &Track) -> Self {
        let part = match track.kind {
            Kind::Audio => Part::Sound,
            kind => Part::Front(kind.sector_len()),
        };
        Self::frames(disk, track.first, track.frames, part)
    }

    /// The user data of a track, without a stored pregap.
    pub(super) fn image(disk: Disk, track: &Track) -> Self {
        let part = match track.kind {
            Kind::Mode1Raw | Kind::Mode2Raw => Part::User,
            Kind::Mode2 | Kind::Mode2Mixed => Part::UserBehindSubheader,
            kind => Part::Front(kind.sector_len()),
        };
        let first = track.content();
        Self::frames(disk, first, track.first + track.frames - first, part)
    }

    fn frames(disk: Disk, first: u64, frames: u64, of_each: Part) -> Self {
        let frames_per_hunk = u64::from(disk.header.hunk_len) / FRAME as u64;
        let len = u64::from(of_each.len());
        let size = frames * len;
        let before = first % frames_per_hunk;
        let geometry = if before == 0 {
            let block_size = frames_per_hunk * len;
            Geometry::Uniform {
                size,
                block_size: u32::try_from(block_size).expect("a hunk is at most MAX_BLOCK"),
            }
        } else {
            let mut starts = vec![0];
            let mut next = frames_per_hunk - before;
            while next < frames {
                starts.push(next * len);
                next += frames_per_hunk;
            }
            starts.push(size);
            Geometry::Table(starts.into())
        };
        Self {
            geometry,
            disk,
            cut: Cut::Frames {
                first,
                frames_per_hunk,
                of_each,
            },
        }
    }

    fn hunk(&self, block: u64) -> u32 {
        let hunk = match &self.cut {
            Cut::All => block,
            Cut::Frames {
                first,
                frames_per_hunk,
                ..
            } => first / frames_per_hunk + block,
        };
        u32::try_from(hunk).expect("there are at most MOST_HUNKS hunks")
    }

    /// Fills `dst` with what the block has of its hunk.
    fn cut(&self, block: u64, hunk: &[u8], dst: &mut [u8]) -> Result<()> {
        let Cut::Frames {
            first,
            frames_per_hunk,
            of_each,
        } = &self.cut
        else {
            dst.copy_from_slice(&hunk[..dst.len()]);
            return Ok(());
        };
        let skip = if block == 0 {
            first % frames_per_hunk
        } else {
            0
        };
        let frames = hunk
            .chunks_exact(FRAME)
            .zip(0..)
            .filter(|(_, number)| *number >= skip);
        let parts = dst.chunks_exact_mut(of_each.len() as usize);
        let hunk_at = u64::from(self.hunk(block)) * frames_per_hunk;
        for (part, (frame, number)) in parts.zip(frames) {
            of_each.take(frame, part).map_err(|err| {
                err.in_context(format_args!("sector {}", hunk_at + number - first))
            })?;
        }
        Ok(())
    }
}

impl Part {
    fn take(self, frame: &[u8], part: &mut [u8]) -> Result<()> {
        match self {
            Self::Front(_) => part.copy_from_slice(&frame[..part.len()]),
            Self::Sound => {
                let samples = frame.chunks_exact(2);
                for (part, sample) in part.chunks_exact_mut(2).zip(samples) {
                    part.copy_from_slice(&[sample[1], sample[0]]);
                }
            }
            Self::User => part.copy_from_slice(user_data(frame)?),
            Self::UserBehindSubheader => {
                check_form(sector::Kind::of_submode(frame[2]))?;
                part.copy_from_slice(&frame[8..8 + USER]);
            }
        }
        Ok(())
    }
}

/// The 2048 bytes of user data of a whole sector.
fn user_data(frame: &[u8]) -> Result<&[u8]> {
    let sector = frame[..SECTOR]
        .first_chunk()
        .expect("a frame holds a sector");
    // Where nothing was written, there is no header either.
    if frame[..SUBHEADER] == [0; SUBHEADER] && frame[HEADER..SECTOR].iter().all(|byte| *byte == 0) {
        return Ok(&frame[SUBHEADER..SUBHEADER + USER]);
    }
    let kind = sector::Kind::of(sector)?;
    check_form(kind)?;
    Ok(&frame[kind.user()])
}

fn check_form(kind: sector::Kind) -> Result<()> {
    match kind {
        sector::Kind::Mode2Form2 => Err(Error::unsupported(
            "it is of mode 2 form 2, whose 2324 bytes an .iso has no room for; the .bin has them",
        )),
        _ => Ok(()),
    }
}

impl BlockMap for View {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        self.disk.locate(self.hunk(block))
    }

    fn decode(&self, block: u64, _stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        thread_local! {
            static HUNK: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let hunk_len = self.disk.header.hunk_len as usize;
        if matches!(self.cut, Cut::All) && dst.len() == hunk_len {
            return self.disk.decode(self.hunk(block), src, dst);
        }
        with_buffer(&HUNK, hunk_len, |hunk| {
            self.disk.decode(self.hunk(block), src, hunk)?;
            self.cut(block, hunk, dst)
        })
    }
}
