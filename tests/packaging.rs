//! What packages bring along: fstab lines that mount(8) takes, units that name what the program knows.

mod common;
mod library;

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use common::is_mounted;
use library::{CRATE, PLAINISO, fuse_is_there, succeed};

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(CRATE).join("packaging").join(file)).unwrap()
}

/// A link that mount(8) finds its helper by, taken away at the end.
struct HelperLink(&'static Path);

impl HelperLink {
    fn make() -> std::io::Result<Self> {
        let path = Path::new("/sbin/mount.plainiso");
        symlink(PLAINISO, path).map(|()| Self(path))
    }
}

impl Drop for HelperLink {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0);
    }
}

/// A mountpoint that is free again at the end.
struct Target(PathBuf);

impl Drop for Target {
    fn drop(&mut self) {
        if is_mounted(&self.0) {
            let _ = Command::new("umount").arg("-l").arg(&self.0).output();
        }
    }
}

/// Lines of type `fuse.plainiso` find the program by its installed place, so `scripts/check-package` tries those.
#[test]
fn every_line_of_the_fstab_example_mounts() {
    if !fuse_is_there() {
        return;
    }
    let link = match HelperLink::make() {
        Ok(link) => link,
        Err(err) => return eprintln!("left out: /sbin/mount.plainiso cannot be made: {err}"),
    };
    let place = tempfile::tempdir().unwrap();
    let srv = place.path().to_str().unwrap();
    fs::create_dir(place.path().join("discs")).unwrap();
    fs::create_dir(place.path().join("plain")).unwrap();
    let image = library::folder().join("Racer.zso");
    fs::copy(image, place.path().join("discs/Game.cso")).unwrap();
    fs::write(place.path().join("game.iso"), "").unwrap();
    let fstab = place.path().join("fstab");
    let example = read("examples/fstab");
    let lines = example.lines().filter(|line| line.starts_with('/'));
    let mut tried = 0;
    for line in lines.filter(|line| !line.contains(" fuse.plainiso ")) {
        let entry = line.replace("/srv", srv);
        let target = Target(entry.split_whitespace().nth(1).unwrap().into());
        fs::write(&fstab, format!("{entry}\n")).unwrap();
        succeed(Command::new("mount").arg("-T").arg(&fstab).arg(&target.0));
        let shown = if target.0.ends_with("plain") {
            target.0.join("Game.iso")
        } else {
            target.0.clone()
        };
        assert_eq!(fs::metadata(shown).unwrap().len(), 575_488, "{entry}");
        succeed(Command::new("umount").arg(&target.0));
        tried += 1;
    }
    assert_eq!(tried, 4);
    drop(link);
}

/// The options behind `ExecStart=`, and those of `Options=`, are words that the program knows.
#[test]
fn units_call_the_program_with_words_that_it_knows() {
    let help = succeed(Command::new(PLAINISO).args(["mount", "--help"])).stdout;
    let help = String::from_utf8(help).unwrap();
    for unit in [
        "systemd/plainiso@.service",
        "systemd/user/plainiso@.service",
    ] {
        let unit = read(unit);
        let start = unit
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart="));
        let words = start
            .unwrap()
            .split(' ')
            .filter(|word| word.starts_with("--"));
        for word in words {
            assert!(help.contains(word), "{word}");
        }
        assert!(unit.contains("Type=notify") && unit.contains("${SOURCE} ${MOUNTPOINT}"));
    }
}

/// A unit with a mount namespace of its own would mount where nobody sees it.
#[test]
fn the_system_unit_has_no_mount_namespace_of_its_own() {
    let unit = read("systemd/plainiso@.service");
    for word in [
        "ProtectSystem=",
        "ProtectHome=",
        "PrivateTmp=",
        "PrivateDevices=",
        "ReadOnlyPaths=",
        "PrivateMounts=",
    ] {
        assert!(unit.lines().all(|line| !line.starts_with(word)), "{word}");
    }
}

#[test]
fn the_desktop_entry_opens_one_file_with_the_command_for_it() {
    let entry = read("plainiso.desktop");
    assert!(entry.starts_with("[Desktop Entry]\n") && entry.ends_with('\n'));
    assert!(entry.contains("\nExec=plainiso open %f\n"));
    // The types come from the registry when a package is built.
    assert!(!entry.contains("MimeType"));
}
