//! The directory of an archive, checked.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    ops::Range,
    os::unix::ffi::OsStrExt,
};

use crate::{
    Error, ErrorKind, Result,
    format::extension_of,
    map::check_size,
    source::{Source, read_array},
};

/// Bytes of a directory. Archives of hundreds of thousands of files have less; such with images have a handful.
const MOST_DIRECTORY: u64 = 16 << 20;

/// Images of one archive.
const MOST_IMAGES: usize = 4096;

/// The end of the directory without its comment.
const END: u64 = 22;

const ENTRY: usize = 46;

/// Set in the flags of an encrypted member.
const ENCRYPTED: u16 = 1;

/// What a member's name ends in when it is an image or belongs to one.
const ENDINGS: [&str; 4] = ["iso", "img", "bin", "cue"];

/// An image in an archive.
#[derive(Debug)]
pub(super) struct Member {
    /// Without folders.
    pub(super) name: OsString,
    pub(super) size: u64,
    pub(super) stored: Range<u64>,
    pub(super) method: Method,
    pub(super) crc32: u32,
}

/// How a member is stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Method {
    Stored,
    Deflate,
}

impl Method {
    pub(super) fn name(self) -> &'static str {
        match self {
            Method::Stored => "stored",
            Method::Deflate => "deflate",
        }
    }
}

/// The images of an archive, in the order of its directory; at least one.
pub(super) fn images(source: &dyn Source) -> Result<Vec<Member>> {
    let place = Place::find(source)?;
    let mut bytes = vec![0; usize::try_from(place.len).expect("it is at most MOST_DIRECTORY")];
    source.read_exact_at(&mut bytes, place.at)?;
    let mut images: Vec<(u64, Member)> = Vec::new();
    let mut rest = bytes.as_slice();
    for number in 0..place.entries {
        let entry = Entry::take(&mut rest).ok_or_else(|| {
            Error::corrupt(format!("entry {number} of the directory is cut or is none"))
        })?;
        if let Some(name) = entry.image_name() {
            if images.len() == MOST_IMAGES {
                return Err(Error::new(
                    ErrorKind::LimitExceeded,
                    format!("the archive has more than the limit of {MOST_IMAGES} images"),
                ));
            }
            let shown = name.to_string_lossy().into_owned();
            let member = entry.member(source, name, place.at);
            images.push(member.map_err(|err| err.in_context(format_args!("member {shown}")))?);
        }
    }
    check(&images)?;
    Ok(images.into_iter().map(|(_, member)| member).collect())
}

fn check(images: &[(u64, Member)]) -> Result<()> {
    if !images.iter().any(|(_, member)| is_disc(&member.name)) {
        return Err(Error::new(
            ErrorKind::UnknownFormat,
            "the archive holds no disc image: nothing in it ends in .iso, .img or .bin",
        ));
    }
    let mut names = HashSet::new();
    if let Some((_, twice)) = images
        .iter()
        .find(|(_, member)| !names.insert(&member.name))
    {
        return Err(Error::corrupt(format!(
            "two members are called {}",
            twice.name.to_string_lossy()
        )));
    }
    let mut places: Vec<_> = images
        .iter()
        .map(|(at, member)| (*at, member.stored.end))
        .collect();
    places.sort_unstable();
    match places.windows(2).find(|pair| pair[1].0 < pair[0].1) {
        None => Ok(()),
        Some(pair) => Err(Error::corrupt(format!(
            "a member begins at {}, inside another that ends at {}",
            pair[1].0, pair[0].1
        ))),
    }
}

fn is_disc(name: &OsStr) -> bool {
    extension_of(name) != "cue"
}

/// Where the directory stands.
struct Place {
    at: u64,
    len: u64,
    entries: u64,
}

impl Place {
    fn find(source: &dyn Source) -> Result<Self> {
        let (end_at, end) = find_end(source)?;
        let (number, long) = (
            |at| u64::from(u16_at(&end, at)),
            |at| u64::from(u32_at(&end, at)),
        );
        if number(4) != 0 && number(4) != 0xFFFF || number(6) != number(4) {
            return Err(Error::unsupported(
                "the archive is split into several files",
            ));
        }
        let mut place = Self {
            entries: number(10),
            len: long(12),
            at: long(16),
        };
        if place.entries == 0xFFFF || place.len == 0xFFFF_FFFF || place.at == 0xFFFF_FFFF {
            if let Some(larger) = Self::of_zip64(source, end_at)? {
                place = larger;
            }
        }
        let behind = place.at.checked_add(place.len);
        if behind.is_none_or(|behind| behind > end_at) {
            return Err(Error::corrupt(format!(
                "the directory of {} bytes at {} reaches behind its end at {end_at}",
                place.len, place.at
            )));
        }
        if place.len > MOST_DIRECTORY {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!(
                    "the directory has {} bytes, more than the limit of 16 MiB",
                    place.len
                ),
            ));
        }
        Ok(place)
    }

    /// `None` when there is no larger end: an archive may have 65535 entries.
    fn of_zip64(source: &dyn Source, end_at: u64) -> Result<Option<Self>> {
        let Some(locator_at) = end_at.checked_sub(20) else {
            return Ok(None);
        };
        let locator: [u8; 20] = read_array(source, locator_at, "ZIP64 locator")?;
        if !locator.starts_with(b"PK\x06\x07") {
            return Ok(None);
        }
        let end: [u8; 56] = read_array(source, u64_at(&locator, 8), "ZIP64 end")?;
        if !end.starts_with(b"PK\x06\x06") {
            return Err(Error::corrupt(
                "the ZIP64 end is not where its locator says",
            ));
        }
        Ok(Some(Self {
            entries: u64_at(&end, 32),
            len: u64_at(&end, 40),
            at: u64_at(&end, 48),
        }))
    }
}

