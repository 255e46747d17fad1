//! Images made by foreign tools decode to what went into them, through the library and through a real mount.

mod library;

use std::{
    fs,
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use library::{Mount, open, sha256, whole};
use plainiso::image::Image;

/// More images of more tools, for machines that have them.
fn vectors() -> Option<PathBuf> {
    let folder = Path::new(library::CRATE).join("../shared/vectors");
    if !folder.is_dir() {
        eprintln!("left out: ../shared is not there");
        return None;
    }
    Some(folder)
}

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
    ("xb.1.cso", "an Xbox image: refused by name"),
    ("tail.phyber.cso", "its writer lost the last block's place"),
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

/// The sample library's damaged image: its first 100,000 bytes hold blocks 0 to 14 of 16 KiB.
#[test]
fn the_scratched_image_reads_right_up_to_the_scratch() {
    let scratched = open(&library::folder().join("Scratched.cso")).unwrap();
    let twin = open(&library::folder().join("Quest (Disc 1).cso")).unwrap();
    let (mut got, mut want) = (vec![1; 15 << 14], vec![2; 15 << 14]);
    scratched.read_at(&mut got, 0).unwrap();
    twin.read_at(&mut want, 0).unwrap();
    assert!(got == want);
    for block in 15..36 {
        let err = scratched.read_at(&mut [0; 512], block << 14).unwrap_err();
        assert!(
            err.to_string().contains(&format!("block {block} ")),
            "{err}"
        );
    }
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

/// The parts of a set must not be there beside the image.
fn only_iso_in(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).unwrap();
    let is_image = |path: &PathBuf| path.extension().is_none_or(|ext| ext != "pwd");
    let shown: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(is_image)
        .collect();
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0].extension().unwrap(), "iso");
    shown[0].clone()
}

