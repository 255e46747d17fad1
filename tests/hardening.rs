//! What a server can do while it serves, who may read through it, and that nobody sees its passwords.

mod common;
mod library;

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use common::eventually;
use library::{Mount, PLAINISO, fuse_is_there, succeed};
use tempfile::TempDir;

/// `DAC_READ_SEARCH` and `SYS_ADMIN`.
const READING: u64 = (1 << 2) | (1 << 21);

const SECRET: &str = "open sesame";

/// Every server whose arguments name the mountpoint.
fn servers(mountpoint: &Path) -> Vec<PathBuf> {
    let ours = mountpoint.to_str().unwrap();
    let names_it = |process: &PathBuf| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains("plainiso") && line.contains(ours)
    };
    let processes = fs::read_dir("/proc").unwrap();
    let processes = processes.map(|entry| entry.unwrap().path());
    processes.filter(names_it).collect()
}

/// Name, `NoNewPrivs` and effective capabilities of each thread.
fn threads(server: &Path) -> Vec<(String, bool, u64)> {
    let tasks = fs::read_dir(server.join("task")).unwrap();
    let status = |task: std::io::Result<fs::DirEntry>| {
        let status = fs::read_to_string(task.ok()?.path().join("status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let capabilities = u64::from_str_radix(&field("CapEff:"), 16).unwrap();
        Some((field("Name:"), field("NoNewPrivs:") == "1", capabilities))
    };
    tasks.filter_map(status).collect()
}

/// Threads that never see a byte of an image.
fn is_free(name: &str) -> bool {
    ["plainiso", "plainiso-signal"].contains(&name)
}

fn read_all(mount: &Mount) {
    for name in ["Racer.iso", "Puzzle.iso", "Workbench.iso", "Tools.iso"] {
        fs::read(mount.path().join(name)).unwrap();
    }
}

#[test]
fn threads_that_answer_have_no_rights_but_reading() {
    if !fuse_is_there() {
        return;
    }
    let mount = Mount::of(&library::folder());
    read_all(&mount);
    let server = servers(mount.path()).remove(0);
    // The first answer may be given before the last thread is confined.
    eventually("all threads are confined", || {
        let threads = threads(&server);
        let confined: Vec<_> = threads.iter().filter(|it| !is_free(&it.0)).collect();
        confined.len() > 1
            && confined
                .iter()
                .all(|(_, new, has)| *new && has & !READING == 0)
    });
}

#[test]
fn an_unconfined_server_keeps_its_rights() {
    if !fuse_is_there() {
        return;
    }
    let mount = Mount::with(&library::folder(), &["-o", "unconfined"]);
    read_all(&mount);
    let server = servers(mount.path()).remove(0);
    assert!(
        threads(&server)
            .iter()
            .all(|(_, no_new_privileges, _)| !no_new_privileges)
    );
}

/// For the kernel it is another folder, and no rule that named the first one would be for it.
#[test]
fn a_source_that_is_made_anew_is_read_by_a_confined_server() {
    if !fuse_is_there() {
        return;
    }
    let place = TempDir::new().unwrap();
    let source = place.path().join("discs");
    let image = library::folder().join("Racer.zso");
    fs::create_dir(&source).unwrap();
    fs::copy(&image, source.join("Racer.zso")).unwrap();
    let mount = Mount::of(&source);
    fs::read(mount.path().join("Racer.iso")).unwrap();
    fs::rename(&source, place.path().join("old")).unwrap();
    fs::create_dir(&source).unwrap();
    fs::copy(&image, source.join("Another.zso")).unwrap();
    eventually("the new folder is seen", || {
        fs::read(mount.path().join("Another.iso")).is_ok_and(|plain| plain.len() == 575_488)
    });
}

/// Another user than the one who mounts; `None` where we cannot become one.
fn as_user(user: u32, program: &str, arguments: &[&Path]) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .uid(user)
        .gid(user)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().unwrap().success()
}

#[test]
fn others_read_no_more_than_the_sources_let_them() {
    if !fuse_is_there() {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return eprintln!("left out: it takes root to become another user");
    }
    let place = TempDir::new().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let source = place.path().join("discs");
    fs::create_dir_all(source.join("private")).unwrap();
    for (name, mode) in [
        ("open.zso", 0o644),
        ("mine.zso", 0o600),
        ("private/a.zso", 0o644),
    ] {
        fs::copy(library::folder().join("Racer.zso"), source.join(name)).unwrap();
        fs::set_permissions(source.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(source.join("private"), fs::Permissions::from_mode(0o700)).unwrap();
    // A folder of its own, because temporary ones are closed to others.
    let at = |options: &str| {
        let mountpoint = place
            .path()
            .join(format!("mnt-{}", options.replace(',', "-")));
        fs::create_dir(&mountpoint).unwrap();
        succeed(
            Command::new(PLAINISO)
                .args(["mount", "-o", options])
                .args([&source, &mountpoint]),
        );
        Unmounted(mountpoint)
    };
    let reads = |mount: &Unmounted, name: &str| as_user(1234, "cat", &[&mount.0.join(name)]);
    let shared = at("allow_other");
    assert!(reads(&shared, "open.iso"));
    assert!(!reads(&shared, "mine.iso") && !reads(&shared, "private/a.iso"));
    // A library that is closed to others as a whole is closed below the mount as well.
    let owned = at("allow_other,uid=1234");
    assert!(
        reads(&owned, "open.iso") && reads(&owned, "mine.iso"),
        "the user said so"
    );
    let masked = at("allow_other,umask=022");
    assert!(reads(&masked, "mine.iso"), "the user said so");
    let alone = at("ro");
    assert!(!reads(&alone, "open.iso"));
}

struct Unmounted(PathBuf);

impl Drop for Unmounted {
    fn drop(&mut self) {
        let _ = Command::new(PLAINISO)
            .args(["umount", "-z"])
            .arg(&self.0)
            .output();
    }
}

fn has_secret(text: &[u8]) -> bool {
    text.windows(SECRET.len())
        .any(|window| window == SECRET.as_bytes())
}

/// The file, the environment, and the file beside the image: nobody can see in /proc, logs or attributes what it was.
#[test]
fn a_password_is_seen_nowhere() {
    if !fuse_is_there() {
        return;
    }
    let place = TempDir::new().unwrap();
    let image = place.path().join("Secret.isz");
    fs::copy(library::folder().join("Secret.isz"), &image).unwrap();
    let file = place.path().join("password");
    fs::write(&file, SECRET).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mountpoint = place.path().join("mnt");
    fs::create_dir(&mountpoint).unwrap();
    let log = place.path().join("log");
    for from_file in [true, false] {
        let mut command = Command::new(PLAINISO);
        command
            .args(["mount", "-v", "-v", "--log-file"])
            .args([&log, &image, &mountpoint]);
        if from_file {
            command.arg("--password-file").arg(&file);
        } else {
            command.env("PLAINISO_PASSWORD", SECRET);
        }
        let said = succeed(command.stdin(Stdio::null()));
        assert!(!has_secret(&said.stdout) && !has_secret(&said.stderr));
        let mount = Unmounted(mountpoint.clone());
        let shown = mountpoint.join("Secret.iso");
        assert_eq!(fs::read(&shown).unwrap().len(), 188_416);
        for server in servers(&mountpoint) {
            for hidden in ["cmdline", "environ"] {
                assert!(
                    !has_secret(&fs::read(server.join(hidden)).unwrap()),
                    "{hidden}"
                );
            }
        }
        assert!(!has_secret(&fs::read(&log).unwrap()));
        for path in [&mountpoint, &shown] {
            let mut names = [0; 4096];
            let n = rustix::fs::listxattr(path, &mut names[..]).unwrap();
            for name in names[..n]
                .split(|&byte| byte == 0)
                .filter(|name| !name.is_empty())
            {
                let mut value = [0; 4096];
                let n = rustix::fs::getxattr(path, name, &mut value[..]).unwrap();
                assert!(!has_secret(&value[..n]));
            }
        }
        drop(mount);
        eventually("the server ends", || servers(&mountpoint).is_empty());
    }
}

/// fusermount3 serves only users that have a name.
const NOBODY: u32 = 65534;

/// The library of an ordinary user, whom the setuid program helps to unmount.
#[test]
fn a_confined_server_of_an_ordinary_user_unmounts_at_its_end() {
    if !fuse_is_there() || !common::users_can_mount() {
        return;
    }
    let place = TempDir::new().unwrap();
    let (source, mountpoint) = (place.path().join("discs"), place.path().join("mnt"));
    fs::create_dir(&source).unwrap();
    fs::create_dir(&mountpoint).unwrap();
    fs::copy(
        library::folder().join("Racer.zso"),
        source.join("Racer.zso"),
    )
    .unwrap();
    for path in [place.path(), &source, &mountpoint] {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    // Where the program was built may be closed to others.
    let program = place.path().join("plainiso");
    fs::copy(PLAINISO, &program).unwrap();
    let server = Command::new(&program)
        .args(["mount", "-f"])
        .args([&source, &mountpoint])
        .uid(NOBODY)
        .gid(NOBODY)
        .spawn()
        .unwrap();
    let mut server = Ended(server);
    eventually("it is mounted", || common::is_mounted(&mountpoint));
    let shown = mountpoint.join("Racer.iso");
    eventually("it answers", || as_user(NOBODY, "cat", &[&shown]));
    let pid = rustix::process::Pid::from_child(&server.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(server.0.wait().unwrap().success());
    assert!(!common::is_mounted(&mountpoint));
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
