//! Images made by foreign tools decode to what went into them, through the library and through a real mount.

mod library;

use std::{
    fs,
    path::{Path, PathBuf},
};

use library::{Mount, only_iso_in, open, sha256, vectors, whole};

/// An image that must decode, and what to.
struct Good {
    path: PathBuf,
    sha256: String,
    size: u64,
    password: String,
    parts: Vec<PathBuf>,
}

/// Images that no reader can decode to what their list says, each with the reason.
const NOT_GOOD: &[(&str, &str)] = &[
    ("tail.phyber.cso", "its writer lost the last block's place"),
    (
        "small.zisopy-b6144-floor.zso",
        "its writer left out the tail: listed is what it wrote",
    ),
];

fn good(vectors: &Path) -> Vec<Good> {
    let column = |row: &[String], n: usize| row.get(n).cloned().unwrap_or_default();
    let mut good = Vec::new();
    for folder in ["cso", "isz"] {
        let folder = vectors.join(folder);
        for row in library::rows(&folder.join("manifest.tsv")) {
            if NOT_GOOD.iter().any(|(file, _)| *file == row[0]) {
                continue;
            }
            let is_isz = row[1] == "ISZ";
            let parts = column(&row, 6);
            good.push(Good {
                path: folder.join(&row[0]),
                sha256: row[3].clone(),
                size: row[4].parse().unwrap(),
                password: if is_isz {
                    column(&row, 5)
                } else {
                    String::new()
                },
                parts: parts.split_whitespace().map(|p| folder.join(p)).collect(),
            });
        }
    }
    good.push(Good {
        path: vectors.join("others/jiso/zlib_h0.jso"),
        sha256: "3e908324b071bec1d32433fb134f2565ec3d4d6143f23833cca459e3096bdcc1".into(),
        size: 937_984,
        password: String::new(),
        parts: Vec::new(),
    });
    good
}

#[test]
fn the_sample_library_decodes_to_its_hashes() {
    for fixture in library::fixtures() {
        let image = open(&fixture.path).unwrap();
        assert_eq!(image.format().name, fixture.format);
        assert_eq!(image.size(), fixture.size, "{}", fixture.shown);
        if let Some(expected) = &fixture.sha256 {
            let plain = whole(&image).unwrap();
            assert_eq!(sha256(&plain), *expected, "{}", fixture.shown);
        }
    }
}

#[test]
fn the_sample_library_decodes_through_a_mount() {
    if !library::fuse_is_there() {
        return;
    }
    let mount = Mount::of(&library::folder());
    for fixture in library::fixtures() {
        let shown = mount.path().join(&fixture.shown);
        assert_eq!(fs::metadata(&shown).unwrap().len(), fixture.size);
        if let Some(expected) = &fixture.sha256 {
            let plain = fs::read(&shown).unwrap();
            assert_eq!(sha256(&plain), *expected, "{}", fixture.shown);
        }
    }
    let text = fs::read(mount.path().join("Read me.txt")).unwrap();
    let stored = fs::read(library::folder().join("Read me.txt")).unwrap();
    assert_eq!(text, stored);
    assert!(!mount.path().join("Saga.i01").exists());
}

