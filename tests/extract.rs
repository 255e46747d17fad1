//! `plainiso extract`: right bytes whatever interrupts it, and nothing of the user's is touched.

mod library;

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use library::{PLAINISO, cso, fixtures, folder, noise, sha256};

fn extract(arguments: &[&Path]) -> Command {
    let mut command = Command::new(PLAINISO);
    command.arg("extract").args(arguments).stdin(Stdio::null());
    command.env_remove("PLAINISO_PASSWORD");
    command
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn succeeds(arguments: &[&Path]) {
    let output = extract(arguments).output().unwrap();
    assert_eq!(code(&output), 0, "{arguments:?}: {}", stderr(&output));
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
}

fn fails(arguments: &[&Path], with: i32, message: &str) {
    let output = extract(arguments).output().unwrap();
    assert_eq!(code(&output), with, "{arguments:?}: {}", stderr(&output));
    assert!(stderr(&output).contains(message), "{}", stderr(&output));
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_fixture_is_extracted_to_its_plain_bytes() {
    let dir = tempfile::tempdir().unwrap();
    for fixture in fixtures() {
        let out = dir.path().join(format!("{}.out", fixture.format));
        let arguments = [&fixture.path, Path::new("--force"), Path::new("-o"), &out];
        let Some(expected) = fixture.sha256 else {
            fails(&arguments, 3, "block 15 ");
            continue;
        };
        succeeds(&arguments);
        assert_eq!(sha256(&fs::read(&out).unwrap()), expected);
        let to_stdout = [&fixture.path, Path::new("-o"), Path::new("-")];
        let output = extract(&to_stdout).output().unwrap();
        assert_eq!(sha256(&output.stdout), expected);
    }
}

#[test]
fn a_library_is_extracted_under_the_names_of_a_mount() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("made/for/it");
    let arguments = [&folder(), Path::new("-r"), Path::new("-o"), &out];
    // One of the images is damaged; the others are written.
    fails(&arguments, 3, "Scratched.cso: block 15 ");
    for fixture in fixtures() {
        let written = out.join(&fixture.shown);
        if fixture.format == "iso" || fixture.sha256.is_none() {
            assert!(!written.exists(), "{}", fixture.shown);
            continue;
        }
        assert_eq!(Some(sha256(&fs::read(written).unwrap())), fixture.sha256);
    }
    let time = |name: &str| fs::metadata(out.join(name)).unwrap().modified().unwrap();
    let before = time("Racer.iso");
    // What is complete is left alone, so that an interrupted run can be repeated.
    fails(&arguments, 3, "Scratched.cso: block 15 ");
    assert_eq!(time("Racer.iso"), before);
    assert_eq!(
        names(&out),
        [
            "Almanac.iso",
            "Atlas.iso",
            "Chess.iso",
            "Cookbook.iso",
            "Cube.iso",
            "Darts.iso",
            "Gazetteer.iso",
            "Handbook.iso",
            "Karting.iso",
            "Lexicon.iso",
            "Manual.iso",
            "Odd Game.iso",
            "PSP Demos",
            "Pinball.bin",
            "Polo.iso",
            "Puzzle.iso",
            "Quest (Disc 1).iso",
            "Racer.iso",
            "Rally.iso",
            "Rugby.iso",
            "Saga.iso",
            "Secret.iso",
            "Tennis.iso",
            "Toolbox.iso",
            "Workbench.iso"
        ]
    );
}

#[test]
fn files_are_written_beside_their_images_and_to_folders() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("Racer.zso");
    fs::copy(folder().join("Racer.zso"), &image).unwrap();
    succeeds(&[&image]);
    let into = dir.path().join("new/");
    succeeds(&[&image, Path::new("-o"), &into.join("")]);
    assert_eq!(names(dir.path()), ["Racer.iso", "Racer.zso", "new"]);
    assert_eq!(names(&into), ["Racer.iso"]);
}

