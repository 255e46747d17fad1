//! `info`.

use std::{collections::BTreeMap, io, path::Path};

use serde::Serialize;

use super::{
    Exit, Tally, answer, arguments::InfoArguments, found::shown_as, label, log, parents::Parents,
    password,
};
use crate::{
    Error, ErrorKind, Result,
    cache::BlockCache,
    format::{Checksum, Password},
    image::Image,
    output::{self, Existing},
};

mod map;

/// What `info` tells; the names are fixed. A value that an image does not have is null or an empty list.
#[derive(Debug, Serialize)]
struct Info {
    file: String,
    format: &'static str,
    variant: String,
    /// Plain bytes.
    size: u64,
    /// Bytes on disk, all parts together.
    stored_size: u64,
    /// Stored bytes for one plain byte.
    ratio: f64,
    /// Plain bytes of the largest block.
    block_size: usize,
    blocks: u64,
    /// Number of blocks by the name of their codec.
    codecs: BTreeMap<&'static str, u64>,
    label: Option<String>,
    parts: Vec<String>,
    /// The plain files that a mount shows, when they are several.
    files: Vec<FileLine>,
    encryption: Option<&'static str>,
    checksums: Vec<ChecksumLine>,
    notes: Vec<String>,
    /// For people only.
    #[serde(skip)]
    map: Option<String>,
}

#[derive(Debug, Serialize)]
struct FileLine {
    name: String,
    /// Plain bytes.
    size: u64,
}

#[derive(Debug, Serialize)]
struct ChecksumLine {
    covers: &'static str,
    algorithm: &'static str,
    /// Hexadecimal; null when there is one for each block.
    value: Option<String>,
}

/// Tells what each image is. One that cannot be opened is reported, and the others still shown; so is one whose
/// label cannot be read, without it.
///
/// # Errors
/// `Usage` for a drawing of several images; `Io` when stdout refuses; what a password file reports.
pub(super) fn run(arguments: &InfoArguments) -> Result<Exit> {
    if arguments.svg.is_some() && arguments.images.len() > 1 {
        let message = "--svg draws one image";
        return Err(Error::new(ErrorKind::Usage, message));
    }
    let given = password::given(arguments.password_file.as_deref())?;
    let parents = arguments.parents.checked()?;
    let mut tally = Tally::default();
    let mut infos = Vec::new();
    for path in &arguments.images {
        match look_at(path, arguments, (&parents, given.as_ref()), &mut tally) {
            Ok(info) => infos.push(info),
            Err(err) => tally.failed(&err.in_file(path)),
        }
    }
    let text = if arguments.json {
        serde_json::to_string_pretty(&infos)
            .map_err(|e| Error::io(e.into(), "cannot write JSON"))?
    } else {
        infos
            .iter()
            .map(Info::lines)
            .collect::<Vec<_>>()
            .join("\n\n")
    };
    if !text.is_empty() {
        answer(|out| writeln!(out, "{text}"))?;
    }
    Ok(tally.exit())
}

fn look_at(
    path: &Path,
    arguments: &InfoArguments,
    (parents, given): (&Parents, Option<&Password>),
    tally: &mut Tally,
) -> Result<Info> {
    let image = open(path, parents, given)?;
    let label = label::read(&image).unwrap_or_else(|err| {
        tally.failed(&err.in_context("cannot read the label").in_file(path));
        None
    });
    let mut info = Info::new(path, &image, label);
    let files = shown_as(path)?.into_iter();
    info.files = files.map(|(name, size)| FileLine { name, size }).collect();
    if arguments.map {
        info.map = Some(map::text(&image, columns()));
    }
    if let Some(file) = &arguments.svg {
        let drawing = map::svg(&image, &log::one_line(&info.file));
        write_new(file, drawing.as_bytes())?;
    }
    Ok(info)
}

fn write_new(file: &Path, bytes: &[u8]) -> Result<()> {
    output::write(file, bytes, Existing::Refuse).map_err(|e| {
        let err = match e.kind() {
            io::ErrorKind::AlreadyExists => {
                let message = "it is there already; remove it or choose another name";
                Error::new(ErrorKind::Io, message)
            }
            _ => Error::io(e, "cannot make the file"),
        };
        err.in_file(file)
    })
}

