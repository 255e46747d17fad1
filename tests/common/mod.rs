//! Real mounts for tests: served by a process of their own, ready when the constructor returns, gone when dropped.

#![allow(dead_code)] // Each test crate uses a part of it.

use std::{
    env, fs,
    io::{BufRead, BufReader, ErrorKind},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use plainiso::{
    cache::BlockCache,
    fs::{Filesystem, Naming, Options, Tracks},
    fuse::session::{MountOptions, Pattern, Session, Unmount, unmount},
};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// The test that serves a mount when it is run with [`SPEC`] in the environment.
const SERVER: &str = "serves_a_mount_for_another_test";
const SPEC: &str = "PLAINISO_TEST_SPEC";
const READY: &str = "[mount is ready]";
const REFUSED: &str = "[mount is refused] ";

/// What to mount where.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Spec {
    pub(crate) sources: Vec<PathBuf>,
    pub(crate) mountpoint: PathBuf,
    pub(crate) source_name: String,
    /// `root_is_file`, `allow_other`, `allow_root`, `default_permissions`, `auto_unmount`, `direct_io=GLOB`, and flags of
    /// mount(8).
    pub(crate) words: Vec<String>,
    /// Serve as this user.
    pub(crate) user: Option<u32>,
}

impl Spec {
    pub(crate) fn new(source: &Path, mountpoint: &Path) -> Self {
        Self {
            sources: vec![source.into()],
            mountpoint: mountpoint.into(),
            source_name: "plainiso".into(),
            words: Vec::new(),
            user: None,
        }
    }

    pub(crate) fn with(mut self, word: &str) -> Self {
        self.words.push(word.into());
        self
    }

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|it| it == word)
    }

    fn filesystem(&self) -> Filesystem {
        Filesystem::new(Options {
            sources: self.sources.clone(),
            root_is_file: self.has("root_is_file"),
            naming: Naming::Strip,
            images_only: false,
            follow_links: false,
            nfs_export: self.has("nfs_export"),
            tracks: Tracks::Both,
            parents: Vec::new(),
            uid: None,
            gid: None,
            umask: None,
            cache: Arc::new(BlockCache::new(16 << 20)),
            password: None,
        })
        .expect("the test's sources are there")
    }

    fn options(&self) -> MountOptions {
        let flags = ["suid", "dev", "exec", "atime"];
        let is_flag = |word: &&String| flags.contains(&word.trim_start_matches("no"));
        MountOptions {
            mountpoint: self.mountpoint.clone(),
            source_name: self.source_name.clone(),
            allow_other: self.has("allow_other"),
            allow_root: self.has("allow_root"),
            default_permissions: self.has("default_permissions"),
            auto_unmount: self.has("auto_unmount"),
            nonempty: false,
            flags: self.words.iter().filter(is_flag).cloned().collect(),
            threads: 2,
            readahead: None,
            direct_io: self
                .words
                .iter()
                .filter_map(|word| word.strip_prefix("direct_io="))
                .map(|glob| Pattern::new(glob).unwrap())
                .collect(),
            idle: None,
            keeps_in: None,
            at_rest: None,
            // A source that is replaced is another file to the kernel; its folder stays.
            confined_to: (!self.has("unconfined")).then(|| {
                let folder = |source: &PathBuf| source.parent().unwrap_or(source).to_path_buf();
                self.sources.iter().map(folder).collect()
            }),
        }
    }
}

/// A mount and the process that serves it.
#[derive(Debug)]
pub(crate) struct Mounted {
    pub(crate) child: Child,
    pub(crate) mountpoint: PathBuf,
}

