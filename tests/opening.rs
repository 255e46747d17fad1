//! Plain files are read past the server, and a file that is replaced while it is open is not mixed with the other.

#![cfg(target_os = "linux")]

mod common;
mod library;

use std::{
    fs::{self, File, Permissions},
    os::unix::{
        fs::{FileExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use common::{Mounted, Spec, eventually, folders, fuse_is_there, users_can_mount};
use library::{
    Mount, folder,
    reading::{Loop, SUM, kernel, reads, reads_the_same_in_every_way},
    succeed, whole,
};
use rustix::fs::SeekFrom;

/// The user that nothing belongs to.
const NOBODY: u32 = 65534;

#[test]
#[ignore = "a server for the other tests"]
fn serves_a_mount_for_another_test() {
    common::serve();
}

/// The number of reads that the server counted.
const READS: &str = "
import json, os, sys
print(json.loads(os.getxattr(sys.argv[1], 'user.plainiso.stats'))['reads'])
";

/// Whether files at `path` can be read past the server: Linux 6.9 or newer, the system's own root, and a file system
/// that stands on no other. Says why not.
fn can_be_passed(path: &Path) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = u64::from_str_radix(effective.unwrap().trim(), 16).unwrap();
    let users = fs::read_to_string("/proc/self/uid_map").unwrap();
    let sys_admin = 1 << 21;
    let overlay = 0x794c_7630;
    let why = if kernel() < (6, 9) {
        "the kernel is older than 6.9"
    } else if effective & sys_admin == 0 || !users.trim().ends_with("4294967295") {
        "needs the system's root"
    } else if rustix::fs::statfs(path).unwrap().f_type == overlay {
        "temporary files stand on an overlay"
    } else {
        return true;
    };
    eprintln!("left out: reading past the server: {why}");
    false
}

/// Other bytes for each seed, of a size of its own.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..300_000 + seed * 512).map(|_| next()).collect()
}

/// Lets another file take a name.
fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    fs::write(&new, bytes).unwrap();
    fs::rename(new, path).unwrap();
}

/// Reads a file that may be replaced by others meanwhile: all that is read is of one of them.
fn read_whole(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 20];
    let len = rustix::io::pread(file, &mut bytes, 0).unwrap();
    bytes.truncate(len);
    bytes
}

#[test]
fn a_plain_file_is_read_past_the_server_and_is_the_same_in_every_way() {
    if !fuse_is_there() {
        return;
    }
    let library = tempfile::tempdir().unwrap();
    let plain = noise(1);
    fs::write(library.path().join("note.bin"), &plain).unwrap();
    let mount = Mount::of(library.path());
    let shown = mount.path().join("note.bin");
    reads_the_same_in_every_way(&shown, &plain);
    for words in [&[][..], &["--direct-io=on"]] {
        if let Some(device) = Loop::over(&shown, words) {
            let sectors = plain.len() / 512 * 512;
            assert!(
                fs::read(&device.0).unwrap() == plain[..sectors],
                "{words:?}"
            );
        }
    }
    if can_be_passed(library.path()) {
        assert_eq!(reads(mount.path()), 0);
    }
}

#[test]
fn holes_of_a_plain_file_are_found() {
    if !fuse_is_there() {
        return;
    }
    let library = tempfile::tempdir().unwrap();
    let stored = library.path().join("holes.bin");
    fs::write(&stored, "data").unwrap();
    let file = File::options().write(true).open(&stored).unwrap();
    file.write_all_at(b"more", 1 << 20).unwrap();
    let mount = Mount::of(library.path());
    let (shown, stored) = (
        File::open(mount.path().join("holes.bin")).unwrap(),
        File::open(&stored).unwrap(),
    );
    for to in [
        SeekFrom::Data(0),
        SeekFrom::Hole(0),
        SeekFrom::Data(70_000),
        SeekFrom::Hole(1 << 20),
        SeekFrom::Data(2 << 20),
        SeekFrom::End(-1),
    ] {
        let (found, expected) = (rustix::fs::seek(&shown, to), rustix::fs::seek(&stored, to));
        assert_eq!(found, expected, "{to:?}");
    }
}

