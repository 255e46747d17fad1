//! The mount seen through the kernel.

#![cfg(target_os = "linux")]

mod common;

use std::{fs, os::unix::fs::chown, path::Path};

use common::{
    Mounted, Spec, eventually, folders, fuse_is_there, is_dead, is_mounted, line_of,
    users_can_mount,
};
use plainiso::{
    ErrorKind,
    fuse::session::{Unmount, unmount},
};
use rustix::process::Signal;
use tempfile::TempDir;

/// The user that nothing belongs to.
const NOBODY: u32 = 65534;

#[test]
#[ignore = "a server for the other tests"]
fn serves_a_mount_for_another_test() {
    common::serve();
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
        unmount(&mountpoint, Unmount::Now).unwrap();
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

/// The same, belonging to nobody, to be mounted by nobody.
fn folders_of_nobody() -> (TempDir, TempDir, Spec) {
    let (source, place, mountpoint) = folders("mnt");
    for path in [source.path(), place.path(), &mountpoint] {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let mut spec = Spec::new(source.path(), &mountpoint);
    spec.user = Some(NOBODY);
    (source, place, spec)
}

#[test]
fn an_ordinary_user_mounts_through_fusermount3() {
    if !fuse_is_there() || !users_can_mount() {
        return;
    }
    let (_source, _place, spec) = folders_of_nobody();
    let mut mounted = Mounted::start(&spec).unwrap();
    let line = line_of(&spec.mountpoint).unwrap();
    assert!(line.contains("user_id=65534"), "{line}");
    mounted.signal(Signal::TERM);
    assert!(mounted.wait().success());
    assert!(!is_mounted(&spec.mountpoint));
}

#[test]
fn a_dead_mount_of_an_ordinary_user_is_replaced() {
    if !fuse_is_there() || !users_can_mount() {
        return;
    }
    let (_source, _place, spec) = folders_of_nobody();
    let mut killed = Mounted::start(&spec).unwrap();
    killed.signal(Signal::KILL);
    killed.wait();
    assert!(is_mounted(&spec.mountpoint));
    let mut again = Mounted::start(&spec).unwrap();
    again.signal(Signal::TERM);
    assert!(again.wait().success());
    assert!(!is_mounted(&spec.mountpoint));
}

#[test]
fn a_user_who_may_not_let_others_in_is_told_what_to_do() {
    if !fuse_is_there() || !users_can_mount() {
        return;
    }
    let allowed = fs::read_to_string("/etc/fuse.conf").unwrap_or_default();
    if allowed
        .lines()
        .any(|line| line.trim() == "user_allow_other")
    {
        eprintln!("skipped: /etc/fuse.conf allows allow_other to users");
        return;
    }
    let (_source, _place, spec) = folders_of_nobody();
    for word in ["allow_other", "allow_root"] {
        let why = Mounted::start(&spec.clone().with(word)).unwrap_err();
        assert!(
            why.starts_with("Fuse: ")
                && why.ends_with("add the line user_allow_other to /etc/fuse.conf"),
            "{why}"
        );
    }
}

#[test]
fn with_auto_unmount_a_killed_server_leaves_no_mount() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("mnt");
    let spec = Spec::new(source.path(), &mountpoint).with("auto_unmount");
    let mut mounted = Mounted::start(&spec).unwrap();
    mounted.signal(Signal::KILL);
    mounted.wait();
    eventually("fusermount3 unmounts", || !is_mounted(&mountpoint));
}

#[test]
fn a_busy_mount_is_kept_unless_it_is_detached() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("mnt");
    let mut mounted = Mounted::start(&Spec::new(source.path(), &mountpoint)).unwrap();
    let user = fs::File::open(&mountpoint).unwrap();
    let refused = unmount(&mountpoint, Unmount::Now).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Mountpoint);
    assert!(refused.sentence().contains("'-z' detaches it"), "{refused}");
    assert!(is_mounted(&mountpoint));
    unmount(&mountpoint, Unmount::Lazy).unwrap();
    assert!(!is_mounted(&mountpoint));
    assert_eq!(mounted.child.try_wait().unwrap(), None);
    drop(user);
    assert!(mounted.wait().success());
}

#[test]
fn a_signal_ends_the_server_of_a_busy_mount_and_frees_its_path() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("mnt");
    let mut mounted = Mounted::start(&Spec::new(source.path(), &mountpoint)).unwrap();
    let user = fs::File::open(&mountpoint).unwrap();
    mounted.signal(Signal::TERM);
    eventually("the path is free", || !is_mounted(&mountpoint));
    mounted.signal(Signal::TERM);
    assert!(mounted.wait().success());
    let lost = user.metadata().unwrap_err();
    assert_eq!(lost.raw_os_error(), Some(libc::ENOTCONN));
}

#[test]
fn only_mounts_of_ours_are_unmounted() {
    let place = TempDir::new().unwrap();
    for path in [
        place.path(),
        Path::new("/proc"),
        Path::new("/"),
        Path::new(""),
    ] {
        let refused = unmount(path, Unmount::Lazy).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Mountpoint);
        assert!(
            refused
                .sentence()
                .contains("nothing of plainiso is mounted here"),
            "{refused}"
        );
    }
    assert!(Path::new("/proc/self").exists());
}

#[test]
fn a_mountpoint_must_exist_and_be_a_directory() {
    if !fuse_is_there() {
        return;
    }
    let (source, place, _mountpoint) = folders("mnt");
    let absent = Mounted::start(&Spec::new(source.path(), &place.path().join("absent")));
    assert!(
        absent
            .unwrap_err()
            .contains("absent: does not exist: make the mountpoint first")
    );
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let wrong = Mounted::start(&Spec::new(source.path(), &file)).unwrap_err();
    assert!(wrong.contains("file: is not a directory"), "{wrong}");
}
