//! The same map as a drawing.

use std::fmt::Write;

use super::{Cell, Kind, cells, step};
use crate::image::Image;

const COLUMNS: usize = 128;
const ROWS: usize = 32;

/// Pixels of a cell's side, and of the line of text above and below.
const SIDE: usize = 8;
const LINE: usize = 24;

/// From well compressed to hardly.
const SHADES: [&str; 8] = [
    "#d6e6f4", "#bcd7eb", "#9bc5df", "#76aed3", "#5294c4", "#3579b1", "#1c5c9a", "#0b3f75",
];
const ZERO: &str = "#f2f2f2";
const STORED: &str = "#e8913a";
const MISSING: &str = "#c8102e";

/// An SVG of the disc, row by row from its start, with `name` above.
pub(in crate::cli::info) fn draw(image: &Image, name: &str) -> String {
    let (width, height) = (COLUMNS * SIDE, ROWS * SIDE + 2 * LINE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"14\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"4\" y=\"17\">{}</text>\n",
        escaped(name)
    );
    let cells = cells(image, (COLUMNS * ROWS) as u64);
    let mut at = 0;
    for (row, cells) in cells.chunks(COLUMNS).enumerate() {
        let mut column = 0;
        for run in cells.chunk_by(|a, b| colour(a.kind()) == colour(b.kind())) {
            rect(&mut svg, (column, row), run, at);
            column += run.len();
            at += run.iter().map(|cell| cell.plain).sum::<u64>();
        }
    }
    legend(&mut svg, height);
    svg + "</svg>\n"
}

/// Neighbours of one colour, with their place and ratio for a mouse that stops on them.
fn rect(svg: &mut String, (column, row): (usize, usize), run: &[Cell], at: u64) {
    let (x, y) = (column * SIDE, LINE + row * SIDE);
    let sum = |of: fn(&Cell) -> u64| run.iter().map(of).sum::<u64>();
    let (plain, stored) = (sum(|cell| cell.plain), sum(|cell| cell.stored));
    writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{SIDE}\" fill=\"{}\"><title>{plain} bytes at {at}, {stored} stored</title></rect>",
        run.len() * SIDE,
        colour(run[0].kind())
    )
    .expect("a string takes everything");
}

fn legend(svg: &mut String, height: usize) {
    let entries = [
        (ZERO, "zero"),
        (SHADES[0], "compressed well"),
        (SHADES[7], "compressed badly"),
        (STORED, "stored"),
        (MISSING, "missing"),
    ];
    for (i, (colour, text)) in entries.into_iter().enumerate() {
        let (x, y) = (4 + i * 170, height - 17);
        writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" fill=\"{colour}\" stroke=\"#888888\"/><text x=\"{}\" y=\"{}\">{text}</text>",
            x + 18,
            y + 11
        )
        .expect("a string takes everything");
    }
}

fn colour(kind: Kind) -> &'static str {
    match kind {
        Kind::Missing => MISSING,
        Kind::Zero => ZERO,
        Kind::Stored => STORED,
        Kind::Compressed(ratio) => SHADES[step(ratio, SHADES.len())],
    }
}

/// For the text of an element. Control characters, which XML has no way to write, must be gone already.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
