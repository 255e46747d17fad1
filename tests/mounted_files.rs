//! What programs see of the files in a mount, through the kernel.

#![cfg(target_os = "linux")]

mod common;

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::{
        ffi::OsStringExt,
        fs::{DirEntryExt, FileExt, MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::SystemTime,
};

use common::{Mounted, Spec, eventually, folders, fuse_is_there, is_mounted, users_can_mount};
use flate2::{Compression, write::DeflateEncoder};
use plainiso::fuse::session::{Unmount, unmount};
use rustix::{
    fs::{CWD, Mode, SeekFrom, XattrFlags},
    io::Errno,
    mount::MountFlags,
    process::Signal,
};

const BLOCK: u32 = 2048;

/// The user that nothing belongs to.
const NOBODY: u32 = 65534;

#[test]
#[ignore = "a server for the other tests"]
fn serves_a_mount_for_another_test() {
    common::serve();
}

/// Bytes that compress a little and repeat nowhere.
fn plain(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 27) as u8
        })
        .collect()
}

/// A CSO version 1 of `plain`, all of it deflated.
fn cso(plain: &[u8]) -> Vec<u8> {
    let blocks: Vec<Vec<u8>> = plain.chunks(BLOCK as usize).map(deflate).collect();
    let mut file = b"CISO".to_vec();
    file.extend(24u32.to_le_bytes());
    file.extend((plain.len() as u64).to_le_bytes());
    file.extend(BLOCK.to_le_bytes());
    file.extend([1, 0, 0, 0]);
    let mut at = 24 + 4 * (blocks.len() + 1);
    for len in blocks.iter().map(Vec::len).chain([0]) {
        file.extend(u32::try_from(at).unwrap().to_le_bytes());
        at += len;
    }
    file.extend(blocks.concat());
    file
}

fn deflate(block: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(block).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn many_readers_of_one_file_all_get_its_plain_bytes() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("mnt");
    let plain = plain(5_000_000);
    fs::write(source.path().join("game.cso"), cso(&plain)).unwrap();
    let mounted = Mounted::start(&Spec::new(source.path(), &mountpoint)).unwrap();
    let path = mounted.path("game.iso");
    thread::scope(|scope| {
        for reader in 0..4 {
            let (path, plain) = (&path, &plain);
            scope.spawn(move || {
                let file = File::open(path).unwrap();
                for step in 0..200 {
                    let at = (step * 77_777 + reader * 1_234_567) % plain.len();
                    let len = (step * 3571 + 1) % 300_000;
                    let want = &plain[at..plain.len().min(at + len)];
                    let mut got = vec![0; want.len()];
                    file.read_exact_at(&mut got, at as u64).unwrap();
                    assert!(got == want, "{len} bytes at {at}");
                }
            });
        }
    });
    assert!(fs::read(&path).unwrap() == plain);
}

#[test]
fn names_that_are_odd_pass_through_the_kernel() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("mnt");
    let plain = plain(30_000);
    let long = |first: &str, end: &str| [first.repeat(251), end.into()].concat().into_bytes();
    // The stored name and the shown one, of images and then of other files.
    let images: [(Vec<u8>, Vec<u8>); 5] = [
        (b"a\n\xff.cso".into(), b"a\n\xff.iso".into()),
        (long("x", ".cso"), long("x", ".iso")),
        // Its plain name is taken, and there is no room for the appended one.
        (long("y", ".cso"), long("y", ".cso")),
        (b"game.cso".into(), b"game.iso".into()),
        (b".hidden.cso".into(), b".hidden.iso".into()),
    ];
    let others = [long("y", ".iso"), b"Game.iso".into(), b".cso".into()];
    let name = |bytes: &[u8]| OsString::from_vec(bytes.into());
    for (stored, _) in &images {
        fs::write(source.path().join(name(stored)), cso(&plain)).unwrap();
    }
    for other in &others {
        fs::write(source.path().join(name(other)), other).unwrap();
    }
    let _mounted = Mounted::start(&Spec::new(source.path(), &mountpoint)).unwrap();
    let entries = fs::read_dir(&mountpoint).unwrap();
    let listed: BTreeSet<OsString> = entries.map(|entry| entry.unwrap().file_name()).collect();
    let shown = images.iter().map(|(_, shown)| shown).chain(&others);
    assert_eq!(listed, shown.map(|shown| name(shown)).collect());
    for (_, shown) in &images {
        assert!(fs::read(mountpoint.join(name(shown))).unwrap() == plain);
    }
    for other in &others {
        assert_eq!(&fs::read(mountpoint.join(name(other))).unwrap(), other);
    }
}

