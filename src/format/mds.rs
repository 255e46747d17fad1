//! MDS of Alcohol 120%: a descriptor of a disc whose sectors lie in an `.mdf` beside it.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 16 | `MEDIA DESCRIPTOR` |
//! | 16 | 1 | version: 1; 2 is encrypted |
//! | 18 | 2 | medium: 0 to 2 a CD, 16 and above a DVD |
//! | 80 | 4 | position of the first session |
//!
//! | session | size | field |
//! |---|---|---|
//! | 10 | 1 | number of track blocks |
//! | 20 | 4 | position of the first track block |
//!
//! | track block | size | field |
//! |---|---|---|
//! | 0 | 1 | mode, in the lowest three bits: 1 sound, 2 mode 1 (and a DVD), 3 mode 2, 4 form 1, 5 form 2 |
//! | 4 | 1 | track number; above 99 the block is about the disc |
//! | 12 | 4 | of a CD the position of its lengths: sectors of the gap, then of the track, 4 bytes each; of a DVD the sectors |
//! | 16 | 2 | bytes from one sector to the next |
//! | 40 | 8 | position in the `.mdf` |
//! | 48 | 4 | number of files |
//! | 52 | 4 | position of the file's name: its position (4), and whether its characters have 16 bits (4) |
//!
//! All numbers are little-endian. The name `*.mdf` stands for that of the descriptor with this extension.
//!
//! Source: descriptors that libMirage and mdf2iso read the same way.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::Path,
    sync::Arc,
};

use super::{Format, OpenOptions, Opened, Summary, file_beside, track_beside};
use crate::{
    Error, ErrorKind, Result,
    files::Listed,
    map::disc::{DataTrack, Layout},
    source::{Source, read_array},
};

#[cfg(test)]
mod tests;

pub(super) static MDS: Format = Format {
    name: "mds",
    title: "MDS and MDF of Alcohol 120%, with the data track as .iso",
    extensions: &["mds"],
    detect: |head, _| head.starts_with(b"MEDIA DESCRIPTOR"),
    passes_through: true,
    probe,
    files: Some(files),
    open,
    is_part_extension: |_| false,
    targets: &[],
};

/// Characters of a file's name.
const LONGEST_NAME: u64 = 255;

/// The image is in another file, which only `files` and `open` see.
fn probe(source: &dyn Source) -> Result<Summary> {
    Track::find(source)?;
    Err(Error::new(
        ErrorKind::UnknownFormat,
        "a descriptor holds no image, the file that it names does",
    ))
}

