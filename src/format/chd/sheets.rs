//! The sheets that describe the files of a disc's tracks, as `chdman` writes them.

use std::fmt::Write as _;

use super::tracks::{Kind, Track};
use crate::files::Piece;

/// A cue sheet. The file of the first track stands at `first` of the list, the others behind it.
pub(super) fn cue(tracks: &[Track], first: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, track) in tracks.iter().enumerate() {
        pieces.push(Piece::Text("FILE \"".into()));
        pieces.push(Piece::NameOf(first + index));
        pieces.push(Piece::Text(track_in_cue(index + 1, track)));
    }
    pieces
}

fn track_in_cue(number: usize, track: &Track) -> String {
    let mut text = String::from("\" BINARY\n");
    let kind = track.kind.in_sheet();
    let mut line = |line: std::fmt::Arguments<'_>| {
        writeln!(text, "{line}").expect("a string takes everything");
    };
    line(format_args!("  TRACK {number:02} {kind}"));
    match track.pregap {
        0 => line(format_args!("    INDEX 01 {}", time(0))),
        pregap if track.has_pregap => {
            line(format_args!("    INDEX 00 {}", time(0)));
            line(format_args!("    INDEX 01 {}", time(pregap)));
        }
        pregap => {
            line(format_args!("    PREGAP {}", time(pregap)));
            line(format_args!("    INDEX 01 {}", time(0)));
        }
    }
    if track.postgap > 0 {
        line(format_args!("    POSTGAP {}", time(track.postgap)));
    }
    text
}

/// Minutes, seconds and frames, of which a second has 75.
fn time(frames: u64) -> String {
    let seconds = frames / 75;
    format!("{:02}:{:02}:{:02}", seconds / 60, seconds % 60, frames % 75)
}

/// The sheet of a GD-ROM: for each track its number, first sector, kind, sector size, file and 0.
pub(super) fn gdi(tracks: &[Track], first: usize) -> Vec<Piece> {
    let mut pieces = vec![Piece::Text(format!("{}\n", tracks.len()))];
    let mut at = 0;
    for (index, track) in tracks.iter().enumerate() {
        let kind = if track.kind == Kind::Audio { 0 } else { 4 };
        let len = track.kind.sector_len();
        let number = index + 1;
        pieces.push(Piece::Text(format!("{number} {at} {kind} {len} \"")));
        pieces.push(Piece::NameOf(first + index));
        pieces.push(Piece::Text("\" 0\n".into()));
        at += track.frames + track.pad;
    }
    pieces
}
