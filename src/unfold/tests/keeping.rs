//! What is kept about a stream for the next time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use super::{all_of, gzipped, plain, read};
use crate::{
    source::{FileSource, Source},
    unfold::{
        Deflated,
        kept::{self, Key, Piece},
    },
};

#[test]
fn a_kept_index_gives_the_same_bytes_and_a_damaged_one_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let plain = plain(2_500_000);
    let path = folder.path().join("x.gz");
    std::fs::write(&path, gzipped(&plain, 6)).unwrap();
    let source = Arc::new(FileSource::open(&path).unwrap());
    let key = Key::in_folder(&*source, 0, source.len(), folder.path().join("index")).unwrap();
    let stream = all_of(&*source);
    let of_file = || Arc::clone(&source) as Arc<dyn Source>;
    let size = plain.len() as u64;
    let first = Deflated::new(of_file(), stream, size);
    assert!(read(&first, 0, plain.len()).unwrap() == plain);
    let accesses = first.accesses();
    kept::write(&key, size, first.spacing().into(), &accesses).unwrap();
    assert_eq!(kept::size(&key), Some(size));
    let kept = kept::load(&key).unwrap();
    assert_eq!(kept.accesses, accesses);
    let again = Deflated::with_index(of_file(), stream, kept);
    assert!(read(&again, 1_700_000, 800_000).unwrap() == plain[1_700_000..]);
    assert!(read(&again, 0, plain.len()).unwrap() == plain);

    let file = std::fs::read_dir(folder.path().join("index"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let whole = std::fs::read(&file).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        let mut bad = whole.clone();
        bad[at] ^= 4;
        std::fs::write(&file, bad).unwrap();
        assert!(kept::load(&key).is_none(), "byte {at}");
    }
    kept::make_room(&folder.path().join("index"), 10);
    assert!(!file.exists());
}

#[test]
fn kept_pieces_are_those_that_were_found_and_damaged_ones_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.bz2");
    std::fs::write(&path, [1; 100]).unwrap();
    let source = FileSource::open(&path).unwrap();
    let index = folder.path().join("index");
    let key = Key::in_folder(&source, 100, 100, index.clone()).unwrap();
    let piece = |at, plain| Piece { at, plain };
    let pieces = [piece(0, 9 << 20), piece(7, 1), piece(800, 8 << 20)];
    assert!(kept::load_pieces(&key).is_none());
    // Those of a small image are found again sooner than read.
    kept::save_pieces(&key, &pieces[..2]);
    assert!(kept::load_pieces(&key).is_none());
    kept::save_pieces(&key, &pieces);
    assert_eq!(kept::load_pieces(&key).unwrap(), pieces);

    let file = std::fs::read_dir(&index).unwrap().next().unwrap();
    let file = file.unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    for at in 0..whole.len() {
        let mut bad = whole.clone();
        bad[at] ^= 4;
        std::fs::write(&file, bad).unwrap();
        assert!(kept::load_pieces(&key).is_none(), "byte {at}");
    }
    for bad in [
        [piece(8, 16 << 20), piece(8, 1)],
        [piece(0, 16 << 20), piece(9, 0)],
    ] {
        kept::save_pieces(&key, &bad);
        assert!(kept::load_pieces(&key).is_none(), "{bad:?}");
    }
    kept::save_size(&key, 16 << 20);
    assert!(kept::load_pieces(&key).is_none());
}

#[test]
fn an_index_belongs_to_one_state_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gz");
    let key = || {
        let source = FileSource::open(&path).unwrap();
        Key::in_folder(&source, 0, source.len(), folder.path().into()).unwrap()
    };
    std::fs::write(&path, [1; 100]).unwrap();
    let (before, same) = (key(), key());
    std::fs::write(&path, [2; 100]).unwrap();
    assert_eq!(format!("{before:?}"), format!("{same:?}"));
    assert_ne!(format!("{before:?}"), format!("{:?}", key()));
}

/// Stored bytes at which builders come to a halt until the gate is open.
#[derive(Debug)]
struct Gated {
    stored: Vec<u8>,
    identity: i128,
    is_open: Arc<AtomicBool>,
}

impl Source for Gated {
    fn len(&self) -> u64 {
        self.stored.len() as u64
    }

    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> crate::Result<()> {
        while thread::current().name() == Some("unfold") && !self.is_open.load(Relaxed) {
            thread::yield_now();
        }
        self.stored.read_exact_at(buf, at)
    }

    fn identity(&self) -> Option<[i128; 4]> {
        Some([self.identity; 4])
    }
}

#[test]
fn the_index_of_one_image_that_was_closed_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let plain = plain(17 << 20);
    let stored = gzipped(&plain, 1);
    let is_open = Arc::new(AtomicBool::new(false));
    let opened_and_closed = |identity| {
        let source = Arc::new(Gated {
            stored: stored.clone(),
            identity,
            is_open: Arc::clone(&is_open),
        });
        let stream = all_of(&*source);
        let key = Key::in_folder(&*source, 0, source.len(), folder.path().into());
        let held = Arc::downgrade(&source);
        let bytes = Deflated::new(source, stream, plain.len() as u64).keeping_in(folder.path());
        bytes.start().unwrap();
        (key.unwrap(), held)
    };
    let [(first, first_held), (second, second_held)] = [1, 2].map(opened_and_closed);
    is_open.store(true, Relaxed);
    // Builders hold their sources until they end.
    while first_held.strong_count() + second_held.strong_count() > 0 {
        thread::yield_now();
    }
    assert_eq!(kept::size(&first), Some(plain.len() as u64));
    assert_eq!(kept::size(&second), None);
}
