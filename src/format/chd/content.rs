//! What a file holds, and as which plain files it is shown.

use super::{
    codecs::FRAME,
    header::Header,
    metadata::{self, Text},
    sheets,
    tracks::{self, Kind, Track},
};
use crate::{
    Error, Result,
    files::{Content as Shown, Listed, PlainFile, PlainName, Tracks},
    sector::USER,
    source::Source,
};

const DVD: [u8; 4] = *b"DVD ";
const HARD_DISK: [u8; 4] = *b"GDDD";
const TRACK: [u8; 4] = *b"CHTR";
const TRACK_2: [u8; 4] = *b"CHT2";
const GD_TRACK: [u8; 4] = *b"CHGD";
/// Tags of writers before 2008, whose texts are binary or miss what places the tracks.
const OUTDATED: [[u8; 4]; 2] = [*b"CHCD", *b"CHGT"];

/// What a file holds.
#[derive(Debug)]
pub(super) enum Content {
    /// One plain file with this ending.
    Plain {
        ending: &'static str,
        what: &'static str,
    },
    /// A disc of tracks.
    Disc(Disc),
}

/// A disc of tracks.
#[derive(Debug)]
pub(super) struct Disc {
    pub(super) tracks: Vec<Track>,
    /// Whether it is a GD-ROM, which has a sheet of its own kind.
    pub(super) is_gd: bool,
}

impl Content {
    pub(super) fn read(source: &dyn Source, header: &Header) -> Result<Self> {
        let wanted = [TRACK, TRACK_2, GD_TRACK];
        let texts = metadata::read(source, header.metadata_at, &wanted)?;
        let has = |tag: [u8; 4]| texts.iter().any(|text| text.tag == tag);
        let disc = |tag| Disc::read(&texts, tag, header).map(Self::Disc);
        if let Some(tag) = OUTDATED.into_iter().find(|tag| has(*tag)) {
            return Err(Error::unsupported(format!(
                "the list of tracks is {}, of an old kind; `chdman copy` makes the new kind of it",
                tag.escape_ascii()
            )));
        }
        match () {
            () if has(GD_TRACK) => disc(GD_TRACK),
            () if has(TRACK_2) => disc(TRACK_2),
            () if has(TRACK) => disc(TRACK),
            () => Ok(Self::plain(&has, header)),
        }
    }

    /// Files without a word about their content are discs when they are cut like those, or too old to say.
    fn plain(has: &dyn Fn([u8; 4]) -> bool, header: &Header) -> Self {
        let (ending, what) = match () {
            () if has(DVD) => (".iso", "DVD"),
            () if has(HARD_DISK) => (".img", "hard disk"),
            () if header.version < 5 || header.unit_len as usize == USER => (".iso", "disc"),
            () => (".img", "raw bytes"),
        };
        Self::Plain { ending, what }
    }

    /// Plain bytes of the plain file with the number 0.
    pub(super) fn size(&self, header: &Header) -> u64 {
        match self {
            Self::Plain { .. } => header.size,
            Self::Disc(disc) => match disc.image() {
                Some(_) => disc.image_size(),
                None => disc.tracks[0].size(),
            },
        }
    }

    pub(super) fn files(&self, header: &Header, wanted: Tracks) -> Listed {
        Listed::alone(match self {
            Self::Plain { ending, .. } => vec![PlainFile::blocks(*ending, header.size, 0)],
            Self::Disc(disc) => disc.files(wanted),
        })
    }
}

impl Disc {
    fn read(texts: &[Text], tag: [u8; 4], header: &Header) -> Result<Self> {
        if header.hunk_len as usize % FRAME != 0 {
            return Err(Error::corrupt(format!(
                "hunk size is {}, that of a disc must be a multiple of {FRAME}",
                header.hunk_len
            )));
        }
        Ok(Self {
            tracks: tracks::read(texts, tag, header.size / FRAME as u64)?,
            is_gd: tag == GD_TRACK,
        })
    }

    /// The only track, when it can be shown as a filesystem's image.
    pub(super) fn image(&self) -> Option<&Track> {
        match &self.tracks[..] {
            [track] if !self.is_gd && !matches!(track.kind, Kind::Audio | Kind::Mode2Form2) => {
                Some(track)
            }
            _ => None,
        }
    }

    fn image_size(&self) -> u64 {
        self.image().map_or(0, |track| {
            let frames = track.frames - (track.content() - track.first);
            frames * USER as u64
        })
    }

    /// Whether the only track has the bytes of the image and no others.
    fn is_image(&self) -> bool {
        self.image().is_some_and(|track| {
            track.size() == self.image_size() && track.kind.sector_len() as usize == USER
        })
    }

    fn files(&self, wanted: Tracks) -> Vec<PlainFile> {
        let mut files = Vec::new();
        if self.image().is_some() && wanted != Tracks::Bin {
            files.push(PlainFile::blocks(".iso", self.image_size(), 0));
            if wanted == Tracks::Iso || self.is_image() {
                return files;
            }
        }
        let first = files.len() + 1;
        let (ending, text) = if self.is_gd {
            (".gdi", sheets::gdi(&self.tracks, first))
        } else {
            (".cue", sheets::cue(&self.tracks, first))
        };
        files.push(PlainFile {
            name: PlainName::Behind(ending.into()),
            content: Shown::Text(text),
        });
        for (number, track) in (1..).zip(&self.tracks) {
            files.push(PlainFile::blocks(self.name(number), track.size(), number));
        }
        files
    }

    /// What stands behind the stem in the name of a track's file.
    fn name(&self, number: u32) -> String {
        let is_audio = self.tracks[number as usize - 1].kind == Kind::Audio;
        let ending = if self.is_gd && is_audio { "raw" } else { "bin" };
        match self.tracks.len() {
            1 => format!(".{ending}"),
            2..=9 => format!(" (Track {number}).{ending}"),
            _ => format!(" (Track {number:02}).{ending}"),
        }
    }
}
