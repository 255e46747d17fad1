//! A source that hangs keeps only its own readers waiting, and they can be killed.

#![cfg(target_os = "linux")]

mod common;
mod library;

use std::{
    ffi::OsStr,
    fs,
    io::{Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, mpsc},
    thread,
    time::{Duration, Instant, UNIX_EPOCH},
};

use common::{eventually, fuse_is_there, is_mounted};
use fuser::{
    BackgroundSession, Errno, FileAttr, FileHandle, FileType, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEntry, ReplyOpen, Request,
};
use library::{Mount, PLAINISO, cso, noise};
use rustix::process::{Pid, Signal, kill_process};

/// Images on the source that hangs: more than may hang at once, and than the kernel reads in the background by itself.
const SLOW: usize = 30;
/// Spare threads for one source, and one thread besides the one that takes requests.
const HANGING: usize = 8 + 1;
const BELIEVED: Duration = Duration::from_secs(1000);

/// Reads that wait while the gate is closed.
#[derive(Default)]
struct Gate {
    is_closed: bool,
    waiting: Vec<(ReplyData, Vec<u8>)>,
}

/// A file system of one folder of equal files, whose reads go through a gate.
struct Slow {
    stored: Vec<u8>,
    gate: Arc<Mutex<Gate>>,
}

impl Slow {
    fn attributes(&self, ino: u64) -> FileAttr {
        let (kind, perm) = match ino {
            1 => (FileType::Directory, 0o755),
            _ => (FileType::RegularFile, 0o644),
        };
        FileAttr {
            ino: INodeNo(ino),
            size: self.stored.len() as u64,
            blocks: 1,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

fn name_of(ino: u64) -> String {
    format!("{}.cso", ino - 2)
}

impl fuser::Filesystem for Slow {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match (2..2 + SLOW as u64).find(|ino| *name == *name_of(*ino)) {
            Some(ino) => reply.entry(&BELIEVED, &self.attributes(ino), Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&BELIEVED, &self.attributes(ino.0));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        at: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let from = usize::try_from(at).unwrap().min(self.stored.len());
        let end = self.stored.len().min(from + size as usize);
        let bytes = &self.stored[from..end];
        let mut gate = self.gate.lock().unwrap();
        if gate.is_closed {
            gate.waiting.push((reply, bytes.to_vec()));
        } else {
            reply.data(bytes);
        }
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        from: u64,
        mut reply: ReplyDirectory,
    ) {
        for ino in 2 + from..2 + SLOW as u64 {
            if reply.add(INodeNo(ino), ino - 1, FileType::RegularFile, name_of(ino)) {
                break;
            }
        }
        reply.ok();
    }
}

/// A library of two folders: `fast`, and `slow`, which is a file system of its own. The gate is open at the end,
/// whatever happened.
struct Library {
    place: tempfile::TempDir,
    plain: Vec<u8>,
    gate: Arc<Mutex<Gate>>,
    slow: Option<BackgroundSession>,
}

impl Library {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let plain = noise(40_000);
        let stored = cso(
            plain.len() as u64,
            2048,
            plain.chunks(2048).map(<[u8]>::to_vec),
        );
        for folder in ["fast", "slow"] {
            fs::create_dir(place.path().join(folder)).unwrap();
        }
        for number in 0..20 {
            let path = place.path().join(format!("fast/{number}.cso"));
            fs::write(path, &stored).unwrap();
        }
        let gate = Arc::new(Mutex::new(Gate::default()));
        let slow = Slow {
            stored,
            gate: Arc::clone(&gate),
        };
        let at = place.path().join("slow");
        let slow = fuser::spawn_mount(slow, at, &fuser::Config::default()).unwrap();
        Self {
            place,
            plain,
            gate,
            slow: Some(slow),
        }
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap()
    }

    fn close(&self) {
        self.gate().is_closed = true;
    }

    fn open(&self) {
        let mut gate = self.gate();
        gate.is_closed = false;
        for (reply, bytes) in gate.waiting.drain(..) {
            reply.data(&bytes);
        }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        self.open();
        // Servers above it may not have ended yet, so it is only detached, and ends with them.
        let at = self.place.path().join("slow");
        let detach = |(program, flag)| {
            let output = Command::new(program).arg(flag).arg(&at).output();
            output.is_ok_and(|output| output.status.success())
        };
        let _ = detach(("umount", "-l")) || detach(("fusermount3", "-uz"));
        drop(self.slow.take());
    }
}

/// A program that has opened a file and reads it when it is told to.
struct Reader(Child);

impl Reader {
    fn of(path: &Path) -> Self {
        let script = "exec 3<\"$1\" && echo && read -r _ && exec cat <&3";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(path);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        Self(child)
    }

    fn go(&mut self) {
        self.0.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    fn bytes(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.0.stdout.take().unwrap().read_to_end(&mut bytes);
        bytes
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        // Whoever cannot be killed yet is waited for by nobody, so that the gate is opened.
        let _ = self.0.try_wait();
    }
}

/// A time that is long for every machine.
const LONG: Duration = Duration::from_secs(60);

/// Does work that must not hang.
fn without_hanging<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(LONG).expect("it hangs, or failed")
}

#[test]
fn a_source_that_hangs_keeps_only_its_own_readers_waiting() {
    if !fuse_is_there() {
        return;
    }
    let library = Library::new();
    let mount = Mount::with(library.place.path(), &["-o", "threads=1"]);
    let slow = |number: usize| mount.path().join(format!("slow/{number}.iso"));
    let mut readers: Vec<_> = (0..SLOW).map(|it| Reader::of(&slow(it))).collect();
    library.close();
    readers.iter_mut().for_each(Reader::go);
    eventually("as many readers hang as may", || {
        library.gate().waiting.len() == HANGING
    });

    let (fast, plain) = (mount.path().join("fast"), library.plain.clone());
    without_hanging(move || {
        assert_eq!(fs::read_dir(&fast).unwrap().count(), 20);
        for number in 0..20 {
            let path = fast.join(format!("{number}.iso"));
            assert_eq!(fs::metadata(&path).unwrap().len(), plain.len() as u64);
            assert!(fs::read(&path).unwrap() == plain);
        }
    });
    assert_eq!(library.gate().waiting.len(), HANGING);

    // All of them, whether they wait for a thread or for the source. What is true of this signal is true of Ctrl-C's,
    // which shells make their background jobs ignore, and those may run this test.
    for reader in &mut readers {
        reader.signal(Signal::TERM);
        eventually("an interrupted reader ends", || {
            reader.0.try_wait().unwrap().is_some()
        });
    }
    library.open();
    for number in 0..SLOW {
        let path = slow(number);
        let read = without_hanging(move || fs::read(path));
        assert!(read.unwrap() == library.plain);
    }
}

#[test]
fn readers_go_on_when_their_source_does() {
    if !fuse_is_there() {
        return;
    }
    let library = Library::new();
    let mount = Mount::of(library.place.path());
    let mut readers: Vec<_> = (0..4)
        .map(|number| Reader::of(&mount.path().join(format!("slow/{number}.iso"))))
        .collect();
    library.close();
    readers.iter_mut().for_each(Reader::go);
    eventually("they hang", || library.gate().waiting.len() == 4);
    library.open();
    for reader in readers {
        assert!(reader.bytes() == library.plain);
    }
}

#[test]
fn a_mount_over_a_source_that_hangs_can_be_taken_away() {
    if !fuse_is_there() {
        return;
    }
    let library = Library::new();
    let mount = Mount::of(library.place.path());
    let mut reader = Reader::of(&mount.path().join("slow/0.iso"));
    library.close();
    reader.go();
    eventually("it hangs", || library.gate().waiting.len() == 1);
    let at = mount.path().to_path_buf();
    without_hanging(move || {
        let mut umount = Command::new(PLAINISO);
        library::succeed(umount.args(["umount", "-z"]).arg(&at));
        assert!(!is_mounted(&at));
    });
    library.open();
    assert!(reader.bytes() == library.plain);
}

/// A server whose only reader waits for a source that hangs.
struct Server {
    process: Child,
    reader: Reader,
    at: tempfile::TempDir,
}

impl Server {
    fn with_a_reader_that_hangs(library: &Library) -> Self {
        let at = tempfile::tempdir().unwrap();
        let mut mount = Command::new(PLAINISO);
        let mount = mount.args(["mount", "-f"]).arg(library.place.path());
        let process = mount.arg(at.path()).spawn().unwrap();
        eventually("it is mounted", || is_mounted(at.path()));
        let mut reader = Reader::of(&at.path().join("slow/0.iso"));
        library.close();
        reader.go();
        eventually("it hangs", || library.gate().waiting.len() == 1);
        Self {
            process,
            reader,
            at,
        }
    }

    /// Whether only what hangs is left: a request in another server's hands outlives the one who asked.
    fn has_ended(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        stat.rsplit_once(')').unwrap().1.starts_with(" Z")
    }

    fn ends_while_it_hangs(mut self, library: &Library) -> Reader {
        let limit = Instant::now() + LONG;
        while !self.has_ended() {
            assert!(Instant::now() < limit, "it does not end");
            thread::sleep(Duration::from_millis(20));
        }
        assert!(!is_mounted(self.at.path()));
        assert_eq!(library.gate().waiting.len(), 1);
        library.open();
        assert!(self.process.wait().unwrap().success());
        self.reader
    }
}

#[test]
fn a_server_ends_with_its_mount_though_a_request_hangs() {
    if !fuse_is_there() {
        return;
    }
    let library = Library::new();
    let mut server = Server::with_a_reader_that_hangs(&library);
    server.reader.signal(Signal::KILL);
    server.reader.0.wait().unwrap();
    library::succeed(Command::new(PLAINISO).arg("umount").arg(server.at.path()));
    server.ends_while_it_hangs(&library);
}

#[test]
fn a_signal_ends_a_server_though_a_request_hangs() {
    if !fuse_is_there() {
        return;
    }
    let library = Library::new();
    let server = Server::with_a_reader_that_hangs(&library);
    kill_process(Pid::from_child(&server.process), Signal::TERM).unwrap();
    let reader = server.ends_while_it_hangs(&library);
    // What it had not read is lost to it.
    assert!(reader.bytes().len() < library.plain.len());
}
