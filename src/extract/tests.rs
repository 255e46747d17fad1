use std::{
    cell::Cell,
    fs::File,
    os::unix::fs::{FileExt, MetadataExt},
    path::PathBuf,
};

use super::*;
use crate::{ErrorKind, format::Details, image::handmade::Handmade};

/// Stored blocks of 1000 bytes, of which some have no place.
fn image(plain: &[u8], missing: &[u64]) -> Image {
    let blocks = Handmade::uniform(plain, 1000, missing);
    blocks.image(plain.to_vec(), Details::default(), 10_000)
}

/// Data around two megabytes of zeroes.
fn plain() -> Vec<u8> {
    let data = |i: u32| 1 + (i / 7 % 251) as u8;
    let is_hole = |i: u32| (1_000_000..3_000_000).contains(&i);
    (0..4_500_123)
        .map(|i| if is_hole(i) { 0 } else { data(i) })
        .collect()
}

/// A folder with a file that stands for the stored image.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.stored(), b"stored").unwrap();
        place
    }

    fn stored(&self) -> PathBuf {
        self.0.path().join("x.cso")
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("x.iso")
    }

    fn extract(&self, image: &Image, existing: Existing) -> Result<Extracted> {
        to_file(image, &self.stored(), &self.out(), existing, &mut |_| {})
    }

    /// Leaves what a run leaves that was killed when `done` bytes were on the disk and some more were written.
    fn interrupt(&self, image: &Image, done: u64) {
        let origin = Origin::of(image, &self.stored()).unwrap();
        let mut part = Part::open(&self.out(), origin).unwrap();
        let plain = plain();
        let done_len = usize::try_from(done).unwrap();
        part.write(0, &plain[..done_len]).unwrap();
        part.checkpoint(done).unwrap();
        part.write(done, &[0xee; 5000]).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
        let mut names: Vec<_> = entries.map(|entry| name(entry).unwrap()).collect();
        names.sort();
        names
    }
}

const NOW: Extracted = Extracted::Now { resumed_at: 0 };

#[test]
fn every_byte_is_written_and_zeroes_are_holes() {
    let (place, plain) = (Place::new(), plain());
    assert_eq!(
        place
            .extract(&image(&plain, &[]), Existing::Refuse)
            .unwrap(),
        NOW
    );
    assert!(fs::read(place.out()).unwrap() == plain);
    let there = fs::metadata(place.out()).unwrap();
    assert!(there.blocks() * 512 < 3_000_000, "{}", there.blocks());
    let stored = fs::metadata(place.stored()).unwrap();
    assert_eq!(there.modified().unwrap(), stored.modified().unwrap());
    assert_eq!(place.names(), ["x.cso", "x.iso"]);
}

#[test]
fn an_image_of_zeroes_has_its_size() {
    let (place, plain) = (Place::new(), vec![0; 100_001]);
    place
        .extract(&image(&plain, &[]), Existing::Refuse)
        .unwrap();
    assert!(fs::read(place.out()).unwrap() == plain);
}

#[test]
fn an_interrupted_run_is_continued_where_it_was_safe() {
    let (place, plain) = (Place::new(), plain());
    let image = image(&plain, &[]);
    for done in [1_000, 2_500_000, 4_000_500, 4_500_123] {
        place.interrupt(&image, done);
        let resumed_at = if done == 4_500_123 {
            done
        } else {
            done / 1000 * 1000
        };
        assert_eq!(
            place.extract(&image, Existing::Replace).unwrap(),
            Extracted::Now { resumed_at }
        );
        assert!(fs::read(place.out()).unwrap() == plain, "{done}");
    }
}

#[test]
fn what_was_written_before_is_not_written_again() {
    let (place, plain) = (Place::new(), plain());
    let image = image(&plain, &[]);
    place.interrupt(&image, 4_000_000);
    let part = File::options()
        .write(true)
        .open(place.0.path().join("x.iso.part"));
    part.unwrap().write_all_at(b"!", 10).unwrap();
    let reported = Cell::new(None);
    let mut progress = |done| reported.set(reported.get().or(Some(done)));
    to_file(
        &image,
        &place.stored(),
        &place.out(),
        Existing::Refuse,
        &mut progress,
    )
    .unwrap();
    assert_eq!(reported.get(), Some(4_000_000));
    assert_eq!(fs::read(place.out()).unwrap()[10], b'!');
}

#[test]
fn what_belongs_to_another_state_of_the_source_is_not_continued() {
    let (place, plain) = (Place::new(), plain());
    let image = image(&plain, &[]);
    place.interrupt(&image, 3_500_000);
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    File::options()
        .write(true)
        .open(place.stored())
        .unwrap()
        .set_modified(later)
        .unwrap();
    assert_eq!(place.extract(&image, Existing::Refuse).unwrap(), NOW);
    assert!(fs::read(place.out()).unwrap() == plain);
}

