//! Programs that know nothing of us read images on a real mount: archivers, the kernel's loop device, a machine that
//! boots. `scripts/setup` installs them; each test says when one is not there, and fails where CI wants it all.

mod library;

use std::{
    env, fs,
    io::{BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use flate2::{Compression, write::DeflateEncoder};
use library::{Mount, fuse_is_there, succeed};

/// Whether all these programs and files are there. Says which is not; with `PLAINISO_REQUIRE_FUSE` that is a failure.
fn are_there(needed: &[&str]) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    folders.extend(["/usr/sbin".into(), "/sbin".into()]);
    for name in needed {
        if !folders.iter().any(|folder| folder.join(name).exists()) {
            assert!(
                env::var_os("PLAINISO_REQUIRE_FUSE").is_none(),
                "{name} is required here; scripts/setup installs it"
            );
            eprintln!("left out: {name} is not there");
            return false;
        }
    }
    fuse_is_there()
}

/// Writes a CSO v1 or a ZSO of `plain`: blocks of 2048, no index shift, stored where compression does not help.
fn compress(plain: &[u8], to: &Path) {
    let is_zso = to.extension().is_some_and(|ext| ext == "zso");
    let blocks = plain.chunks(2048);
    let mut header = if is_zso { *b"ZISO" } else { *b"CISO" }.to_vec();
    header.extend(24_u32.to_le_bytes());
    header.extend((plain.len() as u64).to_le_bytes());
    header.extend(2048_u32.to_le_bytes());
    header.extend([1, 0, 0, 0]);
    let mut at = u32::try_from(24 + 4 * (blocks.len() + 1)).unwrap();
    let mut data = Vec::new();
    for block in blocks {
        let packed = if is_zso {
            lz4_flex::block::compress(block)
        } else {
            deflate(block)
        };
        let is_stored = packed.len() >= block.len();
        let stored = if is_stored { block } else { &packed };
        header.extend((at | u32::from(is_stored) << 31).to_le_bytes());
        at += u32::try_from(stored.len()).unwrap();
        data.extend_from_slice(stored);
    }
    header.extend(at.to_le_bytes());
    header.extend(data);
    fs::write(to, header).unwrap();
}

fn deflate(block: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(block).unwrap();
    encoder.finish().unwrap()
}

/// A folder of a few files that compress well, badly and not at all.
fn tree(at: &Path) {
    fs::create_dir_all(at.join("deep/er")).unwrap();
    let numbers: Vec<String> = (0..40_000).map(|n: u32| n.to_string()).collect();
    fs::write(at.join("numbers.txt"), numbers.join("\n")).unwrap();
    fs::write(at.join("zeroes.bin"), vec![0; 500_000]).unwrap();
    let mut state = 1_u64;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    };
    let noise: Vec<u8> = (0..300_001).map(|_| noise()).collect();
    fs::write(at.join("deep/er/noise.bin"), noise).unwrap();
}

fn same_trees(a: &Path, b: &Path) {
    succeed(Command::new("diff").arg("-r").arg(a).arg(b));
}

/// Folders of one test: what goes in, the compressed image, and what comes out.
struct Bench {
    top: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            top: tempfile::tempdir().unwrap(),
        };
        tree(&bench.folder("tree"));
        bench.folder("library");
        bench
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.top.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Compresses a plain image into the library and mounts the library.
    fn mount(&self, plain: &Path, stored: &str) -> Mount {
        compress(
            &fs::read(plain).unwrap(),
            &self.folder("library").join(stored),
        );
        Mount::of(&self.folder("library"))
    }

    /// An ISO 9660 image of the tree, with Rock Ridge.
    fn iso(&self) -> PathBuf {
        let iso = self.top.path().join("plain.iso");
        let mut xorriso = Command::new("xorriso");
        xorriso.args([
            "-as", "mkisofs", "-quiet", "-R", "-J", "-V", "READERS", "-o",
        ]);
        succeed(xorriso.arg(&iso).arg(self.folder("tree")));
        iso
    }
}

