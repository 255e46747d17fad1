//! What the user sees: bars on a terminal, lines or JSON elsewhere.

use std::{
    io::{self, IsTerminal},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::plan::Job;
use crate::{
    Error, Result,
    cli::{self, log, password},
    convert::{Phase, Report, Watch},
    format::Password,
};

/// How to tell what happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Style {
    Lines,
    Json,
    Quiet,
}

/// Tells the user about a batch.
pub(super) struct Screen {
    style: Style,
    bars: MultiProgress,
    all: ProgressBar,
    stop: Arc<AtomicBool>,
}

/// What happens, as a line of JSON. The names are fixed.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    Planned {
        source: &'a Path,
        output: &'a Path,
        format: &'a str,
        plain_size: u64,
    },
    Note {
        source: &'a Path,
        note: &'a str,
    },
    Converted {
        source: &'a Path,
        outputs: &'a [std::path::PathBuf],
        format: &'a str,
        plain_size: u64,
        source_size: u64,
        stored_size: u64,
        verified: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        checksum: Option<Checksum<'a>>,
        source_deleted: bool,
        seconds: f64,
    },
    Skipped {
        source: &'a Path,
        output: &'a Path,
    },
    Failed {
        source: &'a Path,
        error: &'a str,
    },
    Finished {
        converted: u64,
        skipped: u64,
        failed: u64,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Checksum<'a> {
    pub(super) algorithm: &'a str,
    pub(super) value: &'a str,
    pub(super) file: String,
}

impl Screen {
    /// For so many images, with the flag that a signal sets.
    pub(super) fn new(style: Style, images: u64, stop: Arc<AtomicBool>) -> Self {
        let visible = style == Style::Lines && io::stderr().is_terminal();
        let target = if visible {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bars = MultiProgress::with_draw_target(target);
        let all = ProgressBar::new(images);
        all.set_style(bar_style("{wide_bar} {pos}/{len} images, {eta} left"));
        if images > 1 {
            bars.add(all.clone());
        }
        Self {
            style,
            bars,
            all,
            stop,
        }
    }

    /// Whether a signal said to end.
    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A line on stdout, above the bars.
    pub(super) fn line(&self, text: &str) -> Result<()> {
        if self.style != Style::Lines {
            return Ok(());
        }
        self.bars.suspend(|| print(&log::one_line(text)))
    }

    /// An event, where JSON is wanted.
    pub(super) fn event(&self, event: &Event<'_>) -> Result<()> {
        if self.style != Style::Json {
            return Ok(());
        }
        let text = serde_json::to_string(event);
        let text = text.map_err(|e| Error::io(e.into(), "cannot write JSON"))?;
        print(&text)
    }

    pub(super) fn one_done(&self) {
        self.all.inc(1);
    }

    /// Runs `report` with the bars out of the way.
    pub(super) fn aside<T>(&self, report: impl FnOnce() -> T) -> T {
        self.bars.suspend(report)
    }

    /// What hears about one image.
    pub(super) fn watch<'a>(&'a self, job: &'a Job, given: Option<&'a Password>) -> Watching<'a> {
        let bar = self.bars.insert(0, ProgressBar::new(0));
        Watching {
            screen: self,
            job,
            given,
            bar,
            plain: AtomicU64::new(0),
            stored: AtomicU64::new(0),
        }
    }
}

fn bar_style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is ours")
}

fn print(text: &str) -> Result<()> {
    cli::answer(|out| writeln!(out, "{text}")).map(drop)
}

/// Hears about one image.
pub(super) struct Watching<'a> {
    screen: &'a Screen,
    job: &'a Job,
    given: Option<&'a Password>,
    bar: ProgressBar,
    plain: AtomicU64,
    stored: AtomicU64,
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.screen.bars.remove(&self.bar);
    }
}

impl Watch for Watching<'_> {
    fn begin(&self, phase: Phase, plain_size: u64) {
        let (what, ratio) = match phase {
            Phase::Writing => ("writing", " {msg}"),
            Phase::Comparing => ("checking", ""),
        };
        self.bar.set_style(bar_style(&format!(
            "{what} {{prefix}} {{bar:20}} {{percent}}% {{binary_bytes_per_sec}}{ratio}, {{eta}} left"
        )));
        let name = self.job.output.file_name().unwrap_or_default();
        self.bar.set_prefix(log::one_line(&name.to_string_lossy()));
        self.bar.set_message("");
        self.bar.reset();
        self.bar.set_length(plain_size);
    }

    fn advance(&self, plain: u64, stored: u64) {
        let plain_so_far = self.plain.fetch_add(plain, Ordering::Relaxed) + plain;
        let stored_so_far = self.stored.fetch_add(stored, Ordering::Relaxed) + stored;
        if stored > 0 && !self.bar.is_hidden() {
            self.bar.set_message(percent(stored_so_far, plain_so_far));
        }
        self.bar.inc(plain);
    }

    fn stops(&self) -> bool {
        self.screen.stopped()
    }

    fn note(&self, note: &str) {
        let source = &self.job.source;
        let event = Event::Note { source, note };
        // Nothing is lost when a note cannot be written.
        let _ = self.screen.event(&event);
        if self.screen.style == Style::Lines {
            let path = source.display().to_string();
            self.screen
                .aside(|| ::log::warn!("{}: {note}", path.escape_debug()));
        }
    }

    fn password(&self, source: &Path) -> Result<Option<Password>> {
        self.screen
            .aside(|| password::ForImage::new(source, self.given).find())
    }
}

/// `49.3%`.
fn percent(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// `Game.iso -> Game.zso: 700000000 bytes to 300000000 (42.8%), compared`.
pub(super) fn summary(job: &Job, report: &Report) -> String {
    let files = match report.files.len() {
        1 => String::new(),
        n => format!(" in {n} files"),
    };
    format!(
        "{} -> {}: {} bytes to {} ({}){files}{}",
        job.source.display(),
        job.output.display(),
        report.plain_size,
        report.stored_size,
        percent(report.stored_size, report.plain_size),
        if report.verified { ", compared" } else { "" }
    )
}