#[test]
fn a_file_that_is_replaced_while_it_is_open_stays_the_old_one() {
    if !fuse_is_there() {
        return;
    }
    let library = tempfile::tempdir().unwrap();
    let stored = library.path().join("disc.iso");
    fs::write(&stored, noise(0)).unwrap();
    let mount = Mount::of(library.path());
    let shown = mount.path().join("disc.iso");
    let mut open = vec![(File::open(&shown).unwrap(), noise(0))];
    let image = fs::read(folder().join("Racer.zso")).unwrap();
    let racer = whole(&library::open(&folder().join("Racer.zso")).unwrap()).unwrap();
    for (bytes, plain) in [
        (noise(1), noise(1)),
        (noise(2), noise(2)),
        (image, racer),
        (noise(3), noise(3)),
    ] {
        replace(&stored, &bytes);
        for _ in 0..2 {
            open.push((File::open(&shown).unwrap(), plain.clone()));
        }
        for (file, plain) in &open {
            assert!(read_whole(file) == *plain);
        }
    }
    // Of each plain file, also after the last look at the image, the length is its own.
    for (file, plain) in &open {
        assert_eq!(file.metadata().unwrap().len(), plain.len() as u64);
    }
    drop(open);
    assert!(fs::read(&shown).unwrap() == noise(3));
}

/// A CSO of the noise of a seed.
fn image(seed: u64) -> Vec<u8> {
    let plain = noise(seed);
    let blocks = plain.chunks(2048).map(<[u8]>::to_vec);
    library::cso(plain.len() as u64, 2048, blocks)
}

/// The kernel cuts reads at the size that it believes, so whoever looks at the name must not change it for readers.
#[test]
fn a_reader_of_an_image_that_is_replaced_by_a_shorter_or_longer_one_reads_the_old_one_whole() {
    if !fuse_is_there() {
        return;
    }
    for (old, new) in [(900, 1), (1, 900)] {
        let library = tempfile::tempdir().unwrap();
        let stored = library.path().join("disc.cso");
        fs::write(&stored, image(old)).unwrap();
        let mount = Mount::of(library.path());
        let shown = mount.path().join("disc.iso");
        let file = File::open(&shown).unwrap();
        file.read_exact_at(&mut [0; 100], 0).unwrap();
        replace(&stored, &image(new));
        eventually("the newcomer shows", || {
            fs::metadata(&shown).unwrap().len() == noise(new).len() as u64
        });
        assert_eq!(file.metadata().unwrap().len(), noise(old).len() as u64);
        assert!(read_whole(&file) == noise(old));
        assert!(fs::read(&shown).unwrap() == noise(new));
        assert!(read_whole(&file) == noise(old));
    }
}

#[test]
fn an_image_that_is_opened_just_after_it_was_replaced_is_read_whole() {
    if !fuse_is_there() {
        return;
    }
    let library = tempfile::tempdir().unwrap();
    let stored = library.path().join("disc.cso");
    fs::write(&stored, image(0)).unwrap();
    let mount = Mount::of(library.path());
    let shown = mount.path().join("disc.iso");
    for seed in [900, 1, 800, 2] {
        // The kernel believes this for a second.
        fs::metadata(&shown).unwrap();
        replace(&stored, &image(seed));
        assert!(fs::read(&shown).unwrap() == noise(seed), "{seed}");
    }
}

/// The kernel refuses a file that is to be read in another way than others who have it open: nobody must see that.
#[test]
fn readers_of_a_file_that_is_replaced_again_and_again_get_one_of_its_contents() {
    if !fuse_is_there() {
        return;
    }
    let library = tempfile::tempdir().unwrap();
    let stored = library.path().join("disc.iso");
    let contents: Vec<Vec<u8>> = (0..4).map(noise).collect();
    fs::write(&stored, &contents[0]).unwrap();
    let mount = Mount::of(library.path());
    let shown = mount.path().join("disc.iso");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    match File::open(&shown) {
                        Ok(file) => assert!(contents.contains(&read_whole(&file))),
                        // It was replaced twice while it was opened once.
                        Err(err) => assert_eq!(err.raw_os_error(), Some(libc::ESTALE)),
                    }
                }
            });
        }
        for round in 0..200 {
            replace(&stored, &contents[round % 4]);
        }
        stop.store(true, Ordering::Relaxed);
    });
    replace(&stored, &contents[2]);
    assert!(fs::read(&shown).unwrap() == contents[2]);
}

