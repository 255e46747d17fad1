use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};
use proptest::{prelude::*, sample::Index};

use super::*;
use crate::format::tests::{fails_alone, image, opened, read, reads, reads_like, survives, volume};

/// The member without plain bytes that ends every file of `bgzip`.
const END: &[u8; 28] = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0\x1b\0\x03\0\0\0\0\0\0\0\0\0";

/// What `bgzip` puts into a member.
const PIECE: usize = 0xFF00;

fn member(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    let data = encoder.finish().unwrap();
    let len = u16::try_from(HEADER + data.len() + TRAILER - 1).unwrap();
    let mut member = END[..16].to_vec();
    member.extend(len.to_le_bytes());
    member.extend(data);
    member.extend(crc32fast::hash(plain).to_le_bytes());
    member.extend((plain.len() as u32).to_le_bytes());
    member
}

fn blocked(plain: &[u8], piece: usize) -> Vec<u8> {
    let members = plain.chunks(piece).map(member);
    members.chain([END.to_vec()]).collect::<Vec<_>>().concat()
}

fn variant(file: &[u8]) -> String {
    opened(file.to_vec()).unwrap().details.variant
}

/// The file is read as a stream: the members are not taken by their own word.
fn is_a_stream(file: &[u8]) {
    assert_eq!(variant(file), "gzip");
}

#[test]
fn each_member_is_a_block_and_the_size_is_exact() {
    // A tail behind the volume of more than any guess would allow.
    let plain = volume(60, 300 * 2048 + 5);
    let file = blocked(&plain, PIECE);
    let opened = opened(file.clone()).unwrap();
    assert_eq!(opened.details.variant, "gzip in 10 blocks (BGZF)");
    assert_eq!(opened.details.notes, [""; 0]);
    let image = image(opened);
    assert_eq!(image.geometry().blocks(), 10);
    assert_eq!(image.size(), plain.len() as u64);
    assert!(read(&image, 0, plain.len()).unwrap() == plain);
    let summary = (crate::format::gz::GZ.probe)(&file).unwrap();
    assert_eq!(summary.size, plain.len() as u64);
}

#[test]
fn members_without_plain_bytes_between_others_are_passed_over() {
    let plain = volume(100, 100 * 2048);
    let (first, second) = plain.split_at(2 * PIECE);
    let file = [blocked(first, PIECE), blocked(second, PIECE)].concat();
    assert!(variant(&file).contains("in 4 blocks"));
    assert!(read(&image(opened(file).unwrap()), 0, plain.len() + 9).unwrap() == plain);
}

#[test]
fn leaves_members_of_different_sizes_to_gzip() {
    let plain = volume(100, 100 * 2048);
    let (first, second) = plain.split_at(2 * PIECE);
    for (one, other) in [(PIECE, 1000), (1000, PIECE), (50_000, PIECE)] {
        let file = [blocked(first, one), blocked(second, other)].concat();
        is_a_stream(&file);
        assert!(read(&image(opened(file).unwrap()), 0, plain.len()).unwrap() == plain);
    }
}

#[test]
fn a_file_without_its_end_mark_is_read_and_noted() {
    let plain = volume(100, 100 * 2048);
    let file = blocked(&plain, PIECE);
    let opened = opened(file[..file.len() - END.len()].to_vec()).unwrap();
    assert!(opened.details.notes[0].contains("no end mark"));
    assert!(read(&image(opened), 0, plain.len()).unwrap() == plain);
}

#[test]
fn damage_in_a_member_is_an_error_for_its_own_bytes_only() {
    let plain = volume(300, 300 * 2048);
    let file = blocked(&plain, PIECE);
    let places = image(opened(file.clone()).unwrap());
    let third = places.locate(2);
    let trailer = usize::try_from(third.at).unwrap() + third.len as usize - TRAILER;
    for (at, says) in [(trailer - 900, ""), (trailer, "CRC-32")] {
        let mut bad = file.clone();
        bad[at] ^= 0x10;
        fails_alone(&image(opened(bad).unwrap()), &plain, PIECE, 2, says);
    }
}

#[test]
fn rejects_a_member_that_holds_more_or_less_than_it_says() {
    let plain = volume(300, 300 * 2048);
    let wrong = |number: usize, by: i32| {
        let mut members: Vec<_> = plain.chunks(PIECE).map(member).collect();
        let len_at = members[number].len() - 4;
        let len = plain.chunks(PIECE).nth(number).unwrap().len() as u32;
        let len = len.wrapping_add_signed(by);
        members[number][len_at..].copy_from_slice(&len.to_le_bytes());
        members.concat()
    };
    for by in [-1, 1] {
        // Those behind would be misplaced.
        is_a_stream(&wrong(1, by));
        let image = image(opened(wrong(9, by)).unwrap());
        assert!(read(&image, 9 * PIECE as u64, 10).is_err());
        assert!(read(&image, 0, 9 * PIECE).unwrap() == plain[..9 * PIECE]);
    }
}

