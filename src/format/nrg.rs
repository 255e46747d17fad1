//! NRG images of Nero Burning ROM: tracks as they were burnt, and behind them what they are.
//!
//! | place | size | field |
//! |---|---|---|
//! | 12 before the end | 4 + 8 | version 2: `NER5` and the position of the first chunk |
//! | 8 before the end | 4 + 4 | version 1: `NERO` and the position of the first chunk |
//! | chunk | 4 + 4 | its name, and its length without these 8 bytes; `END!` is the last |
//!
//! | chunk | head | each track |
//! |---|---|---|
//! | `ETNF` | none | 20 bytes: offset, length, mode, sector number, 0; 4 bytes each |
//! | `ETN2` | none | 32 bytes: offset and length of 8 bytes; mode, sector number of 4; 8 of 0 |
//! | `DAOI` | 22 bytes | 30 bytes: at 12 sector size (2), at 14 mode (1), from 18 on the start of the gap in front, of the track, and the end, 4 bytes each |
//! | `DAOX` | 22 bytes | 42 bytes: the same, with positions of 8 bytes |
//!
//! All numbers are big-endian. Modes: 0 mode 1, user data; 2 mode 2 form 1, user data; 3 mode 2 without sync and header;
//! 5 and 6 whole sectors of mode 1 and 2; 7 sound; 15, 17 and 16 the same three with 96 bytes of subchannel.
//!
//! Source: images that libMirage reads the same way; of the modes, 0, 5 and 7 were seen in files, and the others are
//! as libMirage's documentation of the format gives them.

use std::sync::Arc;

use super::{Details, Format, OpenOptions, Opened, PartOf, Summary};
use crate::{
    Error, ErrorKind, Result,
    files::Listed,
    map::disc::{DataTrack, Layout},
    source::{Source, read_array},
};

#[cfg(test)]
mod tests;

pub(super) static NRG: Format = Format {
    name: "nrg",
    title: "NRG of Nero, with the data track as .iso",
    extensions: &["nrg"],
    detect: |_, source| Footer::find(source).is_ok_and(|footer| footer.is_some()),
    passes_through: true,
    probe,
    files: Some(files),
    open,
    is_part_extension: |_| false,
    targets: &[],
};

/// The chunks of a disc of 99 tracks with text take some ten thousand bytes.
const MAX_CHUNKS: u64 = 1 << 20;

fn probe(source: &dyn Source) -> Result<Summary> {
    Ok(Summary {
        size: data_track(source)?.size(),
        part: PartOf::Whole,
        encrypted: false,
    })
}

