//! Reading, seeking, sharing.

use std::{ffi::OsStr, fs, path::Path, thread};

use plainiso::{
    ErrorKind,
    format::Password,
    fs::{Filesystem, Kind, ROOT, Seek},
};

use crate::{
    formats::{cso, isz_set},
    library::{Library, contents, find, names, volume},
};

#[test]
fn an_image_reads_as_its_plain_bytes_and_other_files_as_they_are() {
    let plain = volume(50_000);
    let library = Library::with(&[("sub/Game.cso", &cso(&plain)), ("sub/read me", b"hello")]);
    let filesystem = library.mount();
    assert_eq!(names(&filesystem, ROOT), ["sub"]);
    let sub = find(&filesystem, "sub").unwrap();
    assert_eq!(names(&filesystem, sub.ino), ["Game.iso", "read me"]);
    assert_eq!(find(&filesystem, "sub/Game.iso").unwrap().size, 50_000);
    assert_eq!(contents(&filesystem, "sub/Game.iso").unwrap(), plain);
    assert_eq!(contents(&filesystem, "sub/read me").unwrap(), b"hello");
}

#[test]
fn a_split_set_reads_as_one_image() {
    let plain = volume(20 * 2048);
    let [first, second] = isz_set(&plain, 18);
    let library = Library::with(&[("Game.isz", &first), ("GAME.I01", &second)]);
    let filesystem = library.mount();
    assert_eq!(names(&filesystem, ROOT), ["Game.iso"]);
    assert_eq!(contents(&filesystem, "Game.iso").unwrap(), plain);
    let attributes = find(&filesystem, "Game.iso").unwrap();
    assert_eq!(attributes.size, plain.len() as u64);
    assert_eq!(attributes.stored_size, (first.len() + second.len()) as u64);
}

#[test]
fn a_file_over_the_mountpoint_is_the_plain_image() {
    let plain = volume(40_000);
    let library = Library::with(&[("x.dat", &cso(&plain))]);
    let mut options = library.options();
    options.sources = vec![library.path("x.dat")];
    options.root_is_file = true;
    let filesystem = Filesystem::new(options).unwrap();
    let root = filesystem.attributes(ROOT).unwrap();
    assert_eq!((root.ino, root.kind, root.size), (ROOT, Kind::File, 40_000));
    assert_eq!(contents(&filesystem, "").unwrap(), plain);
    let err = filesystem.lookup(ROOT, OsStr::new("x")).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotADirectory);
    assert!(filesystem.xattr_names(ROOT).unwrap().len() == 6);
}

#[test]
fn many_threads_read_one_open_image() {
    let plain = volume(300_000);
    let library = Library::with(&[("Game.cso", &cso(&plain))]);
    let filesystem = library.mount();
    let ino = find(&filesystem, "Game.iso").unwrap().ino;
    thread::scope(|scope| {
        for start in 0..4 {
            let (filesystem, plain) = (&filesystem, &plain);
            scope.spawn(move || {
                let handle = filesystem.open(ino).unwrap().handle;
                for at in (start * 777..plain.len()).step_by(10_007) {
                    let mut out = [0; 5000];
                    let n = filesystem.read(handle, &mut out, at as u64).unwrap();
                    assert_eq!(out[..n], plain[at..plain.len().min(at + 5000)]);
                }
                filesystem.release(handle);
            });
        }
    });
}

#[test]
fn a_read_behind_the_end_is_empty_and_one_across_it_is_short() {
    let library = Library::with(&[("Game.cso", &cso(&volume(40_000))), ("x", b"12345")]);
    let filesystem = library.mount();
    for (name, size) in [("Game.iso", 40_000), ("x", 5)] {
        let handle = filesystem
            .open(find(&filesystem, name).unwrap().ino)
            .unwrap()
            .handle;
        let read = |at| filesystem.read(handle, &mut [0; 100], at).unwrap();
        assert_eq!((read(size - 3), read(size), read(u64::MAX >> 1)), (3, 0, 0));
    }
}

#[test]
fn a_closed_handle_is_refused() {
    let library = Library::with(&[("x", b"12345")]);
    let filesystem = library.mount();
    let handle = filesystem
        .open(find(&filesystem, "x").unwrap().ino)
        .unwrap()
        .handle;
    filesystem.release(handle);
    filesystem.release(handle);
    let err = filesystem.read(handle, &mut [0; 4], 0).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::BadHandle);
    assert_eq!(
        filesystem.read_directory(77, 0).unwrap_err().kind(),
        ErrorKind::BadHandle
    );
}

