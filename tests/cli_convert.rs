//! `plainiso convert`, run as users run it.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

mod common;
#[path = "convert/mod.rs"]
mod discs;

use common::eventually;
use discs::{PROGRAM, convert, disc, names, plain_of, text, write};

/// A folder of images in a tree, with what is none.
fn library() -> TempDir {
    let folder = TempDir::new().unwrap();
    let sub = folder.path().join("in/ps2/deep");
    fs::create_dir_all(&sub).unwrap();
    fs::create_dir_all(folder.path().join("in/.hidden")).unwrap();
    fs::write(folder.path().join("in/a.iso"), disc(50, 1)).unwrap();
    fs::write(folder.path().join("in/ps2/b.iso"), disc(60, 2)).unwrap();
    fs::write(sub.join("c.iso"), disc(70, 3)).unwrap();
    fs::write(folder.path().join("in/.hidden/d.iso"), disc(50, 4)).unwrap();
    fs::write(folder.path().join("in/readme.txt"), "no image").unwrap();
    folder
}

#[test]
fn a_folder_is_converted_with_its_tree_and_goes_on_where_it_stopped() {
    let folder = library();
    let run = |more: &[&str]| {
        let arguments = [&["in", "-o", "out", "--to", "zso", "-r"], more].concat();
        let output = convert(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    assert_eq!(run(&[]).lines().count(), 3);
    let out = folder.path().join("out");
    assert_eq!(names(&out), ["a.zso", "ps2"]);
    assert!(plain_of(&out.join("ps2/deep/c.zso")) == disc(70, 3));
    fs::remove_file(out.join("ps2/b.zso")).unwrap();
    let before = fs::metadata(out.join("a.zso")).unwrap().modified().unwrap();
    let said = run(&[]);
    assert_eq!(
        said.matches("is there already, skipped").count(),
        2,
        "{said}"
    );
    assert!(plain_of(&out.join("ps2/b.zso")) == disc(60, 2));
    assert_eq!(
        fs::metadata(out.join("a.zso")).unwrap().modified().unwrap(),
        before
    );
    // A skipped output is compared before its source goes.
    run(&["--delete-source"]);
    assert_eq!(
        names(&folder.path().join("in")),
        [".hidden", "ps2", "readme.txt"]
    );
    assert_eq!(names(&folder.path().join("in/ps2/deep")), [""; 0]);
}

#[test]
fn an_output_that_is_not_what_its_source_becomes_is_neither_skipped_nor_replaced() {
    let folder = library();
    let input = folder.path().join("in");
    for (wrong, why) in [
        (b"short".to_vec(), "its first bytes are shor"),
        (disc(50, 1), "it is iso"),
        (
            fs::read(packed(&folder, &disc(51, 1))).unwrap(),
            "it holds 104448 bytes",
        ),
        (
            cut(fs::read(packed(&folder, &disc(50, 1))).unwrap()),
            "the file ends inside the block",
        ),
    ] {
        fs::write(input.join("a.zso"), &wrong).unwrap();
        let output = convert(folder.path(), &["in", "--to", "zso", "-r"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("a.zso: a file stands where the output goes"),
            "{said}"
        );
        assert!(said.contains(why), "{said}");
        assert!(fs::read(input.join("a.zso")).unwrap() == wrong);
        // The rest was done nevertheless.
        assert!(plain_of(&input.join("ps2/b.zso")) == disc(60, 2));
    }
    // Of the right size and sound, but another image: only comparing tells, and then nothing is deleted.
    fs::copy(packed(&folder, &disc(50, 8)), input.join("a.zso")).unwrap();
    let output = convert(
        folder.path(),
        &["in", "--to", "zso", "-r", "--delete-source"],
    );
    assert!(
        text(&output.stderr).contains("differs from the source"),
        "{}",
        text(&output.stderr)
    );
    assert!(input.join("a.iso").exists());
}

fn packed(folder: &TempDir, plain: &[u8]) -> std::path::PathBuf {
    write(folder, "x.iso", plain);
    let output = convert(folder.path(), &["x.iso", "-o", "x.zso", "--force"]);
    assert_eq!(output.status.code(), Some(0));
    folder.path().join("x.zso")
}

/// Without the end of its last block, and without the padding behind it.
fn cut(mut file: Vec<u8>) -> Vec<u8> {
    while file.last() == Some(&0) {
        file.pop();
    }
    file.truncate(file.len() - 20);
    file
}

#[test]
fn two_images_that_would_become_one_file_are_not_mixed_up() {
    let folder = library();
    fs::copy(
        packed(&folder, &disc(50, 9)),
        folder.path().join("in/a.zso"),
    )
    .unwrap();
    let output = convert(folder.path(), &["in", "-o", "out", "--to", "cso", "-r"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("in/a.zso: it would become out/a.cso, as in/a.iso does"),
        "{said}"
    );
    assert!(plain_of(&folder.path().join("out/a.cso")) == disc(50, 1));
}

#[test]
fn json_tells_each_event_on_a_line() {
    let folder = library();
    fs::write(folder.path().join("in/z.cso"), b"CISO damaged").unwrap();
    let output = convert(
        folder.path(),
        &[
            "in",
            "-o",
            "out",
            "--for",
            "emulator",
            "-r",
            "--json",
            "--checksum",
            "crc32",
        ],
    );
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let events: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 5);
    assert_eq!(events[0]["event"], "converted");
    assert_eq!(events[0]["source"], "in/a.iso");
    assert_eq!(events[0]["outputs"][0], "out/a.cso");
    assert_eq!(events[0]["plain_size"], 50 * 2048);
    let crc32 = format!("{:08x}", crc32fast::hash(&disc(50, 1)));
    assert_eq!(events[0]["checksum"]["value"], crc32);
    assert_eq!(events[3]["event"], "failed");
    assert_eq!(events[3]["source"], "in/z.cso");
    let finished =
        serde_json::json!({"event": "finished", "converted": 3, "skipped": 0, "failed": 1});
    assert_eq!(events[4], finished);
}

#[test]
fn a_dry_run_says_what_would_be_done_and_writes_nothing() {
    let folder = library();
    let output = convert(
        folder.path(),
        &["in", "-o", "out", "--for", "ps2", "-r", "--dry-run"],
    );
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    assert!(said.starts_with("in/a.iso -> out/a.zso\n"), "{said}");
    assert_eq!(names(folder.path()), ["in"]);
    let output = convert(
        folder.path(),
        &["in/a.iso", "--to", "dax", "-b", "2k", "--dry-run"],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("dax has blocks of 8192 bytes"));
}

#[test]
fn presets_choose_what_their_readers_take() {
    let folder = library();
    for (purpose, format, block_size) in [
        ("ps2", "zso", 2048),
        ("psp", "cso", 2048),
        ("emulator", "cso", 16_384),
        ("archive", "cso", 262_144),
    ] {
        let name = format!("{purpose}.{format}");
        convert(folder.path(), &["in/a.iso", "-o", &name, "--for", purpose]);
        let path = folder.path().join(&name);
        assert_eq!(discs::open(&path).geometry().largest_block(), block_size);
        assert!(plain_of(&path) == disc(50, 1), "{purpose}");
    }
    // What is given wins over what a preset says.
    convert(
        folder.path(),
        &["in/a.iso", "-o", "b.cso", "--for", "emulator", "-b", "4k"],
    );
    assert_eq!(
        discs::open(&folder.path().join("b.cso"))
            .geometry()
            .largest_block(),
        4096
    );
}

#[test]
fn a_checksum_file_is_what_sha256sum_reads() {
    let folder = library();
    let arguments = [
        "in/a.iso",
        "-o",
        "a.zso",
        "--checksum",
        "sha256",
        "--checksum-file",
    ];
    let output = convert(folder.path(), &arguments);
    let line = fs::read_to_string(folder.path().join("a.iso.sha256")).unwrap();
    assert!(
        line.ends_with("  a.iso\n") && line.len() == 64 + 8,
        "{line}"
    );
    assert!(text(&output.stdout).contains(&line));
}

#[test]
fn an_encrypted_set_is_written_and_read_with_its_password() {
    let folder = library();
    write(&folder, "word", b"secret\n");
    let arguments = [
        "in/a.iso",
        "-o",
        "a.isz",
        "--split",
        "160k",
        "-b",
        "32k",
        "-m",
        "bzip2",
        "--encrypt",
        "192",
        "--encrypt-password-file",
        "word",
        "--verify",
        "-q",
    ];
    let output = convert(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(output.stdout, b"");
    assert!(plain_of(&folder.path().join("a.isz")) == disc(50, 1));
    let output = convert(folder.path(), &["in/a.iso", "-o", "b.isz", "--encrypt"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("give one with --encrypt-password-file"));
}

#[test]
fn what_does_not_fit_together_is_a_usage_error() {
    let folder = library();
    for (arguments, why) in [
        (&["in/a.iso"][..], "give --to FORMAT"),
        (
            &["in/a.iso", "--to", "zst"],
            "format 'zst' cannot be written",
        ),
        (&["in", "--to", "zso"], "this is a folder; --recursive"),
        (
            &["in/a.iso", "--to", "zso", "-m", "zstd"],
            "zso cannot hold zstd; it can hold lz4hc, lz4",
        ),
        (
            &["in/a.iso", "--to", "zso", "-c", "13"],
            "a number from 0 to 12",
        ),
        (
            &["in/a.iso", "--to", "zso", "-b", "2kb"],
            "not a number of bytes",
        ),
        (
            &["in/a.iso", "--to", "iso", "--force"],
            "would replace its own source",
        ),
    ] {
        let output = convert(folder.path(), arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(names(folder.path()), ["in"]);
}

#[test]
fn a_reader_of_the_lines_that_goes_away_does_not_stop_the_work() {
    let folder = library();
    let script = "\"$0\" convert in -o out --to zso -r | head -c 1 >/dev/null";
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, PROGRAM])
        .current_dir(folder.path());
    assert!(shell.status().unwrap().success());
    eventually("all are there", || {
        folder.path().join("out/ps2/deep/c.zso").exists()
    });
}

#[test]
fn images_by_foreign_tools_are_converted() {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folder = TempDir::new().unwrap();
    let input = library.join("library");
    let output = convert(
        folder.path(),
        &[
            input.to_str().unwrap(),
            "-o",
            "out",
            "-r",
            "--to",
            "zso",
            "--verify",
        ],
    );
    // One of them is damaged.
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let manifest = fs::read_to_string(library.join("manifest.tsv")).unwrap();
    let mut converted = 0;
    for line in manifest.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let path = folder
            .path()
            .join("out")
            .join(columns[0])
            .with_extension("zso");
        if columns[3] == "damaged" {
            assert!(!path.exists());
            continue;
        }
        let digest = Sha256::digest(plain_of(&path));
        let sum = digest
            .iter()
            .fold(String::new(), |sum, byte| format!("{sum}{byte:02x}"));
        assert_eq!(sum, columns[3], "{}", columns[0]);
        converted += 1;
    }
    assert!(converted >= 10);
}