/// The width of the terminal; 80 where there is none.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout());
    let columns = size.map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { 80 } else { columns }
}

fn open(path: &Path, parents: &Parents, given: Option<&Password>) -> Result<Image> {
    let password = password::ForImage::new(path, given);
    parents.open(path, BlockCache::new(1 << 20), &|| password.find())
}

impl Info {
    #[allow(clippy::cast_precision_loss)]
    fn new(path: &Path, image: &Image, label: Option<String>) -> Self {
        let details = image.details().clone();
        let ratio = image.stored_size() as f64 / image.size() as f64;
        Self {
            file: path.display().to_string(),
            format: image.format().name,
            variant: details.variant,
            size: image.size(),
            stored_size: image.stored_size(),
            ratio: (ratio * 10_000.0).round() / 10_000.0,
            block_size: image.geometry().largest_block(),
            blocks: image.geometry().blocks(),
            codecs: codecs(image),
            label,
            parts: details.parts,
            files: Vec::new(),
            encryption: details.encryption,
            checksums: details.checksums.into_iter().map(Into::into).collect(),
            notes: details.notes,
            map: None,
        }
    }

    /// One `key: value` a line, for people.
    fn lines(&self) -> String {
        let codecs = self.codecs.iter().map(|(name, n)| format!("{name} {n}"));
        let codecs: Vec<String> = codecs.collect();
        let mut lines = vec![
            ("file", self.file.clone()),
            ("format", self.format.into()),
            ("variant", self.variant.clone()),
            ("plain size", size(self.size)),
            ("stored size", size(self.stored_size)),
            ("ratio", format!("{:.1} %", self.ratio * 100.0)),
            (
                "blocks",
                format!("{} of {}", self.blocks, size(self.block_size as u64)),
            ),
            ("codecs", codecs.join(", ")),
            ("label", self.label.clone().unwrap_or_else(|| "none".into())),
        ];
        lines.extend(self.parts.iter().map(|part| ("part", part.clone())));
        let shown = |file: &FileLine| format!("{}, {}", file.name, size(file.size));
        lines.extend(self.files.iter().map(|file| ("shown as", shown(file))));
        lines.extend(
            self.encryption
                .map(|encryption| ("encryption", encryption.into())),
        );
        lines.extend(
            self.checksums
                .iter()
                .map(|checksum| ("checksum", checksum.text())),
        );
        lines.extend(self.notes.iter().map(|note| ("note", note.clone())));
        let lines = lines
            .iter()
            .map(|(key, value)| format!("{:<13}{}", format!("{key}:"), log::one_line(value)));
        lines.chain(self.map.clone()).collect::<Vec<_>>().join("\n")
    }
}

fn codecs(image: &Image) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for block in 0..image.geometry().blocks() {
        *counts.entry(image.locate(block).codec.name()).or_default() += 1;
    }
    counts
}

impl From<Checksum> for ChecksumLine {
    fn from(checksum: Checksum) -> Self {
        Self {
            covers: checksum.covers,
            algorithm: checksum.algorithm,
            value: (!checksum.value.is_empty()).then_some(checksum.value),
        }
    }
}

impl ChecksumLine {
    fn text(&self) -> String {
        let value = self.value.as_deref().unwrap_or("one for each block");
        format!("{} of {}: {value}", self.algorithm, self.covers)
    }
}

/// Bytes, exact, and in a unit that people can picture.
#[allow(clippy::cast_precision_loss)]
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut amount = bytes as f64;
    let mut unit = None;
    for larger in UNITS {
        if amount >= 1024.0 {
            amount /= 1024.0;
            unit = Some(larger);
        }
    }
    match unit {
        None => format!("{bytes} bytes"),
        Some(unit) => format!("{bytes} bytes ({amount:.1} {unit})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact_and_human() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(2048), "2048 bytes (2.0 KiB)");
        assert_eq!(size(734_003_200), "734003200 bytes (700.0 MiB)");
        assert_eq!(size(1 << 40), "1099511627776 bytes (1.0 TiB)");
    }
}