#[test]
fn seeking_finds_data_and_the_hole_at_the_end() {
    let library = Library::with(&[("Game.cso", &cso(&volume(40_000))), ("x", b"12345")]);
    let filesystem = library.mount();
    for (name, size) in [("Game.iso", 40_000), ("x", 5)] {
        let handle = filesystem
            .open(find(&filesystem, name).unwrap().ino)
            .unwrap()
            .handle;
        assert_eq!(filesystem.seek(handle, 3, Seek::Data).unwrap(), 3);
        assert_eq!(filesystem.seek(handle, 3, Seek::Hole).unwrap(), size);
        for to in [Seek::Data, Seek::Hole] {
            let err = filesystem.seek(handle, size, to).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::OutOfRange);
        }
    }
}

#[test]
fn an_open_directory_does_not_change_under_its_reader() {
    let library = Library::with(&[("a", b""), ("b", b"")]);
    let filesystem = library.mount();
    let handle = filesystem.open_directory(ROOT).unwrap();
    let line = |index| filesystem.read_directory(handle, index).unwrap();
    assert_eq!(line(0).unwrap().name, ".");
    assert_eq!(line(1).unwrap().name, "..");
    library.put("0", b"");
    fs::remove_file(library.path("a")).unwrap();
    assert_eq!(line(2).unwrap().name, "a");
    assert_eq!(line(3).unwrap().name, "b");
    assert!(line(4).is_none());
    assert_eq!(names(&filesystem, ROOT), ["0", "b"]);
}

#[test]
fn a_password_beside_an_image_is_not_shown_and_other_password_files_are() {
    let image = cso(&volume(40_000));
    let files: [(&str, &[u8]); 5] = [
        ("a.cso", &image),
        ("a.pwd", b"secret"),
        ("b.cso", &image),
        ("b.cso.pwd", b"secret"),
        ("c.pwd", b"not a password"),
    ];
    let library = Library::with(&files);
    let mut options = library.options();
    options.password = Some(Password::new(b"unused".to_vec()));
    let filesystem = Filesystem::new(options).unwrap();
    assert_eq!(names(&filesystem, ROOT), ["a.iso", "b.iso", "c.pwd"]);
}

/// The first file of an Xbox CISO is as long as such files are where they go on: all but its front is a hole.
#[test]
fn an_xbox_ciso_in_two_files_reads_as_one_image() {
    let plain: Vec<u8> = (0..4_u8).flat_map(|number| [number; 2048]).collect();
    let packed = lz4_flex::block::compress(&plain[..2048]);
    let mut first = b"CISO\x18\0\0\0".to_vec();
    first.extend(8192_u64.to_le_bytes());
    first.extend(2048_u32.to_le_bytes());
    first.extend([2, 2, 0, 0]);
    let data_at = 24 + 4 * 5;
    let stored_at = (data_at + 4 + packed.len()).next_multiple_of(4);
    let entry = |at: usize| u32::try_from(at / 4).unwrap();
    for entry in [entry(data_at) | 1 << 31, entry(stored_at), 0, 512, 1024] {
        first.extend(entry.to_le_bytes());
    }
    first.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
    first.extend(packed);
    first.resize(stored_at, 0);
    first.extend(&plain[2048..4096]);
    let library = Library::with(&[("Game.1.cso", &first), ("Game.2.cso", &plain[4096..])]);
    let file = fs::File::options()
        .write(true)
        .open(library.path("Game.1.cso"));
    file.unwrap().set_len(0xffbf_6400).unwrap();
    let filesystem = library.mount();
    assert_eq!(names(&filesystem, ROOT), ["Game.1.iso"]);
    assert_eq!(contents(&filesystem, "Game.1.iso").unwrap(), plain);
}

#[test]
fn a_split_wbfs_reads_as_one_image() {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sparse/Cube.wbfs");
    let stored = fs::read(stored).unwrap();
    let (first, second) = stored.split_at(300_000);
    let library = Library::with(&[
        ("Game.wbfs", first),
        ("GAME.WBF1", second),
        ("x.iso", &stored),
    ]);
    let filesystem = library.mount();
    assert_eq!(names(&filesystem, ROOT), ["Game.iso", "x.iso"]);
    let [set, whole] = ["Game.iso", "x.iso"].map(|name| {
        let file = find(&filesystem, name).unwrap();
        assert_eq!(file.size, 4_699_979_776);
        let opened = filesystem.open(file.ino).unwrap();
        let mut bytes = vec![0; 400_000];
        assert_eq!(
            filesystem.read(opened.handle, &mut bytes, 0).unwrap(),
            bytes.len()
        );
        filesystem.release(opened.handle);
        bytes
    });
    assert!(set == whole && set.iter().any(|byte| *byte != 0));
}
