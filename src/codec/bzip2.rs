//! bzip2.

use bzip2::{Action, Compress, Compression, Decompress, Status};

use super::{Decoded, TOO_LONG};

pub(super) fn decode(src: &[u8], dst: &mut [u8]) -> Decoded {
    // A new state each time: its tables are sized by the stream's own header, and cost nothing beside the decoding.
    let mut state = Decompress::new(false);
    let header = header_for(src, dst.len());
    loop {
        let (consumed, produced) = (position(state.total_in()), position(state.total_out()));
        let input = match header.get(consumed..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => &src[consumed..],
        };
        let mut more = [0];
        let out = match &mut dst[produced..] {
            [] => &mut more[..],
            rest => rest,
        };
        let status = state
            .decompress(input, out)
            .map_err(|_| "the stream is damaged")?;
        if position(state.total_out()) > dst.len() {
            return Err(TOO_LONG);
        }
        if status == Status::StreamEnd {
            return Ok(position(state.total_out()));
        }
        let stuck =
            position(state.total_in()) == consumed && position(state.total_out()) == produced;
        if stuck || status == Status::MemNeeded {
            return Err("it ends before its end mark");
        }
    }
}

/// The first bytes of a stream, with the smallest size of its own blocks that `len` plain bytes can need: writers
/// claim 900,000 bytes whatever they compress, and the decoder makes tables for that.
fn header_for(src: &[u8], len: usize) -> Vec<u8> {
    // Four equal bytes become five before they are sorted, in the worst case.
    let needed = (len.saturating_add(len / 4) / 100_000 + 1).min(9);
    let needed = b'0' + u8::try_from(needed).expect("it is a digit");
    let mut header = src.get(..4).unwrap_or(src).to_vec();
    if let Some(level @ b'1'..=b'9') = header.get_mut(3) {
        *level = needed.min(*level);
    }
    header
}

/// Appends the stream for `plain`. The level is the size of the window in units of 100 kB, 1 to 9.
pub(super) fn encode(level: u32, plain: &[u8], out: &mut Vec<u8>) {
    // A window beyond the block only takes memory.
    let needed = u32::try_from(plain.len().div_ceil(100_000)).unwrap_or(9);
    let mut state = Compress::new(Compression::new(level.min(needed).max(1)), 0);
    out.reserve(plain.len() + plain.len() / 100 + 600);
    loop {
        let consumed = position(state.total_in());
        let status = state.compress_vec(&plain[consumed..], out, Action::Finish);
        match status.expect("a new state can compress") {
            Status::StreamEnd => return,
            _ => out.reserve(4096),
        }
    }
}

fn position(total: u64) -> usize {
    usize::try_from(total).expect("it is inside a slice")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bzip2::{Compression, write::BzEncoder};

    use super::*;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut encoder = BzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn decodes_exactly_and_ignores_what_follows() {
        let plain: Vec<u8> = (0..200_000_u32)
            .map(|i| (i.wrapping_mul(i) >> 7) as u8)
            .collect();
        let mut dst = vec![0; plain.len()];
        let stored = [packed(&plain), b"trailing".to_vec()].concat();
        assert_eq!(decode(&stored, &mut dst), Ok(plain.len()));
        assert_eq!(dst, plain);
    }

    #[test]
    fn data_that_grows_before_it_is_sorted_still_fits_the_tables() {
        for len in [1, 79_000, 80_000, 80_001, 131_072, 262_144, 1_000_000] {
            // Runs of four become five bytes.
            let plain: Vec<u8> = (0..len).map(|i: u32| (i / 4 * 7) as u8).collect();
            let mut dst = vec![0; plain.len()];
            assert_eq!(decode(&packed(&plain), &mut dst), Ok(plain.len()));
            assert!(dst == plain, "{len} bytes");
        }
    }

    #[test]
    fn rejects_a_stream_longer_than_the_block() {
        assert_eq!(decode(&packed(&[3; 1000]), &mut [0; 999]), Err(TOO_LONG));
    }

    #[test]
    fn rejects_a_cut_stream_and_a_flipped_bit() {
        let stored = packed(&b"bzip2 has checksums".repeat(30));
        let mut dst = vec![0; 19 * 30];
        for cut in 1..stored.len() {
            assert!(decode(&stored[..stored.len() - cut], &mut dst).is_err());
        }
        for at in 4..stored.len() - 1 {
            let mut bad = stored.clone();
            bad[at] ^= 0x10;
            assert!(decode(&bad, &mut dst).is_err(), "byte {at}");
        }
    }
}
