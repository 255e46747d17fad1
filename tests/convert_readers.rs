//! What `convert` writes, read by programs of other people.

use std::{fs, path::Path, process::Command};

mod common;
#[path = "convert/mod.rs"]
mod discs;
mod library;

use library::{PLAINISO, succeed, vectors};

const PASSWORD: &str = "correct horse";

fn convert(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new(PLAINISO);
    command.arg("convert").args(arguments).current_dir(folder);
    succeed(&mut command);
}

/// A folder with a disc and a password.
fn folder() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let plain = discs::disc(700, 11);
    fs::write(folder.path().join("disc.iso"), &plain).unwrap();
    fs::write(folder.path().join("key"), PASSWORD).unwrap();
    (folder, plain)
}

/// A reader and checker written from the format's description alone, in another language.
#[test]
fn another_isz_reader_reads_every_kind_that_is_written() {
    let Some(vectors) = vectors() else { return };
    let mkisz = vectors.join("../tools/mkisz.py");
    let mkisz = mkisz.canonicalize().unwrap();
    let key = "--encrypt-password-file=key";
    let kinds: [&[&str]; 6] = [
        &["--method=zlib"],
        &["--method=bzip2"],
        &["--block-size=4k"],
        &["--split=200k"],
        &["--encrypt=128", key],
        &["--encrypt=256", key, "--split=200k", "--method=bzip2"],
    ];
    for kind in kinds {
        let (folder, plain) = folder();
        convert(
            folder.path(),
            &[&["disc.iso", "--to", "isz"], kind].concat(),
        );
        let mut read = Command::new("python3");
        read.arg(&mkisz).args(["read", "--password", PASSWORD]);
        read.args(["disc.isz", "back"]).current_dir(folder.path());
        succeed(&mut read);
        let back = fs::read(folder.path().join("back")).unwrap();
        assert!(back == plain, "{kind:?}");
        let mut verify = Command::new("python3");
        verify.arg(&mkisz).args(["verify", "--password", PASSWORD]);
        verify.arg("disc.isz").current_dir(folder.path());
        let said = succeed(&mut verify).stdout;
        let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
        assert_eq!(said["checksum1"], "ok", "{kind:?}: {said}");
        assert_eq!(said["data_size"], "ok", "{kind:?}: {said}");
    }
}
