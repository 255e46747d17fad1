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
const GANESHA: &str = "/usr/bin/ganesha.nfsd";
const NFS_CAT: &str = "/usr/bin/nfs-cat";

/// A server that gives out what is mounted at `mnt` in a place, at a port of its own: its program, and how it is asked
/// for a file.
struct Kind {
    options: &'static str,
    server: fn(&Path, u16) -> Command,
    get: fn(&Export, &str) -> Option<Vec<u8>>,
}

const SAMBA: Kind = Kind {
    options: "allow_other",
    server: smbd,
    get: get_by_smb,
};

const NFS: Kind = Kind {
    options: "allow_other,nfs_export",
    server: ganesha,
    get: get_by_nfs,
};

/// The recipe of `docs/OPERATIONS.md`, with a place and a port of its own.
fn smbd(place: &Path, port: u16) -> Command {
    let file = place.join("smb.conf");
    let place = place.display();
    let configuration = format!(
        "[global]\nserver role = standalone server\nmap to guest = Bad User\nguest account = nobody\n\
         smb ports = {port}\ninterfaces = lo\nbind interfaces only = yes\nload printers = no\ndisable spoolss = yes\n\
         private dir = {place}/state\nlock directory = {place}/state\nstate directory = {place}/state\n\
         cache directory = {place}/state\npid directory = {place}/state\nncalrpc dir = {place}/state/ncalrpc\n\
         log file = {place}/state/log\n\
         [plain]\npath = {place}/mnt\nread only = yes\nguest ok = yes\n"
    );
    fs::write(&file, configuration).unwrap();
    let mut smbd = Command::new(SMBD);
    smbd.args(["--foreground", "--no-process-group", "-s"])
        .arg(&file);
    smbd
}

/// The recipe of `docs/OPERATIONS.md`, with a place and a port of its own.
fn ganesha(place: &Path, port: u16) -> Command {
    let file = place.join("ganesha.conf");
    let (log, pid) = (place.join("state/log"), place.join("state/pid"));
    let place = place.display();
    let configuration = format!(
        "NFS_CORE_PARAM {{ Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;\n\
         NFS_Port = {port}; Bind_addr = 127.0.0.1; }}\n\
         NFSv4 {{ Graceless = true; RecoveryRoot = {place}/state; }}\n\
         EXPORT {{ Export_Id = 7; Path = {place}/mnt; Pseudo = /plain; Filesystem_Id = 7.7; Access_Type = RO;\n\
         SecType = sys; Protocols = 4; Transports = TCP; FSAL {{ Name = VFS; }} }}\n"
    );
    fs::write(&file, configuration).unwrap();
    let mut ganesha = Command::new(GANESHA);
    ganesha.arg("-F").arg("-f").arg(&file);
    ganesha.arg("-L").arg(log).arg("-p").arg(pid);
    ganesha
}

/// A mount that everybody may read, and a server that gives it out.
struct Export {
    place: TempDir,
    port: u16,
    kind: Kind,
    server: Option<Child>,
}

impl Export {
    fn new(kind: Kind) -> Self {
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
        Self {
            place,
            port,
            kind,
            server: None,
        }
    }

    fn stored(&self, name: &str) -> PathBuf {
        self.place.path().join("discs").join(name)
    }

    fn mountpoint(&self) -> PathBuf {
        self.place.path().join("mnt")
    }

    fn mount(&self) {
        let mut mount = Command::new(PLAINISO);
        mount
            .args(["mount", "-o", self.kind.options])
            .arg(self.place.path().join("discs"));
        succeed(mount.arg(self.mountpoint()));
    }

    fn unmount(&self) {
        let mut umount = Command::new(PLAINISO);
        succeed(umount.args(["umount", "-z"]).arg(self.mountpoint()));
    }

    /// Starts the server, and waits until a client gets a file.
    fn serve(&mut self, name: &str) {
        let mut server = (self.kind.server)(self.place.path(), self.port);
        let server = server
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.server = Some(server.spawn().unwrap());
        eventually("the server answers", || self.get(name).is_some());
    }

    fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// What a client gets under a name.
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        (self.kind.get)(self, name)
    }

    /// The number of a file in the mount.
    fn number(&self, name: &str) -> u64 {
        fs::metadata(self.mountpoint().join(name)).unwrap().ino()
    }
}