#[test]
fn attributes_tell_the_plain_size_and_the_stored_room() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("mnt");
    let plain = plain(1_000_001);
    let stored = source.path().join("game.cso");
    fs::write(&stored, cso(&plain)).unwrap();
    let mounted = Mounted::start(&Spec::new(source.path(), &mountpoint)).unwrap();
    let it = fs::metadata(mounted.path("game.iso")).unwrap();
    let below = fs::metadata(&stored).unwrap();
    assert_eq!(it.len(), 1_000_001);
    assert_eq!(it.blocks(), below.len().div_ceil(512));
    assert_eq!(it.modified().unwrap(), below.modified().unwrap());
    assert_eq!(it.mode() & 0o7777, 0o444);
    let room = rustix::fs::statvfs(&mountpoint).unwrap();
    assert_eq!((room.f_bavail, room.f_namemax), (0, 255));
    assert!(room.f_blocks > 0);
}

#[test]
fn extended_attributes_follow_the_rules_of_their_calls() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("mnt");
    fs::write(source.path().join("game.cso"), cso(&plain(10_000))).unwrap();
    let mounted = Mounted::start(&Spec::new(source.path(), &mountpoint)).unwrap();
    let path = mounted.path("game.iso");
    let mut room = [0u8; 200];
    let get = |name, room: &mut [u8]| rustix::fs::getxattr(&path, name, room);
    let len = get("user.plainiso.format", &mut room).unwrap();
    assert_eq!(room[..len].to_ascii_lowercase(), b"cso");
    assert_eq!(get("user.plainiso.format", &mut [0]), Err(Errno::RANGE));
    assert_eq!(get("user.nothing", &mut room), Err(Errno::NODATA));
    let len = rustix::fs::listxattr(&path, &mut room).unwrap();
    let names: Vec<&[u8]> = room[..len].split(|&byte| byte == 0).collect();
    assert!(names.contains(&b"user.plainiso.format".as_slice()));
    assert_eq!(names.last(), Some(&b"".as_slice()));
}

#[test]
fn whoever_writes_is_told_that_the_file_system_is_read_only() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("mnt");
    fs::write(source.path().join("game.cso"), cso(&plain(10_000))).unwrap();
    fs::create_dir(source.path().join("folder")).unwrap();
    let mounted = Mounted::start(&Spec::new(source.path(), &mountpoint)).unwrap();
    every_write_is_refused(&mounted);
    // A remount takes the kernel's own refusal away; the answers are the same.
    match rustix::mount::mount_remount(&mountpoint, MountFlags::empty(), c"") {
        Ok(()) => every_write_is_refused(&mounted),
        Err(err) => eprintln!("skipped the second half: cannot remount: {err}"),
    }
}

fn every_write_is_refused(mounted: &Mounted) {
    let (file, new) = (mounted.path("game.iso"), mounted.path("new"));
    let folder = mounted.path("folder");
    let opened = File::open(&file).unwrap();
    let refused: [(&str, io::Result<()>); 16] = [
        ("create", File::create(&new).map(drop)),
        (
            "open to write",
            File::options().write(true).open(&file).map(drop),
        ),
        (
            "open to append",
            File::options().append(true).open(&file).map(drop),
        ),
        (
            "truncate",
            File::options()
                .write(true)
                .truncate(true)
                .open(&file)
                .map(drop),
        ),
        ("mkdir", fs::create_dir(&new)),
        ("rmdir", fs::remove_dir(&folder)),
        ("unlink", fs::remove_file(&file)),
        ("rename", fs::rename(&file, &new)),
        ("symlink", std::os::unix::fs::symlink("game.iso", &new)),
        ("link", fs::hard_link(&file, &new)),
        (
            "chmod",
            fs::set_permissions(&file, PermissionsExt::from_mode(0o777)),
        ),
        ("chown", std::os::unix::fs::chown(&file, Some(1), None)),
        ("utimes", opened.set_modified(SystemTime::UNIX_EPOCH)),
        (
            "setxattr",
            rustix::fs::setxattr(&file, "user.a", b"1", XattrFlags::empty()).map_err(Into::into),
        ),
        (
            "removexattr",
            rustix::fs::removexattr(&file, "user.plainiso.format").map_err(Into::into),
        ),
        (
            "mkfifo",
            rustix::fs::mknodat(CWD, &new, rustix::fs::FileType::Fifo, Mode::RWXU, 0)
                .map_err(Into::into),
        ),
    ];
    for (call, answer) in refused {
        let number = answer.map_err(|err| err.raw_os_error());
        assert_eq!(number, Err(Some(libc::EROFS)), "{call}");
    }
}

