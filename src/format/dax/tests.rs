use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::{
    ErrorKind,
    format::tests::{opened, read, reads, reads_like, survives},
    image::Image,
};

/// How a writer lays an image out.
#[derive(Clone, Copy, Debug)]
struct Style {
    version: u32,
    /// Room for areas in the file; the used ones come first.
    slots: usize,
    /// Every frame whose number divides by this is stored in an area. Only version 1 has areas.
    stored_each: Option<u32>,
    last: Last,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Last {
    Tail,
    Padded,
}

const MAXCSO: Style = Style {
    version: 0,
    slots: 0,
    stored_each: None,
    last: Last::Padded,
};
const CREATOR_V0: Style = Style {
    last: Last::Tail,
    ..MAXCSO
};
const CREATOR_V1: Style = Style {
    version: 1,
    slots: 192,
    stored_each: Some(3),
    last: Last::Tail,
};
const CREATOR_PADDED: Style = Style {
    last: Last::Padded,
    ..CREATOR_V1
};
const NO_ROOM_LEFT: Style = Style {
    slots: 0,
    ..CREATOR_V1
};
const SEVEN_DAXCR: Style = Style {
    version: 1,
    slots: 0,
    stored_each: None,
    last: Last::Tail,
};
const STYLES: [Style; 6] = [
    MAXCSO,
    CREATOR_V0,
    CREATOR_V1,
    CREATOR_PADDED,
    NO_ROOM_LEFT,
    SEVEN_DAXCR,
];

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn dax(plain: &[u8], style: Style) -> Vec<u8> {
    let frames: Vec<&[u8]> = plain.chunks(FRAME as usize).collect();
    let each = style.stored_each.unwrap_or(u32::MAX);
    let stored: Vec<u32> = (0..frames.len() as u32).filter(|n| n % each == 0).collect();
    let stored = if style.stored_each.is_some() {
        stored
    } else {
        vec![]
    };
    let slots = style.slots.max(stored.len());
    let mut file = b"DAX\0".to_vec();
    for field in [plain.len() as u32, style.version, stored.len() as u32] {
        file.extend(field.to_le_bytes());
    }
    file.resize(32 + 6 * frames.len(), 0);
    for slot in 0..slots {
        let first = stored.get(slot).copied().unwrap_or(0);
        let count = u32::from(slot < stored.len());
        file.extend([first.to_le_bytes(), count.to_le_bytes()].concat());
    }
    for (n, plain) in frames.iter().enumerate() {
        let mut plain = plain.to_vec();
        if style.last == Last::Padded {
            plain.resize(FRAME as usize, 0);
        }
        let is_stored = stored.contains(&(n as u32));
        let frame = if is_stored { plain } else { zlib(&plain) };
        let at = file.len();
        set_offset(&mut file, n, at as u32);
        set_length(&mut file, frames.len(), n, frame.len() as u16);
        file.extend(frame);
    }
    file
}

fn set_offset(file: &mut [u8], frame: usize, offset: u32) {
    file[32 + 4 * frame..][..4].copy_from_slice(&offset.to_le_bytes());
}

fn set_length(file: &mut [u8], frames: usize, frame: usize, length: u16) {
    file[32 + 4 * frames + 2 * frame..][..2].copy_from_slice(&length.to_le_bytes());
}

/// Noise, which does not compress, in front of zeroes, which do.
fn plain(len: usize) -> Vec<u8> {
    let mut x = 1_u32;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    };
    let noise = (0..len).map(|i| if i % 20_000 < 12_000 { next() } else { 0 });
    noise.collect()
}

fn image(file: Vec<u8>) -> Image {
    crate::format::tests::image(opened(file).unwrap())
}

fn refusal(file: Vec<u8>) -> String {
    opened(file).unwrap_err().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_read_is_the_slice_of_the_image(
        len in 1..60_000_usize,
        style in 0..STYLES.len(),
        reads in reads(30_000),
    ) {
        let plain = plain(len);
        reads_like(&image(dax(&plain, STYLES[style])), &plain, &reads)?;
    }

    #[test]
    fn damage_never_panics(
        style in 0..STYLES.len(),
        damage in vec((0..1700_usize, any::<u8>()), 1..6),
        cut in any::<Index>(),
    ) {
        let mut file = dax(&plain(40_000), STYLES[style]);
        for (at, byte) in damage {
            file[at] = byte;
        }
        file.truncate(file.len() - cut.index(file.len()) / 4);
        survives(opened(file))?;
    }
}

#[test]
fn the_header_alone_tells_the_size() {
    let file = dax(&plain(20_000), CREATOR_V1);
    assert_eq!(probe(&file[..32].to_vec()).unwrap().size, 20_000);
}

#[test]
fn a_zlib_frame_of_8192_bytes_in_version_0_is_no_stored_frame() {
    let plain = plain(8192);
    let mut file = dax(&plain, MAXCSO);
    // Bytes behind the stream bring the frame to a length that other readers take for "stored".
    let frame = zlib(&plain[..4000]);
    file.truncate(38);
    file.extend(&frame);
    file.resize(38 + 8192, 0);
    set_length(&mut file, 1, 0, 8192);
    file[4..8].copy_from_slice(&4000_u32.to_le_bytes());
    assert_eq!(read(&image(file), 0, 4000).unwrap(), plain[..4000]);
}

#[test]
fn a_stored_frame_that_the_areas_forgot_is_read_in_version_1() {
    let plain = plain(8192);
    let mut file = dax(&plain, CREATOR_V1);
    file[12] = 0;
    assert_eq!(read(&image(file), 0, 8192).unwrap(), plain);
}