#[test]
fn bytes_that_are_not_the_images_are_not_continued() {
    let (place, plain) = (Place::new(), plain());
    let image = image(&plain, &[]);
    place.interrupt(&image, 3_500_000);
    let part = File::options()
        .write(true)
        .open(place.0.path().join("x.iso.part"));
    part.unwrap().write_all_at(b"!", 3_499_000).unwrap();
    assert_eq!(place.extract(&image, Existing::Refuse).unwrap(), NOW);
    assert!(fs::read(place.out()).unwrap() == plain);
}

#[test]
fn a_state_that_makes_no_sense_is_not_continued() {
    let (place, plain) = (Place::new(), plain());
    let image = image(&plain, &[]);
    let origin = Origin::of(&image, &place.stored()).unwrap();
    for state in [
        String::new(),
        "done 7\n".into(),
        origin.state(4_500_124),
        origin.state(0) + "1",
    ] {
        fs::write(place.0.path().join("x.iso.part"), b"x").unwrap();
        fs::write(place.0.path().join("x.iso.part.state"), state).unwrap();
        assert_eq!(place.extract(&image, Existing::Replace).unwrap(), NOW);
        assert!(fs::read(place.out()).unwrap() == plain);
    }
}

#[test]
fn a_damaged_image_leaves_nothing_behind() {
    let place = Place::new();
    let err = place
        .extract(&image(&plain(), &[4000]), Existing::Refuse)
        .unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt);
    assert!(err.to_string().contains("x.cso: block 4000 "), "{err}");
    assert_eq!(place.names(), ["x.cso"]);
}

#[test]
fn a_file_that_is_there_stays_unless_it_may_be_replaced() {
    let place = Place::new();
    fs::write(place.out(), b"mine").unwrap();
    let image = image(b"plain", &[]);
    let err = place.extract(&image, Existing::Refuse).unwrap_err();
    assert!(
        err.to_string().ends_with("use --force to replace it"),
        "{err}"
    );
    assert_eq!(fs::read(place.out()).unwrap(), b"mine");
    place.extract(&image, Existing::Replace).unwrap();
    assert_eq!(fs::read(place.out()).unwrap(), b"plain");
    assert_eq!(
        place.extract(&image, Existing::Refuse).unwrap(),
        Extracted::Before
    );
}

#[test]
fn the_image_itself_is_never_replaced() {
    let place = Place::new();
    fs::hard_link(place.stored(), place.out()).unwrap();
    let err = place
        .extract(&image(b"plain", &[]), Existing::Replace)
        .unwrap_err();
    assert!(
        err.to_string().contains("this is the image itself"),
        "{err}"
    );
    assert_eq!(fs::read(place.stored()).unwrap(), b"stored");
}

#[test]
fn links_and_pipes_are_not_written_through() {
    for ending in ["", ".part"] {
        let place = Place::new();
        let other = place.0.path().join("other");
        fs::write(&other, b"other").unwrap();
        let link = place.0.path().join(format!("x.iso{ending}"));
        std::os::unix::fs::symlink(&other, link).unwrap();
        assert!(
            place
                .extract(&image(b"plain", &[]), Existing::Replace)
                .is_err()
        );
        assert_eq!(fs::read(&other).unwrap(), b"other");
    }
}

#[test]
fn two_processes_do_not_write_one_file() {
    let place = Place::new();
    let image = image(b"plain", &[]);
    let origin = Origin::of(&image, &place.stored()).unwrap();
    let first = Part::open(&place.out(), origin).unwrap();
    let err = place.extract(&image, Existing::Refuse).unwrap_err();
    assert!(err.to_string().contains("another process"), "{err}");
    drop(first);
    place.extract(&image, Existing::Refuse).unwrap();
}

#[test]
fn a_writer_gets_every_byte() {
    let (plain, mut out) = (plain(), Vec::new());
    to_writer(&image(&plain, &[]), &mut out, &mut |_| {}).unwrap();
    assert!(out == plain);
}

#[test]
fn a_writer_gets_everything_in_front_of_a_damaged_block() {
    let plain = plain();
    for missing in [0, 1, 1048, 1049, 4500] {
        let mut out = Vec::new();
        let stop = to_writer(&image(&plain, &[missing]), &mut out, &mut |_| {}).unwrap_err();
        assert!(matches!(stop, Stop::Read(_)));
        let whole = usize::try_from(missing).unwrap() * 1000;
        assert!(out == plain[..whole], "{missing}");
    }
}
