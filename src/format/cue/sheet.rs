//! The lines of a sheet, and where the first data track lies.

use crate::{Error, Result, map::disc::Layout};

/// A sheet that was read. Names are the bytes of the sheet: they may be of any encoding.
#[derive(Debug)]
pub(super) struct Sheet<'t> {
    tracks: Vec<Track<'t>>,
}

#[derive(Debug)]
struct Track<'t> {
    /// The file, and its number: two `FILE` lines may name the same one.
    file: &'t [u8],
    file_number: usize,
    /// Whether the file holds sectors, and not sound in a format of its own.
    is_binary: bool,
    number: u32,
    mode: Mode,
    /// The first index, 00 or 01, and index 01, in sectors from the start of the file.
    first: Option<u64>,
    start: Option<u64>,
}

/// What a track holds: data that can be an image, or other sectors of so many bytes.
#[derive(Clone, Copy, Debug)]
enum Mode {
    Data(Layout),
    Other(u32),
}

impl Mode {
    fn stride(self) -> u32 {
        match self {
            Self::Data(layout) => layout.stride(),
            Self::Other(stride) => stride,
        }
    }
}

/// Where a data track lies.
#[derive(Debug)]
pub(super) struct Place<'t> {
    pub(super) file: &'t [u8],
    pub(super) number: u32,
    pub(super) at: u64,
    /// `None` for the end of the file.
    pub(super) end: Option<u64>,
    pub(super) layout: Layout,
}

impl Place<'_> {
    /// Whether it is all of a file that bears the name of a plain image.
    pub(super) fn is_an_iso(&self) -> bool {
        let ending = self.file.len().checked_sub(4).map(|cut| &self.file[cut..]);
        self.layout == Layout::User
            && self.at == 0
            && self.end.is_none()
            && ending.is_some_and(|ending| ending.eq_ignore_ascii_case(b".iso"))
    }
}

/// The file that the lines below are about.
#[derive(Clone, Copy)]
struct File<'t> {
    name: &'t [u8],
    number: usize,
    is_binary: bool,
}

impl<'t> Sheet<'t> {
    pub(super) fn parse(text: &'t [u8]) -> Result<Self> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut sheet = Self { tracks: Vec::new() };
        let mut file = None;
        let mut files = 0;
        for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let (word, rest) = first_word(line.trim_ascii());
            let read = match word.to_ascii_uppercase().as_slice() {
                b"FILE" => {
                    files += 1;
                    parse_file(rest, files).map(|found| file = Some(found))
                }
                b"TRACK" => sheet.track(rest, file),
                b"INDEX" => sheet.index(rest),
                _ => Ok(()),
            };
            read.map_err(|err| err.in_context(format_args!("line {}", number + 1)))?;
        }
        if sheet.tracks.is_empty() {
            return Err(Error::corrupt("the sheet has no TRACK line"));
        }
        Ok(sheet)
    }

    fn track(&mut self, rest: &[u8], file: Option<File<'t>>) -> Result<()> {
        let file = file.ok_or_else(|| Error::corrupt("a TRACK stands in front of any FILE"))?;
        let (number, mode) = first_word(rest);
        let number = decimal(number)
            .filter(|number| (1..=99).contains(number))
            .ok_or_else(|| bad("track number", number, "it is 1 to 99"))?;
        let last = self.tracks.last().map_or(0, |track| track.number);
        if number <= last {
            let found = number.to_string();
            let rule = format!("it is above that of the track in front, {last}");
            return Err(bad("track number", found.as_bytes(), &rule));
        }
        self.tracks.push(Track {
            file: file.name,
            file_number: file.number,
            is_binary: file.is_binary,
            number,
            mode: parse_mode(mode.trim_ascii())?,
            first: None,
            start: None,
        });
        Ok(())
    }

    fn index(&mut self, rest: &[u8]) -> Result<()> {
        let (number, time) = first_word(rest);
        let number = decimal(number).ok_or_else(|| bad("index", number, "it is 0 to 99"))?;
        let sectors = sectors(time.trim_ascii())?;
        let track = self.tracks.last_mut();
        let track = track.ok_or_else(|| Error::corrupt("an INDEX stands in front of any TRACK"))?;
        if number == 1 {
            track.start = Some(sectors);
        }
        track.first.get_or_insert(sectors);
        Ok(())
    }

    /// Where the first data track lies; `None` on discs of sound alone.
    pub(super) fn data_track(&self) -> Result<Option<Place<'t>>> {
        let is_data = |track: &Track<'_>| matches!(track.mode, Mode::Data(_)) && track.is_binary;
        let Some(which) = self.tracks.iter().position(is_data) else {
            return Ok(None);
        };
        let track = &self.tracks[which];
        let Mode::Data(layout) = track.mode else {
            return Ok(None);
        };
        let in_file = |other: &&Track<'_>| other.file_number == track.file_number;
        // Sectors of the tracks in front may have another length.
        let (mut at, mut sector, mut stride) = (0, 0, track.mode.stride());
        let in_front = self.tracks[..which].iter().filter(in_file);
        for other in in_front.chain([track]) {
            at = step(at, sector, other.first()?, stride)?;
            (sector, stride) = (other.first()?, other.mode.stride());
        }
        let first = sector;
        let begin = step(at, first, track.start()?, stride)?;
        let next = self.tracks[which + 1..].iter().find(in_file);
        let end = next
            .map(|next| step(at, first, next.first()?, stride))
            .transpose()?;
        Ok(Some(Place {
            file: track.file,
            number: track.number,
            at: begin,
            end,
            layout,
        }))
    }
}

