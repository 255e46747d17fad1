//! A mount shows what happens to its library, also to those who have its folders open.

#![cfg(target_os = "linux")]

mod common;
mod library;

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::Command,
};

use common::eventually;
use library::{Mount, PLAINISO, cso, fuse_is_there, noise, succeed};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};

fn image(plain: &[u8]) -> Vec<u8> {
    let blocks = plain.chunks(2048).map(<[u8]>::to_vec);
    cso(plain.len() as u64, 2048, blocks)
}

#[test]
fn changes_show_to_who_has_the_folder_open() {
    if !fuse_is_there() {
        return;
    }
    let library = tempfile::tempdir().unwrap();
    let below = |name: &str| library.path().join("sub").join(name);
    fs::create_dir(library.path().join("sub")).unwrap();
    fs::write(below("a.cso"), image(&noise(8192))).unwrap();
    fs::write(below("log.txt"), b"one").unwrap();
    let mount = Mount::of(library.path());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let folder = openat(CWD, mount.path().join("sub"), flags, Mode::empty()).unwrap();
    let size = |name: &str| {
        let stat = statat(&folder, name, AtFlags::empty());
        stat.ok().map(|it| it.st_size)
    };
    assert_eq!((size("a.iso"), size("log.txt")), (Some(8192), Some(3)));
    let number = || statat(&folder, "a.iso", AtFlags::empty()).unwrap().st_ino;
    let first = number();

    fs::write(below("b.cso"), image(&noise(4096))).unwrap();
    eventually("a new file", || size("b.iso") == Some(4096));
    fs::rename(below("b.cso"), below("c.cso")).unwrap();
    eventually("a renamed file", || {
        size("b.iso").is_none() && size("c.iso") == Some(4096)
    });
    fs::remove_file(below("c.cso")).unwrap();
    eventually("a removed file", || size("c.iso").is_none());
    let mut log = File::options().append(true).open(below("log.txt")).unwrap();
    log.write_all(b" and two").unwrap();
    eventually("a file that grew", || size("log.txt") == Some(11));
    let shown = mount.path().join("sub/a.iso");
    assert_eq!(fs::read(&shown).unwrap(), noise(8192));
    fs::write(below("new"), image(&noise(16384))).unwrap();
    fs::rename(below("new"), below("a.cso")).unwrap();
    eventually("a replaced file", || size("a.iso") == Some(16384));
    assert_eq!(fs::read(&shown).unwrap(), noise(16384));
    // Where the kernel was slow to say that the old one was closed, the number is kept for that a moment longer.
    eventually("the number stays", || number() == first);
}

#[test]
fn an_image_that_is_being_copied_appears_when_it_is_one_and_does_not_fill_the_log() {
    if !fuse_is_there() {
        return;
    }
    let library = tempfile::tempdir().unwrap();
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let plain = noise(100 * 2048);
    let stored = image(&plain);
    let mount = Mount::with(library.path(), &["--log-file", log.to_str().unwrap()]);
    let mut copy = File::create(library.path().join("a.cso")).unwrap();
    let shown = mount.path().join("a.iso");
    // The header and the index end at 428.
    for step in stored[..400].chunks(20) {
        copy.write_all(step).unwrap();
        assert!(fs::read(&shown).is_err());
    }
    copy.write_all(&stored[400..]).unwrap();
    eventually("the image is complete", || {
        fs::read(&shown).is_ok_and(|bytes| bytes == plain)
    });
    let lines = fs::read_to_string(&log).unwrap();
    let about = lines.lines().filter(|line| line.contains("a.cso")).count();
    // One, and one more for each pause of five seconds that a busy machine makes.
    assert!(about < 10, "{lines}");
}

#[test]
fn a_rescan_is_asked_for_by_command() {
    if !fuse_is_there() {
        return;
    }
    let rescan = |path: &Path| {
        let mut command = Command::new(PLAINISO);
        command.arg("rescan").arg(path);
        command
    };
    let library = tempfile::tempdir().unwrap();
    let far = library.path().join("far");
    fs::create_dir(&far).unwrap();
    std::os::unix::fs::symlink("far/a.cso", library.path().join("a.cso")).unwrap();
    let mount = Mount::of(library.path());
    let shown = mount.path().join("a.iso");
    assert!(!shown.exists());
    // The folder with the link does not change.
    fs::write(far.join("a.cso"), image(&noise(8192))).unwrap();
    succeed(&mut rescan(mount.path()));
    eventually("the link is followed", || {
        fs::read(&shown).is_ok_and(|bytes| bytes == noise(8192))
    });

    let refused = rescan(library.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(4));
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(
        message.contains("nothing of plainiso is mounted here"),
        "{message}"
    );
}
