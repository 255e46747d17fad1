//! Short blocks, decoded in buffers of a fixed size.
//!
//! Sequences of short blocks are short, so copying exactly as many bytes as one has costs more than the copy. Here all
//! copies are of a fixed size and may write behind what they are for: the next sequence writes it again. The buffers
//! are larger than any short block by more than that, and every index is taken modulo their size, so that the compiler
//! needs no check and a wrong index could only make wrong bytes, which the lengths rule out.

use std::cell::RefCell;

use super::{Decoded, TOO_LONG, TRUNCATED, WRONG_DISTANCE};

/// The longest block that is decoded here, plain and stored, in bytes.
pub(super) const LONGEST: usize = 128 << 10;

/// Bytes that one copy moves.
const STEP: usize = 16;

/// Room for a block and for what copies write behind it; a power of two.
const SIZE: usize = 2 * LONGEST;

/// A buffer with room for a step at any index below [`SIZE`].
type Buffer = [u8; SIZE + STEP];

#[derive(Debug)]
struct Buffers {
    stored: Box<Buffer>,
    plain: Box<Buffer>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers {
        stored: buffer(),
        plain: buffer(),
    });
}

/// Made on the heap: it is large, and its pages take no memory before they are used.
fn buffer() -> Box<Buffer> {
    let bytes = vec![0; SIZE + STEP];
    bytes.try_into().expect("it has this length")
}

/// As the careful decoder. `src` and `most` must not be longer than [`LONGEST`].
pub(super) fn decode_start(src: &[u8], dst: &mut [u8], most: usize) -> Decoded {
    BUFFERS.with_borrow_mut(|Buffers { stored, plain }| {
        stored[..src.len()].copy_from_slice(src);
        let done = sequences(stored, src.len(), plain, dst.len(), most)?;
        let done = done.min(dst.len());
        dst[..done].copy_from_slice(&plain[..done]);
        Ok(done)
    })
}

/// Decodes until `want` plain bytes are there or the `end` of the stored ones, and returns how many there are.
fn sequences(stored: &Buffer, end: usize, plain: &mut Buffer, want: usize, most: usize) -> Decoded {
    let (mut at, mut done) = (0, 0);
    while at < end && done < want {
        let token = byte(stored, at);
        at += 1;
        let mut literals = token >> 4;
        put(plain, done, step(stored, at));
        if literals == 15 {
            (literals, at) = length(stored, at, end)?;
            copy_literals(
                stored,
                at,
                plain,
                done,
                literals.min(most - done).min(end - at),
            );
        }
        done += literals;
        at += literals;
        if done > most {
            return Err(TOO_LONG);
        }
        if at > end {
            return Err(TRUNCATED);
        }
        if at == end || done >= want {
            break;
        }
        if at + 2 > end {
            return Err(TRUNCATED);
        }
        let distance = byte(stored, at) | byte(stored, at + 1) << 8;
        at += 2;
        let mut matched = token & 15;
        if matched == 15 {
            (matched, at) = length(stored, at, end)?;
        }
        matched += 4;
        if distance == 0 || distance > done {
            return Err(WRONG_DISTANCE);
        }
        if matched > most - done {
            return Err(TOO_LONG);
        }
        copy_match(plain, distance, done, matched);
        done += matched;
    }
    Ok(done)
}

/// A length of 15 and more, and where it ends.
fn length(stored: &Buffer, mut at: usize, end: usize) -> Result<(usize, usize), &'static str> {
    let mut length = 15;
    while at < end {
        let more = byte(stored, at);
        at += 1;
        length += more;
        if more != 255 {
            return Ok((length, at));
        }
    }
    Err(TRUNCATED)
}

fn copy_literals(stored: &Buffer, at: usize, plain: &mut Buffer, done: usize, count: usize) {
    for moved in (0..count).step_by(STEP) {
        put(plain, done + moved, step(stored, at + moved));
    }
}

#[inline]
fn copy_match(plain: &mut Buffer, distance: usize, done: usize, count: usize) {
    let from = done - distance;
    if distance >= STEP {
        let mut moved = 0;
        while moved < count {
            put(plain, done + moved, step(plain, from + moved));
            moved += STEP;
        }
    } else {
        repeat(plain, distance, done, count);
    }
}

/// Bytes that a word holds.
const WORD: usize = 8;

