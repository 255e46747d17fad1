//! What the benchmarks measure with: the data, its encoders, the clock.

#![allow(dead_code)] // Each benchmark uses a part of it.

use std::{env, io::Write, time::Duration};

use flate2::{Compression, write};
use rustix::time;

/// What the command line asks for.
pub(crate) struct Asked {
    word: Option<String>,
    /// `cargo test` runs benchmarks too, without the word that `cargo bench` gives: then a little shows that they work.
    pub(crate) is_measured: bool,
}

impl Asked {
    pub(crate) fn of_arguments() -> Self {
        let words: Vec<String> = env::args().skip(1).collect();
        Self {
            is_measured: words.iter().any(|word| word == "--bench"),
            word: words.into_iter().find(|word| !word.starts_with('-')),
        }
    }

    /// Whether a line of the output is wanted: all are, unless a word is given.
    pub(crate) fn wants(&self, line: &str) -> bool {
        self.word.as_ref().is_none_or(|word| line.contains(word))
    }
}

/// Words drawn from a small vocabulary, with a noisy byte here and there.
pub(crate) fn plain(len: usize) -> Vec<u8> {
    let mut x = 1_u64;
    let mut next = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        x >> 33
    };
    let mut plain = Vec::with_capacity(len + 8);
    while plain.len() < len {
        match next() % 5 {
            0 => plain.push(next().to_le_bytes()[0]),
            _ => write!(plain, "w{:x} ", next() % 900).expect("memory takes it"),
        }
    }
    plain.truncate(len);
    plain
}

/// The least CPU seconds that `work` took in five rounds, all threads together.
pub(crate) fn best_of_five(mut work: impl FnMut()) -> f64 {
    let mut round = || {
        let start = cpu_time();
        work();
        cpu_time().saturating_sub(start).as_secs_f64()
    };
    (0..5).map(|_| round()).fold(f64::MAX, f64::min)
}

fn cpu_time() -> Duration {
    let now = time::clock_gettime(time::ClockId::ProcessCPUTime);
    Duration::try_from(now).expect("time since the process began")
}

pub(crate) fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = write::DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}
