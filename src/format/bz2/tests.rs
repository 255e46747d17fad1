use std::io::Write;

use ::bzip2::{Compression, write::BzEncoder};
use proptest::prelude::*;

use super::*;
use crate::{
    cache::BlockCache,
    format::tests::{image, opened, read, reads, reads_like, volume},
    image::Image,
};

/// All plain bytes, and where the blocks are.
fn all(file: &[u8]) -> std::io::Result<(Vec<u8>, Vec<Piece>)> {
    let (mut plain, mut bytes) = (Plain::new(file), Vec::new());
    plain.read_to_end(&mut bytes)?;
    Ok((bytes, plain.pieces().to_vec()))
}

/// What is opened the next time.
fn by_pieces(file: Vec<u8>) -> Image {
    let (_, pieces) = all(&file).unwrap();
    let source: Arc<dyn Source> = Arc::new(file);
    let plain = in_pieces(&source, pieces).unwrap();
    let opened = Opened {
        format: &BZ2,
        map: Box::new(AsStored::new(plain.len())),
        source: Arc::new(plain),
        details: Details::default(),
    };
    Image::new(opened, Arc::new(BlockCache::new(1 << 20)))
}

fn packed(plain: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn streams_that_follow_each_other_have_the_size_of_their_volume() {
    let plain = volume(150, 150 * 2048);
    let (first, second) = plain.split_at(170_000);
    let image = image(opened([packed(first), packed(second)].concat()).unwrap());
    assert_eq!(image.size(), plain.len() as u64);
    assert!(read(&image, 169_000, 2000).unwrap() == plain[169_000..171_000]);
    assert!(read(&image, 0, plain.len()).unwrap() == plain);
}

#[test]
fn an_image_without_a_volume_is_counted_if_it_is_small() {
    let plain = vec![7; 1_474_560];
    let image = image(opened(packed(&plain)).unwrap());
    assert_eq!(image.size(), 1_474_560);
    assert!(read(&image, 0, plain.len()).unwrap() == plain);
}

#[test]
fn rejects_a_large_image_of_which_nothing_tells_the_size() {
    let err = opened(packed(&vec![7; (16 << 20) + 1])).unwrap_err();
    assert!(err.to_string().contains("does not tell the size"), "{err}");
}

#[test]
fn a_damaged_stream_gives_no_byte_that_may_be_wrong() {
    let plain = volume(300, 300 * 2048);
    let whole = packed(&plain);
    let mut flipped = whole.clone();
    let at = flipped.len() - 2000;
    flipped[at] ^= 4;
    for file in [flipped, whole[..whole.len() - 2000].to_vec()] {
        let image = image(opened(file).unwrap());
        assert!(read(&image, 614_399, 1).is_err());
        assert!(read(&image, 600_000, 1).is_err());
    }
}

#[test]
fn a_block_is_read_by_itself_where_it_is_known() {
    let plain = volume(300, 300 * 2048);
    let (first, second) = plain.split_at(170_000);
    let file = [packed(first), packed(b""), packed(second)].concat();
    let (_, pieces) = all(&file).unwrap();
    assert!(pieces.len() > 5);
    assert!(pieces.iter().any(|piece| piece.at % 8 != 0));
    let image = by_pieces(file);
    assert!(read(&image, 400_000, 2000).unwrap() == plain[400_000..402_000]);
    assert!(read(&image, 0, plain.len() + 1).unwrap() == plain);
}

#[test]
fn a_known_block_that_is_damaged_is_an_error_for_itself_only() {
    let plain = volume(300, 300 * 2048);
    let mut file = packed(&plain);
    let (_, pieces) = all(&file).unwrap();
    let third = pieces[2];
    file[usize::try_from(third.at / 8).unwrap() + 5000] ^= 4;
    let source: Arc<dyn Source> = Arc::new(file);
    let spilled = in_pieces(&source, pieces.clone()).unwrap();
    let start = pieces[0].plain + pieces[1].plain;
    let end = start + third.plain;
    let mut byte = [0];
    assert!(spilled.read_exact_at(&mut byte, end - 1).is_err());
    for at in [start - 1, end, 0, plain.len() as u64 - 1] {
        spilled.read_exact_at(&mut byte, at).unwrap();
        assert_eq!(byte[0], plain[usize::try_from(at).unwrap()]);
    }
}

/// The damage of one kept piece is an error for what it stands for, and for nothing else.
fn only_fails_in(file: &[u8], pieces: &[Piece], plain: &[u8], bad: usize) {
    let source: Arc<dyn Source> = Arc::new(file.to_vec());
    let spilled = in_pieces(&source, pieces.to_vec()).unwrap();
    let starts = map::starts(pieces.iter().map(|piece| piece.plain));
    for (number, span) in starts.windows(2).enumerate() {
        let mut byte = [0];
        let read = spilled.read_exact_at(&mut byte, span[1] - 1);
        assert_eq!(read.is_err(), number == bad, "{number}");
        if number < bad {
            assert_eq!(byte[0], plain[usize::try_from(span[1]).unwrap() - 1]);
        }
    }
}

#[test]
fn rejects_a_kept_piece_that_is_not_where_it_should_be() {
    let plain = volume(300, 300 * 2048);
    let file = packed(&plain);
    let (_, pieces) = all(&file).unwrap();
    let last = pieces.len() - 1;
    let end = file.len() as u64 * 8;
    for at in [end - 80, end - 1, end, end + 8, 1 << 40, u64::MAX - 1] {
        let mut bad = pieces.clone();
        bad[last].at = at;
        only_fails_in(&file, &bad, &plain, last);
    }
    for at in [pieces[2].at - 1, pieces[2].at + 1, pieces[2].at + 48] {
        let mut bad = pieces.clone();
        bad[2].at = at;
        only_fails_in(&file, &bad, &plain, 2);
    }
}

#[test]
fn rejects_a_kept_piece_of_another_length() {
    let plain = volume(300, 300 * 2048);
    let file = packed(&plain);
    let (_, pieces) = all(&file).unwrap();
    for len in [1, pieces[2].plain - 1, pieces[2].plain + 1] {
        let mut bad = pieces.clone();
        bad[2].plain = len;
        only_fails_in(&file, &bad, &plain, 2);
    }
}

#[test]
fn rejects_kept_pieces_of_more_than_an_image() {
    let source: Arc<dyn Source> = Arc::new(packed(b"x"));
    let piece = |plain| vec![Piece { at: 32, plain }];
    assert!(in_pieces(&source, piece(map::MAX_IMAGE + 1)).is_err());
}

#[test]
fn what_follows_the_last_stream_is_ignored_and_a_cut_one_is_an_error() {
    let plain = volume(60, 60 * 2048);
    let file = packed(&plain);
    for behind in [&b"x"[..], b"BZx", b"BZhx", b"what else"] {
        assert!(all(&[&file, behind].concat()).unwrap().0 == plain);
    }
    for begun in [&b"B"[..], b"BZ", b"BZh", b"BZh9", b"BZh9\x31\x41"] {
        let err = all(&[&file, begun].concat()).unwrap_err().to_string();
        assert!(err.contains("ends inside"), "{begun:?}: {err}");
    }
    for cut in [1, 3, 10, 20, 1000, file.len() - 4, file.len() - 1] {
        let err = all(&file[..file.len() - cut]).unwrap_err().to_string();
        assert!(
            ["cut", "ends inside", "no bzip2"]
                .iter()
                .any(|why| err.contains(why)),
            "{cut}: {err}"
        );
    }
}

#[test]
fn rejects_a_wrong_checksum_of_a_stream_and_of_a_block() {
    let plain = volume(60, 60 * 2048);
    let file = packed(&plain);
    let (_, pieces) = all(&file).unwrap();
    let second = usize::try_from(pieces[1].at / 8).unwrap();
    for (at, says) in [
        (11, "the block at 4 is damaged"),
        (second + 8, "is damaged"),
    ] {
        let mut bad = file.clone();
        bad[at] ^= 0x40;
        let err = all(&bad).unwrap_err().to_string();
        assert!(err.contains(says), "{err}");
    }
    let mut bad = file.clone();
    bad[file.len() - 3] ^= 1;
    let err = all(&bad).unwrap_err().to_string();
    assert!(err.contains("checksum of the stream"), "{err}");
}

#[test]
fn a_mark_inside_a_block_is_passed_over() {
    // The bits of a mark where the data of a block stands: it is damaged then, and the error is that of the block.
    let mut file = packed(&volume(60, 60 * 2048));
    file[3000..3006].copy_from_slice(b"\x31\x41\x59\x26\x53\x59");
    let err = all(&file).unwrap_err().to_string();
    assert!(err.contains("the block at 4 is damaged"), "{err}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_read_is_the_slice_of_the_plain_bytes(
        len in 40_960_usize..500_000,
        zeroes in 0_usize..400_000,
        cut in any::<prop::sample::Index>(),
        reads in reads(100_000),
    ) {
        let mut plain = volume(20, len);
        plain.resize(len + zeroes, 0);
        let (first, second) = plain.split_at(cut.index(plain.len()));
        let image = by_pieces([packed(first), packed(second)].concat());
        reads_like(&image, &plain, &reads)?;
    }

    #[test]
    fn damage_gives_right_bytes_or_an_error(at in any::<prop::sample::Index>(), with in 1_u8..) {
        let plain = volume(100, 100 * 2048);
        let mut file = packed(&plain);
        let at = at.index(file.len());
        file[at] ^= with;
        if let Ok((read, _)) = all(&file) {
            prop_assert!(read == plain);
        }
    }
}