/// A member whose deflate data ends before its trailer stands, with something else in between.
fn member_around(plain: &[u8], between: &[u8]) -> Vec<u8> {
    let mut around = member(plain);
    let trailer = around.len() - TRAILER;
    let own = around[trailer..].to_vec();
    around.extend(between);
    around.extend(own);
    let len = u16::try_from(around.len() - 1).unwrap();
    around[16..18].copy_from_slice(&len.to_le_bytes());
    around
}

#[test]
fn rejects_a_member_whose_data_ends_before_its_length_says() {
    let plain = volume(300, 300 * 2048);
    let piece = 20_000;
    let third = plain.chunks(piece).nth(2).unwrap();
    // gzip would show what follows the trailer as well: one with the same plain bytes has the same trailer too.
    let hidden = member(third);
    let hidden = &hidden[..hidden.len() - TRAILER];
    for between in [hidden, &[], &[0], &[7; 500]] {
        let mut members: Vec<_> = plain.chunks(piece).map(member).collect();
        members[2] = member_around(third, between);
        let image = image(opened(members.concat()).unwrap());
        fails_alone(&image, &plain, piece, 2, "ends before");
    }
}

#[test]
fn leaves_an_empty_member_that_has_room_for_plain_bytes_to_gzip() {
    let plain = volume(300, 300 * 2048);
    let members: Vec<_> = plain.chunks(PIECE).map(member).collect();
    // One flipped byte, and the member says that it is empty: those behind it would move up.
    let mut flipped = members.concat();
    let third: usize = members[..3].iter().map(Vec::len).sum();
    assert_eq!(flipped[third - 4..third], [0, 0xFF, 0, 0]);
    flipped[third - 3] = 0;
    is_a_stream(&flipped);
    // A whole member between two empty ones, all within the length of the first: gzip shows it.
    let (first, second) = plain.split_at(3 * PIECE);
    let (hidden, rest) = second.split_at(1000);
    let around = member_around(b"", &[member(hidden), END[..20].to_vec()].concat());
    let file = [&blocked(first, PIECE)[..], &around, &blocked(rest, PIECE)].concat();
    is_a_stream(&file);
    assert!(read(&image(opened(file).unwrap()), 0, plain.len()).unwrap() == plain);
}

#[test]
fn leaves_two_members_of_which_the_first_is_not_what_it_says_to_gzip() {
    let plain = volume(40, 40 * 2048);
    let (first, second) = plain.split_at(PIECE);
    let file = [member(first), member(second), END.to_vec()].concat();
    assert!(variant(&file).contains("in 2 blocks"));
    // No third one bears out how many plain bytes stand before the second.
    let end = member(first).len();
    for (at, with) in [(end - 4, 1), (end - 8, 1), (100, 1)] {
        let mut bad = file.clone();
        bad[at] ^= with;
        is_a_stream(&bad);
        let image = image(opened(bad).unwrap());
        assert!(read(&image, 0, plain.len()).is_err());
        for at in [0, 1000, PIECE - 1, PIECE, PIECE + 1, PIECE + 9000] {
            assert!(read(&image, at as u64, 100).is_err(), "{at}");
        }
    }
}

#[test]
fn leaves_a_member_that_does_not_tell_its_length_to_gzip() {
    let plain = volume(100, 100 * 2048);
    let (first, second) = plain.split_at(PIECE);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(second).unwrap();
    let file = [member(first), gzip.finish().unwrap()].concat();
    is_a_stream(&file);
    assert!(read(&image(opened(file).unwrap()), 0, plain.len()).unwrap() == plain);
}

#[test]
fn leaves_other_extra_fields_to_gzip() {
    let plain = volume(100, 100 * 2048);
    for (at, byte) in [(12, b'X'), (13, b'X'), (14, 3), (10, 7), (3, 0x0C)] {
        let mut file = blocked(&plain, PIECE);
        file[at] = byte;
        assert!(Members::read(&file).unwrap().is_none(), "{at}");
    }
}

#[test]
fn leaves_a_member_shorter_than_its_ends_to_gzip() {
    let mut file = blocked(&volume(100, 100 * 2048), PIECE);
    file[16..18].copy_from_slice(&24_u16.to_le_bytes());
    assert!(Members::read(&file).unwrap().is_none());
}

#[test]
fn leaves_a_member_of_more_than_64_kib_to_gzip() {
    let mut plain = vec![7; 40 * 2048];
    let volume = volume(40, plain.len());
    plain[0x8000..0x8800].copy_from_slice(&volume[0x8000..0x8800]);
    let file = [member(&plain), END.to_vec()].concat();
    is_a_stream(&file);
    assert!(read(&image(opened(file).unwrap()), 0, plain.len()).unwrap() == plain);
    assert!(variant(&blocked(&plain, 65_536)).contains("in 2 blocks"));
}

#[test]
fn leaves_a_file_that_is_cut_to_gzip() {
    let plain = volume(100, 100 * 2048);
    let file = blocked(&plain, PIECE);
    let last = file.len() - END.len();
    for cut in [1, 10, 27, END.len() + 1, 2000] {
        assert!(
            Members::read(&file[..file.len() - cut].to_vec())
                .unwrap()
                .is_none(),
            "{cut}"
        );
    }
    let cut = file[..last - 1000].to_vec();
    is_a_stream(&cut);
    assert!(read(&image(opened(cut).unwrap()), plain.len() as u64 - 10, 10).is_err());
}

