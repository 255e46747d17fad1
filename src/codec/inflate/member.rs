//! Members of a gzip file whose length is known: deflate data that ends exactly where the trailer stands.
//!
//! Were it to end before, gzip would go on there, and show what follows as another member.

use super::zlib_rs;
use crate::{Error, Result, codec::Codec};

/// The CRC-32 and the number of plain bytes.
const TRAILER: usize = 8;

/// Bytes of a number in the trailer.
const NUMBER: usize = 4;

/// Decodes the member that `member` holds behind a header of so many bytes, so that it fills `dst` exactly.
///
/// # Errors
/// `Corrupt` when the data does not decode, ends elsewhere, or is not what the trailer says.
pub(crate) fn gzip_member(member: &[u8], header: usize, dst: &mut [u8]) -> Result<()> {
    if is_whole(member, header, dst) {
        return Ok(());
    }
    checked_in_steps(member, header, dst)
}

/// Whether libdeflate decodes it and it is certain where it ends. libdeflate finds the trailer where the data ends, and
/// does not tell where that is; but if the number of plain bytes stands nowhere else, it was found at the end.
#[cfg(feature = "libdeflate")]
fn is_whole(member: &[u8], header: usize, dst: &mut [u8]) -> bool {
    let Some((before, number)) = member.split_last_chunk::<NUMBER>() else {
        return false;
    };
    let fits = super::libdeflate::gzip(member, dst) == Ok(dst.len());
    let reach = member.len() - 1;
    fits && before.len() >= header && !stands_in(&member[header..reach], *number)
}

#[cfg(not(feature = "libdeflate"))]
fn is_whole(_: &[u8], _: usize, _: &mut [u8]) -> bool {
    false
}

/// The same slower, and with what stands against it.
fn checked_in_steps(member: &[u8], header: usize, dst: &mut [u8]) -> Result<()> {
    let cut = || Error::corrupt(format!("a gzip member of {} bytes is none", member.len()));
    let (front, trailer) = member.split_last_chunk::<TRAILER>().ok_or_else(cut)?;
    let data = front.get(header..).ok_or_else(cut)?;
    let want = dst.len();
    let decoded = zlib_rs::all_of_deflate(data, dst);
    let n = decoded.map_err(|why| Codec::Deflate.refuse(data, why))?;
    if n != want {
        return Err(Error::corrupt(format!(
            "deflate data of {} bytes decodes to {n} bytes, not to {want}",
            data.len()
        )));
    }
    let number = |at| u32::from_le_bytes(trailer[at..at + NUMBER].try_into().expect("4 bytes"));
    let (carried, found) = (number(0), crc32fast::hash(dst));
    if found != carried {
        return Err(Error::corrupt(format!(
            "the CRC-32 of the plain bytes is {found:08x}, the member says {carried:08x}"
        )));
    }
    match number(NUMBER) {
        len if len as usize == want => Ok(()),
        len => Err(Error::corrupt(format!(
            "the member's plain bytes are {want}, its trailer says {len}"
        ))),
    }
}

/// Positions that are compared at once.
#[cfg(feature = "libdeflate")]
const STRIDE: usize = 64;

/// Whether these four bytes stand anywhere in `bytes`. Comparing without looking at each result lets the compiler use
/// wide registers: it costs a thirtieth of the decoding.
#[cfg(feature = "libdeflate")]
fn stands_in(bytes: &[u8], wanted: [u8; NUMBER]) -> bool {
    let mut rest = bytes;
    while let Some(part) = rest.first_chunk::<{ STRIDE + NUMBER - 1 }>() {
        let is_at = |at: usize| {
            let unlike = |n: usize| part[at + n] ^ wanted[n];
            unlike(0) | unlike(1) | unlike(2) | unlike(3) == 0
        };
        if (0..STRIDE).fold(false, |any, at| any | is_at(at)) {
            return true;
        }
        rest = &rest[STRIDE..];
    }
    rest.windows(NUMBER).any(|part| part == wanted)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    /// What `flate2` writes in front of the data.
    const HEADER: usize = 10;

    fn member(plain: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn says(member: &[u8], len: usize) -> String {
        let decoded = gzip_member(member, HEADER, &mut vec![0; len]);
        decoded.unwrap_err().to_string()
    }

    #[test]
    fn a_member_is_decoded_whatever_stands_in_its_data() {
        for len in [1, 100, 32 << 10, (32 << 10) + 1, 65_280, 65_536] {
            let mut plain: Vec<u8> = (0..len)
                .map(|i: u32| (i.wrapping_mul(i) >> 9) as u8)
                .collect();
            if len > 1000 {
                // Stored as it is, it looks like the end of the member.
                plain[700..704].copy_from_slice(&len.to_le_bytes());
            }
            for level in [0, 1, 9] {
                let mut dst = vec![0; plain.len()];
                gzip_member(&member(&plain, level), HEADER, &mut dst).unwrap();
                assert!(dst == plain, "{len} bytes at level {level}");
            }
        }
    }

    #[test]
    fn rejects_data_that_ends_before_its_trailer() {
        let plain = b"plain bytes ".repeat(300);
        let one = member(&plain, 6);
        let trailer = &one[one.len() - TRAILER..];
        for between in [&b""[..], b"x", &one[..one.len() - TRAILER], &[0; 300]] {
            let bad = [&one[..], between, trailer].concat();
            let why = says(&bad, plain.len());
            assert!(why.contains("ends before"), "{why}");
        }
    }

    #[test]
    fn rejects_data_without_its_end_or_of_another_length() {
        let plain = b"plain bytes ".repeat(300);
        let one = member(&plain, 6);
        let cut = [&one[..one.len() - 20], &one[one.len() - TRAILER..]].concat();
        for (bad, len) in [(&cut, 3600), (&one, 3599), (&one, 3601)] {
            assert!(says(bad, len).starts_with("deflate data"), "{len}");
        }
    }

    #[test]
    fn rejects_a_trailer_that_says_something_else() {
        let mut one = member(&[3; 1000], 6);
        let end = one.len();
        one[end - 2] ^= 1;
        assert!(says(&one, 1000).contains("its trailer says"));
        one[end - 8] ^= 1;
        assert!(says(&one, 1000).contains("CRC-32"));
    }

    #[test]
    fn rejects_a_member_shorter_than_its_ends() {
        for len in 0..HEADER + TRAILER {
            assert!(gzip_member(&member(&[], 6)[..len], HEADER, &mut []).is_err());
        }
    }

    #[cfg(feature = "libdeflate")]
    #[test]
    fn four_bytes_are_found_wherever_they_stand() {
        for len in 0..300 {
            let mut bytes = vec![1; len];
            assert!(!stands_in(&bytes, [2, 3, 4, 5]));
            for at in 0..len.saturating_sub(3) {
                bytes[at..at + 4].copy_from_slice(&[2, 3, 4, 5]);
                assert!(stands_in(&bytes, [2, 3, 4, 5]), "{at} of {len}");
                bytes[at..at + 4].fill(1);
            }
        }
    }
}