#[test]
fn an_image_is_mounted_over_a_regular_file() {
    if !fuse_is_there() {
        return;
    }
    let (source, place, _mountpoint) = folders("mnt");
    let plain = plain(100_000);
    let (stored, over) = (
        source.path().join("game.cso"),
        place.path().join("disc.iso"),
    );
    fs::write(&stored, cso(&plain)).unwrap();
    fs::write(&over, "").unwrap();
    let spec = Spec::new(&stored, &over).with("root_is_file");
    let mut mounted = Mounted::start(&spec).unwrap();
    assert!(fs::read(&over).unwrap() == plain);
    unmount(&over, Unmount::Now).unwrap();
    assert!(mounted.wait().success());
    assert_eq!(fs::read(&over).unwrap(), b"");
    let refused = Mounted::start(&Spec::new(&stored, source.path()).with("root_is_file"));
    assert!(refused.unwrap_err().contains("is not a regular file"));
}

#[test]
fn a_large_folder_is_listed_whole_and_once() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("mnt");
    let mut names: Vec<String> = (0..3000).map(|n| format!("note {n:04}.txt")).collect();
    for name in &names {
        fs::write(source.path().join(name), name).unwrap();
    }
    let _mounted = Mounted::start(&Spec::new(source.path(), &mountpoint)).unwrap();
    let mut listed = Vec::new();
    for entry in fs::read_dir(&mountpoint).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().len(), 13);
        assert_eq!(entry.metadata().unwrap().ino(), entry.ino());
        listed.push(entry.file_name().into_string().unwrap());
    }
    listed.sort();
    names.sort();
    assert_eq!(listed, names);
}

#[test]
fn a_file_without_holes_is_data_to_its_end() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("mnt");
    fs::write(source.path().join("game.cso"), cso(&plain(10_000))).unwrap();
    let mounted = Mounted::start(&Spec::new(source.path(), &mountpoint)).unwrap();
    let file = File::open(mounted.path("game.iso")).unwrap();
    let seek = |to| rustix::fs::seek(&file, to);
    assert_eq!(seek(SeekFrom::Data(5000)), Ok(5000));
    assert_eq!(seek(SeekFrom::Hole(5000)), Ok(10_000));
    assert_eq!(seek(SeekFrom::Data(10_000)), Err(Errno::NXIO));
    assert_eq!(seek(SeekFrom::End(-1)), Ok(9999));
}

#[test]
fn other_users_get_in_only_when_they_are_let_in() {
    if !fuse_is_there() || !users_can_mount() {
        return;
    }
    let (source, place, mountpoint) = folders("mnt");
    for path in [source.path(), place.path()] {
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    fs::write(source.path().join("note.txt"), "read me").unwrap();
    let spec = Spec::new(source.path(), &mountpoint);
    for (word, comes_in) in [
        ("nosuid", false),
        ("allow_root", false),
        ("allow_other", true),
    ] {
        let mounted = Mounted::start(&spec.clone().with(word)).unwrap();
        let read = Command::new("cat")
            .arg(mounted.path("note.txt"))
            .uid(NOBODY)
            .gid(NOBODY)
            .output()
            .unwrap();
        assert_eq!(read.status.success(), comes_in, "{word}");
        assert_eq!(fs::read(mounted.path("note.txt")).unwrap(), b"read me");
    }
}

#[test]
fn a_signal_while_files_are_read_ends_the_server_and_gives_no_wrong_byte() {
    if !fuse_is_there() {
        return;
    }
    let (source, _place, mountpoint) = folders("mnt");
    let plain = plain(20_000_000);
    fs::write(source.path().join("game.cso"), cso(&plain)).unwrap();
    let mut mounted = Mounted::start(&Spec::new(source.path(), &mountpoint)).unwrap();
    let path = mounted.path("game.iso");
    let reading = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| read_until_it_ends(&path, &plain, &reading));
        }
        eventually("reads are in flight", || reading.load(Ordering::Relaxed));
        mounted.signal(Signal::TERM);
        eventually("the path is free", || !is_mounted(&mountpoint));
        assert!(mounted.wait().success());
    });
}

/// Reads again and again, each time without the kernel's cache, until the mount is gone.
fn read_until_it_ends(path: &Path, plain: &[u8], reading: &AtomicBool) {
    let Ok(mut file) = File::open(path) else {
        return;
    };
    let mut got = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        match file.read(&mut got) {
            Ok(0) => {
                at = 0;
                rustix::fs::seek(&file, SeekFrom::Start(0)).unwrap();
            }
            Ok(len) => {
                assert!(got[..len] == plain[at..at + len]);
                at += len;
                reading.store(true, Ordering::Relaxed);
            }
            Err(_) => return,
        }
    }
}
