//! DAT files: lists of known discs with their hashes, in Logiqx XML as Redump and No-Intro publish them.
//!
//! | element | attributes or text used |
//! |---|---|
//! | `datafile` | the root |
//! | `header` / `name` | the list's name |
//! | `game` or `machine` | `name` of the disc |
//! | `rom` | `name` of the file, `size`, `crc`, `md5`, `sha1`, `sha256` |
//!
//! Source: the Logiqx document type `datafile.dtd`, and the DAT files that its users publish. Entities other than
//! XML's own five are refused, so nothing can be expanded; memory is bounded by the named limits.

use std::{collections::HashMap, fs::File, io::BufReader, path::Path, sync::Arc};

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesRef, BytesStart, Event},
};

use super::Report;
use crate::{Error, ErrorKind, Result, digest::Algorithm};

mod limited;
#[cfg(test)]
mod tests;

use limited::Limited;

/// Bytes of a whole DAT file. The largest published lists of discs have some ten million.
const MOST_BYTES: u64 = 512 << 20;

/// Bytes of one element's start or of one text between elements.
const MOST_EVENT: u64 = 64 << 10;

/// Elements inside each other: `datafile`, `game`, `rom`, and some to spare.
const MOST_DEPTH: usize = 16;

/// Files that a list may know.
const MOST_FILES: usize = 2_000_000;

/// A list of known discs.
#[derive(Debug, Default)]
pub struct Dat {
    name: String,
    files: Vec<Known>,
    /// Positions in `files`; those whose size is not told are under `None`.
    by_size: HashMap<Option<u64>, Vec<usize>>,
}

/// A file that a list knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Known {
    /// The disc's name.
    pub disc: Arc<str>,
    /// The file's name; a disc of several tracks has several files.
    pub file: String,
    size: Option<u64>,
    hashes: Vec<(Algorithm, String)>,
}

impl Dat {
    /// Reads a DAT file.
    ///
    /// # Errors
    /// `Io` when it cannot be read, `Corrupt` when it is no such XML, `LimitExceeded` above the limits.
    pub fn open(path: &Path) -> Result<Self> {
        let file =
            File::open(path).map_err(|e| Error::io(e, "cannot open the DAT file").in_file(path))?;
        Self::read(BufReader::new(file)).map_err(|err| err.in_file(path))
    }

    /// Reads a DAT file's bytes.
    ///
    /// # Errors
    /// As [`Dat::open`].
    pub fn read(bytes: impl std::io::BufRead) -> Result<Self> {
        let mut xml = Reader::from_reader(Limited::new(bytes, MOST_EVENT, MOST_BYTES));
        let mut parser = Parser::default();
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            xml.get_mut().next_event();
            let event = xml.read_event_into(&mut buffer).map_err(refuse)?;
            if !parser.take(&event, &xml)? {
                return parser.finish();
            }
        }
    }

    /// What the list calls itself; empty when it does not.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The files that have the size and the hashes of an image. Of the hashes that the list gives, all that the
    /// report has must be equal, and there must be at least one.
    #[must_use]
    pub fn find(&self, report: &Report) -> Vec<&Known> {
        let sizes = [Some(report.size), None];
        let candidates = sizes.iter().filter_map(|size| self.by_size.get(size));
        candidates
            .flatten()
            .map(|&i| &self.files[i])
            .filter(|known| known.is(report))
            .collect()
    }

    fn push(&mut self, known: Known) -> Result<()> {
        if self.files.len() == MOST_FILES {
            return Err(limit(format!("it lists more than {MOST_FILES} files")));
        }
        let same_size = self.by_size.entry(known.size).or_default();
        same_size.push(self.files.len());
        self.files.push(known);
        Ok(())
    }
}

impl Known {
    fn is(&self, report: &Report) -> bool {
        let mut compared = self
            .hashes
            .iter()
            .filter_map(|(algorithm, hash)| Some(report.hash(*algorithm)? == hash))
            .peekable();
        compared.peek().is_some() && compared.all(|is_equal| is_equal)
    }
}

/// Where in the file we are.
#[derive(Default)]
struct Parser {
    dat: Dat,
    depth: usize,
    /// Whether the root was there.
    is_dat: bool,
    in_header: bool,
    in_name: bool,
    disc: Option<Arc<str>>,
}

