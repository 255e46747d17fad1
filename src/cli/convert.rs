//! `convert`.

use std::{
    fs,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::{Exit, Tally, log, password};
use crate::{
    Error, Result,
    convert::{self, Report, Settings, Watch},
    format::Password,
    output::{self, Existing},
};

mod arguments;
mod finished;
mod plan;
mod screen;

pub(super) use arguments::ConvertArguments;
use plan::Job;
use screen::{Checksum, Event, Screen, Style};

/// Converts what was asked for, one image after the other. What fails is reported, and the rest goes on.
///
/// # Errors
/// `Usage` when the options do not make sense together, before anything is written.
pub(super) fn run(arguments: &ConvertArguments) -> Result<Exit> {
    log::start(log::Verbosity::Usual, None)?;
    let settings = arguments.settings()?;
    let given = password::given(arguments.password_file.as_deref())?;
    let (jobs, failures) = plan::jobs(arguments, settings.target)?;
    let style = match (arguments.json, arguments.quiet) {
        (true, _) => Style::Json,
        (false, true) => Style::Quiet,
        (false, false) => Style::Lines,
    };
    let mut batch = Batch {
        arguments,
        settings,
        given,
        screen: Screen::new(style, jobs.len() as u64, stop_on_signals()?),
        tally: Tally::default(),
        counts: [0; 3],
    };
    for failure in &failures {
        batch.tally.failed(failure);
        batch.counts[FAILED] += 1;
    }
    for job in &jobs {
        if batch.screen.stopped() {
            batch.tally.count(Exit::FAILURE);
            break;
        }
        batch.run(job)?;
    }
    let [converted, skipped, failed] = batch.counts;
    batch.screen.event(&Event::Finished {
        converted,
        skipped,
        failed,
    })?;
    Ok(batch.tally.exit())
}

fn stop_on_signals() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, stop.clone())
            .map_err(|e| Error::io(e, "cannot wait for signals"))?;
    }
    Ok(stop)
}

const CONVERTED: usize = 0;
const SKIPPED: usize = 1;
const FAILED: usize = 2;

struct Batch<'a> {
    arguments: &'a ConvertArguments,
    settings: Settings,
    given: Option<Password>,
    screen: Screen,
    tally: Tally,
    counts: [u64; 3],
}

impl Batch<'_> {
    /// # Errors
    /// `Io` when stdout refuses.
    fn run(&mut self, job: &Job) -> Result<()> {
        let done = if self.arguments.dry_run {
            self.plan(job).map(|()| CONVERTED)
        } else if job.found && !self.arguments.force && job.output.exists() {
            self.skip(job).map(|()| SKIPPED)
        } else {
            self.convert(job).map(|()| CONVERTED)
        };
        self.screen.one_done();
        match done {
            Ok(what) => self.counts[what] += 1,
            Err(err) => {
                let err = err.in_file(&job.source);
                self.counts[FAILED] += 1;
                let (source, error) = (&job.source, err.sentence());
                let (screen, tally) = (&self.screen, &mut self.tally);
                screen.aside(|| tally.failed(&err));
                screen.event(&Event::Failed {
                    source,
                    error: &error,
                })?;
            }
        }
        Ok(())
    }

    fn convert(&self, job: &Job) -> Result<()> {
        let started = Instant::now();
        if let Some(folder) = job
            .output
            .parent()
            .filter(|_| job.found || self.wants_folder())
        {
            let cannot = |e| Error::io(e, "cannot make the folder").in_file(folder);
            fs::create_dir_all(folder).map_err(cannot)?;
        }
        let watch = self.screen.watch(job, self.given.as_ref());
        let report = convert::file(&job.source, &job.output, &self.settings, &watch)?;
        drop(watch);
        let checksum = self.tell_checksum(job, &report)?;
        if self.arguments.delete_source {
            report.delete_sources()?;
        }
        self.screen.line(&screen::summary(job, &report))?;
        self.screen.event(&Event::Converted {
            source: &job.source,
            outputs: &report.files,
            format: self.settings.target.name,
            plain_size: report.plain_size,
            source_size: report.source_size,
            stored_size: report.stored_size,
            verified: report.verified,
            checksum,
            source_deleted: self.arguments.delete_source,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Several images go into a folder, which need not be there yet.
    fn wants_folder(&self) -> bool {
        self.arguments.inputs.len() > 1
    }

    fn tell_checksum<'r>(&self, job: &Job, report: &'r Report) -> Result<Option<Checksum<'r>>> {
        let Some(value) = &report.sum else {
            return Ok(None);
        };
        let (algorithm, name) = (self.arguments.checksum.name(), job.plain_name());
        let file = name.to_string_lossy().into_owned();
        // The form that sha256sum -c reads.
        let line = format!("{value}  {}", log::one_line(&file));
        self.screen.line(&line)?;
        if self.arguments.checksum_file {
            let mut name = name;
            name.push(format!(".{algorithm}"));
            let path = job.output.with_file_name(name);
            output::write(&path, format!("{line}\n").as_bytes(), Existing::Replace)
                .map_err(|e| Error::io(e, "cannot write the checksum").in_file(&path))?;
        }
        Ok(Some(Checksum {
            algorithm,
            value,
            file,
        }))
    }

    /// An output that is there already counts when it is what this image becomes.
    fn skip(&self, job: &Job) -> Result<()> {
        let watch = self.screen.watch(job, self.given.as_ref());
        let check = finished::Check {
            format_of: self.settings.target,
            compare: self.settings.verify.then_some(self.settings.jobs),
            parents: &self.settings.parents,
        };
        let checked = check.run(job, self.settings.wish.encryption.as_ref(), &watch)?;
        if self.arguments.delete_source {
            checked.delete_sources()?;
        }
        drop(watch);
        let (source, output) = (&job.source, &job.output);
        self.screen
            .line(&format!("{}: is there already, skipped", output.display()))?;
        self.screen.event(&Event::Skipped { source, output })
    }

    fn plan(&self, job: &Job) -> Result<()> {
        let watch = self.screen.watch(job, self.given.as_ref());
        let image = convert::open(&job.source, &self.settings.parents, &|| {
            watch.password(&job.source)
        })?;
        for note in self
            .settings
            .target
            .prepare(image.size(), &self.settings.wish)?
            .notes()
        {
            watch.note(&note);
        }
        drop(watch);
        let (source, output) = (&job.source, &job.output);
        let there = if output.exists() {
            " (is there already)"
        } else {
            ""
        };
        self.screen.line(&format!(
            "{} -> {}{there}",
            source.display(),
            output.display()
        ))?;
        self.screen.event(&Event::Planned {
            source,
            output,
            format: self.settings.target.name,
            plain_size: image.size(),
        })
    }
}
