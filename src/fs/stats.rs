//! Counters of what was done.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

/// What was done with one file, or with all together.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) opens: AtomicU64,
    pub(super) reads: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) decode_nanos: AtomicU64,
    pub(super) errors: AtomicU64,
}

/// The counters at one moment, as users read them.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    opens: u64,
    reads: u64,
    pub(super) bytes_out: u64,
    bytes_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_hits: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_misses: Option<u64>,
    decode_seconds: f64,
    errors: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<Vec<OpenImage>>,
}

/// A file that somebody has open, and what was done with it since its first open.
#[derive(Debug, Serialize)]
pub(super) struct OpenImage {
    /// Below the mountpoint.
    pub(super) path: String,
    pub(super) readers: usize,
    #[serde(flatten)]
    pub(super) work: Report,
}

impl Report {
    pub(super) fn with_open(mut self, open: Vec<OpenImage>) -> Self {
        self.open = Some(open);
        self
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("numbers and text always become JSON")
    }
}

impl Counters {
    pub(super) fn count_error(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    pub(super) fn count_open(&self) {
        self.opens.fetch_add(1, Relaxed);
    }

    /// Counts stored bytes that were read, and the time that decoding them took.
    pub(super) fn count_work(&self, bytes: u64, decoding: std::time::Duration) {
        let nanos = u64::try_from(decoding.as_nanos()).unwrap_or(u64::MAX);
        self.bytes_in.fetch_add(bytes, Relaxed);
        self.decode_nanos.fetch_add(nanos, Relaxed);
    }

    pub(super) fn count_read(&self, bytes: usize) {
        self.reads.fetch_add(1, Relaxed);
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn add(&self, other: &Self) {
        let pairs = [
            (&self.opens, &other.opens),
            (&self.reads, &other.reads),
            (&self.bytes_out, &other.bytes_out),
            (&self.bytes_in, &other.bytes_in),
            (&self.decode_nanos, &other.decode_nanos),
            (&self.errors, &other.errors),
        ];
        for (sum, more) in pairs {
            sum.fetch_add(more.load(Relaxed), Relaxed);
        }
    }

    /// The cache is shared by all files, so its hits and misses are known for all together only.
    pub(super) fn report(&self, cache: Option<(u64, u64)>) -> Report {
        Report {
            opens: self.opens.load(Relaxed),
            reads: self.reads.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            cache_hits: cache.map(|(hits, _)| hits),
            cache_misses: cache.map(|(_, misses)| misses),
            decode_seconds: std::time::Duration::from_nanos(self.decode_nanos.load(Relaxed))
                .as_secs_f64(),
            errors: self.errors.load(Relaxed),
            open: None,
        }
    }
}