impl Parser {
    /// False at the end of the file.
    fn take<R>(&mut self, event: &Event<'_>, xml: &Reader<R>) -> Result<bool> {
        match event {
            Event::Start(element) => {
                self.depth += 1;
                if self.depth > MOST_DEPTH {
                    return Err(limit(format!(
                        "elements stand more than {MOST_DEPTH} deep in each other"
                    )));
                }
                self.enter(element, xml)?;
            }
            Event::Empty(element) => {
                self.enter(element, xml)?;
                self.leave(element.local_name().as_ref());
            }
            Event::End(element) => {
                self.depth = self.depth.saturating_sub(1);
                self.leave(element.local_name().as_ref());
            }
            Event::Text(text) if self.in_name => {
                self.dat.name += &text.decode().map_err(refuse)?;
            }
            Event::GeneralRef(entity) if self.in_name => self.dat.name.push(character(entity)?),
            Event::Eof => return Ok(false),
            _ => {}
        }
        Ok(true)
    }

    fn enter<R>(&mut self, element: &BytesStart<'_>, xml: &Reader<R>) -> Result<()> {
        let attribute = |name: &str| attribute(element, name, xml);
        match element.local_name().as_ref() {
            b"datafile" => self.is_dat = true,
            _ if !self.is_dat => return Err(refuse("its root element is not <datafile>")),
            b"header" => self.in_header = true,
            b"name" if self.in_header => self.in_name = true,
            b"game" | b"machine" => self.disc = attribute("name")?.map(Into::into),
            b"rom" => {
                if let Some(disc) = &self.disc {
                    let known = known(Arc::clone(disc), attribute)?;
                    self.dat.push(known)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn leave(&mut self, element: &[u8]) {
        match element {
            b"header" => self.in_header = false,
            b"name" => self.in_name = false,
            b"game" | b"machine" => self.disc = None,
            _ => {}
        }
    }

    fn finish(mut self) -> Result<Dat> {
        if !self.is_dat || self.depth > 0 {
            return Err(refuse("it ends before its last element"));
        }
        self.dat.name = self.dat.name.trim().to_owned();
        Ok(self.dat)
    }
}

fn known(disc: Arc<str>, attribute: impl Fn(&str) -> Result<Option<String>>) -> Result<Known> {
    let mut hashes = Vec::new();
    for algorithm in Algorithm::ALL {
        let name = match algorithm {
            Algorithm::Crc32 => "crc",
            other => other.name(),
        };
        let hash = attribute(name)?.filter(|hash| !hash.is_empty());
        hashes.extend(hash.map(|hash| (algorithm, hash.to_ascii_lowercase())));
    }
    let size = attribute("size")?.filter(|size| !size.is_empty());
    let size = size.map(|size| {
        let size = size.parse::<u64>();
        size.map_err(|_| refuse(format!("a file of {disc} has a size that is no number")))
    });
    Ok(Known {
        size: size.transpose()?,
        file: attribute("name")?.unwrap_or_default(),
        disc,
        hashes,
    })
}

fn attribute<R>(element: &BytesStart<'_>, name: &str, xml: &Reader<R>) -> Result<Option<String>> {
    let Some(attribute) = element.try_get_attribute(name).map_err(refuse)? else {
        return Ok(None);
    };
    let value = attribute.decoded_and_normalized_value(XmlVersion::Implicit1_0, xml.decoder());
    Ok(Some(value.map_err(refuse)?.into_owned()))
}

/// What a reference such as `&amp;` stands for.
fn character(entity: &BytesRef<'_>) -> Result<char> {
    if let Some(character) = entity.resolve_char_ref().map_err(refuse)? {
        return Ok(character);
    }
    let name = entity.decode().map_err(refuse)?;
    let text = quick_xml::escape::resolve_predefined_entity(&name).unwrap_or_default();
    let unknown = || refuse(format!("the entity {name} is none of XML's own"));
    text.chars().next().ok_or_else(unknown)
}

fn refuse(why: impl std::fmt::Display) -> Error {
    Error::corrupt(format!(
        "this is no DAT file in Logiqx XML (unpack it if it is a .zip): {why}"
    ))
}

fn limit(message: String) -> Error {
    Error::new(ErrorKind::LimitExceeded, message)
}
