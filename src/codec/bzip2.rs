//! bzip2.

use bzip2::{Action, Compress, Compression, Decompress, Status};

use super::{Decoded, TOO_LONG};

pub(super) fn decode(src: &[u8], dst: &mut [u8]) -> Decoded {
    // A new state each time: its tables are sized by the stream's own header, and cost nothing beside the decoding.
    let mut state = Decompress::new(false);
    loop {
        let (consumed, produced) = (position(state.total_in()), position(state.total_out()));
        let mut more = [0];
        let out = match &mut dst[produced..] {
            [] => &mut more[..],
            rest => rest,
        };
        let status = state
            .decompress(&src[consumed..], out)
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
