use std::io::Write;

use ::bzip2::{Compression, write::BzEncoder};

use super::*;

fn packed(plain: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn decoded(file: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Plain::new(file).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Plain bytes whose block holds these marks, one behind the other: it says by one bit each which values there are
/// among them, 16 bits for each 16 values that come next to each other.
fn with_marks(marks: &[u64]) -> Vec<u8> {
    let of_mark = |mark: u64| (0..MARK as u64).map(move |bit| mark >> (47 - bit) & 1 == 1);
    let bits = marks.iter().copied().flat_map(of_mark);
    let values = (0_u8..).zip(bits).filter(|(_, is_there)| *is_there);
    let values: Vec<u8> = values.map(|(value, _)| value).collect();
    values.repeat(50)
}

/// Where these bits stand.
fn places(file: &[u8], mark: u64) -> usize {
    let mut bits = Bits::new(file);
    let all = file.len() * 8 - MARK;
    (0..=all)
        .filter(|&at| bits.peek(at, MARK).unwrap() == Some(mark))
        .count()
}

#[test]
fn a_false_mark_inside_a_valid_block_is_passed_over() {
    for marks in [&[BLOCK][..], &[END], &[BLOCK, END], &[END, BLOCK, END]] {
        let plain = with_marks(marks);
        let file = packed(&plain);
        let count = |mark| marks.iter().filter(|&&it| it == mark).count();
        assert_eq!(places(&file, BLOCK), 1 + count(BLOCK));
        assert_eq!(places(&file, END), 1 + count(END));
        assert!(decoded(&file).unwrap() == plain, "{marks:x?}");
        // The same by itself, with another block behind it.
        let twice = [&file[..], &file].concat();
        let mut known = Vec::new();
        let mut block = Plain::of_block(&twice[4..], 0);
        block.read_to_end(&mut known).unwrap();
        assert!(known == plain, "{marks:x?}");
    }
}

#[test]
fn rejects_a_block_with_more_marks_than_are_tried() {
    let file = packed(&with_marks(&[BLOCK; MOST_TRIES]));
    let err = decoded(&file).unwrap_err().to_string();
    assert!(err.contains("the block at 4 is damaged"), "{err}");
}

#[test]
fn a_block_may_hold_as_much_as_bzip2_can_put_into_one() {
    // Five of its 899,981 symbols stand for 255 zeroes; the format would allow 259.
    let len = 899_900 / 5 * 255;
    let file = packed(&vec![0; len + 100_000]);
    let mut plain = Plain::new(&file[..]);
    plain.read_exact(&mut vec![1; len]).unwrap();
    assert!(plain.pieces()[0].plain >= len as u64 && plain.pieces()[0].plain <= MOST_PLAIN);
}

#[test]
fn more_blocks_than_are_remembered_are_decoded_and_not_kept() {
    let file = packed(b"one block");
    for (known, is_kept) in [(MOST_PIECES - 1, true), (MOST_PIECES, false)] {
        let mut plain = Plain::new(&file[..]);
        plain.pieces = Some(vec![Piece { at: 1, plain: 1 }; known]);
        let mut bytes = Vec::new();
        plain.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"one block");
        assert_eq!(plain.pieces.is_some(), is_kept);
    }
}
