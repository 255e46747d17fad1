use std::io::Cursor;

use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;
use crate::codec::samples::sample;

/// Both, where both are there.
const DECODERS: &[(&str, Decode)] = &[
    #[cfg(feature = "zstd")]
    ("native", native::decode),
    ("pure", pure::decode),
];

/// A stored block.
fn block(plain: &[u8], is_last: bool) -> Vec<u8> {
    let head = u32::try_from(plain.len()).unwrap() << 3 | u32::from(is_last);
    [&head.to_le_bytes()[..3], plain].concat()
}

/// A frame of stored blocks with a checksum, in a window of 1 MiB.
fn frame(blocks: &[&[u8]], told: Option<usize>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    match told {
        None => bytes.extend([4, 0x50]),
        Some(plain) => {
            bytes.extend([0x84, 0x50]);
            bytes.extend(u32::try_from(plain).unwrap().to_le_bytes());
        }
    }
    for (i, plain) in blocks.iter().enumerate() {
        bytes.extend(block(plain, i + 1 == blocks.len()));
    }
    bytes.extend(checksum(&blocks.concat()).to_le_bytes());
    bytes
}

fn compress(plain: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = vec![
        compress_to_vec(plain, CompressionLevel::Fastest),
        compress_to_vec(plain, CompressionLevel::Uncompressed),
        frame(&[plain], None),
        frame(&[plain], Some(plain.len())),
    ];
    #[cfg(feature = "zstd")]
    for level in [-5, 1, 9, 19] {
        let mut frame = vec![0; plain.len() * 2 + 1000];
        let len = zstd_safe::compress(&mut frame[..], plain, level).unwrap();
        frame.truncate(len);
        frames.push(frame);
    }
    frames.retain(|frame| !frame.is_empty());
    frames
}

/// All that a frame gives when so many bytes are asked for at a time, and what stood against more.
fn stream(stored: &[u8], step: usize) -> (Vec<u8>, Option<String>) {
    let mut all = Vec::new();
    let end = try_stream(stored, step, &mut all);
    (all, end.err())
}

fn try_stream(stored: &[u8], step: usize, all: &mut Vec<u8>) -> Result<(), String> {
    let header = Header::parse(stored).map_err(|why| why.to_string())?;
    let mut frame = Frame::new(&header).map_err(|why| why.to_string())?;
    // A reader that has a few bytes at a time.
    let mut rest = std::io::BufReader::with_capacity(step, Cursor::new(&stored[header.len..]));
    let mut piece = vec![0; step];
    loop {
        let read = frame.read(&mut rest, &mut piece);
        match read.map_err(|why| why.to_string())? {
            0 => break,
            n => all.extend(&piece[..n]),
        }
    }
    let refuted = frame.finish(&mut rest).map_err(|why| why.to_string())?;
    refuted.map_or(Ok(()), Err)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn all_decoders_read_every_frame(plain in sample(40_000), behind in 0_usize..9) {
        for frame in compress(&plain) {
            let stored = [&frame[..], &vec![0xFF; behind]].concat();
            for (name, decode) in DECODERS {
                let mut dst = vec![7; plain.len() + behind];
                let lengths = decode_by(*decode, &stored, &mut dst);
                let wanted = Lengths { stored: frame.len(), plain: plain.len() };
                prop_assert_eq!(lengths, Ok(wanted), "{}", name);
                prop_assert!(dst[..plain.len()] == plain);
                if plain.len() > 1 {
                    let short = &mut dst[..plain.len() - 1];
                    prop_assert_eq!(decode_by(*decode, &stored, short), Err(Fault::TooLong));
                }
            }
            for step in [1, 100, 1 << 17] {
                prop_assert_eq!(stream(&stored, step), (plain.clone(), None));
            }
        }
    }

    #[test]
    fn damage_gives_an_error_or_bytes_and_never_a_panic(
        plain in sample(10_000),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        for mut frame in compress(&plain) {
            let at = at.index(frame.len());
            frame[at] ^= 1 << bit;
            for (_, decode) in DECODERS {
                let _ = decode_by(*decode, &frame, &mut vec![0; plain.len()]);
            }
            let whole = decode(&frame, &mut vec![0; 1 << 20]);
            let (bytes, end) = stream(&frame, 300);
            if let (Ok(lengths), None) = (whole, end) {
                prop_assert_eq!(lengths.plain, bytes.len());
            }
        }
    }
}

