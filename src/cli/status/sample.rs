//! What a mount says about itself at one moment, and between two.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use serde::{Deserialize, Serialize};

/// Where a mount's root tells its statistics.
const STATS: &str = "user.plainiso.stats";

/// The kernel gives no longer attributes.
const LONGEST: usize = 64 << 10;

/// The counters of a mount or of one open file. The names are those of the attribute.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Counters {
    pub(super) opens: u64,
    pub(super) reads: u64,
    pub(super) bytes_out: u64,
    pub(super) bytes_in: u64,
    pub(super) cache_hits: u64,
    pub(super) cache_misses: u64,
    pub(super) decode_seconds: f64,
    pub(super) errors: u64,
    pub(super) open: Vec<OpenFile>,
}

/// A file that somebody has open.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct OpenFile {
    pub(super) path: String,
    pub(super) readers: u64,
    pub(super) reads: u64,
    pub(super) bytes_out: u64,
    pub(super) bytes_in: u64,
    pub(super) decode_seconds: f64,
    pub(super) errors: u64,
    /// Between two looks; not told by the mount.
    pub(super) bytes_per_second: f64,
}

impl OpenFile {
    /// Counts another one of the same name in.
    pub(super) fn add(&mut self, other: &Self) {
        self.readers += other.readers;
        self.reads += other.reads;
        self.bytes_out += other.bytes_out;
        self.bytes_in += other.bytes_in;
        self.decode_seconds += other.decode_seconds;
        self.errors += other.errors;
        self.bytes_per_second += other.bytes_per_second;
    }
}

/// What went on between two looks.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Rates {
    pub(super) seconds: f64,
    pub(super) bytes_out_per_second: f64,
    pub(super) bytes_in_per_second: f64,
    pub(super) reads_per_second: f64,
    /// Seconds of decoding in a second: more than 1 with several threads.
    pub(super) decoding: f64,
    /// Of the blocks that were asked for, those that were decoded already; `None` when none was asked for.
    pub(super) hit_rate: Option<f64>,
}

/// A mount, as it was at the last look.
#[derive(Debug)]
pub(super) struct Mount {
    pub(super) mountpoint: PathBuf,
    pub(super) source: OsString,
    last: Option<(Instant, Counters)>,
    pub(super) rates: Rates,
    pub(super) fault: Option<String>,
}

/// A mount as JSON; the names are fixed.
#[derive(Debug, Serialize)]
pub(super) struct Told<'m> {
    mountpoint: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'m str>,
    rates: &'m Rates,
    stats: Option<&'m Counters>,
}

impl Mount {
    pub(super) fn new(mountpoint: PathBuf, source: OsString) -> Self {
        let mut mount = Self {
            mountpoint,
            source,
            last: None,
            rates: Rates::default(),
            fault: None,
        };
        mount.look();
        mount
    }

    pub(super) fn is(&self, mountpoint: &Path, source: &OsStr) -> bool {
        self.mountpoint == mountpoint && self.source == source
    }

    pub(super) fn answers(&self) -> bool {
        self.fault.is_none()
    }

    pub(super) fn counters(&self) -> Option<&Counters> {
        self.last.as_ref().map(|(_, counters)| counters)
    }

    pub(super) fn look(&mut self) {
        match counters_of(&self.mountpoint) {
            Ok(mut counters) => {
                let now = Instant::now();
                if let Some((then, before)) = &self.last {
                    let seconds = now.duration_since(*then).as_secs_f64().max(1e-3);
                    self.rates = rates(before, &mut counters, seconds);
                }
                self.last = Some((now, counters));
                self.fault = None;
            }
            Err(err) => {
                self.fault = Some(match err.raw_os_error() {
                    Some(libc::ENOTCONN) => "its process is gone: mount it again".into(),
                    _ => err.to_string(),
                });
                self.last = None;
                self.rates = Rates::default();
            }
        }
    }

    pub(super) fn told(&self) -> Told<'_> {
        Told {
            mountpoint: self.mountpoint.display().to_string(),
            source: self.source.to_string_lossy().into_owned(),
            fault: self.fault.as_deref(),
            rates: &self.rates,
            stats: self.counters(),
        }
    }
}

fn counters_of(mountpoint: &Path) -> io::Result<Counters> {
    let mut buffer = vec![0; LONGEST];
    let n = rustix::fs::getxattr(mountpoint, STATS, &mut buffer[..])?;
    serde_json::from_slice(&buffer[..n]).map_err(io::Error::from)
}

#[allow(clippy::cast_precision_loss)] // Rates are for people.
fn rates(before: &Counters, now: &mut Counters, seconds: f64) -> Rates {
    // A mount that was made anew counts from 0.
    let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
    let known: HashMap<&str, u64> = before
        .open
        .iter()
        .map(|file| (file.path.as_str(), file.bytes_out))
        .collect();
    for file in &mut now.open {
        let before = known.get(file.path.as_str()).copied().unwrap_or(0);
        file.bytes_per_second = rate(file.bytes_out, before);
    }
    let hits = now.cache_hits.saturating_sub(before.cache_hits);
    let asked = hits + now.cache_misses.saturating_sub(before.cache_misses);
    Rates {
        seconds,
        bytes_out_per_second: rate(now.bytes_out, before.bytes_out),
        bytes_in_per_second: rate(now.bytes_in, before.bytes_in),
        reads_per_second: rate(now.reads, before.reads),
        decoding: (now.decode_seconds - before.decode_seconds).max(0.0) / seconds,
        hit_rate: (asked > 0).then(|| hits as f64 / asked as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(json: &str) -> Counters {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn rates_are_what_went_on_between_two_looks() {
        let before = counters(
            r#"{"bytes_out":1000,"cache_hits":1,"cache_misses":1,"decode_seconds":1,
                "open":[{"path":"a.iso","bytes_out":500}]}"#,
        );
        let mut now = counters(
            r#"{"bytes_out":5000,"cache_hits":4,"cache_misses":2,"decode_seconds":2,"unknown":1,
                "open":[{"path":"a.iso","bytes_out":2500},{"path":"b.iso","bytes_out":100}]}"#,
        );
        let rates = rates(&before, &mut now, 2.0);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        close(rates.bytes_out_per_second, 2000.0);
        close(rates.decoding, 0.5);
        close(rates.hit_rate.unwrap(), 0.75);
        close(now.open[0].bytes_per_second, 1000.0);
        close(now.open[1].bytes_per_second, 50.0);
    }

    #[test]
    fn a_mount_that_was_made_anew_has_no_negative_rates() {
        let before = counters(r#"{"bytes_out":1000,"cache_hits":9,"decode_seconds":3}"#);
        let mut now = Counters::default();
        let rates = rates(&before, &mut now, 1.0);
        assert!(rates.bytes_out_per_second.abs() < 1e-9 && rates.decoding.abs() < 1e-9);
        assert_eq!(rates.hit_rate, None);
    }
}