/// The position of sector `to`, when `from` is at `at`.
fn step(at: u64, from: u64, to: u64, stride: u32) -> Result<u64> {
    let sectors = to.checked_sub(from).ok_or_else(|| {
        Error::corrupt(format!(
            "an INDEX is sector {to}, behind one of sector {from}"
        ))
    })?;
    // Both are small: sectors come from a time of at most 7 digits.
    Ok(at + sectors * u64::from(stride))
}

impl Track<'_> {
    fn start(&self) -> Result<u64> {
        let none = || Error::corrupt(format!("track {} has no INDEX 01", self.number));
        self.start.ok_or_else(none)
    }

    fn first(&self) -> Result<u64> {
        let none = || Error::corrupt(format!("track {} has no INDEX", self.number));
        self.first.ok_or_else(none)
    }
}

fn parse_file(rest: &[u8], number: usize) -> Result<File<'_>> {
    let (name, kind) = if let Some(quoted) = rest.strip_prefix(b"\"") {
        let end = quoted.iter().rposition(|&byte| byte == b'"');
        let end = end.ok_or_else(|| bad("file name", rest, "its quotes are closed"))?;
        (&quoted[..end], &quoted[end + 1..])
    } else {
        let cut = rest.iter().rposition(u8::is_ascii_whitespace);
        rest.split_at(cut.unwrap_or(rest.len()))
    };
    let name = name.trim_ascii();
    let is_path = name.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0));
    if is_path || matches!(name, b"" | b"." | b"..") {
        return Err(bad("file name", name, "it is a name in the same folder"));
    }
    let kind = kind.trim_ascii();
    Ok(File {
        name,
        number,
        is_binary: kind.is_empty() || kind.eq_ignore_ascii_case(b"BINARY"),
    })
}

fn parse_mode(mode: &[u8]) -> Result<Mode> {
    let whole = |mode| Mode::Data(Layout::Whole { mode, stride: 2352 });
    Ok(match mode.to_ascii_uppercase().as_slice() {
        b"MODE1/2048" | b"MODE2/2048" => Mode::Data(Layout::User),
        b"MODE1/2352" => whole(1),
        b"MODE2/2352" => whole(2),
        b"MODE2/2336" => Mode::Data(Layout::Mode2 { stride: 2336 }),
        b"AUDIO" | b"CDI/2352" => Mode::Other(2352),
        b"MODE2/2324" => Mode::Other(2324),
        b"CDI/2336" => Mode::Other(2336),
        b"CDG" => Mode::Other(2448),
        _ => {
            return Err(bad(
                "track mode",
                mode,
                "it is MODE1/2352, AUDIO or the like",
            ));
        }
    })
}

/// Sectors of a time `MM:SS:FF`, of which there are 75 in a second.
fn sectors(time: &[u8]) -> Result<u64> {
    let mut numbers = time.split(|&byte| byte == b':').map(decimal);
    let mut next = || numbers.next().flatten();
    let parts = (next(), next(), next());
    match (parts, numbers.next()) {
        ((Some(minutes), Some(seconds @ 0..60), Some(frames @ 0..75)), None) => {
            Ok(u64::from(minutes) * 60 * 75 + u64::from(seconds) * 75 + u64::from(frames))
        }
        _ => Err(bad(
            "time",
            time,
            "it is MM:SS:FF with up to 59 seconds and 74 frames",
        )),
    }
}

/// A number of up to four digits.
fn decimal(digits: &[u8]) -> Option<u32> {
    let is_number = (1..=4).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| {
        digits
            .iter()
            .fold(0, |n, digit| 10 * n + u32::from(digit - b'0'))
    })
}

fn first_word(line: &[u8]) -> (&[u8], &[u8]) {
    let cut = line.iter().position(u8::is_ascii_whitespace);
    let (word, rest) = line.split_at(cut.unwrap_or(line.len()));
    (word, rest.trim_ascii())
}

fn bad(what: &str, found: &[u8], rule: &str) -> Error {
    let found = String::from_utf8_lossy(&found[..found.len().min(100)]).into_owned();
    Error::corrupt(format!("{what} is \"{}\", {rule}", found.escape_debug()))
}