/// How a damaged image must end.
enum Ending {
    /// It does not open.
    Refused,
    /// It opens; exactly these blocks fail.
    Fails(&'static [u64]),
    /// It opens; no block but these fails.
    MayFail(&'static [u64]),
    /// It opens; all blocks from this one on fail.
    FailsFrom(u64),
    /// Its numbers cannot be trusted: refused, or each block right or failing.
    NeverWrong,
}

use Ending::{Fails, FailsFrom, MayFail, NeverWrong, Refused};

/// The damage is described in the list beside the files; blocks hold 2048 bytes, those of `.dax` 8192.
const BAD: &[(&str, Ending)] = &[
    ("empty.cso", Refused),
    ("magic-only.cso", Refused),
    ("header-only.cso", Refused),
    ("index-cut.cso", Refused),
    ("bs0.cso", Refused),
    ("bs-huge.cso", Refused),
    ("bs-2g.cso", Refused),
    ("tot-2e63.cso", Refused),
    ("tot-max.cso", Refused),
    ("tot-1T.cso", Refused),
    ("align12.cso", NeverWrong),
    ("align31.cso", NeverWrong),
    ("align32.cso", Refused),
    ("align63.cso", Refused),
    ("ver3.cso", Refused),
    ("ver255.cso", Refused),
    ("entry-beyond-eof.cso", Fails(&[99, 100])),
    ("zero-length-block.cso", Fails(&[100])),
    ("flag-lies-stored.cso", Fails(&[20])),
    ("flag-lies-deflate.cso", Fails(&[160])),
    ("cut-third.cso", FailsFrom(183)),
    ("cut-1byte.cso", MayFail(&[284])),
    ("cut-last-block.cso", Fails(&[284])),
    ("block-too-short.cso", Fails(&[40])),
    ("block-bomb.cso", Fails(&[40])),
    ("v2-hs0.cso", NeverWrong),
    ("lz4-offset0.zso", Fails(&[20])),
    ("lz4-match-overrun.zso", Fails(&[20])),
    ("ziso-bs0.zso", Refused),
    ("dax-nc-193.dax", NeverWrong),
    ("dax-nc-range.dax", NeverWrong),
    ("dax-off-eof.dax", Fails(&[5])),
    ("dax-len0.dax", Fails(&[5])),
    ("dax-tot0.dax", Refused),
    ("dax-tot-huge.dax", Refused),
    ("jso-ver9.jso", Refused),
    ("jso-lzo-damaged.jso", Fails(&[20])),
];

/// What the damaged image held before: told apart by its size.
fn truth(vectors: &Path, size: u64) -> Vec<u8> {
    let name = match size {
        583_680 => "tail.iso",
        575_488 => "small.iso",
        _ => return Vec::new(),
    };
    fs::read(vectors.join("cso/src").join(name)).unwrap()
}

/// The blocks that fail. A block that decodes to something else than the truth stops the test.
fn failing_blocks(file: &str, image: &Image, truth: &[u8]) -> Vec<u64> {
    let mut failing = Vec::new();
    for block in 0..image.geometry().blocks() {
        let span = image.geometry().span(block);
        let span = usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap();
        let mut plain = vec![0; span.len()];
        match image.read_at(&mut plain, span.start as u64) {
            Ok(_) => assert!(truth[span] == plain, "{file}: block {block} is wrong"),
            Err(_) => failing.push(block),
        }
    }
    failing
}

#[test]
fn every_bad_vector_ends_as_its_list_says() {
    let Some(vectors) = vectors() else { return };
    let mut wrong = Vec::new();
    for (file, ending) in BAD {
        let opened = open(&vectors.join("cso/bad").join(file));
        if let Err(why) = ends_as(file, opened, ending, &vectors) {
            wrong.push(format!("{file}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let listed = library::rows(&vectors.join("cso/bad/manifest.tsv"));
    assert_eq!(listed.len(), BAD.len());
}

fn ends_as(
    file: &str,
    opened: plainiso::Result<Image>,
    ending: &Ending,
    vectors: &Path,
) -> Result<(), String> {
    let image = match (opened, ending) {
        (Err(_), Refused | NeverWrong) => return Ok(()),
        (Err(why), _) => return Err(format!("must open, but: {}", why.sentence())),
        (Ok(_), Refused) => return Err("must not open".into()),
        (Ok(image), _) => image,
    };
    let failing = failing_blocks(file, &image, &truth(vectors, image.size()));
    let fits = match ending {
        Fails(blocks) => failing == *blocks,
        MayFail(blocks) => failing.iter().all(|block| blocks.contains(block)),
        FailsFrom(first) => failing == (*first..image.geometry().blocks()).collect::<Vec<_>>(),
        NeverWrong | Refused => true,
    };
    if fits {
        Ok(())
    } else {
        Err(format!("these blocks fail: {failing:?}"))
    }
}

/// The kernel reads whole pages, so a page fails when a block in it does; all other pages are right.
#[test]
fn every_bad_vector_ends_as_its_list_says_through_a_mount() {
    let Some(vectors) = vectors() else { return };
    if !library::fuse_is_there() {
        return;
    }
    let bad = vectors.join("cso/bad");
    let copies = tempfile::tempdir().unwrap();
    for (file, _) in BAD {
        // Names differ only in the extension here and there; a folder each keeps the shown names simple.
        fs::create_dir(copies.path().join(file)).unwrap();
        fs::copy(bad.join(file), copies.path().join(file).join(file)).unwrap();
    }
    let mount = Mount::of(copies.path());
    for (file, ending) in BAD {
        let shown = only_iso_in(&mount.path().join(file));
        let failing = match File::open(&shown) {
            Err(_) => {
                assert!(matches!(ending, Refused | NeverWrong), "{file} must open");
                continue;
            }
            Ok(shown) => failing_pages(file, &shown, &vectors),
        };
        let expected: Vec<u64> = match ending {
            Refused => panic!("{file} must not open"),
            Fails(blocks) if file.ends_with("dax") => {
                blocks.iter().flat_map(|b| [b * 2, b * 2 + 1]).collect()
            }
            Fails(blocks) => blocks.iter().map(|block| block / 2).collect(),
            FailsFrom(first) => (first / 2..143).collect(),
            MayFail(_) | NeverWrong => continue,
        };
        assert_eq!(failing, expected, "{file}");
    }
}

/// Numbers of the 4096-byte pages that cannot be read; what can be read must be right.
fn failing_pages(file: &str, shown: &File, vectors: &Path) -> Vec<u64> {
    let truth = truth(vectors, shown.metadata().unwrap().len());
    let mut failing = Vec::new();
    for (page, expected) in (0..).zip(truth.chunks(4096)) {
        let mut plain = vec![0; expected.len()];
        match shown.read_exact_at(&mut plain, page * 4096) {
            Ok(()) => assert!(plain == expected, "{file}: page {page} is wrong"),
            Err(why) => {
                assert_eq!(why.raw_os_error(), Some(libc::EIO), "{file}: page {page}");
                failing.push(page);
            }
        }
    }
    failing
}

#[test]
fn an_xbox_image_is_refused_by_name() {
    let Some(vectors) = vectors() else { return };
    let err = open(&vectors.join("cso/xb.1.cso")).unwrap_err();
    assert!(err.to_string().contains("Xbox"), "{err}");
}

/// The writer put the last block's end where its start belongs; every other block is right.
#[test]
fn an_index_without_the_last_block_fails_there_or_finds_it() {
    let Some(vectors) = vectors() else { return };
    let image = open(&vectors.join("cso/tail.phyber.cso")).unwrap();
    let failing = failing_blocks("tail.phyber.cso", &image, &truth(&vectors, image.size()));
    assert!(failing.is_empty() || failing == [284], "{failing:?}");
}