#[test]
fn rejects_a_frame_of_8192_bytes_that_begins_as_zlib_and_is_damaged() {
    let mut plain = plain(8192);
    plain[..2].copy_from_slice(&[0x78, 0x9c]);
    let mut file = dax(&plain, CREATOR_V1);
    file[12] = 0;
    assert!(read(&image(file), 0, 8192).is_err());
}

#[test]
fn rejects_a_frame_that_is_no_zlib_stream_in_version_0() {
    let mut file = dax(&plain(8192), CREATOR_V1);
    file[8] = 0;
    assert!(read(&image(file), 0, 8192).is_err());
}

#[test]
fn rejects_a_wrong_adler32() {
    let mut file = dax(&plain(8192), MAXCSO);
    *file.last_mut().unwrap() ^= 1;
    let err = read(&image(file), 0, 8192).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt);
}

#[test]
fn a_compressed_frame_in_an_area_is_decoded() {
    let plain = plain(8192);
    let mut file = dax(&plain, CREATOR_V0);
    assert!(file.len() > 38 + 8192, "the frame does not compress");
    file[8] = 1;
    file[12] = 1;
    let area = [0_u32.to_le_bytes(), 1_u32.to_le_bytes()].concat();
    file.splice(38..38, area);
    set_offset(&mut file, 0, 46);
    assert_eq!(read(&image(file), 0, 8192).unwrap(), plain);
}

#[test]
fn an_area_past_the_last_frame_is_cut_and_noted() {
    let plain = plain(20_000);
    let mut file = dax(&plain, CREATOR_V1);
    file[32 + 18 + 4..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let opened = opened(file).unwrap();
    let note = "the area of 4294967295 frames from frame 0 runs past the last of 3 frames";
    assert_eq!(opened.details.notes, [note]);
    let image = crate::format::tests::image(opened);
    assert_eq!(read(&image, 0, 20_000).unwrap(), plain);
}

/// A file of three frames, the second of them changed; what a read of it says, and the note.
fn with_second_frame(change: impl FnOnce(&mut Vec<u8>)) -> (String, String) {
    let plain = plain(20_000);
    let mut file = dax(&plain, MAXCSO);
    change(&mut file);
    let opened = opened(file).unwrap();
    let note = opened.details.notes[0].clone();
    let image = crate::format::tests::image(opened);
    assert_eq!(image.locate(1).codec, Codec::Missing);
    assert_eq!(read(&image, 0, 8192).unwrap(), plain[..8192]);
    let tail = read(&image, 16_384, 8192).unwrap();
    assert_eq!(tail, plain[16_384..]);
    (read(&image, 8192, 1).unwrap_err().to_string(), note)
}

#[test]
fn rejects_a_frame_without_bytes_and_reads_its_neighbours() {
    let (why, note) = with_second_frame(|file| set_length(file, 3, 1, 0));
    let reason = "stored length is 0, a frame has at least one byte";
    assert_eq!(why, format!("block 1 (image offset 8192): {reason}"));
    let first = "1 of 3 frames are not in the file; the first is frame 1";
    assert_eq!(note, format!("{first}: {reason}"));
}

#[test]
fn rejects_a_frame_inside_the_tables_and_reads_its_neighbours() {
    let (why, _) = with_second_frame(|file| set_offset(file, 1, 49));
    assert!(why.ends_with(": offset is 49, inside the tables, which end at 50"));
}

#[test]
fn rejects_a_frame_past_the_end_and_reads_its_neighbours() {
    let (why, _) = with_second_frame(|file| set_offset(file, 1, u32::MAX));
    assert!(why.contains("behind the file's end at"), "{why}");
}

#[test]
fn rejects_a_file_that_ends_inside_the_header() {
    let why = refusal(dax(&plain(100), MAXCSO)[..31].to_vec());
    assert_eq!(
        why,
        "the file ends at 31, inside the DAX header (32 bytes at 0)"
    );
}

#[test]
fn rejects_a_version_above_1() {
    let mut file = dax(&plain(100), MAXCSO);
    file[8] = 2;
    assert_eq!(
        opened(file.clone()).unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    assert_eq!(refusal(file), "version is 2, DAX has the versions 0 and 1");
}

#[test]
fn rejects_an_image_size_of_zero() {
    let mut file = dax(&plain(100), MAXCSO);
    file[4] = 0;
    assert_eq!(
        refusal(file),
        "image size is 0, an image has at least one byte"
    );
}

#[test]
fn rejects_tables_longer_than_the_file() {
    let mut file = dax(&plain(100), MAXCSO);
    file[4..8].fill(0xff);
    let len = file.len();
    assert_eq!(
        refusal(file),
        format!(
            "the tables of 524288 frames and 0 areas end at 3145760, behind the file's end at {len}"
        )
    );
}

#[test]
fn rejects_more_areas_than_frames() {
    let mut file = dax(&plain(20_000), CREATOR_V1);
    file[12] = 4;
    assert_eq!(
        refusal(file),
        "number of areas is 4, more than the 3 frames"
    );
}

#[test]
fn rejects_areas_that_run_into_the_first_frame() {
    let mut file = dax(&plain(20_000), NO_ROOM_LEFT);
    file[12] = 2;
    assert_eq!(
        refusal(file),
        "number of areas is 2, but their table from 50 to 66 runs into the first frame at 58"
    );
}