/// A file system below the library, unmounted when dropped.
struct Below(PathBuf);

impl Below {
    /// `None`, with a line that says so, where it is not allowed or not known.
    fn mount(kind: &str, options: &str, source: &Path, at: PathBuf) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", kind, "-o", options]).arg(source).arg(&at);
        let output = mount.output().unwrap();
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            eprintln!("left out: {kind}: {why}");
            return None;
        }
        Some(Self(at))
    }
}

impl Drop for Below {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_plain_file_on_an_overlay_is_read_through_the_server() {
    if !fuse_is_there() {
        return;
    }
    let (lower, place, both) = folders("both");
    fs::write(lower.path().join("note.bin"), noise(1)).unwrap();
    let upper = place.path().join("upper");
    fs::create_dir(&upper).unwrap();
    let layers = format!("lowerdir={}:{}", upper.display(), lower.path().display());
    let Some(below) = Below::mount("overlay", &layers, Path::new("overlay"), both) else {
        return;
    };
    let mount = Mount::of(&below.0);
    reads_the_same_in_every_way(&mount.path().join("note.bin"), &noise(1));
    assert!(reads(mount.path()) > 0);
}

/// The kernel would open the stored file with the reader's flags, and fail.
#[test]
fn a_plain_file_on_a_file_system_without_o_direct_is_read_through_the_server() {
    if !fuse_is_there() {
        return;
    }
    let (library, place, at) = folders("squashfs");
    fs::write(library.path().join("note.bin"), noise(1)).unwrap();
    let image = place.path().join("squashfs.img");
    let mut mksquashfs = Command::new("mksquashfs");
    mksquashfs.arg(library.path()).arg(&image).arg("-quiet");
    if mksquashfs.output().is_err() {
        eprintln!("left out: mksquashfs is not there");
        return;
    }
    let Some(below) = Below::mount("squashfs", "ro,loop", &image, at) else {
        return;
    };
    let mount = Mount::of(&below.0);
    reads_the_same_in_every_way(&mount.path().join("note.bin"), &noise(1));
    assert!(reads(mount.path()) > 0);
}

#[test]
fn an_ordinary_user_reads_plain_files_through_the_server() {
    if !fuse_is_there() || !users_can_mount() {
        return;
    }
    let (source, place, mountpoint) = folders("mnt");
    fs::write(source.path().join("note.bin"), noise(1)).unwrap();
    for path in [source.path(), place.path(), &mountpoint] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let mut spec = Spec::new(source.path(), &mountpoint);
    spec.user = Some(NOBODY);
    let mounted = Mounted::start(&spec).unwrap();
    let mut python = Command::new("python3");
    python.uid(NOBODY).gid(NOBODY).args(["-c", SUM, "private"]);
    let sum = succeed(python.arg(mounted.path("note.bin"))).stdout;
    assert_eq!(
        String::from_utf8(sum).unwrap().trim_end(),
        library::sha256(&noise(1))
    );
    let mut stats = Command::new("python3");
    stats.uid(NOBODY).gid(NOBODY).args(["-c", READS]);
    let reads = succeed(stats.arg(&mountpoint)).stdout;
    assert_ne!(String::from_utf8(reads).unwrap().trim_end(), "0");
}

/// The root has one number for ever, so another file can take its name in the kernel's cache only.
#[test]
fn a_plain_image_over_a_regular_file_may_be_replaced() {
    if !fuse_is_there() {
        return;
    }
    let (source, place, _mountpoint) = folders("mnt");
    let (stored, over) = (source.path().join("disc.iso"), place.path().join("over"));
    let volume = |seed| {
        let mut bytes = noise(seed);
        bytes[0x8001..0x8006].copy_from_slice(b"CD001");
        bytes
    };
    fs::write(&stored, volume(1)).unwrap();
    fs::write(&over, "").unwrap();
    let spec = Spec::new(&stored, &over).with("root_is_file");
    let _mounted = Mounted::start(&spec.with("direct_io=disc*")).unwrap();
    let old = File::open(&over).unwrap();
    assert!(read_whole(&old) == volume(1));
    replace(&stored, &volume(2));
    assert!(fs::read(&over).unwrap() == volume(2));
    assert!(read_whole(&old) == volume(1));
}
