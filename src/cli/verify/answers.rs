//! What `verify` tells of an image; the names in JSON are fixed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    cli::log,
    digest::Algorithm,
    verify::{Check, DamagedBlock, Report, dat::Known},
};

/// Blocks of one image that are told to people one by one; JSON has more.
const MOST_LINES: usize = 50;

/// One image.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    file: String,
    /// Plain bytes.
    size: u64,
    intact: bool,
    /// Lower-case hexadecimal by the algorithm's name; empty when the image is damaged.
    hashes: BTreeMap<&'static str, String>,
    checks: Vec<CheckAnswer>,
    /// Number of blocks with a checksum of their own, by its name.
    block_checksums: BTreeMap<&'static str, u64>,
    damaged_blocks: u64,
    /// Plain bytes of damaged blocks.
    damaged_bytes: u64,
    /// The first 1000.
    damage: Vec<DamageAnswer>,
    /// Whether the files of `damage` are all that the volume has.
    files_known: bool,
    /// Null without a DAT file, empty when none knows the disc.
    discs: Option<Vec<Disc>>,
}

#[derive(Debug, Serialize)]
struct CheckAnswer {
    covers: &'static str,
    algorithm: &'static str,
    /// What the file carries.
    value: String,
    /// Null when damage leaves it unknown.
    found: Option<String>,
    ok: bool,
}

#[derive(Debug, Serialize)]
struct DamageAnswer {
    block: u64,
    /// Position in the plain image.
    offset: u64,
    /// Plain bytes.
    length: u64,
    error: String,
    files: Vec<String>,
}

/// A name in a DAT file.
#[derive(Debug, Serialize)]
pub(super) struct Disc {
    name: String,
    file: String,
    dat: String,
}

impl Disc {
    pub(super) fn new(known: &Known, dat: &str) -> Self {
        Self {
            name: known.disc.to_string(),
            file: known.file.clone(),
            dat: dat.to_owned(),
        }
    }
}

impl Answer {
    pub(super) fn new(file: String, report: Report, discs: Option<Vec<Disc>>) -> Self {
        let name = |(algorithm, hash): (Algorithm, String)| (algorithm.name(), hash);
        Self {
            file,
            size: report.size,
            intact: report.is_intact(),
            checks: report.checks.iter().map(CheckAnswer::new).collect(),
            damage: report.damage.iter().map(DamageAnswer::new).collect(),
            hashes: report.hashes.into_iter().map(name).collect(),
            block_checksums: report.blocks_with_checksum,
            damaged_blocks: report.damaged_blocks,
            damaged_bytes: report.damaged_bytes,
            files_known: report.knows_all_files,
            discs,
        }
    }

    /// One `key: value` a line, for people.
    pub(super) fn lines(&self) -> String {
        let mut lines = vec![
            ("file", self.file.clone()),
            ("result", self.result()),
            ("plain size", format!("{} bytes", self.size)),
        ];
        let hashes = self.hashes.iter();
        lines.extend(hashes.map(|(name, hash)| (*name, hash.clone())));
        lines.extend(self.checks.iter().map(|check| ("checksum", check.text())));
        let own = self.block_checksums.iter();
        lines.extend(own.map(|(name, n)| ("checksum", format!("{name} of {n} blocks"))));
        lines.extend(
            self.discs
                .iter()
                .flatten()
                .map(|disc| ("disc", disc.text())),
        );
        if self.discs.as_ref().is_some_and(Vec::is_empty) {
            lines.push(("disc", "in no DAT file".into()));
        }
        let damage = self.damage.iter().take(MOST_LINES);
        lines.extend(damage.map(|damage| ("damage", damage.text(self.files_known))));
        let more = self.damaged_blocks.saturating_sub(MOST_LINES as u64);
        if more > 0 {
            lines.push(("damage", format!("{more} more blocks")));
        }
        let lines = lines
            .iter()
            .map(|(key, value)| format!("{:<13}{}", format!("{key}:"), log::one_line(value)));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn result(&self) -> String {
        match (self.intact, self.damaged_blocks) {
            (true, _) => "intact".into(),
            (false, 0) => "damaged: a checksum is wrong".into(),
            (false, blocks) => format!(
                "damaged: {blocks} blocks cannot be read, {} bytes",
                self.damaged_bytes
            ),
        }
    }
}

impl CheckAnswer {
    fn new(check: &Check) -> Self {
        Self {
            covers: check.carried.covers,
            algorithm: check.carried.algorithm,
            value: check.carried.value.clone(),
            found: check.found.clone(),
            ok: check.holds(),
        }
    }

    fn text(&self) -> String {
        let what = format!("{} of {}: {}", self.algorithm, self.covers, self.value);
        match &self.found {
            Some(_) if self.ok => format!("{what}, right"),
            Some(found) => format!("{what}, wrong: it is {found}"),
            None => format!("{what}, unknown because of the damage"),
        }
    }
}

impl DamageAnswer {
    fn new(block: &DamagedBlock) -> Self {
        let damage = &block.damage;
        Self {
            block: damage.block,
            offset: damage.bytes.start,
            length: damage.bytes.end - damage.bytes.start,
            error: damage.error.sentence(),
            files: block.files.clone(),
        }
    }

    fn text(&self, files_known: bool) -> String {
        let place = format!("{} bytes at {}", self.length, self.offset);
        let files = match (&self.files[..], files_known) {
            ([], true) => "no file".into(),
            ([], false) => "unknown files".into(),
            (files, _) => files.join(", "),
        };
        format!("{place}, in {files}: {}", self.error)
    }
}

impl Disc {
    fn text(&self) -> String {
        let list = match &self.dat[..] {
            "" => String::new(),
            name => format!(", in {name}"),
        };
        format!("{} ({}{list})", self.name, self.file)
    }
}
