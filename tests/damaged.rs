//! Damaged images end as they must: refused, or an error exactly where the damage is, and never wrong bytes.

mod library;

use std::{
    fs,
    fs::File,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
    process::Command,
};

use library::{Mount, only_iso_in, open, vectors};
use plainiso::image::Image;

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
    /// It opens; these blocks are wrong and nothing in the format can tell. All others are right.
    Undetected(&'static [u64]),
    /// Its numbers cannot be trusted: refused, or each block right or failing.
    NeverWrong,
}

use Ending::{Fails, FailsFrom, MayFail, NeverWrong, Refused, Undetected};

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
    // Block 99 only loses its end's place: the deflate stream there ends itself, and is complete.
    ("entry-beyond-eof.cso", Fails(&[100])),
    ("zero-length-block.cso", Fails(&[100, 101])),
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
    // Two literals are changed, and LZO has no checksum. The MD5 in the header covers the whole image only.
    ("jso-lzo-damaged.jso", Undetected(&[20])),
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

/// The blocks that fail, and those that decode to something else than the truth.
fn failing_and_wrong_blocks(image: &Image, truth: &[u8]) -> (Vec<u64>, Vec<u64>) {
    let (mut failing, mut wrong) = (Vec::new(), Vec::new());
    for block in 0..image.geometry().blocks() {
        let span = image.geometry().span(block);
        let span = usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap();
        let mut plain = vec![0; span.len()];
        match image.read_at(&mut plain, span.start as u64) {
            Ok(_) if truth.get(span) == Some(&plain) => {}
            Ok(_) => wrong.push(block),
            Err(_) => failing.push(block),
        }
    }
    (failing, wrong)
}