impl Mounted {
    /// Mounts, or says why not.
    pub(crate) fn start(spec: &Spec) -> Result<Self, String> {
        let mut command = Command::new(env::current_exe().unwrap());
        if let Some(user) = spec.user {
            command.uid(user).gid(user);
        }
        let mut child = command
            .args(["--ignored", "--exact", SERVER, "--nocapture"])
            .env(SPEC, serde_json::to_string(spec).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let heard = hear(&mut child);
        if heard.is_err() {
            child.wait().unwrap();
        }
        heard.map(|()| Self {
            child,
            mountpoint: spec.mountpoint.clone(),
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.mountpoint.join(name)
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if is_mounted(&self.mountpoint) {
            let _ = unmount(&self.mountpoint, Unmount::Lazy);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hear(child: &mut Child) -> Result<(), String> {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap());
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap() == 0 {
            return Err("the server ended without a word".into());
        }
        if line.contains(READY) {
            return Ok(());
        }
        if let Some((_, why)) = line.split_once(REFUSED) {
            return Err(why.trim_end().into());
        }
    }
}

/// The server's side.
pub(crate) fn serve() {
    let Ok(spec) = env::var(SPEC) else {
        println!("skipped: this test is started by others");
        return;
    };
    let spec: Spec = serde_json::from_str(&spec).unwrap();
    match Session::mount(spec.filesystem(), &spec.options()) {
        Ok(session) => {
            println!("{READY}");
            session.run().unwrap();
        }
        Err(err) => println!("{REFUSED}{:?}: {}", err.kind(), err.sentence()),
    }
}

/// Whether the table of mounts has something at `path`; asks nobody else.
pub(crate) fn is_mounted(path: &Path) -> bool {
    line_of(path).is_some()
}

/// The last line of the table of mounts for `path`.
pub(crate) fn line_of(path: &Path) -> Option<String> {
    let mut field = path.to_str().unwrap().replace('\\', r"\134");
    for (character, escaped) in [(' ', r"\040"), ('\n', r"\012"), ('\t', r"\011")] {
        field = field.replace(character, escaped);
    }
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table
        .lines()
        .rfind(|line| line.split(' ').nth(4) == Some(&field))
        .map(Into::into)
}

/// False, with a line that says so, where FUSE is absent. With `PLAINISO_REQUIRE_FUSE=1` its absence is a failure.
pub(crate) fn fuse_is_there() -> bool {
    let device = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse");
    let Err(err) = device else { return true };
    assert!(!is_required(), "/dev/fuse: {err}");
    eprintln!("skipped: /dev/fuse: {err}");
    false
}

/// Whether an ordinary user can be tried: we are root, and /dev/fuse is open to all.
pub(crate) fn users_can_mount() -> bool {
    use std::os::unix::fs::MetadataExt;
    let mode = fs::metadata("/dev/fuse").map_or(0, |it| it.mode());
    let why = if !rustix::process::geteuid().is_root() {
        "needs root, to become another user"
    } else if mode & 0o006 != 0o006 {
        "/dev/fuse is not open to every user"
    } else if !Path::new("/usr/bin/fusermount3").exists() {
        "fusermount3 is not installed"
    } else {
        return true;
    };
    assert!(!is_required(), "{why}");
    eprintln!("skipped: {why}");
    false
}

/// Whether what a test needs must be there: then its absence is a failure.
pub(crate) fn is_required() -> bool {
    env::var_os("PLAINISO_REQUIRE_FUSE").is_some_and(|value| value == "1")
}

/// True when an error is the one of a mount whose server is gone.
pub(crate) fn is_dead(path: &Path) -> bool {
    match fs::metadata(path) {
        Err(err) => err.kind() == ErrorKind::NotConnected,
        Ok(_) => false,
    }
}

/// A source folder and an empty mountpoint of any name.
pub(crate) fn folders(name: &str) -> (TempDir, TempDir, PathBuf) {
    let source = TempDir::new().unwrap();
    let place = TempDir::new().unwrap();
    let mountpoint = place.path().join(name);
    fs::create_dir(&mountpoint).unwrap();
    (source, place, mountpoint)
}

/// Waits for what another process does on its own, for ten seconds at most.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
