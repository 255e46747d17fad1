//! The mount seen through the kernel.

#![cfg(target_os = "linux")]

mod common;

use std::fs;

use common::{Mounted, Spec, fuse_is_there, is_dead, is_mounted, line_of, users_can_mount};
use rustix::process::Signal;
use tempfile::TempDir;

#[test]
#[ignore = "a server for the other tests"]
fn serves_a_mount_for_another_test() {
    common::serve();
}

/// A source folder and an empty mountpoint of any name.
fn folders(name: &str) -> (TempDir, TempDir, std::path::PathBuf) {
    let source = TempDir::new().unwrap();
    let place = TempDir::new().unwrap();
    let mountpoint = place.path().join(name);
    fs::create_dir(&mountpoint).unwrap();
    (source, place, mountpoint)
}

#[test]
fn a_signal_unmounts_and_ends_the_server_with_success() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("mnt");
    for signal in [Signal::TERM, Signal::INT] {
        let mut mounted = Mounted::start(&Spec::new(source.path(), &mountpoint)).unwrap();
        assert!(is_mounted(&mountpoint));
        mounted.signal(signal);
        assert!(mounted.wait().success());
        assert!(!is_mounted(&mountpoint));
    }
}

#[test]
fn any_character_may_stand_in_a_mountpoint_and_in_a_source_name() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("a b,c\nd\\e");
    let mut spec = Spec::new(source.path(), &mountpoint);
    spec.source_name = "one, two\\three".into();
    for spec in [spec.clone(), spec.with("auto_unmount")] {
        let mut mounted = Mounted::start(&spec).unwrap();
        let line = line_of(&mountpoint).unwrap();
        assert!(
            line.contains(r" - fuse.plainiso one,\040two\134three "),
            "{line}"
        );
        plainiso::fuse::session::unmount(&mountpoint, plainiso::fuse::session::Unmount::Now)
            .unwrap();
        assert!(mounted.wait().success());
        assert!(!is_mounted(&mountpoint));
    }
}

#[test]
fn a_dead_mount_of_ours_is_replaced() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("mnt");
    let spec = Spec::new(source.path(), &mountpoint);
    let mut killed = Mounted::start(&spec).unwrap();
    killed.signal(Signal::KILL);
    killed.wait();
    assert!(is_dead(&mountpoint));
    let mut again = Mounted::start(&spec).unwrap();
    assert!(fs::metadata(&mountpoint).unwrap().is_dir());
    again.signal(Signal::TERM);
    assert!(again.wait().success());
    assert!(!is_mounted(&mountpoint));
}

#[test]
fn an_ordinary_user_mounts_through_fusermount3() {
    if !fuse_is_there() || !users_can_mount() {
        return;
    }
    let (source, place, mountpoint) = folders("mnt");
    for path in [source.path(), place.path(), &mountpoint] {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
    let mut spec = Spec::new(source.path(), &mountpoint);
    spec.user = Some(65534);
    let mut mounted = Mounted::start(&spec).unwrap();
    let line = line_of(&mountpoint).unwrap();
    assert!(line.contains("user_id=65534"), "{line}");
    mounted.signal(Signal::TERM);
    assert!(mounted.wait().success());
    assert!(!is_mounted(&mountpoint));
}