#[test]
fn every_good_vector_decodes_to_its_hash() {
    let Some(vectors) = vectors() else { return };
    let mut wrong = Vec::new();
    for good in good(&vectors) {
        let password = || {
            let bytes = good.password.clone().into_bytes();
            Ok(Some(plainiso::format::Password::new(bytes)).filter(|_| !good.password.is_empty()))
        };
        let decoded = library::open_with(&good.path, &password).and_then(|image| whole(&image));
        match decoded {
            Ok(plain) if sha256(&plain) == good.sha256 && plain.len() as u64 == good.size => {}
            Ok(plain) => wrong.push(format!("{:?}: {} wrong bytes", good.path, plain.len())),
            Err(why) => wrong.push(why.sentence()),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_good_vector_decodes_through_a_mount() {
    let Some(vectors) = vectors() else { return };
    if !library::fuse_is_there() {
        return;
    }
    let good = good(&vectors);
    let copies = one_folder_each(&good);
    let mount = Mount::of(copies.path());
    let mut wrong = Vec::new();
    for (number, good) in good.iter().enumerate() {
        let shown = only_iso_in(&mount.path().join(number.to_string()));
        match fs::read(&shown) {
            Ok(plain) if sha256(&plain) == good.sha256 => {}
            Ok(plain) => wrong.push(format!("{:?}: {} wrong bytes", good.path, plain.len())),
            Err(why) => wrong.push(format!("{:?}: {why}", good.path)),
        }
        assert_eq!(fs::metadata(&shown).unwrap().len(), good.size);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A folder with a numbered folder for each image, its parts and its password.
fn one_folder_each(good: &[Good]) -> tempfile::TempDir {
    let copies = tempfile::tempdir().unwrap();
    for (number, good) in good.iter().enumerate() {
        let folder = copies.path().join(number.to_string());
        fs::create_dir(&folder).unwrap();
        for file in good.parts.iter().chain([&good.path]) {
            fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
        }
        if !good.password.is_empty() {
            let name = Path::new(good.path.file_name().unwrap()).with_extension("pwd");
            fs::write(folder.join(name), &good.password).unwrap();
        }
    }
    copies
}

/// 1.4 GB of plain bytes, most of them zeroes: read in pieces.
#[test]
fn a_whole_gamecube_disc_in_gcz_decodes_to_its_hash() {
    use sha2::{Digest, Sha256};
    let Some(vectors) = vectors() else { return };
    let image = open(&vectors.join("others/gcwii/gc_zero.gcz")).unwrap();
    assert_eq!(image.size(), 1_459_978_240);
    let mut hash = Sha256::new();
    let (mut piece, mut at) = (vec![0; 4 << 20], 0);
    while at < image.size() {
        let n = image.read_at(&mut piece, at).unwrap();
        assert!(n > 0, "nothing to read at {at}");
        hash.update(&piece[..n]);
        at += n as u64;
    }
    let expected = "84cf7f49268ed261413c0708b8e228508381ccd589dc58fe2239496046967ce0";
    assert_eq!(library::hex(&hash.finalize()), expected);
}

/// What compresses plain images, and in which pieces: through the library, and all of them through one mount.
#[test]
fn every_compressed_image_decodes_to_its_hash() {
    let Some(vectors) = vectors() else { return };
    let folder = vectors.join("others/stream");
    let expected = "3e908324b071bec1d32433fb134f2565ec3d4d6143f23833cca459e3096bdcc1";
    let names = [
        "tiny.iso.gz",
        "tiny.multi.iso.gz",
        "tiny.iso.xz",
        "tiny.blocks.iso.xz",
        "tiny.multistream.iso.xz",
        "tiny.iso.zst",
        "tiny.long27.iso.zst",
        "tiny.nosize.iso.zst",
        "tiny.seekable64k.iso.zst",
        "tiny.iso.lz4",
        "tiny.linked64k.iso.lz4",
        "tiny.iso.bz2",
    ];
    for name in names {
        let image = open(&folder.join(name)).unwrap();
        assert_eq!(image.size(), 937_984, "{name}");
        assert_eq!(sha256(&whole(&image).unwrap()), expected, "{name}");
    }
    if !library::fuse_is_there() {
        return;
    }
    let copies = tempfile::tempdir().unwrap();
    for name in names {
        let own = copies.path().join(name);
        fs::create_dir(&own).unwrap();
        fs::copy(folder.join(name), own.join(name)).unwrap();
    }
    let mount = Mount::of(copies.path());
    for name in names {
        let shown = only_iso_in(&mount.path().join(name));
        assert_eq!(sha256(&fs::read(shown).unwrap()), expected, "{name}");
    }
}

/// 64 sectors of a partition whose last one has exceptions, by every writer. The whole images take minutes in a debug
/// build; their hashes were compared by hand.
#[test]
fn a_wii_partition_keeps_the_exceptions_of_its_64th_sector() {
    let Some(vectors) = vectors() else { return };
    let expected = "954866dac0335336c0956a70564aff707aadf4560e40addc38b18ed711fe9490";
    for name in [
        "wii_zstd_131072.rvz",
        "wii_zstd_2097152.rvz",
        "wii_lzma2_131072.rvz",
        "wii_bzip2_131072.rvz",
        "wii_lzma2.wia",
    ] {
        let image = open(&vectors.join("others/gcwii").join(name)).unwrap();
        assert_eq!(image.size(), 4_699_979_776);
        let mut sectors = vec![0; 2 << 20];
        image.read_at(&mut sectors, 7940 * 0x8000).unwrap();
        assert_eq!(sha256(&sectors), expected, "{name}");
    }
}