#[test]
fn a_library_that_is_extracted_twice_has_no_further_files() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str, fixture: &str| {
        fs::copy(folder().join(fixture), dir.path().join(name)).unwrap();
    };
    place("Racer.zso", "Racer.zso");
    place("Puzzle.dax", "Puzzle.dax");
    place("Puzzle.cso", "Odd Game.cso");
    let expected = [
        "Puzzle.cso",
        "Puzzle.cso.iso",
        "Puzzle.dax",
        "Puzzle.dax.iso",
        "Racer.iso",
        "Racer.zso",
    ];
    for _ in 0..2 {
        succeeds(&[dir.path(), Path::new("--recursive")]);
        assert_eq!(names(dir.path()), expected);
    }
}

#[test]
fn every_file_of_a_set_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (first, later) = (dir.path().join("Saga.isz"), dir.path().join("Saga.i01"));
    fs::copy(folder().join("Saga.isz"), &first).unwrap();
    fs::copy(folder().join("Saga.i01"), &later).unwrap();
    let newest = std::time::SystemTime::now() + Duration::from_secs(100);
    fs::File::options()
        .write(true)
        .open(&later)
        .unwrap()
        .set_modified(newest)
        .unwrap();
    fails(
        &[&first, Path::new("-fo"), &later],
        1,
        "this is the image itself",
    );
    succeeds(&[&first]);
    let out = fs::metadata(dir.path().join("Saga.iso")).unwrap();
    assert_eq!(out.modified().unwrap(), newest);
}

#[test]
fn nothing_of_the_users_is_replaced_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let (image, out) = (dir.path().join("Racer.zso"), dir.path().join("Racer.iso"));
    fs::copy(folder().join("Racer.zso"), &image).unwrap();
    fs::write(&out, "mine").unwrap();
    fails(&[&image], 1, "use --force to replace it");
    assert_eq!(fs::read(&out).unwrap(), b"mine");
    fails(
        &[&image, Path::new("-fo"), &image],
        1,
        "this is the image itself",
    );
    fails(
        &[&image, Path::new("-fo"), Path::new("/dev/null")],
        1,
        "no regular file",
    );
    succeeds(&[&image, Path::new("--force")]);
    assert_eq!(fs::metadata(&out).unwrap().len(), 575_488);
}

#[test]
fn an_encrypted_image_needs_its_password() {
    let dir = tempfile::tempdir().unwrap();
    let (image, password) = (dir.path().join("x.isz"), dir.path().join("secret"));
    fs::copy(folder().join("Secret.isz"), &image).unwrap();
    fails(&[&image], 1, "give the password with --password-file");
    fs::write(&password, "open sesame\n").unwrap();
    let option = Path::new("--password-file");
    let output = extract(&[&image, option, &password]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let plain = fs::read(dir.path().join("x.iso")).unwrap();
    assert!(plain == fs::read(folder().join("Tools.iso")).unwrap());
}

#[test]
fn arguments_that_do_not_fit_each_other_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (folder().join("Racer.zso"), folder().join("Puzzle.dax"));
    let stdout = [Path::new("-o"), Path::new("-")];
    fails(&[&a, &b, stdout[0], stdout[1]], 2, "writes one image");
    fails(&[&folder()], 1, "use --recursive");
    fails(&[Path::new("/nowhere.cso")], 1, "/nowhere.cso");
    fails(
        &[&a, &a, Path::new("-o"), dir.path()],
        2,
        "another image of this run",
    );
    fails(
        &[&folder().join("Read me.txt"), Path::new("-o"), dir.path()],
        3,
        "no disc image",
    );
}

/// 320 MiB in blocks of 16 KiB, each full of one byte that is not 0. They are so short when stored that they might be
/// zeroes, so that the run begins on a disk that is too small.
const LARGE: u64 = 320 << 20;

fn block(number: u64) -> Vec<u8> {
    vec![1 + u8::try_from(number % 251).unwrap(); 16 << 10]
}

