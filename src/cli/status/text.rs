//! Mounts as lines for people.

use indicatif::{BinaryBytes, HumanCount};

use super::sample::{Counters, Mount, OpenFile, Rates};
use crate::cli::log::one_line;

/// What is told of all mounts, a line each for what is told of one.
pub(super) fn lines(mounts: &[Mount]) -> Vec<String> {
    if mounts.is_empty() {
        return vec!["nothing of plainiso is mounted".into()];
    }
    mounts.iter().flat_map(lines_of).collect()
}

fn lines_of(mount: &Mount) -> Vec<String> {
    let mountpoint = one_line(&mount.mountpoint.display().to_string());
    let source = one_line(&mount.source.to_string_lossy());
    let mut lines = vec![match source.as_str() {
        "" => mountpoint,
        source => format!("{mountpoint}  from {source}"),
    }];
    if let Some(fault) = &mount.fault {
        lines.push(format!("  {fault}"));
    }
    if let Some(counters) = mount.counters() {
        lines.extend(work(counters, &mount.rates));
        lines.extend(counters.open.iter().map(open_file));
    }
    lines
}

#[allow(clippy::cast_precision_loss)]
fn work(counters: &Counters, rates: &Rates) -> [String; 2] {
    let hits = counters.cache_hits as f64;
    let asked = hits + counters.cache_misses as f64;
    let total = if asked > 0.0 {
        percent(hits / asked)
    } else {
        "-".into()
    };
    let now = rates.hit_rate.map_or_else(|| "-".into(), percent);
    [
        format!(
            "  read {} in {} requests ({}/s now), {} of stored bytes ({}/s now)",
            bytes(counters.bytes_out),
            HumanCount(counters.reads),
            rate(rates.bytes_out_per_second),
            bytes(counters.bytes_in),
            rate(rates.bytes_in_per_second),
        ),
        format!(
            "  cache hits {total} ({now} now), decoding {:.1} s ({} of a processor now), {} errors",
            counters.decode_seconds,
            percent(rates.decoding),
            HumanCount(counters.errors),
        ),
    ]
}

fn open_file(file: &OpenFile) -> String {
    let errors = match file.errors {
        0 => String::new(),
        errors => format!("  {} errors", HumanCount(errors)),
    };
    format!(
        "    {:>10}/s  {:>10}  {} {}  {}{errors}",
        rate(file.bytes_per_second),
        bytes(file.bytes_out),
        file.readers,
        if file.readers == 1 {
            "reader "
        } else {
            "readers"
        },
        one_line(&file.path),
    )
}

fn bytes(number: u64) -> String {
    BinaryBytes(number).to_string()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A cast saturates.
fn rate(number: f64) -> String {
    bytes(number as u64)
}

fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_is_one_line_whatever_its_name_is() {
        let file = OpenFile {
            path: "a\u{1b}[2Jb.iso".into(),
            readers: 2,
            bytes_out: 3 << 20,
            errors: 1,
            ..OpenFile::default()
        };
        let line = open_file(&file);
        assert!(
            line.contains("3.00 MiB  2 readers  a\\u{1b}[2Jb.iso  1 errors"),
            "{line}"
        );
    }

    #[test]
    fn no_mounts_are_said_in_words() {
        assert_eq!(lines(&[]), ["nothing of plainiso is mounted"]);
    }
}
