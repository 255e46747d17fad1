//! BIN/CUE: a sheet in plain text that says which tracks lie where in which files.
//!
//! | line | what it says |
//! |---|---|
//! | `FILE "NAME" BINARY` | the tracks below lie in this file |
//! | `TRACK NN MODE` | `MODE1/2048`, `MODE1/2352`, `MODE2/2048`, `MODE2/2336`, `MODE2/2352`, `AUDIO`, `CDG`, `CDI/2336`, `CDI/2352` |
//! | `INDEX NN MM:SS:FF` | a place in the file, in sectors of 1/75 second; 00 is the gap in front, 01 the track |
//! | `PREGAP MM:SS:FF` | a gap that the file does not hold |
//!
//! All other lines are about what the user hears or burns, and are left alone. The sheet and its files are shown as
//! they are; beside them stands the user data of the first data track, as `.iso`.
//!
//! Source: CDRWIN's user guide, appendix A; sheets of redump.org and of `chdman`.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, sync::Arc};

use super::{Details, Format, OpenOptions, Opened, Summary, file_beside};
use crate::{
    Error, ErrorKind, Result,
    files::{Listed, PlainFile},
    map::disc::DataTrack,
    source::Source,
};

mod sheet;
#[cfg(test)]
mod tests;

use sheet::{Place, Sheet};

pub(super) static CUE: Format = Format {
    name: "cue",
    title: "sheets of BIN/CUE discs, with the data track as .iso",
    extensions: &["cue"],
    detect: is_sheet,
    passes_through: true,
    probe,
    files: Some(files),
    open,
    is_part_extension: |_| false,
    targets: &[],
};

/// The largest sheet. One of 99 tracks with 99 indexes each takes less.
const MAX_SHEET: u64 = 1 << 20;

/// The words that a sheet can start with.
const FIRST_WORDS: [&[u8]; 10] = [
    b"FILE",
    b"REM",
    b"CATALOG",
    b"CDTEXTFILE",
    b"TITLE",
    b"PERFORMER",
    b"SONGWRITER",
    b"GENRE",
    b"DISC_ID",
    b"TRACK",
];

fn is_sheet(head: &[u8], source: &dyn Source) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut words = head.trim_ascii_start().split(u8::is_ascii_whitespace);
    let first = words.next().unwrap_or_default();
    let is_first = |word: &&[u8]| first.eq_ignore_ascii_case(word);
    FIRST_WORDS.iter().any(is_first) && text(source).is_ok_and(|text| text.contains(&b'\n'))
}

fn text(source: &dyn Source) -> Result<Vec<u8>> {
    let len = source.len();
    if len > MAX_SHEET {
        let message = format!("the sheet has {len} bytes, the limit is 1 MiB");
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let mut text = vec![0; usize::try_from(len).expect("it is at most 1 MiB")];
    source.read_exact_at(&mut text, 0)?;
    Ok(text)
}

/// The image is in another file, which only `files` and `open` see.
fn probe(source: &dyn Source) -> Result<Summary> {
    Sheet::parse(&text(source)?)?;
    Err(Error::new(
        ErrorKind::UnknownFormat,
        "a sheet holds no image, the files that it names do",
    ))
}

fn files(source: &Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Listed> {
    let text = text(source.as_ref())?;
    let sheet = Sheet::parse(&text)?;
    // A file of user data alone that is an `.iso` already needs no second one.
    let Some(place) = sheet.data_track()?.filter(|place| !place.is_an_iso()) else {
        return Ok(Listed::alone(vec![PlainFile::stored()]));
    };
    let (_, track) = find(&place, options)?;
    let beside = vec![OsStr::from_bytes(place.file).to_os_string()];
    Ok(Listed::with_image(track.size(), beside))
}

/// The file that holds the track, and where.
fn find(place: &Place<'_>, options: &OpenOptions<'_>) -> Result<(Arc<dyn Source>, DataTrack)> {
    let source = file_beside(OsStr::from_bytes(place.file), "the sheet", options)?;
    let end = place.end.unwrap_or(source.len());
    let track = DataTrack::between(place.at, end, place.layout, source.as_ref())?;
    Ok((source, track))
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "all formats are opened alike"
)]
fn open(source: Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Opened> {
    let text = text(source.as_ref())?;
    let sheet = Sheet::parse(&text)?;
    let place = sheet.data_track()?.ok_or_else(|| {
        Error::unsupported("the sheet has no data track, and so there is no plain image")
    })?;
    let (source, track) = find(&place, options)?;
    let rest = place.end.unwrap_or(source.len()) - track.at;
    let mut notes = Vec::new();
    if rest % u64::from(track.layout.stride()) != 0 {
        notes.push("the data track ends inside a sector, which is left out".into());
    }
    Ok(Opened {
        format: &CUE,
        source,
        map: track.into_map(),
        details: Details {
            variant: format!("track {:02}, {}", place.number, track.layout.name()),
            parts: vec![String::from_utf8_lossy(place.file).into_owned()],
            notes,
            ..Details::default()
        },
    })
}