fn get_by_smb(export: &Export, name: &str) -> Option<Vec<u8>> {
    let got = export.place.path().join("got");
    let _ = fs::remove_file(&got);
    let mut client = Command::new(SMBCLIENT);
    client.args(["//127.0.0.1/plain", "-N", "-p", &export.port.to_string()]);
    client
        .arg("-c")
        .arg(format!("get \"{name}\" {}", got.display()));
    let output = client.stdin(Stdio::null()).output().unwrap();
    let got = output.status.success().then(|| fs::read(got).ok());
    got.flatten()
}

fn get_by_nfs(export: &Export, name: &str) -> Option<Vec<u8>> {
    let port = export.port;
    let address = format!("nfs://127.0.0.1/plain/{name}?version=4&nfsport={port}");
    let mut client = Command::new(NFS_CAT);
    let output = client.arg(address).stdin(Stdio::null()).output().unwrap();
    output.status.success().then_some(output.stdout)
}

impl Drop for Export {
    fn drop(&mut self) {
        self.stop();
        let _ = Command::new(PLAINISO)
            .args(["umount", "-z"])
            .arg(self.mountpoint())
            .output();
    }
}

/// Whether a server can be tried; says why not.
fn is_there(programs: [&str; 2]) -> bool {
    if !fuse_is_there() {
        return false;
    }
    let missing = programs.iter().find(|program| !Path::new(program).exists());
    if let Some(missing) = missing {
        eprintln!("left out: {missing} is not installed");
        return false;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: it takes root to run {}", programs[0]);
        return false;
    }
    true
}

/// Puts images into the library; in one folder, whatever folders fixtures are in, and without sets.
fn put_images(export: &Export) -> Vec<library::Fixture> {
    let alone =
        |name: &str| ["Racer.zso", "Puzzle.dax", "Workbench.isz", "Tools.iso"].contains(&name);
    let images: Vec<_> = fixtures()
        .into_iter()
        .filter(|it| alone(&stored_name(it)))
        .collect();
    assert_eq!(images.len(), 4);
    for image in &images {
        fs::copy(&image.path, export.stored(&stored_name(image))).unwrap();
    }
    images
}

fn all_are_right(export: &Export, images: &[library::Fixture]) {
    for image in images {
        let bytes = export.get(&image.shown).unwrap();
        assert_eq!(Some(sha256(&bytes)), image.sha256, "{}", image.shown);
    }
}

#[test]
fn a_samba_client_reads_right_bytes_also_after_a_restart() {
    if !is_there([SMBD, SMBCLIENT]) {
        return;
    }
    let mut export = Export::new(SAMBA);
    let images = put_images(&export);
    export.mount();
    export.serve("Racer.iso");
    let before = export.number("Racer.iso");
    for _ in 0..2 {
        all_are_right(&export, &images);
        export.unmount();
        export.mount();
    }
    assert_eq!(export.number("Racer.iso"), before);
}

#[test]
fn an_nfs_client_reads_right_bytes_also_after_a_restart_and_of_a_file_that_was_replaced() {
    if !is_there([GANESHA, NFS_CAT]) {
        return;
    }
    let mut export = Export::new(NFS);
    let images = put_images(&export);
    export.mount();
    let before = export.number("Racer.iso");
    for _ in 0..2 {
        export.serve("Racer.iso");
        all_are_right(&export, &images);
        // It holds on to the mount with which it started.
        export.stop();
        export.unmount();
        export.mount();
    }
    assert_eq!(export.number("Racer.iso"), before);
    fs::write(export.stored("x"), vec![1; 300_000]).unwrap();
    export.serve("x");
    for content in 2..6 {
        fs::write(export.stored("new"), vec![content; 300_000]).unwrap();
        fs::rename(export.stored("new"), export.stored("x")).unwrap();
        // The server knows the old one, and may tell its client once that it is stale.
        eventually("the new file", || match export.get("x") {
            Some(bytes) => {
                assert!(bytes.len() == 300_000 && bytes.iter().all(|&byte| byte == content));
                true
            }
            None => false,
        });
    }
}

/// The name of the stored file.
fn stored_name(image: &library::Fixture) -> String {
    let name = image.path.file_name().unwrap();
    name.to_string_lossy().into_owned()
}
