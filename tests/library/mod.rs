//! What the tests share: the embedded sample library, its list, and a mount of the real binary.

#![allow(dead_code, reason = "every test program uses its own part of this")]

pub(crate) mod reading;

use std::{
    env, fs,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use flate2::{Compression, write::DeflateEncoder};
use plainiso::{Result, cache::BlockCache, format::Password, image::Image};
use sha2::{Digest, Sha256};

/// The crate's own folder.
pub(crate) const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// The program under test.
pub(crate) const PLAINISO: &str = env!("CARGO_BIN_EXE_plainiso");

/// One image of the sample library, as `tests/fixtures/manifest.tsv` lists it.
#[derive(Debug)]
pub(crate) struct Fixture {
    /// Where the image stands.
    pub(crate) path: PathBuf,
    /// Its path below a mount of the library.
    pub(crate) shown: String,
    /// Plain bytes.
    pub(crate) size: u64,
    /// Of the plain bytes; `None` when the image is damaged.
    pub(crate) sha256: Option<String>,
    /// The name in `FORMATS`.
    pub(crate) format: String,
}

/// The folder that the fixtures stand in.
pub(crate) fn folder() -> PathBuf {
    Path::new(CRATE).join("tests/fixtures/library")
}

/// All images of the sample library.
pub(crate) fn fixtures() -> Vec<Fixture> {
    rows(&Path::new(CRATE).join("tests/fixtures/manifest.tsv"))
        .into_iter()
        .map(|row| Fixture {
            path: folder().join(&row[0]),
            shown: row[1].clone(),
            size: row[2].parse().unwrap(),
            sha256: Some(row[3].clone()).filter(|sha| sha != "damaged"),
            format: row[4].clone(),
        })
        .collect()
}

/// An image of a whole disc of which little is stored, as `tests/fixtures/sparse.tsv` lists it.
#[derive(Debug)]
pub(crate) struct Sparse {
    /// Where the image stands.
    pub(crate) path: PathBuf,
    /// Plain bytes.
    pub(crate) size: u64,
    /// So many of them are other than zero at most.
    pub(crate) used: u64,
    /// Of these.
    pub(crate) sha256: String,
    /// The name in `FORMATS`.
    pub(crate) format: String,
}

/// The images of whole discs.
pub(crate) fn sparse() -> Vec<Sparse> {
    let fixtures = Path::new(CRATE).join("tests/fixtures");
    let disc = |row: Vec<String>| Sparse {
        path: fixtures.join("sparse").join(&row[0]),
        size: row[1].parse().unwrap(),
        used: row[2].parse().unwrap(),
        sha256: row[3].clone(),
        format: row[4].clone(),
    };
    let rows = rows(&fixtures.join("sparse.tsv"));
    rows.into_iter().map(disc).collect()
}

/// The lines of a table below its heading, each cut at its tabs.
pub(crate) fn rows(table: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(table).unwrap();
    let cells = |line: &str| line.split('\t').map(String::from).collect();
    text.lines().skip(1).map(cells).collect()
}

/// Opens an image with a cache of its own. A password is taken from `NAME.pwd` beside it.
pub(crate) fn open(path: &Path) -> Result<Image> {
    let beside = path.with_extension("pwd");
    open_with(path, &|| {
        Ok(fs::read_to_string(&beside)
            .ok()
            .map(|text| Password::new(text.trim_end().into())))
    })
}

/// Opens an image with a cache of its own and a way to get a password.
pub(crate) fn open_with(
    path: &Path,
    password: &dyn Fn() -> Result<Option<Password>>,
) -> Result<Image> {
    Image::open(path, Arc::new(BlockCache::new(4 << 20)), password)
}

/// All plain bytes of an image.
pub(crate) fn whole(image: &Image) -> Result<Vec<u8>> {
    let mut plain = vec![0; usize::try_from(image.size()).unwrap()];
    let n = image.read_at(&mut plain, 0)?;
    assert_eq!(n, plain.len(), "a read of everything must not be short");
    Ok(plain)
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// A CSO v1 of `size` plain bytes, whose blocks are all as long but the last.
pub(crate) fn cso(size: u64, block_size: u32, blocks: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let count = usize::try_from(size.div_ceil(block_size.into())).unwrap();
    let mut file = b"CISO".to_vec();
    file.extend(24_u32.to_le_bytes());
    file.extend(size.to_le_bytes());
    file.extend(block_size.to_le_bytes());
    file.extend([1, 0, 0, 0]);
    let mut at = 24 + 4 * (count + 1);
    let mut data = Vec::new();
    for block in blocks {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&block).unwrap();
        let packed = encoder.finish().unwrap();
        let is_stored = packed.len() >= block.len();
        let stored = if is_stored { block } else { packed };
        let entry = u32::try_from(at).unwrap() | u32::from(is_stored) << 31;
        file.extend(entry.to_le_bytes());
        at += stored.len();
        data.extend(stored);
    }
    file.extend(u32::try_from(at).unwrap().to_le_bytes());
    file.extend(data);
    file
}

/// Bytes that do not compress, the same at every call.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

/// More images of more tools, for machines that have them.
pub(crate) fn vectors() -> Option<PathBuf> {
    let folder = Path::new(CRATE).join("../shared/vectors");
    if !folder.is_dir() {
        eprintln!("left out: ../shared is not there");
        return None;
    }
    Some(folder)
}

/// The one image that a mount shows in a folder; the parts of its set must not be there beside the image.
pub(crate) fn only_iso_in(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).unwrap();
    let is_image = |path: &PathBuf| path.extension().is_none_or(|ext| ext != "pwd");
    let shown: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(is_image)
        .collect();
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0].extension().unwrap(), "iso");
    shown[0].clone()
}

