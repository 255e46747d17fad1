//! A server that is killed, at whatever moment, leaves nothing that a user must clear away by hand.

mod common;
mod library;

use std::{
    fs::File,
    io::Read,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use common::{is_mounted, line_of};
use library::{PLAINISO, fuse_is_there, open, succeed, whole};

const KILLS: usize = 50;

/// One image and what it holds.
struct Image {
    shown: PathBuf,
    plain: Vec<u8>,
}

/// A mountpoint that is free at the end, whatever happened.
struct Place {
    dir: tempfile::TempDir,
    images: Vec<Image>,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let images = ["Racer.zso", "Puzzle.dax", "Workbench.isz"].map(|name| Image {
            shown: dir.path().join(name).with_extension("iso"),
            plain: whole(&open(&library::folder().join(name)).unwrap()).unwrap(),
        });
        Self {
            dir,
            images: images.into(),
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A server that has just been started.
    fn serve(&self) -> Server {
        let mut command = Command::new(PLAINISO);
        command
            .args(["mount", "-f", "--ready-fd", "1"])
            .arg(library::folder())
            .arg(self.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Server(command.spawn().unwrap())
    }

    /// Reads everything again and again until the server is gone. What is read is right.
    fn read_until_it_ends(&self, is_over: &AtomicBool) {
        while !is_over.load(Relaxed) {
            for image in &self.images {
                let Ok(file) = File::open(&image.shown) else {
                    continue;
                };
                for (chunk, at) in image.plain.chunks(20_000).zip((0..).step_by(20_000)) {
                    let mut bytes = vec![0; chunk.len()];
                    if file.read_exact_at(&mut bytes, at).is_ok() {
                        assert!(bytes == chunk, "{} at {at}", image.shown.display());
                    }
                }
            }
        }
    }

    fn shows_every_image(&self) {
        for image in &self.images {
            assert!(std::fs::read(&image.shown).unwrap() == image.plain);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        while is_mounted(self.path()) {
            let done = Command::new(PLAINISO)
                .args(["umount", "-z"])
                .arg(self.path())
                .status();
            if !done.is_ok_and(|status| status.success()) {
                break;
            }
        }
    }
}

struct Server(Child);

impl Server {
    /// Waits for the line that says that the mount answers.
    fn is_ready(&mut self) -> bool {
        let mut line = [0; 6];
        let out = self.0.stdout.as_mut().unwrap();
        out.read_exact(&mut line).is_ok() && &line == b"ready\n"
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The moments differ from run to run, and their numbers do not: a failure tells which one it was.
fn moments() -> impl Iterator<Item = Duration> {
    let bytes = library::noise(2 * KILLS);
    let number = |pair: &[u8]| u64::from(u16::from_le_bytes([pair[0], pair[1]]));
    let micros: Vec<u64> = bytes.chunks(2).map(|pair| number(pair) / 4).collect();
    micros.into_iter().map(Duration::from_micros)
}

#[test]
fn a_server_that_is_killed_at_any_moment_can_be_mounted_over() {
    if !fuse_is_there() {
        return;
    }
    let place = Place::new();
    for (kill, moment) in moments().enumerate() {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let mut server = place.serve();
            // Every other one is killed while it starts.
            if kill % 2 == 0 {
                assert!(server.is_ready(), "the mount before kill {kill}");
                place.shows_every_image();
            }
            let reader = scope.spawn(|| place.read_until_it_ends(&is_over));
            thread::sleep(moment);
            drop(server);
            is_over.store(true, Relaxed);
            reader.join().unwrap();
        });
    }
    let mut server = place.serve();
    assert!(server.is_ready(), "the mount after the last kill");
    place.shows_every_image();
    succeed(Command::new(PLAINISO).arg("umount").arg(place.path()));
    assert_eq!(line_of(place.path()), None, "a dead mount lies below");
}
