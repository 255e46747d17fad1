//! Playlists: their lines have the names that the mount shows.

use std::{ffi::OsStr, fs};

use plainiso::fs::{Filesystem, ROOT};

use crate::{
    formats::{cso, isz_set},
    library::{Library, contents, find, names, volume},
};

fn text(filesystem: &Filesystem, name: &str) -> String {
    String::from_utf8(contents(filesystem, name).unwrap()).unwrap()
}

#[test]
fn a_playlist_names_what_the_mount_shows() {
    let image = cso(&volume(40_000));
    let [first, second] = isz_set(&volume(20 * 2048), 18);
    let list =
        b"Disc 1.cso\r\nDisc 2.isz\r\nDisc 2.i01\r\nplain.iso\r\nsub/Disc 1.cso\r\nnone.cso\r\n";
    let library = Library::with(&[
        ("Disc 1.cso", &image),
        ("Disc 2.isz", &first),
        ("Disc 2.i01", &second),
        ("plain.iso", &volume(40_000)),
        ("Game.m3u", list),
    ]);
    let filesystem = library.mount();
    let expected =
        "Disc 1.iso\r\nDisc 2.iso\r\nDisc 2.i01\r\nplain.iso\r\nsub/Disc 1.cso\r\nnone.cso\r\n";
    assert_eq!(text(&filesystem, "Game.m3u"), expected);
    assert_eq!(
        names(&filesystem, ROOT),
        ["Disc 1.iso", "Disc 2.iso", "Game.m3u", "plain.iso"]
    );
    let list = find(&filesystem, "Game.m3u").unwrap();
    assert_eq!(list.size, expected.len() as u64);
    let format = filesystem.xattr(list.ino, OsStr::new("user.plainiso.format"));
    assert_eq!(format.unwrap().unwrap(), b"m3u");
}

#[test]
fn a_playlist_follows_the_names_that_it_names() {
    let library = Library::with(&[("a.cso", &cso(&volume(40_000))), ("x.m3u8", b"a.cso\n")]);
    let filesystem = library.mount();
    assert_eq!(text(&filesystem, "x.m3u8"), "a.iso\n");
    library.put("a.iso", b"a file that keeps its name");
    assert_eq!(text(&filesystem, "x.m3u8"), "a.cso.iso\n");
    fs::remove_file(library.path("a.iso")).unwrap();
    fs::remove_file(library.path("a.cso")).unwrap();
    assert_eq!(text(&filesystem, "x.m3u8"), "a.cso\n");
}

#[test]
fn a_playlist_that_is_written_anew_is_read_anew() {
    let library = Library::with(&[("a.cso", &cso(&volume(40_000))), ("x.m3u", b"other\n")]);
    let filesystem = library.mount();
    assert_eq!(text(&filesystem, "x.m3u"), "other\n");
    for list in ["a.cso\n", "# of one\na.cso\n", "none at all\n"] {
        library.put("x.m3u", list.as_bytes());
        // The first look notices the change, and has the folder listed again.
        let _ = find(&filesystem, "x.m3u");
        assert_eq!(text(&filesystem, "x.m3u"), list.replace("a.cso", "a.iso"));
    }
}

#[test]
fn a_playlist_above_its_limits_is_shown_as_it_is() {
    let long = "a.cso\n".repeat(20_000);
    let large = "a.cso\n".to_owned() + &" ".repeat(1 << 20);
    let library = Library::with(&[
        ("a.cso", &cso(&volume(40_000))),
        ("long.m3u", long.as_bytes()),
        ("large.m3u", large.as_bytes()),
    ]);
    let filesystem = library.mount();
    assert_eq!(text(&filesystem, "long.m3u"), long);
    assert_eq!(text(&filesystem, "large.m3u"), large);
}

/// A ZIP archive of stored members.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let mut fields = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        fields.extend(crc.sum().to_le_bytes());
        let len = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        fields.extend([len, len].concat());
        fields.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        fields.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&fields);
        directory.extend([0; 10]);
        directory.extend(u32::try_from(file.len()).unwrap().to_le_bytes());
        directory.extend(name.as_bytes());
        file.extend(b"PK\x03\x04");
        file.extend(&fields);
        file.extend(name.as_bytes());
        file.extend(*bytes);
    }
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let end = [
        &b"PK\x05\x06\0\0\0\0"[..],
        &count,
        &count,
        &u32::try_from(directory.len()).unwrap().to_le_bytes(),
        &u32::try_from(file.len()).unwrap().to_le_bytes(),
        &[0, 0],
    ]
    .concat();
    [file, directory, end].concat()
}

#[test]
fn a_playlist_names_the_sheet_of_what_is_several_files() {
    let sheet = b"FILE \"a.bin\" BINARY\n  TRACK 01 MODE1/2352\n    INDEX 01 00:00:00\n";
    let library = Library::with(&[
        ("a.zip", &zip(&[("a.bin", b"sectors"), ("a.cue", sheet)])),
        ("one.zip", &zip(&[("other.iso", &volume(40_000))])),
        (
            "two.zip",
            &zip(&[("1.iso", &volume(40_000)), ("2.iso", b"x")]),
        ),
        ("x.m3u", b"a.zip\none.zip\ntwo.zip\n"),
    ]);
    let filesystem = library.mount();
    assert_eq!(text(&filesystem, "x.m3u"), "a.cue\nother.iso\ntwo.zip\n");
}
