//! `plainiso open`, which a double click runs, and the mounts that end when nobody uses them.

mod common;
mod library;

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use common::{eventually, is_mounted};
use library::{Mount, PLAINISO, fuse_is_there, succeed};
use tempfile::TempDir;

/// A session with a file manager that writes down what it is to show.
struct Desktop(TempDir);

impl Desktop {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("run")).unwrap();
        let opener = dir.path().join("xdg-open");
        let script = "#!/bin/sh\nprintf '%s\\n' \"$1\" >>\"$(dirname \"$0\")/shown\"\nls \"$1\" >/dev/null\n";
        fs::write(&opener, script).unwrap();
        fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
        Self(dir)
    }

    fn open(&self, image: &Path, idle: &str) -> Command {
        let path = env::var_os("PATH").unwrap();
        let folders = [self.0.path().into()]
            .into_iter()
            .chain(env::split_paths(&path));
        let mut command = Command::new(PLAINISO);
        command
            .args(["open", "--idle", idle])
            .arg(image)
            .env("PATH", env::join_paths(folders).unwrap())
            .env("XDG_RUNTIME_DIR", self.0.path().join("run"));
        command
    }

    /// What the file manager was given, in order.
    fn shown(&self) -> Vec<PathBuf> {
        let shown = fs::read_to_string(self.0.path().join("shown")).unwrap_or_default();
        shown.lines().map(PathBuf::from).collect()
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        for path in self.shown() {
            if is_mounted(&path) {
                let _ = Command::new(PLAINISO)
                    .args(["umount", "-z"])
                    .arg(path)
                    .output();
            }
        }
    }
}

#[test]
fn a_double_click_mounts_an_image_once_and_shows_it() {
    if !fuse_is_there() {
        return;
    }
    let desktop = Desktop::new();
    let image = library::folder().join("Racer.zso");
    let another = desktop.0.path().join("Racer.zso");
    fs::copy(&image, &another).unwrap();
    for image in [&image, &image, &another] {
        succeed(&mut desktop.open(image, "1h"));
    }
    let shown = desktop.shown();
    let run = desktop
        .0
        .path()
        .join("run/plainiso")
        .canonicalize()
        .unwrap();
    let (first, second) = (run.join("Racer.zso"), run.join("Racer.zso (2)"));
    assert_eq!(shown, [first.clone(), first.clone(), second]);
    let size = fs::metadata(first.join("Racer.iso")).unwrap().len();
    assert_eq!(size, 575_488);
}

#[test]
fn a_double_click_on_what_is_no_image_leaves_nothing_mounted() {
    let desktop = Desktop::new();
    let image = desktop.0.path().join("bad.cso");
    fs::write(&image, "no image").unwrap();
    let output = desktop.open(&image, "1h").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(desktop.shown().is_empty());
    let left = fs::read_dir(desktop.0.path().join("run/plainiso")).unwrap();
    assert_eq!(left.count(), 0);
    let mut without_session = desktop.open(&image, "1h");
    let output = without_session
        .env_remove("XDG_RUNTIME_DIR")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_nobody_uses_is_unmounted_and_cleared_away() {
    if !fuse_is_there() {
        return;
    }
    let desktop = Desktop::new();
    let image = library::folder().join("Racer.zso");
    succeed(&mut desktop.open(&image, "1"));
    let mountpoint = desktop.shown().remove(0);
    eventually("nobody uses the mount", || !is_mounted(&mountpoint));
    let other = library::folder().join("Puzzle.dax");
    succeed(&mut desktop.open(&other, "1h"));
    assert!(!mountpoint.exists());
}

#[test]
fn a_mount_with_an_open_file_is_not_idle() {
    if !fuse_is_there() {
        return;
    }
    // On a busy machine the mount may have been idle before it is opened.
    let mut tries = (0..20).map(|_| {
        let used = Mount::with(&library::folder(), &["-o", "idle=1"]);
        let open = fs::File::open(used.path().join("Racer.iso")).ok();
        open.map(|open| (used, open))
    });
    let (used, open) = tries.find_map(|opened| opened).unwrap();
    // The second mount is idle for as long, and later than the first one.
    let unused = Mount::with(&library::folder(), &["-o", "idle=1"]);
    eventually("nobody uses the second mount", || {
        !is_mounted(unused.path())
    });
    assert!(is_mounted(used.path()));
    drop(open);
    eventually("nobody uses the first mount", || !is_mounted(used.path()));
}