fn files(source: &Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Listed> {
    let track = Track::find(source.as_ref())?;
    let name = track.file_name(source.as_ref(), options.name)?;
    let track = track.in_file(file_beside(&name, "the descriptor", options)?.as_ref())?;
    Ok(Listed::with_image(track.size(), vec![name]))
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "all formats are opened alike"
)]
fn open(source: Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Opened> {
    let track = Track::find(source.as_ref())?;
    let name = track.file_name(source.as_ref(), options.name)?;
    let file = file_beside(&name, "the descriptor", options)?;
    let track = track.in_file(file.as_ref())?;
    let variant = format!("MDS v1, data track {}", track.layout.name());
    Ok(track_beside(&MDS, (&name, file), track, variant))
}

/// The first data track of a descriptor.
#[derive(Clone, Copy, Debug)]
struct Track {
    layout: Layout,
    /// Position in the `.mdf`.
    at: u64,
    sectors: u32,
    /// Position of the block about the file's name.
    name_at: u64,
}

impl Track {
    fn find(source: &dyn Source) -> Result<Self> {
        let head: [u8; 88] = read_array(source, 0, "MDS header")?;
        if head[16] != 1 {
            return Err(Error::unsupported(format!(
                "version is {}, only version 1 is not encrypted; cdemu reads the others",
                head[16]
            )));
        }
        let is_dvd = u16_at(&head, 18) >= 16;
        let session: [u8; 24] = read_array(source, u32_at(&head, 80).into(), "session block")?;
        for block in 0..u64::from(session[10]) {
            let at = u64::from(u32_at(&session, 20)) + 80 * block;
            let block: [u8; 80] = read_array(source, at, "track block")?;
            if let Some(layout) = layout(&block)? {
                return Self::of(&block, layout, is_dvd, source);
            }
        }
        let none = "there is no data track, and so there is no plain image";
        Err(Error::new(ErrorKind::UnknownFormat, none))
    }

    fn of(block: &[u8; 80], layout: Layout, is_dvd: bool, source: &dyn Source) -> Result<Self> {
        let files = u32_at(block, 48);
        if files != 1 {
            return Err(Error::unsupported(format!(
                "the track lies in {files} files, only tracks in one are read; join them in their order and make the descriptor anew, \
                 or mount it with cdemu"
            )));
        }
        let extra = u32_at(block, 12);
        let sectors = if is_dvd {
            extra
        } else {
            u32_at(
                &read_array::<8>(source, extra.into(), "track's lengths")?,
                4,
            )
        };
        let low = u64::from(u32_at(block, 40));
        Ok(Self {
            layout,
            at: low | u64::from(u32_at(block, 44)) << 32,
            sectors,
            name_at: u32_at(block, 52).into(),
        })
    }

    /// The track in the file that holds it.
    fn in_file(&self, file: &dyn Source) -> Result<DataTrack> {
        let len = u64::from(self.sectors) * u64::from(self.layout.stride());
        let end = self.at.saturating_add(len);
        DataTrack::between(self.at, end, self.layout, file)
    }

    /// The name of the `.mdf`. It names a file beside the descriptor and no path.
    fn file_name(&self, source: &dyn Source, own: &OsStr) -> Result<OsString> {
        let block: [u8; 8] = read_array(source, self.name_at, "block about the file")?;
        let name = characters(source, u32_at(&block, 0).into(), u32_at(&block, 4) != 0)?;
        if let Some(ending) = name.strip_prefix("*") {
            let mut full = Path::new(own).file_stem().unwrap_or(own).to_os_string();
            full.push(ending);
            return Ok(full);
        }
        if name.is_empty()
            || name == ".."
            || name.bytes().any(|byte| matches!(byte, b'/' | b'\\' | 0))
        {
            return Err(Error::corrupt(format!(
                "the file's name is {name:?}, which is no name of a file beside"
            )));
        }
        Ok(name.into())
    }
}

/// How the sectors of a track are stored; `None` of sound and of what is no track.
fn layout(block: &[u8; 80]) -> Result<Option<Layout>> {
    let stride = u32::from(u16_at(block, 16));
    if !(1..=99).contains(&block[4]) {
        return Ok(None);
    }
    let layout = match (block[0] & 7, stride) {
        (1, _) => return Ok(None),
        (2..=4, 2048) => Layout::User,
        (3 | 4, 2336) => Layout::Mode2 { stride },
        (2, 2352 | 2448) => Layout::Whole { mode: 1, stride },
        (3 | 4, 2352 | 2448) => Layout::Whole { mode: 2, stride },
        (mode, _) => {
            return Err(Error::unsupported(format!(
                "a data track of mode {mode} has sectors of {stride} bytes, which is not known"
            )));
        }
    };
    Ok(Some(layout))
}

/// The characters of a name, up to the 0 behind it.
fn characters(source: &dyn Source, at: u64, is_wide: bool) -> Result<String> {
    let width = if is_wide { 2 } else { 1 };
    let left = source.len().saturating_sub(at);
    let len = left.min((LONGEST_NAME + 1) * width);
    let mut bytes = vec![0; usize::try_from(len).expect("it is at most 512")];
    source.read_exact_at(&mut bytes, at)?;
    if is_wide {
        let units = bytes
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let units: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
        return Ok(String::from_utf16_lossy(&units));
    }
    let name = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    Ok(OsStr::from_bytes(name).to_string_lossy().into_owned())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
