//! `plainiso convert`, ended as the world ends programs: killed, interrupted, out of room.

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

mod common;
#[path = "convert/mod.rs"]
mod discs;

use common::eventually;
use discs::{PROGRAM, convert, disc, names, plain_of, text, write};

/// A conversion that takes seconds, in a process of its own.
fn start_slow(folder: &Path) -> Child {
    Command::new(PROGRAM)
        .args(["convert", "a.iso", "-o", "a.cso", "-c", "12", "-j", "1"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until the output has been begun.
fn wait_until_begun(folder: &Path) {
    let is_begun = || {
        names(folder)
            .iter()
            .any(|name| name.starts_with(".a.cso.part-"))
    };
    eventually("the output is begun", is_begun);
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_conversion_that_is_killed_leaves_nothing_under_the_final_name() {
    let folder = TempDir::new().unwrap();
    let plain = disc(20_000, 3);
    write(&folder, "a.iso", &plain);
    for delay in [0, 3, 10, 40, 150] {
        let mut child = start_slow(folder.path());
        wait_until_begun(folder.path());
        thread::sleep(Duration::from_millis(delay));
        signal(&child, Signal::KILL);
        child.wait().unwrap();
        let output = folder.path().join("a.cso");
        // It may have been quicker than the signal; then it is whole.
        assert!(!output.exists() || plain_of(&output) == plain);
        let _ = fs::remove_file(output);
        for name in names(folder.path())
            .iter()
            .filter(|name| name.starts_with('.'))
        {
            fs::remove_dir_all(folder.path().join(name)).unwrap();
        }
    }
    assert!(fs::read(folder.path().join("a.iso")).unwrap() == plain);
}

#[test]
fn a_conversion_that_is_interrupted_cleans_up_and_ends_with_1() {
    for ending in [Signal::INT, Signal::TERM, Signal::HUP] {
        let folder = TempDir::new().unwrap();
        write(&folder, "a.iso", &disc(20_000, 3));
        let mut child = start_slow(folder.path());
        wait_until_begun(folder.path());
        signal(&child, ending);
        let status = child.wait().unwrap();
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(
            said.contains("interrupted; no unfinished output is left"),
            "{said}"
        );
        assert_eq!(names(folder.path()), ["a.iso"]);
    }
}

#[test]
fn an_output_that_may_not_grow_is_removed() {
    let folder = TempDir::new().unwrap();
    write(&folder, "a.iso", &disc(2000, 3));
    // The shell's limit is in units of 512 or 1024 bytes; an ignored signal stays ignored in the program.
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" convert a.iso -o a.zso";
    let output = Command::new("sh")
        .args(["-c", script, PROGRAM])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("a.zso: cannot write the output; it was removed"),
        "{said}"
    );
    assert_eq!(names(folder.path()), ["a.iso"]);
}

/// A file system of its own, gone when dropped.
struct SmallDisk(TempDir);

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0.path(), rustix::mount::UnmountFlags::DETACH);
    }
}

#[test]
fn a_full_disk_leaves_the_source_and_no_output() {
    let place = TempDir::new().unwrap();
    let flags = rustix::mount::MountFlags::empty();
    let mounted = rustix::mount::mount("tmpfs", place.path(), "tmpfs", flags, c"size=600k");
    if let Err(err) = mounted {
        assert!(
            !common::is_required(),
            "no small disk can be mounted: {err}"
        );
        eprintln!("skipped: no small disk can be mounted: {err}");
        return;
    }
    let disk = SmallDisk(place);
    let folder = TempDir::new().unwrap();
    write(&folder, "a.iso", &disc(2000, 3));
    let output = disk.0.path().join("a.zso");
    let output = convert(
        folder.path(),
        &["a.iso", "-o", output.to_str().unwrap(), "--delete-source"],
    );
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(names(disk.0.path()), [""; 0]);
    assert_eq!(names(folder.path()), ["a.iso"]);
}

/// The most memory that a process had so far, in KiB; `None` when it has ended.
fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded_by_jobs_and_block_size() {
    let folder = TempDir::new().unwrap();
    write(&folder, "a.iso", &disc(60_000, 3));
    for (block, block_size, jobs) in [("2k", 256 << 10, 4), ("4m", 4 << 20, 3)] {
        let mut child = Command::new(PROGRAM)
            .args([
                "convert", "a.iso", "-o", "a.cso", "--force", "-q", "-c", "fast", "--verify",
            ])
            .args(["-b", block, "-j", &jobs.to_string()])
            .current_dir(folder.path())
            .spawn()
            .unwrap();
        let mut most = 0;
        while child.try_wait().unwrap().is_none() {
            most = most.max(peak(&child).unwrap_or(0));
            thread::sleep(Duration::from_millis(1));
        }
        assert!(child.wait().unwrap().success() && most > 0);
        let bound = (64 << 10) + jobs * 4 * block_size / 1024;
        assert!(most <= bound, "{block}: {most} KiB, above {bound}");
    }
}
