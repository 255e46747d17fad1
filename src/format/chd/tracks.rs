//! The tracks of a disc, as the metadata lists them.

use std::str::FromStr;

use super::metadata::Text;
use crate::{Error, Result};

/// A track as it lies in the image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Track {
    pub(super) kind: Kind,
    /// Number of its first frame in the image.
    pub(super) first: u64,
    /// Frames that are its data, a stored pregap included.
    pub(super) frames: u64,
    /// Frames of zeroes behind them, which are no data.
    pub(super) pad: u64,
    pub(super) pregap: u64,
    /// Whether the pregap is among the frames.
    pub(super) has_pregap: bool,
    pub(super) postgap: u64,
}

/// What the sectors of a track are. Each begins at the front of its frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Mode1,
    Mode1Raw,
    Mode2,
    Mode2Form1,
    Mode2Form2,
    Mode2Mixed,
    Mode2Raw,
    Audio,
}

impl Kind {
    fn of_name(name: &str) -> Result<Self> {
        Ok(match name {
            "MODE1" | "MODE1/2048" => Self::Mode1,
            "MODE1_RAW" | "MODE1/2352" => Self::Mode1Raw,
            "MODE2" | "MODE2/2336" => Self::Mode2,
            "MODE2_FORM1" | "MODE2/2048" => Self::Mode2Form1,
            "MODE2_FORM2" | "MODE2/2324" => Self::Mode2Form2,
            "MODE2_FORM_MIX" => Self::Mode2Mixed,
            "MODE2_RAW" | "MODE2/2352" | "CDI/2352" => Self::Mode2Raw,
            "AUDIO" => Self::Audio,
            _ => {
                return Err(Error::unsupported(format!(
                    "a track has the type {}, which no known writer uses",
                    name.escape_default()
                )));
            }
        })
    }

    /// Bytes of a sector in a `.bin`.
    pub(super) fn sector_len(self) -> u32 {
        match self {
            Self::Mode1 | Self::Mode2Form1 => 2048,
            Self::Mode2Form2 => 2324,
            Self::Mode2 | Self::Mode2Mixed => 2336,
            Self::Mode1Raw | Self::Mode2Raw | Self::Audio => 2352,
        }
    }

    /// The type of the track in a cue sheet.
    pub(super) fn in_sheet(self) -> String {
        match self {
            Self::Audio => "AUDIO".into(),
            Self::Mode1 | Self::Mode1Raw => format!("MODE1/{}", self.sector_len()),
            _ => format!("MODE2/{}", self.sector_len()),
        }
    }
}

impl Track {
    /// Bytes in a `.bin`.
    pub(super) fn size(&self) -> u64 {
        self.frames * u64::from(self.kind.sector_len())
    }

    /// The first frame behind a stored pregap.
    pub(super) fn content(&self) -> u64 {
        self.first + if self.has_pregap { self.pregap } else { 0 }
    }
}

/// Frames of a track are followed by as many as make them a multiple of this.
const ALIGN: u64 = 4;

/// The most tracks that a disc can have.
const MOST_TRACKS: usize = 99;

/// Reads the tracks of the texts with `tag`. The image has `frames` frames.
pub(super) fn read(texts: &[Text], tag: [u8; 4], frames: u64) -> Result<Vec<Track>> {
    let lines = texts.iter().filter(|text| text.tag == tag);
    let fields = lines.map(|line| Fields::parse(&line.bytes));
    let mut fields = fields.collect::<Result<Vec<_>>>()?;
    fields.sort_by_key(|fields| fields.track);
    let numbers = fields.iter().map(|fields| fields.track);
    if !numbers.eq(1..=fields.len() as u64) || fields.len() > MOST_TRACKS {
        return Err(Error::corrupt(format!(
            "there are {} tracks, and they are not numbered from 1 to at most {MOST_TRACKS}",
            fields.len()
        )));
    }
    let mut first = 0;
    let mut tracks = Vec::with_capacity(fields.len());
    for fields in fields {
        let end = first + fields.frames;
        if fields.frames <= fields.pad || end > frames {
            return Err(Error::corrupt(format!(
                "track {} has the frames {first} to {end}, {} of them no data; the image has {frames}",
                fields.track, fields.pad
            )));
        }
        tracks.push(fields.at(first)?);
        first = end.next_multiple_of(ALIGN);
    }
    Ok(tracks)
}

/// What stands in one text.
struct Fields {
    track: u64,
    kind: Kind,
    frames: u64,
    pad: u64,
    pregap: u64,
    has_pregap: bool,
    postgap: u64,
}

impl Fields {
    /// `NAME:VALUE` between blanks, up to a zero byte.
    fn parse(bytes: &[u8]) -> Result<Self> {
        let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        let text = String::from_utf8_lossy(text);
        let value = |name: &str| {
            let mut words = text.split_ascii_whitespace();
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix(':'))
        };
        // Of frames there are less than 2^32 on any disc.
        let number = |name: &str, or: Option<u64>| match value(name).map(u32::from_str) {
            Some(Ok(number)) => Ok(u64::from(number)),
            None if or.is_some() => Ok(or.unwrap_or_default()),
            _ => Err(Error::corrupt(format!(
                "a track has no number for {name} in \"{}\"",
                text.escape_default()
            ))),
        };
        let has_pregap = value("PGTYPE").is_some_and(|kind| kind.starts_with('V'));
        Ok(Self {
            track: number("TRACK", None)?,
            kind: Kind::of_name(value("TYPE").unwrap_or_default())?,
            frames: number("FRAMES", None)?,
            pad: number("PAD", Some(0))?,
            pregap: number("PREGAP", Some(0))?,
            has_pregap,
            postgap: number("POSTGAP", Some(0))?,
        })
    }

    fn at(self, first: u64) -> Result<Track> {
        let frames = self.frames - self.pad;
        if self.has_pregap && self.pregap >= frames {
            return Err(Error::corrupt(format!(
                "track {} has {frames} frames, and a pregap of {} among them",
                self.track, self.pregap
            )));
        }
        Ok(Track {
            kind: self.kind,
            first,
            frames,
            pad: self.pad,
            pregap: self.pregap,
            has_pregap: self.has_pregap && self.pregap > 0,
            postgap: self.postgap,
        })
    }
}
