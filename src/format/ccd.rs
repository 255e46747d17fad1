//! CCD of `CloneCD`: a sheet about a disc whose whole sectors lie in an `.img` of the same name.
//!
//! | line | what it says |
//! |---|---|
//! | `[CloneCD]` | what the sheet is |
//! | `[Entry N]` | the lines below are about one entry of the table of contents |
//! | `Point=N` | track number; above 99 the entry is about the disc |
//! | `Control=N` | bit 2: a data track |
//! | `PLBA=N` | its first sector in the `.img`, of 2352 bytes each |
//!
//! Numbers are decimal, or hexadecimal behind `0x`. A track goes to the next one or to the end of the `.img`; its mode
//! is that of its first sector.
//!
//! Source: images that libMirage and ccd2iso read the same way.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    sync::Arc,
};

use super::{Format, OpenOptions, Opened, Summary, file_beside, track_beside};
use crate::{
    Error, ErrorKind, Result,
    files::Listed,
    map::disc::{DataTrack, Layout},
    sector::{HEADER, SECTOR},
    source::{Source, read_array},
};

#[cfg(test)]
mod tests;

pub(super) static CCD: Format = Format {
    name: "ccd",
    title: "CCD and IMG of CloneCD, with the data track as .iso",
    extensions: &["ccd"],
    detect: |head, _| head.trim_ascii_start().starts_with(b"[CloneCD]"),
    passes_through: true,
    probe,
    files: Some(files),
    open,
    is_part_extension: |_| false,
    targets: &[],
};

/// The largest sheet. One of 99 tracks takes a tenth of it.
const MAX_SHEET: u64 = 1 << 18;

/// The image is in another file, which only `files` and `open` see.
fn probe(source: &dyn Source) -> Result<Summary> {
    Place::find(source)?;
    Err(Error::new(
        ErrorKind::UnknownFormat,
        "a sheet holds no image, the file beside it does",
    ))
}

fn files(source: &Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Listed> {
    let name = image_of(options.name);
    let file = file_beside(&name, "the sheet", options)?;
    let track = Place::find(source.as_ref())?.in_file(file.as_ref())?;
    Ok(Listed::with_image(track.size(), vec![name]))
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "all formats are opened alike"
)]
fn open(source: Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Opened> {
    let name = image_of(options.name);
    let place = Place::find(source.as_ref())?;
    let file = file_beside(&name, "the sheet", options)?;
    let track = place.in_file(file.as_ref())?;
    let variant = format!("track {:02}, {}", place.number, track.layout.name());
    Ok(track_beside(&CCD, (&name, file), track, variant))
}

/// `Game.img` for `Game.ccd`.
fn image_of(sheet: &OsStr) -> OsString {
    Path::new(sheet).with_extension("img").into_os_string()
}

/// The first data track, in sectors of the `.img`.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: u8,
    start: u64,
    /// Where the next track begins; `None` at the end of the file.
    end: Option<u64>,
}

impl Place {
    fn find(source: &dyn Source) -> Result<Self> {
        let entries = entries(&text(source)?);
        let data = entries.iter().filter(|entry| entry.is_data);
        let first = data.min_by_key(|entry| entry.start).ok_or_else(|| {
            let none = "there is no data track, and so there is no plain image";
            Error::new(ErrorKind::UnknownFormat, none)
        })?;
        let starts = entries.iter().map(|entry| entry.start);
        Ok(Self {
            number: first.number,
            start: first.start,
            end: starts.filter(|&start| start > first.start).min(),
        })
    }

    /// The track in the file that holds it.
    fn in_file(&self, file: &dyn Source) -> Result<DataTrack> {
        let at = self.start * SECTOR as u64;
        let end = self.end.map_or(file.len(), |end| end * SECTOR as u64);
        let head: [u8; HEADER + 4] = read_array(file, at, "first sector of the data track")?;
        let layout = Layout::Whole {
            mode: head[HEADER + 3],
            stride: 2352,
        };
        DataTrack::between(at, end, layout, file)
    }
}

/// A track of the table of contents.
#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u8,
    is_data: bool,
    start: u64,
}

/// The tracks of a sheet. Entries that say too little are left out.
fn entries(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    // The text in front of the first entry says nothing about tracks.
    for section in text.split("[Entry").skip(1) {
        let lines = section
            .split(['\r', '\n'])
            .take_while(|line| !line.starts_with('['));
        let values: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once('=')).collect();
        let value = |name: &str| {
            let mut found = values
                .iter()
                .filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
            found.next().and_then(|(_, value)| number(value.trim()))
        };
        let (point, control, start) = (value("Point"), value("Control"), value("PLBA"));
        if let (Some(point @ 1..=99), Some(control), Some(start)) = (point, control, start) {
            entries.push(Entry {
                number: u8::try_from(point).expect("it is at most 99"),
                is_data: control & 4 != 0,
                start: start.into(),
            });
        }
    }
    entries
}

/// A number that is not negative.
fn number(text: &str) -> Option<u32> {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn text(source: &dyn Source) -> Result<String> {
    let len = source.len();
    if len > MAX_SHEET {
        let message = format!("the sheet has {len} bytes, the limit is 256 KiB");
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let mut bytes = vec![0; usize::try_from(len).expect("it is at most 256 KiB")];
    source.read_exact_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
