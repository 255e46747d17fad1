//! LZ4 blocks, with or without padding behind them.
//!
//! An LZ4 block has no end mark. Where an index aligns its blocks, the stored length includes padding, and a
//! decoder that takes all input for tokens fails on the first byte of it, as those of `lz4_flex` and of `liblz4`'s
//! usual entry do. The rule that works for every writer is to stop as soon as the wanted output is complete. Both
//! decoders here do that: one that is easy to follow, and one for short blocks at the speed of `liblz4`'s partial
//! decoder.

use super::{Decoded, TOO_LONG};

mod encode;
mod short;

pub(super) use encode::Encoder;

/// Fills `dst` exactly; padding behind the block is ignored.
pub(super) fn decode(src: &[u8], dst: &mut [u8]) -> Decoded {
    let most = dst.len();
    decode_start(src, dst, most)
}

pub(super) const TRUNCATED: &str = "it ends inside a sequence";

pub(super) const WRONG_DISTANCE: &str = "a match reaches back before the block's start";

/// Decodes sequences until `dst` is full or the input ends between two of them.
///
/// The sequence that fills `dst` may reach past it, but not past `most`: in a padded last block it does.
pub(super) fn decode_start(src: &[u8], dst: &mut [u8], most: usize) -> Decoded {
    if src.len().max(most) <= short::LONGEST {
        return short::decode_start(src, dst, most);
    }
    carefully(src, dst, 0, most)
}

/// Decodes a block to `dst` from `start` on; its matches may reach back before that. Gives where it ends.
pub(super) fn decode_behind(src: &[u8], dst: &mut [u8], start: usize) -> Decoded {
    let most = dst.len();
    carefully(src, dst, start, most)
}

/// The number of plain bytes of a block, `most` at most.
pub(super) fn plain_len(src: &[u8], most: usize) -> Decoded {
    let (mut rest, mut len) = (src, 0_usize);
    while let Some((&token, after)) = rest.split_first() {
        rest = after;
        let literals = length(token >> 4, &mut rest)?;
        rest = rest.get(literals..).ok_or(TRUNCATED)?;
        len = len.saturating_add(literals);
        if !rest.is_empty() {
            rest = rest.get(2..).ok_or(TRUNCATED)?;
            len = len.saturating_add(length(token & 15, &mut rest)?.saturating_add(4));
        }
        if len > most {
            return Err(TOO_LONG);
        }
    }
    Ok(len)
}

/// Copies exactly what each sequence says. Sequences of long blocks are long, so that this is fast enough for them.
fn carefully(src: &[u8], dst: &mut [u8], start: usize, most: usize) -> Decoded {
    let (mut rest, mut done) = (src, start);
    while done < dst.len() {
        let Some((&token, after)) = rest.split_first() else {
            return Ok(done);
        };
        rest = after;
        let literals = length(token >> 4, &mut rest)?;
        done = copy_literals(literals, &mut rest, dst, done, most)?;
        if done == dst.len() || rest.is_empty() {
            break;
        }
        let (distance, after) = rest.split_first_chunk().ok_or(TRUNCATED)?;
        rest = after;
        let distance = usize::from(u16::from_le_bytes(*distance));
        let matched = length(token & 15, &mut rest)?.saturating_add(4);
        done = copy_match(distance, matched, dst, done, most)?;
    }
    Ok(done)
}

/// A length that starts in four bits of the token and goes on in bytes while they are 255.
fn length(nibble: u8, rest: &mut &[u8]) -> Decoded {
    let mut length = usize::from(nibble);
    if nibble == 15 {
        loop {
            let (&more, after) = rest.split_first().ok_or(TRUNCATED)?;
            *rest = after;
            length = length.saturating_add(usize::from(more));
            if more != 255 {
                break;
            }
        }
    }
    Ok(length)
}

pub(super) fn copy_literals(
    count: usize,
    rest: &mut &[u8],
    dst: &mut [u8],
    done: usize,
    most: usize,
) -> Decoded {
    if count > most - done {
        return Err(TOO_LONG);
    }
    let (literals, after) = rest.split_at_checked(count).ok_or(TRUNCATED)?;
    *rest = after;
    let now = count.min(dst.len() - done);
    dst[done..done + now].copy_from_slice(&literals[..now]);
    Ok(done + now)
}

pub(super) fn copy_match(
    distance: usize,
    count: usize,
    dst: &mut [u8],
    done: usize,
    most: usize,
) -> Decoded {
    if distance == 0 || distance > done {
        return Err(WRONG_DISTANCE);
    }
    if count > most - done {
        return Err(TOO_LONG);
    }
    let (mut now, end) = (done, dst.len().min(done + count));
    while now < end {
        // What lies behind `from` doubles with each round, so a match that overlaps itself is copied in few steps.
        let from = done - distance;
        let n = (now - from).min(end - now);
        dst.copy_within(from..from + n, now);
        now += n;
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(len: usize) -> Vec<u8> {
        let mut x = 1_u32;
        (0..len)
            .map(|i| {
                x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if i / 300 % 3 == 0 {
                    (x >> 30) as u8
                } else {
                    b'a' + (i % 7) as u8
                }
            })
            .collect()
    }

    #[test]
    fn padding_of_any_kind_and_length_is_ignored() {
        for len in [1, 13, 512, 2048, 16_384] {
            let plain = plain(len);
            let packed = lz4_flex::block::compress(&plain);
            for fill in [0, b'X', 0xff] {
                for padding in 0..70 {
                    let mut stored = packed.clone();
                    stored.resize(packed.len() + padding, fill);
                    let mut dst = vec![0; len];
                    assert_eq!(decode(&stored, &mut dst), Ok(len));
                    assert_eq!(dst, plain);
                }
            }
        }
    }

    #[test]
    fn every_start_of_a_block_can_be_had() {
        let plain = plain(2048);
        let stored = lz4_flex::block::compress(&plain);
        for want in 1..=plain.len() {
            let mut dst = vec![0; want];
            assert_eq!(decode_start(&stored, &mut dst, 2048), Ok(want));
            assert_eq!(dst, plain[..want]);
        }
    }

    #[test]
    fn a_short_block_says_how_short() {
        let stored = lz4_flex::block::compress(b"short");
        assert_eq!(decode(&stored, &mut [0; 99]), Ok(5));
    }

    #[test]
    fn rejects_a_distance_of_zero_and_one_before_the_start() {
        assert!(decode(&[0x10, b'a', 0, 0, 0x10, b'b'], &mut [0; 6]).is_err());
        assert!(decode(&[0x10, b'a', 2, 0, 0x10, b'b'], &mut [0; 6]).is_err());
        assert!(decode(&[0x10, b'a', 1, 0, 0x10, b'b'], &mut [0; 6]).is_ok());
    }

    #[test]
    fn rejects_literals_and_matches_past_the_block() {
        assert_eq!(decode(&[0x30, 1, 2, 3], &mut [0; 2]), Err(TOO_LONG));
        assert_eq!(decode(&[0x10, 1, 1, 0], &mut [0; 3]), Err(TOO_LONG));
    }

    #[test]
    fn rejects_literals_past_the_input() {
        assert_eq!(decode(&[0x50, 1, 2], &mut [0; 9]), Err(TRUNCATED));
        assert_eq!(decode(&[0xf0, 255, 255], &mut [0; 900]), Err(TRUNCATED));
    }
}
