//! The compressors that people have, with the options that change how a file must be read: what they make of an image
//! is that image again, through the library and through a mount.

mod library;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use library::{Mount, PLAINISO, fuse_is_there, noise, open, succeed, whole};

/// A program, the ending that it gives, and what a shell writes to the file. `a` is the image, `b` and `c` its halves.
const WAYS: &[(&str, &str, &str)] = &[
    ("zstd", "zst", "zstd -q -19 -c a"),
    ("zstd", "zst", "zstd -q --ultra -22 -c a"),
    ("zstd", "zst", "zstd -q --long=27 -c a"),
    // From a pipe the header tells a window of 128 MiB and no size.
    ("zstd", "zst", "zstd -q --long=27 -c < a"),
    ("zstd", "zst", "zstd -q -c b c"),
    ("zstd", "zst", "zstd -q -c < b; zstd -q -c < c"),
    ("pzstd", "zst", "pzstd -q -p 2 -c a"),
    ("lz4", "lz4", "lz4 -q -c a"),
    ("lz4", "lz4", "lz4 -q -BD -c a"),
    ("lz4", "lz4", "lz4 -q -9 -B4 -BD --content-size -c a"),
    ("lz4", "lz4", "lz4 -q -c b; lz4 -q -B4 -c c"),
    ("xz", "xz", "xz -1 --block-size=65536 -c a"),
    ("xz", "xz", "xz -6 -c a"),
    ("xz", "xz", "xz -0 --check=sha256 -c b c"),
    ("bzip2", "bz2", "bzip2 -1 -c a"),
    ("bzip2", "bz2", "bzip2 -9 -c b c"),
    ("gzip", "gz", "gzip -1 -c a"),
    ("gzip", "gz", "gzip -9 -c b c"),
    ("bgzip", "gz", "bgzip -c a"),
    ("bgzip", "gz", "bgzip -c b; bgzip -c c"),
    ("bgzip", "gz", "bgzip -c b; gzip -c c"),
];

/// An image of 1 MiB and a volume that says so.
fn image() -> Vec<u8> {
    let mut plain = noise(300_000);
    plain.resize(500_000, 7);
    plain.extend(b"the same words again ".repeat(20_000));
    plain.extend_from_within(1000..200_000);
    plain.resize(1 << 20, 0);
    plain[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    plain[0x8050..0x8054].copy_from_slice(&512_u32.to_le_bytes());
    plain[0x8080..0x8082].copy_from_slice(&2048_u16.to_le_bytes());
    plain
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("left out: {program} is not installed");
    }
    found
}

/// Compresses an image in every way whose program is there; gives the files, each with what made it.
fn compressed(
    ways: &[(&str, &str, &'static str)],
    plain: &[u8],
    work: &Path,
    into: &Path,
) -> Vec<(PathBuf, &'static str)> {
    let (first, second) = plain.split_at(400_001);
    for (name, bytes) in [("a", plain), ("b", first), ("c", second)] {
        fs::write(work.join(name), bytes).unwrap();
    }
    let mut files = Vec::new();
    for (number, (program, ending, command)) in ways.iter().enumerate() {
        if is_there(program) {
            let file = into.join(format!("{number}.iso.{ending}"));
            let script = format!("set -e; {{ {command}; }} > '{}'", file.display());
            succeed(Command::new("sh").args(["-c", &script]).current_dir(work));
            files.push((file, *command));
        }
    }
    files
}

#[test]
fn what_compressors_make_of_an_image_is_the_image() {
    let plain = image();
    let (work, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = compressed(WAYS, &plain, work.path(), folder.path());
    for (file, command) in &files {
        let image = open(file).unwrap_or_else(|why| panic!("{command}: {why}"));
        assert_eq!(image.size(), plain.len() as u64, "{command}");
        assert!(whole(&image).unwrap() == plain, "{command}");
    }
    if !fuse_is_there() {
        return;
    }
    let mount = Mount::of(folder.path());
    for (file, command) in &files {
        let shown = mount.path().join(file.file_stem().unwrap());
        assert!(fs::read(shown).unwrap() == plain, "{command} on the mount");
    }
}

/// An image of 20 MiB, above what is decoded in memory or as one block.
fn large_image() -> Vec<u8> {
    let mut plain = image();
    let words = plain[..700_000].to_vec();
    plain.resize(19 << 20, 7);
    plain.extend(words);
    plain.resize(20 << 20, 0);
    let sectors = u32::try_from(plain.len() / 2048).unwrap();
    plain[0x8050..0x8054].copy_from_slice(&sectors.to_le_bytes());
    plain
}

/// Of those whose pieces are no blocks of ours.
const IN_ONE_PIECE: &[(&str, &str, &str)] = &[
    ("zstd", "zst", "zstd -q -c a"),
    ("zstd", "zst", "zstd -q -c < a"),
    ("xz", "xz", "xz -0 -c a"),
    ("lz4", "lz4", "lz4 -q -BD -c a"),
    ("bzip2", "bz2", "bzip2 -1 -c a"),
];

/// Runs plainiso where it has no folder for what it decodes.
fn without_a_cache(arguments: &[&str], folder: &Path) -> Vec<u8> {
    let mut command = Command::new(PLAINISO);
    command.args(arguments).current_dir(folder);
    for variable in ["XDG_CACHE_HOME", "HOME"] {
        command.env_remove(variable);
    }
    succeed(&mut command).stdout
}

#[test]
fn who_reads_an_image_once_needs_no_room_to_decode_it() {
    let plain = large_image();
    let (work, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (file, command) in compressed(IN_ONE_PIECE, &plain, work.path(), folder.path()) {
        let name = file.to_str().unwrap();
        assert!(
            without_a_cache(&["cat", name], work.path()) == plain,
            "{command}"
        );
        without_a_cache(&["verify", name], work.path());
        without_a_cache(
            &["extract", "-o", "plain.iso", "--force", name],
            work.path(),
        );
        assert!(
            fs::read(work.path().join("plain.iso")).unwrap() == plain,
            "{command}"
        );
        without_a_cache(
            &[
                "convert", "--verify", "--to", "zso", "-o", "it.zso", "--force", name,
            ],
            work.path(),
        );
        let converted = open(&work.path().join("it.zso")).unwrap();
        assert!(whole(&converted).unwrap() == plain, "{command}");
    }
}

#[test]
fn who_reads_an_image_once_is_told_of_damage() {
    let plain = large_image();
    let (work, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (file, command) in compressed(IN_ONE_PIECE, &plain, work.path(), folder.path()) {
        let mut stored = fs::read(&file).unwrap();
        let middle = stored.len() / 2;
        stored[middle] ^= 0x40;
        fs::write(&file, stored).unwrap();
        let mut verify = Command::new(PLAINISO);
        let output = verify.arg("verify").arg(&file).output().unwrap();
        // lz4 without checksums of blocks tells at the end only, and zstd as well.
        assert_eq!(output.status.code(), Some(3), "{command}");
        let mut cat = Command::new(PLAINISO);
        let output = cat.arg("cat").arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{command}");
        assert!(output.stdout.len() < plain.len(), "{command}");
    }
}