#[test]
fn archivers_read_an_image_on_the_mount() {
    if !are_there(&["xorriso", "bsdtar", "isoinfo", "7z"]) {
        return;
    }
    for stored in ["game.cso", "game.zso"] {
        let bench = Bench::new();
        let plain = bench.iso();
        let mount = bench.mount(&plain, stored);
        let shown = mount.path().join("game.iso");
        succeed(Command::new("cmp").arg(&plain).arg(&shown));

        let out = bench.folder("xorriso");
        let mut xorriso = Command::new("xorriso");
        xorriso.args(["-osirrox", "on", "-indev"]).arg(&shown);
        succeed(xorriso.args(["-extract", "/"]).arg(&out));
        same_trees(&bench.folder("tree"), &out);

        let out = bench.folder("bsdtar");
        let mut bsdtar = Command::new("bsdtar");
        succeed(bsdtar.arg("-xf").arg(&shown).arg("-C").arg(&out));
        same_trees(&bench.folder("tree"), &out);

        let listed = succeed(Command::new("isoinfo").args(["-l", "-R", "-i"]).arg(&shown));
        assert!(String::from_utf8_lossy(&listed.stdout).contains("noise.bin"));
        for seven_zip in ["7z", "7zz"] {
            if Command::new(seven_zip).output().is_ok() {
                succeed(Command::new(seven_zip).arg("t").arg(&shown));
            }
        }
    }
}

/// Detaches a loop device and its mount, whatever happened in between.
struct LoopMount {
    at: PathBuf,
}

impl LoopMount {
    /// `None` where loop devices or the file system are not allowed.
    fn of(image: &Path, at: PathBuf, kind: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", kind, "-o", "ro,loop"])
            .arg(image)
            .arg(&at);
        let output = mount.output().unwrap();
        if output.status.success() {
            return Some(Self { at });
        }
        let why = String::from_utf8_lossy(&output.stderr);
        eprintln!("left out: mounting {kind} over a loop device: {why}");
        None
    }
}

impl Drop for LoopMount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
    }
}

#[test]
fn the_kernel_reads_file_systems_through_a_loop_device() {
    if !are_there(&["mksquashfs", "mke2fs", "losetup"]) {
        return;
    }
    let bench = Bench::new();
    let (tree, squashfs) = (bench.folder("tree"), bench.top.path().join("squashfs.img"));
    let mut mksquashfs = Command::new("mksquashfs");
    succeed(
        mksquashfs
            .arg(&tree)
            .arg(&squashfs)
            .args(["-quiet", "-no-progress"]),
    );
    let ext4 = bench.top.path().join("ext4.img");
    let mut mke2fs = Command::new("mke2fs");
    mke2fs.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
    mke2fs.args(["-q", "-t", "ext4", "-d"]).arg(&tree);
    succeed(mke2fs.arg(&ext4).arg("8M"));
    for (image, kind, stored) in [(squashfs, "squashfs", "s.zso"), (ext4, "ext4", "e.cso")] {
        let mount = bench.mount(&image, stored);
        let shown = mount.path().join(stored).with_extension("iso");
        let Some(inner) = LoopMount::of(&shown, bench.folder(kind), kind) else {
            continue;
        };
        for file in ["numbers.txt", "zeroes.bin", "deep/er/noise.bin"] {
            let mut cmp = Command::new("cmp");
            succeed(cmp.arg(tree.join(file)).arg(inner.at.join(file)));
        }
    }
}

/// A machine that is switched off when the test ends.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const BOOTABLE: &str = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";

/// What the boot loader on the disc draws on the serial console once it runs.
const GREETING: &str = "GNU GRUB";

/// It takes a second; this is for a machine that is busy with something else.
const MOST_TIME: Duration = Duration::from_secs(120);

#[test]
fn a_machine_boots_from_an_image_on_the_mount() {
    if !are_there(&["qemu-system-x86_64", BOOTABLE]) {
        return;
    }
    let bench = Bench::new();
    let mount = bench.mount(Path::new(BOOTABLE), "boot.cso");
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-accel", "tcg", "-m", "64", "-nic", "none", "-nographic"]);
    qemu.args(["-no-reboot", "-boot", "d", "-cdrom"]);
    qemu.arg(mount.path().join("boot.iso"));
    qemu.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut machine = Machine(qemu.spawn().unwrap());
    let console = machine.0.stdout.take().unwrap();
    let (send, printed) = mpsc::channel();
    thread::spawn(move || send.send(read_until(console, GREETING)));
    let printed = printed.recv_timeout(MOST_TIME);
    let printed = printed.expect("the console is silent");
    assert!(printed.contains(GREETING), "the console shows:\n{printed}");
}

fn read_until(from: impl Read, wanted: &str) -> String {
    let mut printed = Vec::new();
    for byte in BufReader::new(from).bytes() {
        let Ok(byte) = byte else { break };
        printed.push(byte);
        if printed.ends_with(wanted.as_bytes()) {
            break;
        }
    }
    String::from_utf8_lossy(&printed).into_owned()
}