#[test]
fn every_bad_vector_ends_as_its_list_says() {
    let Some(vectors) = vectors() else { return };
    let mut wrong = Vec::new();
    for (file, ending) in BAD {
        let opened = open(&vectors.join("cso/bad").join(file));
        if let Err(why) = ends_as(opened, ending, &vectors) {
            wrong.push(format!("{file}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let listed = library::rows(&vectors.join("cso/bad/manifest.tsv"));
    assert_eq!(listed.len(), BAD.len());
}

fn ends_as(opened: plainiso::Result<Image>, ending: &Ending, vectors: &Path) -> Result<(), String> {
    let image = match (opened, ending) {
        (Err(_), Refused | NeverWrong) => return Ok(()),
        (Err(why), _) => return Err(format!("must open, but: {}", why.sentence())),
        (Ok(_), Refused) => return Err("must not open".into()),
        (Ok(image), _) => image,
    };
    let (failing, wrong) = failing_and_wrong_blocks(&image, &truth(vectors, image.size()));
    let no_block_is_wrong = wrong.is_empty();
    let fits = match ending {
        Undetected(blocks) => {
            return expect(failing.is_empty() && wrong == *blocks, &failing, &wrong);
        }
        Fails(blocks) => failing == *blocks,
        MayFail(blocks) => failing.iter().all(|block| blocks.contains(block)),
        FailsFrom(first) => failing == (*first..image.geometry().blocks()).collect::<Vec<_>>(),
        NeverWrong | Refused => true,
    };
    expect(fits && no_block_is_wrong, &failing, &wrong)
}

fn expect(fits: bool, failing: &[u64], wrong: &[u64]) -> Result<(), String> {
    if fits {
        Ok(())
    } else {
        Err(format!(
            "blocks that fail: {failing:?}, that are wrong: {wrong:?}"
        ))
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
        let undetected: &[u64] = match ending {
            Undetected(blocks) => blocks,
            _ => &[],
        };
        let failing = match File::open(&shown) {
            Err(_) => {
                assert!(matches!(ending, Refused | NeverWrong), "{file} must open");
                continue;
            }
            Ok(shown) => failing_pages(file, &shown, undetected, &vectors),
        };
        let expected: Vec<u64> = match ending {
            Refused => panic!("{file} must not open"),
            Fails(blocks) if file.ends_with("dax") => {
                blocks.iter().flat_map(|b| [b * 2, b * 2 + 1]).collect()
            }
            Fails(blocks) => {
                let mut pages: Vec<u64> = blocks.iter().map(|block| block / 2).collect();
                pages.dedup();
                pages
            }
            FailsFrom(first) => (first / 2..143).collect(),
            MayFail(_) | NeverWrong => continue,
            Undetected(_) => Vec::new(),
        };
        assert_eq!(failing, expected, "{file}");
    }
}

/// Numbers of the 4096-byte pages that cannot be read; what can be read must be right.
fn failing_pages(file: &str, shown: &File, undetected: &[u64], vectors: &Path) -> Vec<u64> {
    let truth = truth(vectors, shown.metadata().unwrap().len());
    let mut failing = Vec::new();
    for (page, expected) in (0..).zip(truth.chunks(4096)) {
        let mut plain = vec![0; expected.len()];
        match shown.read_exact_at(&mut plain, page * 4096) {
            Ok(()) if undetected.contains(&(page * 2)) => {}
            Ok(()) => assert!(plain == expected, "{file}: page {page} is wrong"),
            Err(why) => {
                assert_eq!(why.raw_os_error(), Some(libc::EIO), "{file}: page {page}");
                failing.push(page);
            }
        }
    }
    failing
}

/// The writer put the last block's end where its start belongs; every other block is right.
#[test]
fn an_index_without_the_last_block_fails_there_or_finds_it() {
    let Some(vectors) = vectors() else { return };
    let image = open(&vectors.join("cso/tail.phyber.cso")).unwrap();
    let (failing, wrong) = failing_and_wrong_blocks(&image, &truth(&vectors, image.size()));
    assert!(failing.is_empty() || failing == [284], "{failing:?}");
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// The header promises 575,488 bytes; the writer stopped at the last whole block, 4096 bytes before.
#[test]
fn a_tail_that_the_writer_left_out_is_an_error() {
    let Some(vectors) = vectors() else { return };
    let image = open(&vectors.join("cso/small.zisopy-b6144-floor.zso")).unwrap();
    let mut plain = vec![0; 571_392];
    image.read_at(&mut plain, 0).unwrap();
    assert!(truth(&vectors, image.size()).starts_with(&plain));
    assert!(image.read_at(&mut plain, 571_392).is_err());
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

/// Through the page cache a good block is lost with its page; readers that go around the cache lose nothing.
#[test]
fn a_direct_reader_loses_only_the_damaged_block() {
    if !library::fuse_is_there() {
        return;
    }
    let mut bytes = fs::read(library::folder().join("Racer.zso")).unwrap();
    let twin = open(&library::folder().join("Racer.zso")).unwrap();
    assert_eq!(twin.geometry().largest_block(), 2048);
    // An entry that points behind the file: block 100 has no place.
    bytes[24 + 4 * 100..][..4].copy_from_slice(&0x7fff_fff0_u32.to_le_bytes());
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("Racer.zso"), bytes).unwrap();
    let mount = Mount::of(dir.path());
    let shown = File::options()
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(mount.path().join("Racer.iso"))
        .unwrap();
    for block in 90..110_u64 {
        let (mut got, mut want) = ([1; 2048], [2; 2048]);
        twin.read_at(&mut want, block * 2048).unwrap();
        match shown.read_exact_at(&mut got, block * 2048) {
            Ok(()) => assert!(got == want && block != 100, "block {block}"),
            Err(why) => assert_eq!((block, why.raw_os_error()), (100, Some(libc::EIO))),
        }
    }
}

/// Every kind of damage that another project's writer knows to make: refused, or each block right or failing.
#[test]
fn no_kind_of_broken_isz_decodes_to_wrong_bytes() {
    let Some(vectors) = vectors() else { return };
    let mkisz = vectors.join("../tools/mkisz.py");
    let plain = fs::read(library::folder().join("Tools.iso")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let kinds = library::succeed(Command::new("python3").arg(&mkisz).arg("kinds")).stdout;
    let kinds = String::from_utf8(kinds).unwrap();
    let mut wrong = Vec::new();
    for kind in kinds
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        let broken = dir.path().join(format!("{kind}.isz"));
        let mut write = Command::new("python3");
        write.arg(&mkisz).args(["write", "--codec", "mixed"]);
        write.args(["--chunk-size", "16384", "--corrupt", kind]);
        if kind.contains("segment") {
            write.args(["--segments", "3"]);
        }
        write.arg(library::folder().join("Tools.iso")).arg(&broken);
        let written = write.output().unwrap();
        if !written.status.success() {
            let why = String::from_utf8_lossy(&written.stderr);
            wrong.push(format!("{kind}: not made: {why}"));
            continue;
        }
        let Ok(image) = open(&broken) else { continue };
        let (failing, bad) = failing_and_wrong_blocks(&image, &plain);
        if !bad.is_empty() {
            wrong.push(format!(
                "{kind}: blocks {bad:?} are wrong, {failing:?} fail"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
