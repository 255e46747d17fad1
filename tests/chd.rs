//! CHDs give what `chdman` extracts: those that others made, through the library and a mount, and those that
//! `chdman` makes here, where it is installed.

mod library;

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use library::{Mount, PLAINISO, chdman, chdman_is_there, noise, sha256, succeed, vectors, whole};
use plainiso::{
    ErrorKind, cache::BlockCache, digest::Algorithm, format::WHOLE_DISC, image::Image,
    verify::verify,
};

/// One plain file that a vector's list promises.
struct Expected {
    chd: PathBuf,
    name: String,
    size: u64,
    sha256: String,
}

/// What the list of vectors says about CHDs.
fn expected(vectors: &Path) -> Vec<Expected> {
    let folder = vectors.join("others");
    let mut expected = Vec::new();
    for row in library::rows(&folder.join("manifest.tsv")) {
        if !row[0].starts_with("chd/") {
            continue;
        }
        for output in row[3].split(';') {
            let (name, rest) = output.split_once('=').unwrap();
            let (size, sha256) = rest.split_once(':').unwrap();
            expected.push(Expected {
                chd: folder.join(&row[0]),
                name: name.into(),
                size: size.parse().unwrap(),
                sha256: sha256.into(),
            });
        }
    }
    // Subcode is not shown.
    expected.retain(|it| it.name != "with-sub.bin");
    assert!(expected.len() > 30);
    expected
}

fn file(path: &Path, number: u32) -> plainiso::Result<Vec<u8>> {
    let cache = Arc::new(BlockCache::new(4 << 20));
    whole(&Image::open_file(path, number, cache, &|| Ok(None))?)
}

/// All tracks, one behind the other.
fn tracks(path: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    let mut number = 1;
    while let Ok(track) = file(path, number) {
        all.extend(track);
        number += 1;
    }
    all
}

/// The number of the track in `track2.bin` or `track02.raw`.
fn track_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("track")?.split('.').next()?;
    digits.parse().ok()
}

fn ending(name: &str) -> &OsStr {
    Path::new(name).extension().unwrap()
}

