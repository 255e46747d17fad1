//! `plainiso verify`: hashes as other tools tell them, damage by block and file, and discs by DAT files.

mod library;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use library::{PLAINISO, cso, fixtures, folder, noise, open, succeed, vectors, whole};
use serde_json::Value;

fn verify(arguments: &[&Path]) -> Command {
    let mut command = Command::new(PLAINISO);
    command.arg("verify").args(arguments).stdin(Stdio::null());
    command.env_remove("PLAINISO_PASSWORD");
    command
}

/// Exit code, stdout, stderr.
fn run(arguments: &[&Path]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = verify(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// The answers in JSON, which must come with this exit code.
fn json(arguments: &[&Path], code: i32) -> Vec<Value> {
    let mut arguments = arguments.to_vec();
    arguments.insert(0, Path::new("--json"));
    let (ended, stdout, stderr) = run(&arguments);
    assert_eq!(ended, code, "{arguments:?}: {stderr}");
    match serde_json::from_str(&stdout).unwrap() {
        Value::Array(answers) => answers,
        other => panic!("{other}"),
    }
}

/// The first word that a tool prints for a file; `None`, with a line that says so, where it is not there.
fn told_by(tool: &str, file: &Path) -> Option<String> {
    let output = Command::new(tool).arg(file).output();
    let Ok(output) = output else {
        eprintln!("left out: {tool} is not there");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.split(' ').next().unwrap().to_owned())
}

/// CRC-32 bit by bit, as its definition has it.
fn crc32(bytes: &[u8]) -> String {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    format!("{:08x}", !crc)
}

#[test]
fn the_hashes_of_a_library_are_those_of_other_tools() {
    let dir = tempfile::tempdir().unwrap();
    let answers = json(&[&folder()], 3);
    assert_eq!(answers.len(), fixtures().len());
    for fixture in fixtures() {
        let is_it = |answer: &&Value| Path::new(answer["file"].as_str().unwrap()) == fixture.path;
        let answer = answers.iter().find(is_it).unwrap();
        let Some(sha256) = fixture.sha256 else {
            assert_eq!(answer["intact"], false);
            continue;
        };
        let bytes = whole(&open(&fixture.path).unwrap()).unwrap();
        let plain = dir.path().join("plain");
        fs::write(&plain, &bytes).unwrap();
        let hashes = &answer["hashes"];
        assert_eq!(hashes["sha256"], sha256);
        assert_eq!(hashes["crc32"], crc32(&bytes));
        for (tool, name) in [
            ("md5sum", "md5"),
            ("sha1sum", "sha1"),
            ("sha256sum", "sha256"),
        ] {
            if let Some(told) = told_by(tool, &plain) {
                assert_eq!(hashes[name], told, "{}", fixture.shown);
            }
        }
        assert_eq!(answer["intact"], true);
        assert_eq!(answer["discs"], Value::Null);
    }
}

#[test]
fn what_the_formats_carry_is_checked() {
    let carried = |name: &str| {
        let answer = json(&[&folder().join(name)], 0).remove(0);
        let checks = answer["checks"].as_array().unwrap().clone();
        assert!(checks.iter().all(|check| check["ok"] == true), "{name}");
        let names = checks
            .iter()
            .map(|it| format!("{} {}", it["algorithm"].as_str().unwrap(), it["covers"]));
        (
            names.collect::<Vec<_>>().join(", "),
            answer["block_checksums"].clone(),
        )
    };
    let none = serde_json::json!({});
    assert_eq!(carried("Racer.zso"), (String::new(), none.clone()));
    assert_eq!(
        carried("PSP Demos/Flight.jso"),
        ("md5 \"image\"".into(), none)
    );
    assert_eq!(
        carried("Saga.isz"),
        (
            "crc32 \"image\", crc32 \"stored\"".into(),
            serde_json::json!({"adler32": 3})
        )
    );
    assert_eq!(carried("Puzzle.dax").1, serde_json::json!({"adler32": 54}));
    assert_eq!(carried("Toolbox.chd").0, "sha1 \"disc\"");
    assert_eq!(carried("Workbench.isz").1, serde_json::json!({"crc32": 2}));
}

#[test]
fn a_wrong_checksum_in_a_header_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("x.isz");
    for (fixture, at, message) in [
        (
            "Saga.isz",
            48,
            "crc32 of the image bytes is 2ebb882a, the file says 2ebb88",
        ),
        (
            "Saga.isz",
            60,
            "crc32 of the stored bytes is 7e1e3c0b, the file says 7e1e3c",
        ),
        (
            "PSP Demos/Arcade.jso",
            16,
            "md5 of the image bytes is 8ceb7ce15230ffbb9f418ddb1d07988d",
        ),
        ("Toolbox.chd", 64, "sha1 of the disc bytes is "),
    ] {
        let mut bytes = fs::read(folder().join(fixture)).unwrap();
        bytes[at] ^= 1;
        fs::write(&image, bytes).unwrap();
        fs::copy(folder().join("Saga.i01"), dir.path().join("x.i01")).unwrap();
        let (code, stdout, stderr) = run(&[&image]);
        assert_eq!(code, 3);
        assert!(stderr.contains(message), "{stderr}");
        assert!(stdout.contains("damaged: a checksum is wrong"), "{stdout}");
    }
}

#[test]
fn every_damaged_block_is_named_with_the_files_it_hits() {
    let path = folder().join("Scratched.cso");
    let image = open(&path).unwrap();
    let answer = json(&[&path], 3).remove(0);
    let damage = answer["damage"].as_array().unwrap();
    let mut named = damage.iter();
    for block in 0..image.geometry().blocks() {
        let span = image.geometry().span(block);
        let mut plain = vec![0; usize::try_from(span.end - span.start).unwrap()];
        if image.read_at(&mut plain, span.start).is_err() {
            let damage = named.next().unwrap();
            assert_eq!(damage["block"], block);
            assert_eq!(damage["offset"], span.start);
            assert_eq!(damage["length"], span.end - span.start);
        }
    }
    assert!(named.next().is_none());
    assert_eq!(damage[0]["files"], serde_json::json!(["/MIXED.DAT"]));
    assert_eq!(damage[20]["files"], serde_json::json!(["/ZEROS.BIN"]));
    assert_eq!(answer["hashes"], serde_json::json!({}));
    let (_, stdout, stderr) = run(&[&path]);
    assert!(stderr.ends_with("Scratched.cso: 21 of 36 blocks cannot be read\n"));
    assert!(stdout.contains("damage:      16384 bytes at 245760, in /MIXED.DAT: block 15 "));
}

/// An image with files, made by xorriso; `None`, with a line that says so, where that is not there.
fn disc(dir: &Path, files: &[(&str, Vec<u8>)]) -> Option<PathBuf> {
    if Command::new("xorriso").arg("-version").output().is_err() {
        let is_required = std::env::var_os("PLAINISO_REQUIRE_FUSE").is_some();
        assert!(!is_required, "xorriso is required here");
        eprintln!("left out: xorriso is not there");
        return None;
    }
    let (tree, iso) = (dir.join("tree"), dir.join("plain.iso"));
    for (name, bytes) in files {
        fs::create_dir_all(tree.join(name).parent().unwrap()).unwrap();
        fs::write(tree.join(name), bytes).unwrap();
    }
    let mut xorriso = Command::new("xorriso");
    xorriso.args(["-as", "mkisofs", "-quiet", "-R", "-J", "-o"]);
    succeed(xorriso.arg(&iso).arg(&tree));
    Some(iso)
}

#[test]
fn damage_in_a_file_deep_in_an_image_names_this_file_only() {
    let dir = tempfile::tempdir().unwrap();
    let wanted = b"the block that is lost".repeat(300);
    let files = [
        ("A.BIN", noise(9000)),
        (
            "DATA/LEVELS/LEVEL1.DAT",
            [noise(2048), wanted.clone()].concat(),
        ),
        ("DATA/LEVELS/LEVEL2.DAT", vec![0; 70_000]),
    ];
    let Some(iso) = disc(dir.path(), &files) else {
        return;
    };
    let plain = fs::read(iso).unwrap();
    let at = plain
        .windows(64)
        .position(|bytes| bytes == &wanted[..64])
        .unwrap();
    let mut file = cso(
        plain.len() as u64,
        2048,
        plain.chunks(2048).map(<[u8]>::to_vec),
    );
    let entry = |block: usize| {
        let bytes = file[24 + 4 * block..][..4].try_into().unwrap();
        usize::try_from(u32::from_le_bytes(bytes) & !(1 << 31)).unwrap()
    };
    let (start, end) = (entry(at / 2048), entry(at / 2048 + 1));
    file[start..end].fill(0xff);
    let image = dir.path().join("x.cso");
    fs::write(&image, file).unwrap();
    let answer = json(&[&image], 3).remove(0);
    assert_eq!(answer["damaged_blocks"], 1);
    assert_eq!(answer["files_known"], true);
    assert_eq!(answer["damage"][0]["offset"], (at / 2048 * 2048) as u64);
    let files = serde_json::json!(["/DATA/LEVELS/LEVEL1.DAT"]);
    assert_eq!(answer["damage"][0]["files"], files);
}

/// A DAT file with the fixtures' plain image and another disc.
fn dat(dir: &Path, sha1: &str) -> PathBuf {
    let dat = dir.join("x.dat");
    let text = format!(
        r#"<?xml version="1.0"?><datafile><header><name>Handhelds</name></header>
        <game name="Other (Japan)"><rom name="o.iso" size="575488" crc="00000000"/></game>
        <game name="Racer &amp; Friends (Europe)">
          <rom name="Racer.iso" size="575488" crc="BF7CF2EA" sha1="{sha1}"/>
        </game></datafile>"#
    );
    fs::write(&dat, text).unwrap();
    dat
}

#[test]
fn a_disc_is_named_by_a_dat_file() {
    let dir = tempfile::tempdir().unwrap();
    let dat = dat(dir.path(), "7718e514f018908f8f69786ee53ac44294081e71");
    let (racer, option) = (folder().join("Racer.zso"), Path::new("--dat"));
    let (code, stdout, stderr) = run(&[option, &dat, &racer]);
    assert_eq!((code, &stderr[..]), (0, ""));
    let line = "disc:        Racer & Friends (Europe) (Racer.iso, in Handhelds)\n";
    assert!(stdout.contains(line), "{stdout}");
    let none = [option, &dat, Path::new("--hash"), Path::new("none"), &racer];
    assert_eq!(json(&none, 0)[0]["discs"][0]["file"], "Racer.iso");
}

#[test]
fn a_disc_that_no_dat_file_knows_is_a_failure_and_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let dat = dat(dir.path(), "7718e514f018908f8f69786ee53ac44294081e72");
    let (racer, option) = (folder().join("Racer.zso"), Path::new("--dat"));
    let (code, stdout, stderr) = run(&[option, &dat, &racer]);
    assert_eq!(code, 1);
    assert!(stderr.ends_with("Racer.zso: no DAT file knows this disc\n"));
    assert!(stdout.contains("disc:        in no DAT file\n"));
    assert!(stdout.contains("result:      intact\n"));
}