/// The end of the directory: the last one whose comment ends with the file.
fn find_end(source: &dyn Source) -> Result<(u64, Vec<u8>)> {
    let len = source.len().min(END + 0xFFFF);
    let from = source.len() - len;
    let mut tail = vec![0; usize::try_from(len).expect("it is below 64 KiB and a little")];
    source.read_exact_at(&mut tail, from)?;
    let is_end = |at: usize| {
        let end = &tail[at..];
        end.starts_with(b"PK\x05\x06") && end.len() == 22 + usize::from(u16_at(end, 20))
    };
    let at = (0..=tail.len().saturating_sub(22)).rev();
    let at = at.filter(|at| tail.len() >= at + 22).find(|&at| is_end(at));
    let at =
        at.ok_or_else(|| Error::corrupt("the archive has no directory: it is cut, or no ZIP"))?;
    Ok((from + at as u64, tail[at..at + 22].to_vec()))
}

/// An entry of the directory.
struct Entry<'b> {
    fixed: &'b [u8],
    name: &'b [u8],
    extra: &'b [u8],
}

impl<'b> Entry<'b> {
    fn take(rest: &mut &'b [u8]) -> Option<Self> {
        let (fixed, behind) = rest.split_at_checked(ENTRY)?;
        let len = |at| usize::from(u16_at(fixed, at));
        let (name, behind) = behind.split_at_checked(len(28))?;
        let (extra, behind) = behind.split_at_checked(len(30))?;
        let (_comment, behind) = behind.split_at_checked(len(32))?;
        *rest = behind;
        fixed
            .starts_with(b"PK\x01\x02")
            .then_some(Self { fixed, name, extra })
    }

    /// The last part of its path, when it ends like an image and can be a file's name.
    fn image_name(&self) -> Option<OsString> {
        let mut parts = self.name.rsplit(|byte| matches!(byte, b'/' | b'\\'));
        let name = parts.next().filter(|name| name.len() <= 255)?;
        // macOS puts a file of attributes beside each, whose name begins so.
        if name.starts_with(b"._") || name.contains(&0) {
            return None;
        }
        let name = OsStr::from_bytes(name);
        ENDINGS
            .contains(&extension_of(name).as_str())
            .then(|| name.to_os_string())
    }

    /// The member, with the position of its local header.
    fn member(&self, source: &dyn Source, name: OsString, directory: u64) -> Result<(u64, Member)> {
        let (flags, method) = (u16_at(self.fixed, 8), u16_at(self.fixed, 10));
        if flags & ENCRYPTED != 0 {
            return Err(Error::unsupported("it is encrypted"));
        }
        let method = match method {
            0 => Method::Stored,
            8 => Method::Deflate,
            other => return Err(unknown_method(other)),
        };
        let [size, stored, header_at] = self.numbers()?;
        let local: [u8; 30] = read_array(source, header_at, "local header")?;
        if !local.starts_with(b"PK\x03\x04") {
            return Err(Error::corrupt(format!(
                "there is no local header at {header_at}"
            )));
        }
        let before = 30 + u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
        let at = header_at.saturating_add(before);
        let end = at.checked_add(stored).filter(|&end| end <= directory);
        let end = end.ok_or_else(|| {
            Error::corrupt(format!(
                "its {stored} bytes at {at} reach into the directory at {directory}"
            ))
        })?;
        if method == Method::Stored && stored != size {
            return Err(Error::corrupt(format!(
                "it is stored in {stored} bytes and has {size}"
            )));
        }
        let member = Member {
            name,
            size: check_size(size)?,
            stored: at..end,
            method,
            crc32: u32_at(self.fixed, 16),
        };
        Ok((header_at, member))
    }

    /// Plain bytes, stored bytes, position of the local header.
    fn numbers(&self) -> Result<[u64; 3]> {
        let mut larger = self.zip64();
        let mut numbers = [24, 20, 42].map(|at| u64::from(u32_at(self.fixed, at)));
        for number in &mut numbers {
            if *number == 0xFFFF_FFFF {
                let (value, rest) = larger
                    .split_at_checked(8)
                    .ok_or_else(|| Error::corrupt("its ZIP64 field lacks a number"))?;
                *number = u64_at(value, 0);
                larger = rest;
            }
        }
        Ok(numbers)
    }

    /// The data of the extra field 1; empty when there is none.
    fn zip64(&self) -> &'b [u8] {
        let mut extra = self.extra;
        while let Some((head, behind)) = extra.split_at_checked(4) {
            let len = usize::from(u16_at(head, 2)).min(behind.len());
            let (data, behind) = behind.split_at(len);
            if u16_at(head, 0) == 1 {
                return data;
            }
            extra = behind;
        }
        &[]
    }
}

fn unknown_method(method: u16) -> Error {
    let name = match method {
        9 => "deflate64",
        12 => "bzip2",
        14 => "LZMA",
        93 => "zstd",
        95 => "xz",
        98 => "PPMd",
        99 => "AES",
        _ => "unknown",
    };
    Error::unsupported(format!(
        "its method is {method} ({name}), only stored and deflate are read"
    ))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let bytes = bytes[at..at + 2].try_into();
    u16::from_le_bytes(bytes.expect("a range of 2 bytes"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes[at..at + 4].try_into();
    u32::from_le_bytes(bytes.expect("a range of 4 bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let bytes = bytes[at..at + 8].try_into();
    u64::from_le_bytes(bytes.expect("a range of 8 bytes"))
}
