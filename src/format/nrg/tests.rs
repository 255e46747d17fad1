//! Discs with their chunks made here; files of other writers are in `tests/vectors.rs`.

use super::*;
use crate::{cache::BlockCache, files::PlainFile, format, image::Image};

/// Sectors of user data, each filled with its number.
fn sectors(count: u8) -> Vec<u8> {
    (0..count).flat_map(|number| [number; 2048]).collect()
}

fn chunk(name: [u8; 4], data: &[u8]) -> Vec<u8> {
    let len = u32::try_from(data.len()).unwrap();
    [&name[..], &len.to_be_bytes(), data].concat()
}

/// An entry of `ETN2`.
fn track(offset: u64, length: u64, mode: u32) -> Vec<u8> {
    let mut entry = [offset.to_be_bytes(), length.to_be_bytes()].concat();
    entry.extend(mode.to_be_bytes());
    entry.resize(32, 0);
    entry
}

/// Version 2: tracks, chunks, footer.
fn nrg(mut stored: Vec<u8>, chunks: &[Vec<u8>]) -> Vec<u8> {
    let at = stored.len() as u64;
    stored.extend(chunks.concat());
    stored.extend(b"NER5");
    stored.extend(at.to_be_bytes());
    stored
}

fn of_track(entry: &[u8]) -> Vec<u8> {
    nrg(sectors(3), &[chunk(*b"ETN2", entry), chunk(*b"END!", &[])])
}

fn opened(stored: Vec<u8>) -> Result<Image> {
    let opened = format::open(Arc::new(stored), &OpenOptions::alone())?;
    Ok(Image::new(opened, Arc::new(BlockCache::new(1 << 20))))
}

fn refusal(stored: &Vec<u8>) -> String {
    data_track(stored).unwrap_err().to_string()
}

#[test]
fn a_track_of_user_data_is_the_image() {
    let image = opened(of_track(&track(2048, 4096, 0))).unwrap();
    let mut plain = vec![0; 5000];
    assert_eq!(image.read_at(&mut plain, 0).unwrap(), 4096);
    assert!(plain[..4096] == sectors(3)[2048..]);
}

#[test]
fn version_1_has_short_numbers() {
    let mut stored = sectors(2);
    let entry = [0_u32, 4096, 0, 0, 0].map(u32::to_be_bytes).concat();
    stored.extend(chunk(*b"ETNF", &entry));
    stored.extend(chunk(*b"END!", &[]));
    stored.extend(b"NERO");
    stored.extend(4096_u32.to_be_bytes());
    assert_eq!(data_track(&stored).unwrap().size(), 4096);
}

#[test]
fn sound_in_front_is_passed_over() {
    let entries = [track(0, 2048, 7), track(2048, 4096, 0)].concat();
    let track = data_track(&of_track(&entries)).unwrap();
    assert_eq!((track.at, track.sectors), (2048, 2));
}

#[test]
fn the_stored_file_stays_and_the_image_stands_beside() {
    let stored: Arc<dyn Source> = Arc::new(of_track(&track(0, 6144, 0)));
    let listed = files(&stored, &OpenOptions::alone()).unwrap();
    let expected = [
        PlainFile::stored().name,
        PlainFile::blocks(".iso", 0, 0).name,
    ];
    let names: Vec<_> = listed.files.into_iter().map(|file| file.name).collect();
    assert_eq!(names, expected);
}

#[test]
fn rejects_a_file_without_the_footer() {
    assert!(format::detect(&sectors(3), "x.nrg".as_ref()).is_err());
    assert!(format::detect(&Vec::new(), "x.nrg".as_ref()).is_err());
}

#[test]
fn rejects_chunks_behind_the_footer() {
    let mut stored = of_track(&track(0, 2048, 0));
    let len = stored.len();
    stored[len - 8..].copy_from_slice(&u64::MAX.to_be_bytes());
    assert!(refusal(&stored).starts_with("the first chunk is at 18446744073709551615, behind"));
}

#[test]
fn rejects_chunks_above_the_limit() {
    let mut stored = of_track(&track(0, 2048, 0));
    stored.splice(0..0, vec![0; 2 << 20]);
    assert!(refusal(&stored).ends_with("the limit is 1 MiB"));
}

#[test]
fn rejects_a_chunk_longer_than_what_is_left() {
    let mut long = chunk(*b"ETN2", &track(0, 2048, 0));
    long[4] = 0xff;
    assert!(refusal(&nrg(sectors(1), &[long])).starts_with("chunk ETN2 has 4278190112 bytes, "));
}

#[test]
fn rejects_a_track_that_ends_behind_the_tracks() {
    let said = refusal(&of_track(&track(2048, u64::MAX, 0)));
    assert_eq!(
        said,
        "a track ends at 18446744073709551615, the tracks end at 6144"
    );
}

#[test]
fn rejects_an_unknown_mode() {
    assert!(refusal(&of_track(&track(0, 2048, 9))).starts_with("a track's mode is 9, "));
}

#[test]
fn rejects_a_sector_size_of_another_mode() {
    let mut dao = vec![0; 22 + 42];
    dao[22 + 12..22 + 14].copy_from_slice(&2352_u16.to_be_bytes());
    let said = refusal(&nrg(sectors(1), &[chunk(*b"DAOX", &dao)]));
    assert_eq!(said, "a track's sector size is 2352, its mode 0 has 2048");
}

#[test]
fn rejects_a_disc_of_sound_alone() {
    assert!(refusal(&of_track(&track(0, 2048, 7))).starts_with("there is no data track"));
}

#[test]
fn damage_anywhere_never_panics() {
    let stored = of_track(&track(0, 6144, 0));
    for at in 6144..stored.len() {
        for with in [1, 0x80, 0xff] {
            let mut stored = stored.clone();
            stored[at] ^= with;
            if let Ok(image) = opened(stored) {
                let _ = image.read_at(&mut [0; 100], image.size() - 1);
            }
        }
    }
}
