//! Mounts that the program makes for real: in the background, over files, for mount(8) and for systemd.
//!
//! Without /dev/fuse these tests do nothing and say so, unless `PLAINISO_REQUIRE_FUSE` is 1.

use std::{
    fs,
    io::Read,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use common::fuse_is_there;
use rustix::process::{Pid, Signal, kill_process};

mod common;
#[path = "cli_mount/fstab.rs"]
mod fstab;

const PROGRAM: &str = env!("CARGO_BIN_EXE_plainiso");

/// A plain ISO 9660 image of 100,000 bytes.
fn plain_image() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
    bytes[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    bytes
}

/// The same image as CSO version 1, all of whose blocks are stored as they are.
fn compressed_image() -> Vec<u8> {
    const BLOCK: u32 = 2048;
    let plain = plain_image();
    let size = u32::try_from(plain.len()).unwrap();
    let blocks = size.div_ceil(BLOCK);
    let data = 24 + 4 * (blocks + 1);
    let mut file = b"CISO\x18\0\0\0".to_vec();
    file.extend(u64::from(size).to_le_bytes());
    file.extend(BLOCK.to_le_bytes());
    file.extend([1, 0, 0, 0]);
    for block in 0..=blocks {
        let at = data + size.min(block * BLOCK);
        file.extend((at | 0x8000_0000).to_le_bytes());
    }
    file.extend(plain);
    file
}

/// A library of two images, one of them damaged, and a mountpoint that is unmounted at the end.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("lib")).unwrap();
        fs::create_dir(dir.path().join("mnt")).unwrap();
        fs::write(dir.path().join("lib/good.cso"), compressed_image()).unwrap();
        fs::write(dir.path().join("lib/bad.cso"), &compressed_image()[..100]).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program, started in this folder.
    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .env_remove("RUST_LOG");
        command
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) {
        quiet(&self.program(arguments).output().unwrap());
    }

    #[track_caller]
    fn shows_the_library(&self) {
        assert!(read(&self.path("mnt/good.iso")).stdout == plain_image());
    }

    /// The process that serves a mount of this place.
    fn server(&self) -> PathBuf {
        let ours = self.dir.path().to_str().unwrap().as_bytes();
        let holds = |process: &PathBuf| {
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            line.windows(ours.len()).any(|window| window == ours)
        };
        let mut processes = fs::read_dir("/proc")
            .unwrap()
            .map(|entry| entry.unwrap().path());
        processes
            .find(holds)
            .expect("a process has our path among its arguments")
    }

    fn is_mounted(&self) -> bool {
        let table = fs::read_to_string("/proc/self/mounts").unwrap();
        table.contains(self.dir.path().to_str().unwrap())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for name in ["mnt", "mnt2", "target.iso"] {
            if self.is_mounted() {
                let _ = self.program(&["umount", "-z", name]).output();
            }
        }
    }
}

/// Reads in a process of its own: a file that is open in this one is copied into every process that another test
/// starts at the moment, and keeps the mount busy until that one has begun.
fn read(path: &Path) -> Output {
    Command::new("cat").arg(path).output().unwrap()
}

/// Success is quiet.
#[track_caller]
fn quiet(output: &Output) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stderr.is_empty(),
        "{}: {stderr}",
        output.status
    );
    assert!(output.stdout.is_empty());
}

/// Whether a process is gone, or only waits for its parent to notice.
fn has_ended(process: &Path) -> bool {
    let state = fs::read_to_string(process.join("stat")).unwrap_or_default();
    state.is_empty() || state.contains(") Z ")
}

/// Waits for something that another process does.
#[track_caller]
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "waited in vain: {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_mount_in_the_background_answers_when_the_program_returns() {
    if !fuse_is_there() {
        return;
    }
    let place = Place::new();
    let library = place.path("lib");
    for _ in 0..5 {
        place.run(&[library.to_str().unwrap(), "mnt"]);
        let server = place.server();
        place.shows_the_library();
        place.run(&["umount", "mnt"]);
        assert!(!place.is_mounted());
        wait_until("the server ends", || has_ended(&server));
    }
}

#[test]
fn a_server_that_ends_leaves_the_next_mount_on_its_path_alone() {
    if !fuse_is_there() {
        return;
    }
    let place = Place::new();
    let library = place.path("lib");
    for _ in 0..60 {
        place.run(&[library.to_str().unwrap(), "mnt"]);
        place.shows_the_library();
        place.run(&["umount", "mnt"]);
    }
    assert!(!place.is_mounted());
}

