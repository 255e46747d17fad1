//! What another server gives out of a mount: the right bytes, before and after a restart of ours.

mod common;
mod library;

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use common::eventually;
use library::{PLAINISO, fixtures, fuse_is_there, sha256, succeed};
use tempfile::TempDir;

const SMBD: &str = "/usr/sbin/smbd";
const SMBCLIENT: &str = "/usr/bin/smbclient";

/// The recipe of `docs/OPERATIONS.md`, with a place and a port of its own.
fn configuration(place: &Path, port: u16) -> String {
    let place = place.display();
    format!(
        "[global]\nserver role = standalone server\nmap to guest = Bad User\nguest account = nobody\n\
         smb ports = {port}\ninterfaces = lo\nbind interfaces only = yes\nload printers = no\ndisable spoolss = yes\n\
         private dir = {place}/state\nlock directory = {place}/state\nstate directory = {place}/state\n\
         cache directory = {place}/state\npid directory = {place}/state\nncalrpc dir = {place}/state/ncalrpc\n\
         log file = {place}/state/log\n\
         [plain]\npath = {place}/mnt\nread only = yes\nguest ok = yes\n"
    )
}

/// A mount that everybody may read, and a Samba server that gives it out.
struct Export {
    place: TempDir,
    port: u16,
    smbd: Child,
}

impl Export {
    fn new() -> Self {
        let place = TempDir::new().unwrap();
        let open_to_all = fs::Permissions::from_mode(0o755);
        fs::set_permissions(place.path(), open_to_all).unwrap();
        for folder in ["discs", "mnt", "state"] {
            fs::create_dir(place.path().join(folder)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let file = place.path().join("smb.conf");
        fs::write(&file, configuration(place.path(), port)).unwrap();
        let mut smbd = Command::new(SMBD);
        smbd.args(["--foreground", "--no-process-group", "-s"])
            .arg(&file);
        let smbd = smbd
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let smbd = smbd.spawn().unwrap();
        Self { place, port, smbd }
    }

    fn mountpoint(&self) -> PathBuf {
        self.place.path().join("mnt")
    }

    fn mount(&self) {
        let mut mount = Command::new(PLAINISO);
        mount
            .args(["mount", "-o", "allow_other"])
            .arg(self.place.path().join("discs"));
        succeed(mount.arg(self.mountpoint()));
    }

    /// What a client gets under a name.
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        let got = self.place.path().join("got");
        let _ = fs::remove_file(&got);
        let mut client = Command::new(SMBCLIENT);
        client.args(["//127.0.0.1/plain", "-N", "-p", &self.port.to_string()]);
        client
            .arg("-c")
            .arg(format!("get \"{name}\" {}", got.display()));
        let output = client.stdin(Stdio::null()).output().unwrap();
        output
            .status
            .success()
            .then(|| fs::read(got).ok())
            .flatten()
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        let _ = self.smbd.kill();
        let _ = self.smbd.wait();
        let _ = Command::new(PLAINISO)
            .args(["umount", "-z"])
            .arg(self.mountpoint())
            .output();
    }
}

#[test]
fn a_samba_client_reads_right_bytes_also_after_a_restart() {
    if !fuse_is_there() {
        return;
    }
    if !Path::new(SMBD).exists() || !Path::new(SMBCLIENT).exists() {
        return eprintln!("left out: smbd and smbclient are not installed");
    }
    if !rustix::process::geteuid().is_root() {
        return eprintln!("left out: it takes root to run smbd");
    }
    let export = Export::new();
    // One folder, whatever folders fixtures are in; the parts of sets stay where they are.
    let alone =
        |name: &str| ["Racer.zso", "Puzzle.dax", "Workbench.isz", "Tools.iso"].contains(&name);
    let images: Vec<_> = fixtures()
        .into_iter()
        .filter(|it| alone(&stored_name(it)))
        .collect();
    for image in &images {
        fs::copy(
            &image.path,
            export.place.path().join("discs").join(stored_name(image)),
        )
        .unwrap();
    }
    export.mount();
    eventually("smbd answers", || export.get("Racer.iso").is_some());
    let number = || {
        fs::metadata(export.mountpoint().join("Racer.iso"))
            .unwrap()
            .ino()
    };
    let before = number();
    for _ in 0..2 {
        for image in &images {
            let bytes = export.get(&image.shown).unwrap();
            assert_eq!(Some(sha256(&bytes)), image.sha256, "{}", image.shown);
        }
        succeed(
            Command::new(PLAINISO)
                .args(["umount", "-z"])
                .arg(export.mountpoint()),
        );
        export.mount();
    }
    assert_eq!(number(), before);
}

/// The name of the stored file.
fn stored_name(image: &library::Fixture) -> String {
    let name = image.path.file_name().unwrap();
    name.to_string_lossy().into_owned()
}