#[test]
fn leaves_what_follows_the_last_member_to_gzip() {
    let plain = volume(100, 100 * 2048);
    for behind in [1, 17, 18, 500] {
        let file = [blocked(&plain, PIECE), vec![0; behind]].concat();
        is_a_stream(&file);
        assert!(read(&image(opened(file).unwrap()), 0, plain.len()).unwrap() == plain);
    }
}

#[test]
fn leaves_a_file_of_too_many_members_to_gzip() {
    let file = END.repeat(MOST_MEMBERS + 1);
    assert!(Members::read(&file).unwrap().is_none());
}

#[test]
fn members_that_were_kept_are_those_that_the_walk_found() {
    let plain = volume(300, 300 * 2048 + 7);
    let file = blocked(&plain, PIECE);
    let found = Members::read(&file).unwrap().unwrap();
    let pieces = found.pieces();
    let kept = Members::of_pieces(&pieces, file.len() as u64).unwrap();
    assert_eq!(format!("{kept:?}"), format!("{found:?}"));
    // What cannot be of this file is not taken.
    assert!(Members::of_pieces(&pieces, 1000).is_none());
    let overlapping = [pieces[1], pieces[0]];
    assert!(Members::of_pieces(&overlapping, file.len() as u64).is_none());
}

/// Whether a file of 1 MB may have members at these places, of these lengths and plain bytes.
fn are_taken(members: &[(u64, u64, u64)]) -> bool {
    let piece = |&(at, len, plain): &(u64, u64, u64)| Piece {
        at: at << 16 | (len - 1),
        plain,
    };
    let pieces: Vec<_> = members.iter().map(piece).collect();
    Members::of_pieces(&pieces, 1_000_000).is_some()
}

#[test]
fn rejects_kept_members_that_overlap_or_reach_behind_the_file() {
    assert!(are_taken(&[(0, 500, 9), (500, 600, 9), (1100, 500, 4)]));
    // Empty ones may stand between them, and something behind the last.
    assert!(are_taken(&[(28, 500, 9), (600, 500, 9)]));
    assert!(are_taken(&[(0, 500, 9), (1_000_000 - 500, 500, 9)]));
    assert!(!are_taken(&[(0, 500, 9), (1_000_000 - 499, 500, 9)]));
    assert!(!are_taken(&[(0, 500, 9), ((1 << 48) - 1, 65_536, 9)]));
    assert!(!are_taken(&[(0, 500, 9), (499, 500, 9)]));
    assert!(!are_taken(&[(500, 500, 9), (0, 500, 9)]));
}

#[test]
fn rejects_a_kept_member_shorter_than_its_ends() {
    assert!(are_taken(&[(0, 27, 9)]));
    assert!(!are_taken(&[(0, 26, 9)]));
    assert!(!are_taken(&[(0, 1, 9)]));
}

#[test]
fn rejects_a_kept_member_of_more_than_64_kib() {
    assert!(are_taken(&[(0, 500, 65_536), (500, 500, 65_536)]));
    assert!(!are_taken(&[(0, 500, 65_537)]));
    assert!(!are_taken(&[(0, 500, 1 << 32 | 9)]));
}

#[test]
fn rejects_kept_members_of_different_sizes() {
    assert!(!are_taken(&[(0, 500, 9), (500, 500, 8), (1000, 500, 8)]));
    assert!(!are_taken(&[(0, 500, 9), (500, 500, 8), (1000, 500, 9)]));
    assert!(!are_taken(&[(0, 500, 9), (500, 500, 10)]));
}

#[test]
fn rejects_kept_members_that_are_none() {
    assert!(!are_taken(&[]));
}

#[test]
fn rejects_a_file_of_empty_members() {
    let err = opened(END.repeat(3)).unwrap_err().to_string();
    assert!(err.contains("image size is 0"), "{err}");
}

proptest! {
    #[test]
    fn any_read_equals_the_plain_bytes(
        len in 1_usize..400_000,
        piece in prop_oneof![1_usize..3000, Just(PIECE)],
        reads in reads(200_000),
    ) {
        let mut plain = volume(20, len.max(20 * 2048));
        plain.truncate(len);
        let image = image(opened(blocked(&plain, piece.max(len / 100))).unwrap());
        reads_like(&image, &plain, &reads)?;
    }

    #[test]
    fn damage_never_panics(at in any::<Index>(), with in 1_u8.., cut in any::<Index>()) {
        let mut file = blocked(&volume(60, 60 * 2048), 30_000);
        let at = at.index(file.len());
        file[at] ^= with;
        // All others are streams, which have tests of their own.
        let cut = file[..cut.index(file.len())].to_vec();
        for file in [file, cut] {
            if Members::read(&file).unwrap().is_some() {
                survives(opened(file))?;
            }
        }
    }
}