#[test]
fn rejects_a_frame_without_its_end() {
    let plain = b"abcdefgh".repeat(400);
    for frame in compress(&plain) {
        for len in 0..frame.len() {
            for (name, decode) in DECODERS {
                let cut = decode_by(*decode, &frame[..len], &mut vec![0; plain.len()]);
                assert!(matches!(cut, Err(Fault::Damaged(_))), "{name} {len}");
            }
            assert!(stream(&frame[..len], 100).1.is_some(), "{len}");
        }
    }
}

#[test]
fn rejects_a_wrong_checksum() {
    let mut frame = frame(&[b"some plain bytes"], None);
    *frame.last_mut().unwrap() ^= 1;
    let wanted = checksum(b"some plain bytes") ^ 1 << 24;
    for (name, decode) in DECODERS {
        let decoded = decode_by(*decode, &frame, &mut [0; 100]);
        assert_eq!(decoded, Err(Fault::Checksum(wanted)), "{name}");
    }
    let (plain, end) = stream(&frame, 5);
    assert_eq!(plain, b"some plain bytes");
    let end = end.unwrap();
    assert!(
        end.ends_with(&format!("the frame says {wanted:08x}")),
        "{end}"
    );
}

#[test]
fn rejects_a_frame_of_another_length_than_its_header_says() {
    for told in [300, 1000] {
        let frame = frame(&[&[1; 300], &[2; 300]], Some(told));
        for (name, decode) in DECODERS {
            let decoded = decode_by(*decode, &frame, &mut [0; 2000]);
            assert!(matches!(decoded, Err(Fault::Damaged(_))), "{name} {told}");
        }
    }
    let (_, more) = stream(&frame(&[&[1; 300], &[2; 300]], Some(300)), 100);
    assert!(more.unwrap().contains("more bytes than its header says"));
    let (plain, fewer) = stream(&frame(&[&[1; 300], &[2; 300]], Some(1000)), 100);
    assert!(fewer.unwrap().contains("400 bytes fewer"));
    assert_eq!(plain.len(), 600);
}

#[test]
fn what_stands_before_a_damaged_block_is_given_out() {
    let mut stored = frame(&[&[1; 3000], &[2; 3000], &[3; 3000]], None);
    let third = 6 + 2 * 3003;
    stored[third] |= 6;
    for step in [1, 1000, 1024, 3000, 5000, 100_000] {
        let (plain, end) = stream(&stored, step);
        let before = [[1; 3000], [2; 3000]].concat();
        assert!(before.starts_with(&plain), "{step}");
        // The other one has the window's bytes still to itself.
        assert!(plain == before || cfg!(not(feature = "zstd")), "{step}");
        assert!(end.unwrap().contains("damaged"));
    }
}

#[test]
fn a_stream_leaves_what_is_behind_its_frame() {
    let plain = b"abcdefgh".repeat(400);
    for frame in compress(&plain) {
        let stored = [&frame[..], b"behind"].concat();
        let header = Header::parse(&stored).unwrap();
        let mut rest = &stored[header.len..];
        let mut reader = Frame::new(&header).unwrap();
        while reader.read(&mut rest, &mut [0; 77]).unwrap() > 0 {}
        assert_eq!(reader.finish(&mut rest).unwrap(), None);
        assert_eq!(rest, b"behind");
    }
}

#[test]
fn rejects_a_frame_that_begins_as_none_or_needs_a_dictionary() {
    let dictionary = [&MAGIC[..], &[1, 0x50, 9, 1, 0, 0]].concat();
    for (stored, why) in [
        (&b"something else"[..], "there is no zstd frame"),
        (b"", "there is no zstd frame"),
        (&dictionary, "dictionary 9"),
    ] {
        let Err(Fault::Damaged(said)) = decode(stored, &mut [0; 9]) else {
            panic!("{why}");
        };
        assert!(said.contains(why), "{said}");
    }
}

#[cfg(feature = "zstd")]
#[test]
fn a_match_reaches_back_over_many_blocks() {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    let noise: Vec<u8> = std::iter::repeat_with(next).take(400_000).collect();
    let plain = [&noise[..], &noise[..50_000], &noise].concat();
    let mut frame = vec![0; plain.len() + 1000];
    let len = zstd_safe::compress(&mut frame[..], &plain, 19).unwrap();
    assert!(len < 410_000);
    frame.truncate(len);
    assert!(stream(&frame, 1 << 16) == (plain.clone(), None));
    for (name, decode) in DECODERS {
        let mut dst = vec![0; plain.len()];
        decode_by(*decode, &frame, &mut dst).unwrap();
        assert!(dst == plain, "{name}");
    }
}