fn large_image(dir: &Path) -> PathBuf {
    let image = dir.join("large.cso");
    let file = cso(LARGE, 16 << 10, (0..LARGE >> 14).map(block));
    fs::write(&image, file).unwrap();
    image
}

fn is_large_image(out: &Path) {
    let plain = fs::read(out).unwrap();
    assert_eq!(plain.len() as u64, LARGE);
    for (number, bytes) in (0..).zip(plain.chunks(16 << 10)) {
        assert!(bytes == block(number), "block {number}");
    }
}

/// Waits until the state file says that something is on the disk, or the process has ended.
fn wait_for_checkpoint(state: &Path, child: &mut Child) {
    let end = Instant::now() + Duration::from_secs(60);
    let is_reached = || match fs::read_to_string(state) {
        Ok(text) => text.contains("\ndone ") && !text.ends_with("done 00000000000000000000\n"),
        Err(err) => {
            assert_eq!(err.kind(), ErrorKind::NotFound);
            false
        }
    };
    while !is_reached() && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "no checkpoint");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_killed_run_is_continued_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let (image, out) = (large_image(dir.path()), dir.path().join("large.iso"));
    let (part, state) = (
        dir.path().join("large.iso.part"),
        dir.path().join("large.iso.part.state"),
    );
    // On a slow machine the process may end before it can be killed.
    for _ in 0..10 {
        let mut child = extract(&[&image]).spawn().unwrap();
        wait_for_checkpoint(&state, &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        if !out.exists() {
            break;
        }
        fs::remove_file(&out).unwrap();
    }
    assert!(part.exists() && state.exists() && !out.exists());
    let done = fs::read_to_string(&state).unwrap();
    let done: u64 = done.lines().last().unwrap()[5..].parse().unwrap();
    assert!((128 << 20..LARGE).contains(&done), "{done}");
    succeeds(&[&image]);
    is_large_image(&out);
    assert_eq!(names(dir.path()), ["large.cso", "large.iso"]);
}

/// A small disk, unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None`, with a line that says so, where mounting is not allowed.
    fn of(options: &str) -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        disk.mount(options).then_some(disk)
    }

    fn mount(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]);
        let output = mount.arg(self.0.path()).output().unwrap();
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            let is_required = std::env::var_os("PLAINISO_REQUIRE_FUSE").is_some();
            assert!(!is_required, "a small disk is required here: {why}");
            eprintln!("left out: {why}");
        }
        output.status.success()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_disk_is_named_and_the_run_continued_when_there_is_room() {
    let Some(disk) = SmallDisk::of("size=20m") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (image, out) = (large_image(dir.path()), disk.0.path().join("large.iso"));
    fails(&[&image, Path::new("-o"), &out], 1, "no room is left");
    let state = fs::read_to_string(disk.0.path().join("large.iso.part.state")).unwrap();
    let done: u64 = state.lines().last().unwrap()[5..].parse().unwrap();
    assert!((10 << 20..20 << 20).contains(&done), "{done}");
    assert!(disk.mount("remount,size=400m"));
    succeeds(&[&image, Path::new("-o"), &out]);
    is_large_image(&out);
    assert_eq!(names(disk.0.path()), ["large.iso"]);
}

#[test]
fn an_image_that_cannot_fit_is_refused_before_anything_is_written() {
    let Some(disk) = SmallDisk::of("size=2m") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("noise.cso");
    let blocks = [noise(4 << 20), vec![0; 1 << 20]].concat();
    let blocks = blocks.chunks(2048).map(<[u8]>::to_vec);
    fs::write(&image, cso(5 << 20, 2048, blocks)).unwrap();
    let out = disk.0.path().join("noise.iso");
    fails(
        &[&image, Path::new("-o"), &out],
        1,
        "4194304 bytes are needed, and ",
    );
    assert!(!out.exists());
}
