//! How the blocks lie along the disc: stored, zero, compressed, missing.

use crate::{codec::Codec, image::Image};

mod svg;
#[cfg(test)]
mod tests;

pub(super) use svg::draw as svg;

/// Rows of a map for people, at most.
const ROWS: u64 = 16;

/// Columns in front of a row, for its position.
const LABEL: usize = 11;

/// The heights of what is compressed, by sevenths of the plain size.
const HEIGHTS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];

const LEGEND: &str = "· zero   ▁ to ▇ compressed, to how much of its size   █ stored   ! missing";

/// A stretch of the disc, in plain bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Cell {
    plain: u64,
    zero: u64,
    /// As they are.
    raw: u64,
    missing: u64,
    /// Stored bytes.
    stored: u64,
}

/// What a stretch of the disc is, on the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Missing,
    Zero,
    Stored,
    /// Stored bytes for one plain byte, not below 0 and not above 1.
    Compressed(f64),
}

impl Cell {
    /// Damage in a stretch shows however short it is.
    #[allow(clippy::cast_precision_loss)]
    fn kind(self) -> Kind {
        match self {
            _ if self.missing > 0 => Kind::Missing,
            _ if self.zero == self.plain => Kind::Zero,
            _ if self.raw == self.plain => Kind::Stored,
            _ => Kind::Compressed((self.stored as f64 / self.plain as f64).min(1.0)),
        }
    }
}

/// Cuts the disc into `count` equal cells, or fewer when it has fewer blocks.
fn cells(image: &Image, count: u64) -> Vec<Cell> {
    let geometry = image.geometry();
    let count = count.clamp(1, geometry.blocks());
    let border = |cell: u64| {
        let at = u128::from(geometry.size()) * u128::from(cell) / u128::from(count);
        u64::try_from(at).expect("it lies in the image")
    };
    let borders: Vec<u64> = (0..=count).map(border).collect();
    let mut cells = vec![Cell::default(); borders.len() - 1];
    let mut first = 0;
    for block in 0..geometry.blocks() {
        let (span, stored) = (geometry.span(block), image.locate(block));
        while borders[first + 1] <= span.start {
            first += 1;
        }
        let ends = borders[first..].windows(2);
        for (cell, ends) in cells[first..].iter_mut().zip(ends) {
            if ends[0] >= span.end {
                break;
            }
            let plain = span.end.min(ends[1]) - span.start.max(ends[0]);
            cell.add(plain, span.end - span.start, stored);
        }
    }
    cells
}

impl Cell {
    /// Adds `plain` bytes of a block that has `block_len`.
    fn add(&mut self, plain: u64, block_len: u64, stored: crate::map::Stored) {
        self.plain += plain;
        match stored.codec {
            Codec::Zero => self.zero += plain,
            Codec::Raw => self.raw += plain,
            Codec::Missing => self.missing += plain,
            _ => {}
        }
        // A block has at most 16 MiB, so the product has 48 bits.
        self.stored += u64::from(stored.len) * plain / block_len;
    }
}

/// Rows of characters that fit in `columns`, with the position in front of each and the legend behind.
pub(super) fn text(image: &Image, columns: usize) -> String {
    let in_row = columns.saturating_sub(LABEL).max(10);
    let cells = cells(image, in_row as u64 * ROWS);
    let rows = cells.chunks(in_row).scan(0, |at, row| {
        let label = position(*at);
        *at += row.iter().map(|cell| cell.plain).sum::<u64>();
        let row: String = row.iter().map(|cell| glyph(cell.kind())).collect();
        Some(format!("{label:>9}  {row}"))
    });
    let mut lines: Vec<String> = rows.collect();
    lines.push(format!("{:LABEL$}{LEGEND}", ""));
    lines.join("\n")
}

fn glyph(kind: Kind) -> char {
    match kind {
        Kind::Missing => '!',
        Kind::Zero => '·',
        Kind::Stored => '█',
        Kind::Compressed(ratio) => HEIGHTS[step(ratio, HEIGHTS.len())],
    }
}

/// Which of `count` equal steps a ratio from 0 to 1 is in.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn step(ratio: f64, count: usize) -> usize {
    ((ratio * count as f64) as usize).min(count - 1)
}

/// A position in few characters.
fn position(at: u64) -> String {
    match at {
        0 => "0".into(),
        _ if at < 10 << 20 => format!("{} KiB", at >> 10),
        _ => format!("{} MiB", at >> 20),
    }
}