/// A match that reaches into itself: the last bytes again and again.
#[inline]
fn repeat(plain: &mut Buffer, distance: usize, done: usize, count: usize) {
    let from = done - distance;
    let mut moved = 0;
    if distance >= WORD {
        while moved < count {
            put_word(plain, done + moved, word(plain, from + moved));
            moved += WORD;
        }
        return;
    }
    let (last, times, whole) = PATTERNS[distance % WORD];
    let pattern = (word(plain, from) & last).wrapping_mul(times);
    while moved < count {
        put_word(plain, done + moved, pattern);
        moved += whole;
    }
}

/// For each distance below a word: the mask of so many bytes, the factor that repeats them through a word, and how many
/// bytes of whole repetitions a word holds.
const PATTERNS: [(u64, u64, usize); WORD] = {
    let mut patterns = [(0, 0, WORD); WORD];
    let mut distance = 1;
    while distance < WORD {
        let (mut times, mut shift) = (0, 0);
        while shift < WORD {
            times |= 1 << (8 * shift);
            shift += distance;
        }
        let mask = (1 << (8 * distance)) - 1;
        patterns[distance] = (mask, times, WORD - WORD % distance);
        distance += 1;
    }
    patterns
};

#[inline]
fn byte(buffer: &Buffer, at: usize) -> usize {
    usize::from(buffer[at % SIZE])
}

#[inline]
fn step(buffer: &Buffer, at: usize) -> [u8; STEP] {
    let mut bytes = [0; STEP];
    bytes.copy_from_slice(&buffer[at % SIZE..][..STEP]);
    bytes
}

#[inline]
fn put(buffer: &mut Buffer, at: usize, bytes: [u8; STEP]) {
    buffer[at % SIZE..][..STEP].copy_from_slice(&bytes);
}

#[inline]
fn word(buffer: &Buffer, at: usize) -> u64 {
    let mut bytes = [0; WORD];
    bytes.copy_from_slice(&buffer[at % SIZE..][..WORD]);
    u64::from_le_bytes(bytes)
}

#[inline]
fn put_word(buffer: &mut Buffer, at: usize, word: u64) {
    buffer[at % SIZE..][..WORD].copy_from_slice(&word.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::Index};

    use super::{super::carefully, *};

    fn plain() -> impl Strategy<Value = Vec<u8>> {
        let run = (prop::collection::vec(any::<u8>(), 1..40), 1..60_usize);
        prop::collection::vec(run, 1..60).prop_map(|runs| {
            let runs = runs.into_iter().map(|(bytes, times)| bytes.repeat(times));
            runs.flatten().take(LONGEST).collect()
        })
    }

    proptest! {
        /// Whole or damaged, cut or padded, wanted whole or in part: the same bytes, or the same refusal.
        #[test]
        fn decodes_as_the_careful_decoder_does(
            plain in plain(),
            damage in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
            padding in prop::collection::vec(any::<u8>(), 0..20),
            (cut, want) in (0..4_usize, any::<Index>()),
        ) {
            let mut stored = lz4_flex::block::compress(&plain);
            for (at, byte) in damage {
                let at = at.index(stored.len());
                stored[at] = byte;
            }
            stored.truncate(stored.len() - cut.min(stored.len()));
            stored.extend(padding);
            prop_assume!(stored.len() <= LONGEST);
            for want in [plain.len(), 1 + want.index(plain.len())] {
                let (mut ours, mut theirs) = (vec![0xEE; want], vec![0xEE; want]);
                let done = decode_start(&stored, &mut ours, plain.len());
                prop_assert_eq!(&done, &carefully(&stored, &mut theirs, 0, plain.len()));
                if let Ok(done) = done {
                    prop_assert_eq!(&ours[..done], &theirs[..done]);
                }
            }
        }
    }

    #[test]
    fn matches_of_every_distance_and_length_repeat_what_came_before() {
        for distance in 1..40_u8 {
            for length in 4..=18_u8 {
                let literals: Vec<u8> = (0..distance).collect();
                let mut stored = vec![0xF0 | (length - 4)];
                if distance < 15 {
                    stored[0] = distance << 4 | (length - 4);
                } else {
                    stored.push(distance - 15);
                }
                stored.extend(&literals);
                stored.extend([distance, 0]);
                let mut dst = vec![0; usize::from(distance + length)];
                let most = dst.len();
                let expected: Vec<u8> = literals.iter().copied().cycle().take(most).collect();
                let done = decode_start(&stored, &mut dst, most);
                assert_eq!(
                    (done, &dst),
                    (Ok(most), &expected),
                    "{length} from {distance}"
                );
            }
        }
    }
}