#[test]
fn the_server_leaves_terminal_folder_and_password_behind() {
    if !fuse_is_there() {
        return;
    }
    let place = Place::new();
    let library = place.path("lib");
    let mut command = place.program(&["mount", library.to_str().unwrap(), "mnt"]);
    quiet(
        &command
            .env("PLAINISO_PASSWORD", "open sesame")
            .output()
            .unwrap(),
    );
    let server = place.server();
    assert_eq!(fs::read_link(server.join("cwd")).unwrap(), Path::new("/"));
    for stream in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(
            fs::read_link(server.join(stream)).unwrap(),
            Path::new("/dev/null")
        );
    }
    for hidden in ["environ", "cmdline"] {
        let text = fs::read(server.join(hidden)).unwrap();
        assert!(
            !String::from_utf8_lossy(&text).contains("open sesame"),
            "{hidden}"
        );
    }
    place.run(&["umount", "mnt"]);
    wait_until("the server ends", || has_ended(&server));
}

#[test]
fn an_image_can_be_mounted_over_a_file_and_in_a_folder_that_is_made() {
    if !fuse_is_there() {
        return;
    }
    let place = Place::new();
    fs::write(place.path("target.iso"), "below").unwrap();
    place.run(&["lib/good.cso", "target.iso"]);
    assert!(read(&place.path("target.iso")).stdout == plain_image());
    place.run(&["umount", "target.iso"]);
    assert_eq!(fs::read(place.path("target.iso")).unwrap(), b"below");
    fs::remove_dir(place.path("mnt")).unwrap();
    place.run(&["lib/good.cso", "mnt", "-o", "mkdir"]);
    place.shows_the_library();
    place.run(&["umount", "mnt"]);
}

#[test]
fn a_mount_whose_server_was_killed_can_be_mounted_again() {
    if !fuse_is_there() {
        return;
    }
    let place = Place::new();
    let library = place.path("lib");
    let arguments = [library.to_str().unwrap(), "mnt"];
    place.run(&arguments);
    let server = place.server();
    let pid = server
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    wait_until("the mount is dead", || {
        fs::metadata(place.path("mnt")).is_err()
    });
    let again = place.program(&arguments).output().unwrap();
    assert_eq!(again.status.code(), Some(0));
    let stderr = String::from_utf8(again.stderr).unwrap();
    assert!(stderr.contains("a plainiso that was killed"), "{stderr}");
    place.shows_the_library();
    place.run(&["umount", "mnt"]);
}

#[test]
fn a_damaged_image_is_named_in_the_log_file_and_disturbs_nothing() {
    if !fuse_is_there() {
        return;
    }
    let place = Place::new();
    place.run(&["mount", "lib", "mnt", "--log-file", "log"]);
    assert!(!read(&place.path("mnt/bad.iso")).status.success());
    assert!(!read(&place.path("mnt/bad.iso")).status.success());
    place.shows_the_library();
    place.run(&["umount", "mnt"]);
    let log = fs::read_to_string(place.path("log")).unwrap();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("bad.cso"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(
        lines[0].contains("the file ends at 100, inside the index"),
        "{log}"
    );
}

#[test]
fn the_ready_descriptor_gets_its_line_in_both_modes() {
    if !fuse_is_there() {
        return;
    }
    let place = Place::new();
    fs::create_dir(place.path("mnt2")).unwrap();
    let script = "exec 9>ready; exec \"$0\" mount lib mnt2 --ready-fd 9";
    let mut shell = Command::new("sh");
    let shell = shell
        .args(["-c", script, PROGRAM])
        .current_dir(place.dir.path());
    quiet(&shell.output().unwrap());
    assert_eq!(fs::read(place.path("ready")).unwrap(), b"ready\n");
    place.run(&["umount", "mnt2"]);

    let mut child = place.program(&["mount", "-f", "lib", "mnt", "--ready-fd", "1"]);
    let mut child = child.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 6];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut line)
        .unwrap();
    assert_eq!(&line, b"ready\n");
    place.shows_the_library();
    stop(child);
    assert!(!place.is_mounted());
}

/// Asks a server in the foreground to end, which is a success.
#[track_caller]
fn stop(mut child: Child) {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn systemd_hears_when_the_mount_answers_and_when_it_ends() {
    if !fuse_is_there() {
        return;
    }
    let place = Place::new();
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut command = place.program(&["mount", "-f", "lib", "mnt"]);
    let child = command
        .env("NOTIFY_SOCKET", place.path("notify"))
        .spawn()
        .unwrap();
    let heard = || {
        let mut message = [0; 100];
        let n = socket.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..n]).into_owned()
    };
    assert_eq!(heard().trim_end(), "READY=1");
    place.shows_the_library();
    stop(child);
    assert_eq!(heard().trim_end(), "STOPPING=1");
}