/// Whether this machine can mount. Says why not; where CI sets `PLAINISO_REQUIRE_FUSE`, that is a failure.
pub(crate) fn fuse_is_there() -> bool {
    let device = File::options().read(true).write(true).open("/dev/fuse");
    let Err(why) = device else { return true };
    assert!(
        env::var_os("PLAINISO_REQUIRE_FUSE").is_none(),
        "/dev/fuse is required here: {why}"
    );
    eprintln!("left out: /dev/fuse cannot be opened ({why})");
    false
}

/// A mount of the real binary, unmounted when dropped.
pub(crate) struct Mount {
    at: tempfile::TempDir,
}

impl Mount {
    /// Mounts `source` at a folder of its own.
    pub(crate) fn of(source: &Path) -> Self {
        Self::with(source, &[])
    }

    /// Mounts with further arguments.
    pub(crate) fn with(source: &Path, arguments: &[&str]) -> Self {
        let at = tempfile::tempdir().unwrap();
        let mut command = Command::new(PLAINISO);
        command
            .arg("mount")
            .args(arguments)
            .arg(source)
            .arg(at.path());
        succeed(&mut command);
        Self { at }
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        self.at.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let mut umount = Command::new(PLAINISO);
        umount.arg("umount").arg("-z").arg(self.path());
        let done = umount.output().is_ok_and(|output| output.status.success());
        if !done {
            let _ = Command::new("umount").arg("-l").arg(self.path()).output();
        }
    }
}

/// Runs a command that must succeed, and returns what it printed.
pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|why| panic!("{command:?}: {why}"));
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// False, with a line that says so, where `chdman` is not installed.
pub(crate) fn chdman_is_there() -> bool {
    let is_there = Command::new("chdman").output().is_ok();
    if !is_there {
        eprintln!("left out: chdman is not installed");
    }
    is_there
}

/// Runs `chdman`, which must succeed.
pub(crate) fn chdman(arguments: &[&std::ffi::OsStr]) {
    succeed(Command::new("chdman").args(arguments));
}