fn files(source: &Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Listed> {
    let size = data_track(source.as_ref())?.size();
    Ok(Listed::with_image(size, Vec::new()))
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let track = data_track(source.as_ref())?;
    Ok(Opened {
        format: &NRG,
        source,
        map: track.into_map(),
        details: Details {
            variant: format!("NRG, data track {}", track.layout.name()),
            ..Details::default()
        },
    })
}

/// The first data track.
fn data_track(source: &dyn Source) -> Result<DataTrack> {
    let footer = Footer::find(source)?
        .ok_or_else(|| Error::corrupt("the file does not end with NERO or NER5"))?;
    let bytes = footer.chunks(source)?;
    for chunk in Chunks(&bytes) {
        let (name, data) = chunk?;
        for track in tracks(name, data) {
            let Some(layout) = track.layout()? else {
                continue;
            };
            if track.end > footer.at {
                return Err(Error::corrupt(format!(
                    "a track ends at {}, the tracks end at {}",
                    track.end, footer.at
                )));
            }
            return DataTrack::between(track.start, track.end, layout, source);
        }
    }
    let none = "there is no data track, and so there is no plain image";
    Err(Error::new(ErrorKind::UnknownFormat, none))
}

/// Where the chunks lie.
#[derive(Clone, Copy, Debug)]
struct Footer {
    at: u64,
    end: u64,
}

impl Footer {
    /// `None` when the file does not end as one of Nero's.
    fn find(source: &dyn Source) -> Result<Option<Self>> {
        let Some(end) = source.len().checked_sub(12) else {
            return Ok(None);
        };
        let last: [u8; 12] = read_array(source, end, "footer")?;
        let footer = match (&last[..4], &last[4..8]) {
            (b"NER5", _) => Self {
                at: number(&last[4..]),
                end,
            },
            (_, b"NERO") => Self {
                at: number(&last[8..]),
                end: end + 4,
            },
            _ => return Ok(None),
        };
        Ok(Some(footer))
    }

    fn chunks(self, source: &dyn Source) -> Result<Vec<u8>> {
        let len = self.end.checked_sub(self.at).ok_or_else(|| {
            Error::corrupt(format!(
                "the first chunk is at {}, behind the footer at {}",
                self.at, self.end
            ))
        })?;
        if len > MAX_CHUNKS {
            let message = format!("the chunks have {len} bytes, the limit is 1 MiB");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let mut bytes = vec![0; usize::try_from(len).expect("it is at most 1 MiB")];
        source.read_exact_at(&mut bytes, self.at)?;
        Ok(bytes)
    }
}

/// The chunks, by name and data.
struct Chunks<'b>(&'b [u8]);

impl<'b> Iterator for Chunks<'b> {
    type Item = Result<(&'b [u8], &'b [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.0.split_at_checked(8)?;
        if &head[..4] == b"END!" {
            return None;
        }
        let len = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        if let Some((data, rest)) = rest.split_at_checked(len as usize) {
            self.0 = rest;
            return Some(Ok((&head[..4], data)));
        }
        self.0 = &[];
        Some(Err(Error::corrupt(format!(
            "chunk {} has {len} bytes, {} are left",
            head[..4].escape_ascii(),
            rest.len()
        ))))
    }
}

/// A track as a chunk gives it.
#[derive(Clone, Copy, Debug)]
struct Track {
    start: u64,
    end: u64,
    mode: u64,
    /// Of discs burnt at once.
    sector_size: Option<u64>,
}

/// The tracks of a chunk; none of a chunk that is about something else.
fn tracks(name: &[u8], data: &[u8]) -> Vec<Track> {
    let (head, len, wide) = match name {
        b"ETNF" => (0, 20, 4),
        b"ETN2" => (0, 32, 8),
        b"DAOI" => (22, 30, 4),
        b"DAOX" => (22, 42, 8),
        _ => return Vec::new(),
    };
    let entries = data.get(head..).unwrap_or_default().chunks_exact(len);
    let of_session = |entry: &[u8]| {
        let start = number(&entry[..wide]);
        Track {
            start,
            end: start.saturating_add(number(&entry[wide..2 * wide])),
            mode: number(&entry[2 * wide..2 * wide + 4]),
            sector_size: None,
        }
    };
    let of_disc = |entry: &[u8]| Track {
        start: number(&entry[18 + wide..18 + 2 * wide]),
        end: number(&entry[18 + 2 * wide..18 + 3 * wide]),
        mode: u64::from(entry[14]),
        sector_size: Some(number(&entry[12..14])),
    };
    match head {
        0 => entries.map(of_session).collect(),
        _ => entries.map(of_disc).collect(),
    }
}

impl Track {
    /// How its sectors are stored; `None` of sound.
    fn layout(&self) -> Result<Option<Layout>> {
        let whole = |mode, stride| Layout::Whole { mode, stride };
        let layout = match self.mode {
            0 | 2 => Layout::User,
            3 => Layout::Mode2 { stride: 2336 },
            5 => whole(1, 2352),
            6 => whole(2, 2352),
            15 => whole(1, 2448),
            17 => whole(2, 2448),
            7 | 16 => return Ok(None),
            mode => {
                let message =
                    format!("a track's mode is {mode}, known are 0, 2, 3, 5 to 7 and 15 to 17");
                return Err(Error::unsupported(message));
            }
        };
        match self.sector_size {
            Some(size) if size != u64::from(layout.stride()) => Err(Error::corrupt(format!(
                "a track's sector size is {size}, its mode {} has {}",
                self.mode,
                layout.stride()
            ))),
            _ => Ok(Some(layout)),
        }
    }
}

/// A big-endian number of at most 8 bytes.
fn number(bytes: &[u8]) -> u64 {
    let add = |number: u64, &byte| number << 8 | u64::from(byte);
    bytes.iter().fold(0, add)
}
