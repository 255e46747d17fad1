//! One zstd frame.

use crate::codec::zstd::{self, Fault, Header};

/// Decodes a frame that holds exactly the bytes of `dst`.
pub(super) fn decode(src: &[u8], dst: &mut [u8]) -> Result<(), Fault> {
    let damaged = |why: &str| Fault::Damaged(why.into());
    Header::parse_within(src, dst.len() as u64).map_err(|why| damaged(&why.to_string()))?;
    let decoded = zstd::decode(src, dst).map_err(|why| match why {
        Fault::TooLong => damaged("it holds more bytes than the hunk"),
        why => why,
    })?;
    if decoded.plain < dst.len() {
        return Err(damaged("it holds fewer bytes than the hunk"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of one stored block, with a window of so many times 1 KiB, as a power of two.
    fn frame(plain: &[u8], window: u8) -> Vec<u8> {
        let head = u32::try_from(plain.len()).unwrap() << 3 | 1;
        let front = [0x28, 0xb5, 0x2f, 0xfd, 0, window << 3];
        [&front, &head.to_le_bytes()[..3], plain].concat()
    }

    #[test]
    fn bytes_behind_the_frame_are_ignored() {
        let mut hunk = [0; 4];
        let stored = [&frame(b"hunk", 10)[..], b"and more"].concat();
        assert_eq!(decode(&stored, &mut hunk), Ok(()));
        assert_eq!(&hunk, b"hunk");
    }

    #[test]
    fn rejects_a_frame_of_more_or_fewer_bytes_than_the_hunk() {
        let refusal = |len| decode(&frame(b"hunk", 10), &mut vec![0; len]).unwrap_err();
        assert!(refusal(3).to_string().contains("more bytes than the hunk"));
        assert!(refusal(5).to_string().contains("fewer bytes than the hunk"));
    }

    #[test]
    fn rejects_a_window_far_larger_than_the_hunk() {
        for window in [14, 31] {
            let refusal = decode(&frame(b"hunk", window), &mut [0; 4]).unwrap_err();
            assert!(refusal.to_string().contains("far more"), "{refusal}");
        }
    }
}
