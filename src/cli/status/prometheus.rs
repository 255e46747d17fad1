//! Mounts as metrics, in Prometheus' text format.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>. A series that is told twice makes a
//! collector refuse everything, so names that are equal once shown are told as one.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use super::sample::{Counters, Mount, OpenFile};

/// A metric, without what it is told of.
struct Metric<T> {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&T) -> f64,
}

const fn counter<T>(name: &'static str, help: &'static str, value: fn(&T) -> f64) -> Metric<T> {
    Metric {
        name,
        kind: "counter",
        help,
        value,
    }
}

const fn gauge<T>(name: &'static str, help: &'static str, value: fn(&T) -> f64) -> Metric<T> {
    Metric {
        name,
        kind: "gauge",
        help,
        value,
    }
}

#[rustfmt::skip] // A table.
const OF_MOUNTS: [Metric<Mount>; 1] = [
    gauge("plainiso_up", "Whether the mount answers.", |it| f64::from(u8::from(it.answers()))),
];

#[rustfmt::skip] // A table.
const OF_COUNTERS: [Metric<Counters>; 8] = [
    counter("plainiso_opens_total", "Files that were opened.", |it| number(it.opens)),
    counter("plainiso_reads_total", "Requests to read that were answered.", |it| number(it.reads)),
    counter("plainiso_read_bytes_total", "Plain bytes that readers got.", |it| number(it.bytes_out)),
    counter("plainiso_stored_bytes_total", "Stored bytes that were read from the sources.", |it| number(it.bytes_in)),
    counter("plainiso_cache_hits_total", "Blocks that were asked for and were decoded already.", |it| number(it.cache_hits)),
    counter("plainiso_cache_misses_total", "Blocks that were asked for and had to be decoded.", |it| number(it.cache_misses)),
    counter("plainiso_decode_seconds_total", "Time that decoding took, of all threads together.", |it| it.decode_seconds),
    counter("plainiso_errors_total", "Requests that ended with an error.", |it| number(it.errors)),
];

#[rustfmt::skip] // A table.
const OF_IMAGES: [Metric<OpenFile>; 5] = [
    gauge("plainiso_image_readers", "Readers that have the image open.", |it| number(it.readers)),
    counter("plainiso_image_reads_total", "Requests to read an open image.", |it| number(it.reads)),
    counter("plainiso_image_read_bytes_total", "Plain bytes that readers got of an open image.", |it| number(it.bytes_out)),
    counter("plainiso_image_stored_bytes_total", "Stored bytes that were read of an open image.", |it| number(it.bytes_in)),
    counter("plainiso_image_errors_total", "Requests to an open image that ended with an error.", |it| number(it.errors)),
];

#[allow(clippy::cast_precision_loss)] // Prometheus keeps every value as a floating-point number.
fn number(value: u64) -> f64 {
    value as f64
}

/// All that is known of mounts, as one text.
pub(super) fn text(mounts: &[Mount]) -> String {
    // One that was mounted over another hides it: both would tell the same.
    let mounts: BTreeMap<String, &Mount> = mounts
        .iter()
        .map(|mount| {
            (
                label("mountpoint", mount.mountpoint.to_string_lossy()),
                mount,
            )
        })
        .collect();
    let counters: Vec<(&str, &Counters)> = mounts
        .iter()
        .filter_map(|(at, mount)| Some((at.as_str(), mount.counters()?)))
        .collect();
    let images: Vec<(String, OpenFile)> = counters
        .iter()
        .flat_map(|(at, counters)| images(at, counters))
        .collect();
    let mut text = String::new();
    for metric in &OF_MOUNTS {
        metric.tell(
            mounts.iter().map(|(at, mount)| (at.as_str(), *mount)),
            &mut text,
        );
    }
    for metric in &OF_COUNTERS {
        metric.tell(counters.iter().copied(), &mut text);
    }
    for metric in &OF_IMAGES {
        metric.tell(
            images.iter().map(|(at, image)| (at.as_str(), image)),
            &mut text,
        );
    }
    text
}

/// Open images by their labels. One that was replaced while it was open stands in the list twice.
fn images(mountpoint: &str, counters: &Counters) -> BTreeMap<String, OpenFile> {
    let mut images: BTreeMap<String, OpenFile> = BTreeMap::new();
    for file in &counters.open {
        let labels = format!("{mountpoint},{}", label("image", &file.path));
        images
            .entry(labels)
            .and_modify(|sum| sum.add(file))
            .or_insert_with(|| file.clone());
    }
    images
}

impl<T> Metric<T> {
    /// A metric that nothing is known of is left out.
    fn tell<'t>(&self, of: impl Iterator<Item = (&'t str, &'t T)>, text: &mut String)
    where
        T: 't,
    {
        let Self {
            name,
            kind,
            help,
            value,
        } = self;
        let mut of = of.peekable();
        if of.peek().is_some() {
            line(text, format_args!("# HELP {name} {help}"));
            line(text, format_args!("# TYPE {name} {kind}"));
        }
        for (labels, it) in of {
            line(text, format_args!("{name}{{{labels}}} {}", value(it)));
        }
    }
}

fn line(text: &mut String, line: fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes all that fits into memory");
}

/// Only these three characters mean anything between the quotes.
fn label(name: &str, value: impl AsRef<str>) -> String {
    let value = value
        .as_ref()
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n");
    format!("{name}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_label_is_escaped() {
        assert_eq!(label("image", "a\\b\"c\nd é"), r#"image="a\\b\"c\nd é""#);
    }

    #[test]
    fn images_that_are_shown_alike_are_one_series() {
        let counters: Counters = serde_json::from_str(
            r#"{"open":[{"path":"a.iso","readers":1,"bytes_out":5,"errors":1},
                {"path":"a.iso","readers":2,"bytes_out":7},{"path":"b.iso"}]}"#,
        )
        .unwrap();
        let images = images("mountpoint=\"/m\"", &counters);
        assert_eq!(images.len(), 2);
        let sum = &images[r#"mountpoint="/m",image="a.iso""#];
        assert_eq!((sum.readers, sum.bytes_out, sum.errors), (3, 12, 1));
    }

    #[test]
    fn a_metric_of_nothing_is_left_out() {
        assert_eq!(text(&[]), "");
    }

    #[test]
    fn large_numbers_are_written_without_an_exponent() {
        let mut text = String::new();
        let counters = Counters {
            bytes_out: 1 << 50,
            decode_seconds: 0.25,
            ..Counters::default()
        };
        OF_COUNTERS[2].tell([("a=\"b\"", &counters)].into_iter(), &mut text);
        assert!(
            text.ends_with("plainiso_read_bytes_total{a=\"b\"} 1125899906842624\n"),
            "{text}"
        );
        OF_COUNTERS[6].tell([("a=\"b\"", &counters)].into_iter(), &mut text);
        assert!(
            text.ends_with("plainiso_decode_seconds_total{a=\"b\"} 0.25\n"),
            "{text}"
        );
    }
}
