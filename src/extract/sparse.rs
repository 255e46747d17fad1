//! Writing with holes.

use std::{fs::File, io, os::unix::fs::FileExt};

/// Zeroes become a hole where they fill so many aligned bytes. Smaller holes would save little, and cut a file into
/// many pieces.
const HOLE: usize = 32 << 10;

static ZEROES: [u8; HOLE] = [0; HOLE];

/// Writes `bytes` at `at`, and leaves out aligned stretches of zeroes. Where it leaves out, the file must have a hole
/// or end before.
pub(super) fn write(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    let mut data = 0..0;
    for chunk in chunks(bytes.len(), at) {
        let plain = &bytes[chunk.clone()];
        if plain == &ZEROES[..plain.len()] {
            continue;
        }
        if data.end == chunk.start {
            data.end = chunk.end;
        } else {
            file.write_all_at(&bytes[data.clone()], at + data.start as u64)?;
            data = chunk;
        }
    }
    file.write_all_at(&bytes[data.clone()], at + data.start as u64)
}

/// Cuts `len` bytes at the multiples of [`HOLE`] in the file.
fn chunks(len: usize, at: u64) -> impl Iterator<Item = std::ops::Range<usize>> {
    let into_hole = usize::try_from(at % HOLE as u64).expect("it is less than a hole");
    let mut start = 0;
    std::iter::from_fn(move || {
        let step = if start == 0 { HOLE - into_hole } else { HOLE };
        let chunk = start..len.min(start + step);
        start = chunk.end;
        (!chunk.is_empty()).then_some(chunk)
    })
}
