//! Damaged and foreign files among good ones.

use std::{
    ffi::OsStr,
    sync::{Mutex, Once},
};

use plainiso::{ErrorKind, fs::ROOT};

use crate::{
    formats::{cso, cso_block_at, isz_set},
    library::{Library, contents, find, names, volume},
};

/// Keeps what is logged, for the tests that count it.
struct Log;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LINES.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

fn start_log() {
    static START: Once = Once::new();
    START.call_once(|| {
        log::set_logger(&Log).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
    });
}

/// The warnings about files of a library, by their path.
fn warnings(library: &Library) -> Vec<String> {
    let prefix = format!("{}/", library.root().display());
    let lines = LINES.lock().unwrap();
    let about = lines.iter().filter_map(|line| line.strip_prefix(&prefix));
    about.map(String::from).collect()
}

#[test]
fn a_foreign_file_is_listed_refused_and_logged_once() {
    start_log();
    let good = cso(&volume(40_000));
    let library = Library::with(&[("bad.cso", b"hello world"), ("good.cso", &good)]);
    let filesystem = library.mount();
    assert_eq!(names(&filesystem, ROOT), ["bad.iso", "good.iso"]);
    for _ in 0..3 {
        let err = contents(&filesystem, "bad.iso").unwrap_err();
        assert_eq!(err.kind(), ErrorKind::UnknownFormat);
        filesystem.rescan();
    }
    assert_eq!(
        warnings(&library),
        ["bad.cso: this is no disc image that plainiso knows: its first bytes are hell"]
    );
    assert_eq!(contents(&filesystem, "good.iso").unwrap(), volume(40_000));
    library.put("bad.cso", b"HELLO");
    assert!(contents(&filesystem, "bad.iso").is_err());
    assert_eq!(warnings(&library).len(), 2);
}

#[test]
fn a_file_that_cannot_be_read_has_the_size_of_its_stored_bytes() {
    let library = Library::with(&[("bad.cso", b"hello world")]);
    let filesystem = library.mount();
    let bad = find(&filesystem, "bad.iso").unwrap();
    assert_eq!((bad.size, bad.stored_size), (11, 11));
    assert_eq!(
        filesystem.xattr_names(bad.ino).unwrap(),
        [
            "user.plainiso.source",
            "user.plainiso.stored_size",
            "user.plainiso.stats"
        ]
    );
    let format = filesystem.xattr(bad.ino, OsStr::new("user.plainiso.format"));
    assert_eq!(format.unwrap(), None);
}

#[test]
fn a_damaged_block_fails_its_readers_only_and_is_logged_once() {
    start_log();
    let plain = volume(40_000);
    let mut image = cso(&plain);
    let at = cso_block_at(&image, 5);
    image[at..at + 4].fill(0xff);
    let library = Library::with(&[("bad.cso", &image)]);
    let filesystem = library.mount();
    let handle = filesystem
        .open(find(&filesystem, "bad.iso").unwrap().ino)
        .unwrap()
        .handle;
    let mut out = vec![0; 2048];
    for _ in 0..3 {
        for block in 0..19 {
            let at = block * 2048;
            match filesystem.read(handle, &mut out, at as u64) {
                Ok(n) => assert_eq!(out[..n], plain[at..at + n]),
                Err(err) => assert_eq!((block, err.kind()), (5, ErrorKind::Corrupt)),
            }
        }
    }
    assert!(filesystem.read(handle, &mut out, 5 * 2048 + 10).is_err());
    let warnings = warnings(&library);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let place = format!("bad.cso: block 5 (image offset 10240, stored at {at}, ");
    assert!(warnings[0].starts_with(&place), "{warnings:?}");
}

#[test]
fn the_log_of_one_open_image_is_bounded() {
    start_log();
    let plain = volume(300 * 2048);
    let mut image = cso(&plain);
    let from = cso_block_at(&image, 0);
    image[from..].fill(0xff);
    let library = Library::with(&[("bad.cso", &image)]);
    let filesystem = library.mount();
    let handle = filesystem
        .open(find(&filesystem, "bad.iso").unwrap().ino)
        .unwrap()
        .handle;
    for block in 0..300 {
        assert!(
            filesystem
                .read(handle, &mut [0; 2048], block * 2048)
                .is_err()
        );
    }
    let warnings = warnings(&library);
    assert_eq!(warnings.len(), 65);
    assert_eq!(warnings[64], "bad.cso: further damage is not logged");
}

#[test]
fn a_later_part_without_its_first_is_shown() {
    let [first, second] = isz_set(&volume(20 * 2048), 18);
    let library = Library::with(&[("a.i01", b"ordinary"), ("b.part02.isz", &second)]);
    let filesystem = library.mount();
    assert_eq!(names(&filesystem, ROOT), ["a.i01", "b.part02.iso"]);
    assert_eq!(contents(&filesystem, "a.i01").unwrap(), b"ordinary");
    assert!(contents(&filesystem, "b.part02.iso").is_err());
    library.put("b.part01.isz", &first);
    assert_eq!(names(&filesystem, ROOT), ["a.i01", "b.iso"]);
    assert_eq!(contents(&filesystem, "b.iso").unwrap(), volume(20 * 2048));
}

#[test]
fn a_missing_source_is_refused_by_name() {
    let library = Library::new();
    let mut options = library.options();
    options.sources.push(library.path("not there"));
    let err = plainiso::fs::Filesystem::new(options).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Io);
    assert!(err.to_string().contains("/not there: "), "{err}");
}
