//! `verify`.

use std::path::PathBuf;

use clap::Args;

use super::{
    Exit, Tally, answer,
    found::{Found, images_at},
    parents::ParentPaths,
    password,
    progress::Progress,
};
use crate::{
    Error, ErrorKind, Result,
    cache::BlockCache,
    digest::Algorithm,
    format::Password,
    image::Image,
    verify::{Report, dat::Dat, verify},
};

mod answers;

use answers::Answer;

/// Bytes of decoded blocks that are kept while the directories of a damaged image are read.
const CACHE: usize = 32 << 20;

/// What `verify` is asked for.
#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    /// Image files, of a split set the first file, or folders, with all images in them.
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
    /// Answer with a JSON array, one object for each image.
    #[arg(long)]
    json: bool,
    /// The hashes to tell.
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "crc32,md5,sha1,sha256"
    )]
    #[arg(value_parser = ["crc32", "md5", "sha1", "sha256", "none"])]
    hash: Vec<String>,
    /// Look the discs up in this DAT file of Redump or No-Intro (Logiqx XML). May be given several times.
    #[arg(long, value_name = "FILE")]
    dat: Vec<PathBuf>,
    /// Read the password of encrypted images from this file.
    #[arg(long, value_name = "PATH")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    parents: ParentPaths,
}

/// Reads each image completely and tells what it is worth.
///
/// # Errors
/// `Io` when stdout refuses; what a DAT file or a password file reports.
pub(in crate::cli) fn run(arguments: &Arguments) -> Result<Exit> {
    let mut run = Run {
        given: password::given(arguments.password_file.as_deref())?,
        dats: arguments
            .dat
            .iter()
            .map(|path| Dat::open(path))
            .collect::<Result<_>>()?,
        algorithms: arguments.algorithms(),
        tally: Tally::default(),
    };
    let parents = arguments.parents.checked()?;
    let mut answers = Vec::new();
    for path in &arguments.images {
        let found = images_at(path, &parents, &mut run.tally).unwrap_or_else(|err| {
            run.tally.failed(&err.in_file(path));
            Vec::new()
        });
        for found in found {
            match run.look_at(&found) {
                Ok(answer) if arguments.json => answers.push(answer),
                Ok(found) => drop(answer(|out| writeln!(out, "{}\n", found.lines()))?),
                Err(err) => run.tally.failed(&err.in_file(&found.path)),
            }
        }
    }
    if arguments.json {
        let json = serde_json::to_string_pretty(&answers);
        let json = json.map_err(|e| Error::io(e.into(), "cannot write JSON"))?;
        answer(|out| writeln!(out, "{json}"))?;
    }
    Ok(run.tally.exit())
}

impl Arguments {
    fn algorithms(&self) -> Vec<Algorithm> {
        if !self.dat.is_empty() {
            // A list may know a disc by any of them.
            return Algorithm::ALL.into();
        }
        let asked = self.hash.iter();
        asked.filter_map(|name| Algorithm::of_name(name)).collect()
    }
}

/// One run over all arguments.
struct Run {
    given: Option<Password>,
    dats: Vec<Dat>,
    algorithms: Vec<Algorithm>,
    tally: Tally,
}

impl Run {
    fn look_at(&mut self, found: &Found) -> Result<Answer> {
        let password = password::ForImage::new(&found.path, self.given.as_ref());
        let image = found.open(BlockCache::new(CACHE), &|| password.find())?;
        let mut report = watched(found, &image, &self.algorithms);
        let mut carried = image.details().checksums.iter();
        if carried.any(|checksum| checksum.covers == "disc") {
            let disc = found.open_disc(BlockCache::new(CACHE), &|| password.find())?;
            report = report.with_disc(watched(found, &disc, &[]));
        }
        let discs = self.discs(&report);
        for fault in faults(&report, image.geometry().blocks()) {
            self.tally
                .failed(&Error::corrupt(fault).in_file(&found.path));
        }
        if report.is_intact() && discs.as_ref().is_some_and(Vec::is_empty) {
            let err = Error::new(ErrorKind::NotFound, "no DAT file knows this disc");
            self.tally.failed(&err.in_file(&found.path));
        }
        Ok(Answer::new(found.path.display().to_string(), report, discs))
    }

    /// The names of a disc; `None` when there is nothing to look it up in.
    fn discs(&self, report: &Report) -> Option<Vec<answers::Disc>> {
        if self.dats.is_empty() {
            return None;
        }
        let found = self.dats.iter().flat_map(|dat| {
            let of_list = |known| answers::Disc::new(known, dat.name());
            dat.find(report).into_iter().map(of_list)
        });
        Some(found.collect())
    }
}

/// Verifies with a progress bar.
fn watched(found: &Found, image: &Image, algorithms: &[Algorithm]) -> Report {
    let progress = Progress::new(&found.path, image.size());
    verify(image, algorithms, &mut |done| progress.at(done))
}

/// What is wrong, one sentence each.
fn faults(report: &Report, blocks: u64) -> Vec<String> {
    let mut faults = Vec::new();
    if report.damaged_blocks > 0 {
        faults.push(format!(
            "{} of {blocks} blocks cannot be read",
            report.damaged_blocks
        ));
    }
    for check in &report.checks {
        let (algorithm, covers) = (check.carried.algorithm, check.carried.covers);
        if let Some(found) = check.found.as_ref().filter(|_| !check.holds()) {
            faults.push(format!(
                "{algorithm} of the {covers} bytes is {found}, the file says {}",
                check.carried.value
            ));
        }
    }
    faults
}