#[test]
fn every_vector_decodes_to_its_hashes() {
    let Some(vectors) = vectors() else { return };
    let mut wrong = Vec::new();
    for expected in expected(&vectors) {
        let plain = match track_number(&expected.name) {
            Some(number) => file(&expected.chd, number),
            None if ending(&expected.name) == "bin" => Ok(tracks(&expected.chd)),
            None => file(&expected.chd, 0),
        };
        match plain {
            Ok(plain)
                if sha256(&plain) == expected.sha256 && plain.len() as u64 == expected.size => {}
            Ok(plain) => wrong.push(format!(
                "{:?} {}: {} wrong bytes",
                expected.chd,
                expected.name,
                plain.len()
            )),
            Err(why) => wrong.push(format!("{}: {}", expected.name, why.sentence())),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_vector_decodes_through_a_mount() {
    let Some(vectors) = vectors() else { return };
    if !library::fuse_is_there() {
        return;
    }
    let mount = Mount::of(&vectors.join("others/chd"));
    let mut wrong = Vec::new();
    for expected in expected(&vectors) {
        let stem = expected.chd.file_stem().unwrap().to_str().unwrap();
        let shown = |name: &str| fs::read(mount.path().join(format!("{stem}{name}")));
        let plain = match track_number(&expected.name) {
            Some(number) => {
                let ending = ending(&expected.name).to_str().unwrap();
                shown(&format!(" (Track {number}).{ending}"))
            }
            None if ending(&expected.name) == "bin" && shown(".bin").is_err() => {
                let tracks = (1..=3).map(|n| shown(&format!(" (Track {n}).bin")).unwrap());
                Ok(tracks.flatten().collect())
            }
            None => shown(&format!(".{}", ending(&expected.name).to_str().unwrap())),
        };
        match plain {
            Ok(plain) if sha256(&plain) == expected.sha256 => {}
            Ok(_) => wrong.push(format!("{stem} {}: wrong bytes", expected.name)),
            Err(why) => wrong.push(format!("{stem} {}: {why}", expected.name)),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let sheet = fs::read_to_string(mount.path().join("gd_default.gdi")).unwrap();
    assert_eq!(
        sheet,
        "3\n1 0 4 2352 \"gd_default (Track 1).bin\" 0\n2 608 0 2352 \"gd_default (Track 2).raw\" 0\n\
         3 45000 4 2352 \"gd_default (Track 3).bin\" 0\n"
    );
    let sheet = fs::read_to_string(mount.path().join("cd_multi_zs.cue")).unwrap();
    assert_eq!(
        sheet,
        "FILE \"cd_multi_zs (Track 1).bin\" BINARY\n  TRACK 01 MODE2/2352\n    INDEX 01 00:00:00\n\
         FILE \"cd_multi_zs (Track 2).bin\" BINARY\n  TRACK 02 AUDIO\n    INDEX 00 00:00:00\n    INDEX 01 00:00:30\n\
         FILE \"cd_multi_zs (Track 3).bin\" BINARY\n  TRACK 03 AUDIO\n    INDEX 00 00:00:00\n    INDEX 01 00:00:30\n"
    );
    let sheet = fs::read_to_string(mount.path().join("cd_merged_default.cue")).unwrap();
    assert!(
        sheet.contains("  TRACK 02 AUDIO\n    PREGAP 00:02:00\n    INDEX 01 00:00:00\n"),
        "{sheet}"
    );
}

#[test]
fn the_checksum_of_every_vector_holds() {
    let Some(vectors) = vectors() else { return };
    let mut without = BTreeSet::new();
    for expected in expected(&vectors) {
        let cache = Arc::new(BlockCache::new(4 << 20));
        let open =
            |number| Image::open_file(&expected.chd, number, Arc::clone(&cache), &|| Ok(None));
        // Where there is no disc of several parts, the image is all there is.
        let image = open(WHOLE_DISC).or_else(|_| open(0)).unwrap();
        let report = verify(&image, &[Algorithm::Sha256], &mut |_| {});
        assert!(report.is_intact(), "{:?}", expected.chd);
        if report.checks.is_empty() {
            without.insert(expected.chd);
        }
    }
    // Files that are not compressed have no SHA-1.
    assert_eq!(without.len(), 1, "{without:?}");
}

#[test]
fn hostile_vectors_are_refused() {
    let Some(vectors) = vectors() else { return };
    let rules = [
        ("evil_self_v4.chd", "hunk 5 is a copy of itself"),
        ("evil_hunks_v4.chd", "number of hunks is 4294967295"),
        ("evil_hunks_v5.chd", "more than the limit of"),
    ];
    for (name, rule) in rules {
        let err = file(&vectors.join("others/evil").join(name), 0).unwrap_err();
        assert!(err.to_string().contains(rule), "{err}");
    }
}

#[test]
fn a_child_without_its_parent_names_what_it_needs() {
    let Some(vectors) = vectors() else { return };
    let folder = tempfile::tempdir().unwrap();
    let child = folder.path().join("dvd_child.chd");
    fs::copy(vectors.join("others/chd/dvd_child.chd"), &child).unwrap();
    let err = file(&child, 0).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::MissingPart);
    assert!(err.to_string().contains("no .chd beside it has the SHA-1"));
    let parent = folder.path().join("Other name.CHD");
    fs::copy(vectors.join("others/chd/dvd_zlib.chd"), parent).unwrap();
    assert!(file(&child, 0).is_ok());
}

/// A disc of two data sectors' worth and more, and two tracks of sound, one of them with a stored pregap.
fn make_disc(folder: &Path) -> PathBuf {
    let data = fs::read(library::folder().join("Tools.iso")).unwrap();
    fs::write(folder.join("data.iso"), data).unwrap();
    let sound: Vec<u8> = (0..2352 * 77_u32)
        .map(|at| (at / 2 % 200 * (at % 2 + 1)).to_le_bytes()[0])
        .collect();
    fs::write(folder.join("tone.bin"), sound).unwrap();
    fs::write(folder.join("noise.bin"), noise(2352 * 161)).unwrap();
    let sheet = "FILE \"data.iso\" BINARY\n  TRACK 01 MODE1/2048\n    INDEX 01 00:00:00\n\
                 FILE \"tone.bin\" BINARY\n  TRACK 02 AUDIO\n    PREGAP 00:02:00\n    INDEX 01 00:00:00\n\
                 FILE \"noise.bin\" BINARY\n  TRACK 03 AUDIO\n    INDEX 00 00:00:00\n    INDEX 01 00:01:00\n";
    let path = folder.join("disc.cue");
    fs::write(&path, sheet).unwrap();
    path
}

#[test]
fn a_disc_of_chdman_is_what_chdman_extracts() {
    if !chdman_is_there() || !library::fuse_is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let sheet = make_disc(folder.path());
    let stored = tempfile::tempdir().unwrap();
    let chd = stored.path().join("Disc.chd");
    let word = OsStr::new;
    chdman(&[
        word("createcd"),
        word("-i"),
        sheet.as_os_str(),
        word("-o"),
        chd.as_os_str(),
    ]);
    let bin = folder.path().join("out.bin");
    chdman(&[
        word("extractcd"),
        word("-i"),
        chd.as_os_str(),
        word("-o"),
        folder.path().join("out.cue").as_os_str(),
        word("-ob"),
        bin.as_os_str(),
    ]);
    let mount = Mount::of(stored.path());
    let track = |n| fs::read(mount.path().join(format!("Disc (Track {n}).bin"))).unwrap();
    let all: Vec<u8> = (1..=3).flat_map(track).collect();
    assert!(all == fs::read(bin).unwrap());
    for (number, name) in [(1, "data.iso"), (2, "tone.bin"), (3, "noise.bin")] {
        assert!(
            track(number) == fs::read(folder.path().join(name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn a_playlist_names_the_sheet_of_a_disc_that_has_one() {
    let Some(vectors) = vectors() else { return };
    if !library::fuse_is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let discs = [
        ("a.chd", "cd_multi_zs.chd", "a.cue"),
        ("b.chd", "gd_default.chd", "b.gdi"),
        ("c.chd", "cd_cooked_default.chd", "c.iso"),
        ("d.chd", "cd_m1_cdzl.chd", "d.cue"),
        ("e.chd", "dvd_zlib.chd", "e.iso"),
    ];
    for (name, vector, _) in discs {
        fs::copy(
            vectors.join("others/chd").join(vector),
            dir.path().join(name),
        )
        .unwrap();
    }
    let list = |name: fn(&(&str, &str, &str)) -> String| {
        discs
            .iter()
            .map(|disc| name(disc) + "\n")
            .collect::<String>()
    };
    fs::write(dir.path().join("x.m3u"), list(|disc| disc.0.into())).unwrap();
    let mount = Mount::of(dir.path());
    let shown = fs::read_to_string(mount.path().join("x.m3u")).unwrap();
    assert_eq!(shown, list(|disc| disc.2.into()));
    for (_, _, name) in discs {
        assert!(mount.path().join(name).exists(), "{name}");
    }
}

/// Converts to each format that emulators want, reading the output back, and compares it with the plain image.
fn converts_to(plain: &[u8], chd: &Path, folder: &Path) {
    for format in ["iso", "zso", "cso"] {
        let out = folder.join("out").with_extension(format);
        let mut convert = Command::new(PLAINISO);
        convert.arg("convert").arg(chd).arg("-o").arg(&out);
        succeed(convert.args(["--verify", "--force"]));
        let image = Image::open(&out, Arc::new(BlockCache::new(1 << 20)), &|| Ok(None)).unwrap();
        assert!(
            whole(&image).unwrap() == plain,
            "{} to {format}",
            chd.display()
        );
    }
}

#[test]
fn the_image_of_a_dvd_is_converted() {
    let folder = tempfile::tempdir().unwrap();
    if let Some(vectors) = vectors() {
        let others = vectors.join("others");
        let plain = fs::read(others.join("src/tiny.iso")).unwrap();
        converts_to(&plain, &others.join("chd/dvd_zstd.chd"), folder.path());
        let patched = fs::read(others.join("src/tiny_patched.iso")).unwrap();
        converts_to(&patched, &others.join("chd/dvd_child.chd"), folder.path());
    }
    if chdman_is_there() {
        let mut plain = noise(700 * 2048);
        plain[0x8001..0x8006].copy_from_slice(b"CD001");
        let (from, chd) = (folder.path().join("a.iso"), folder.path().join("a.chd"));
        fs::write(&from, &plain).unwrap();
        let words = ["createraw", "-hs", "4096", "-us", "2048", "-i"].map(OsStr::new);
        let more = [from.as_os_str(), OsStr::new("-o"), chd.as_os_str()];
        chdman(&[&words[..], &more].concat());
        converts_to(&plain, &chd, folder.path());
    }
}