#[test]
fn a_dat_file_that_is_none_is_refused_before_hours_of_reading() {
    let racer = folder().join("Racer.zso");
    let (code, stdout, stderr) = run(&[Path::new("--dat"), &racer, &racer]);
    assert_eq!((code, &stdout[..]), (3, ""));
    assert!(
        stderr.contains("Racer.zso: this is no DAT file"),
        "{stderr}"
    );
}

#[test]
fn what_cannot_be_opened_is_named_and_the_rest_verified() {
    let (missing, text) = (Path::new("/nowhere.cso"), folder().join("Read me.txt"));
    let (code, stdout, stderr) = run(&[missing, &text, &folder().join("Racer.zso")]);
    assert_eq!(code, 1, "failures of two kinds");
    assert!(
        stdout.contains("Racer.zso\nresult:      intact\n"),
        "{stdout}"
    );
    assert!(stderr.contains("/nowhere.cso: ") && stderr.contains("Read me.txt: "));
}

#[test]
fn no_vector_is_mistaken() {
    let Some(vectors) = vectors() else { return };
    let isz = library::rows(&vectors.join("isz/manifest.tsv"));
    for row in isz.iter().filter(|row| row[5].is_empty()) {
        let answer = json(&[&vectors.join("isz").join(&row[0])], 0).remove(0);
        assert_eq!(answer["hashes"]["sha256"], row[3], "{}", row[0]);
        assert_eq!(answer["intact"], true);
    }
    for row in library::rows(&vectors.join("cso/bad/manifest.tsv")) {
        let (code, ..) = run(&[&vectors.join("cso/bad").join(&row[0])]);
        // Some are only odd, and decode to what they held.
        assert!(matches!(code, 0 | 3), "{}: {code}", row[0]);
    }
    let (code, _, stderr) = run(&[&vectors.join("cso/bad/jso-lzo-damaged.jso")]);
    assert_eq!(code, 3);
    assert!(stderr.contains("md5 of the image bytes"), "{stderr}");
}
