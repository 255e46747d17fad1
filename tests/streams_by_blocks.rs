//! gzip and bzip2 as all their programs write them, in blocks and in one piece: every read is a slice of the image,
//! before it is known where the pieces are and after; and what is damaged or cut gives the image's bytes or an error.

mod library;

use std::{
    env, fs,
    fs::File,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use library::{noise, open, succeed, whole};
use plainiso::image::Image;

/// Programs that compress their standard input.
const PROGRAMS: &[(&str, &str)] = &[
    ("gz", "bgzip -c"),
    ("gz", "gzip -1 -c"),
    ("gz", "gzip -9 -c"),
    ("gz", "pigz -p 2 -c"),
    ("bz2", "bzip2 -1 -c"),
    ("bz2", "bzip2 -9 -c"),
    ("bz2", "pbzip2 -p2 -1 -c"),
    ("bz2", "lbzip2 -n 2 -1 -c"),
];

/// What shells write of an image, `a`, and of its halves, `b` and `c`.
const SEVERAL: &[(&str, &str)] = &[
    ("gz", "bgzip -c b; bgzip -c c"),
    (
        "gz",
        "bgzip -c b; bgzip -c < /dev/null; bgzip -c c; bgzip -c < /dev/null",
    ),
    ("gz", "bgzip -c < /dev/null; bgzip -c a"),
    (
        "gz",
        "gzip -c b; gzip -c < /dev/null; gzip -9 -c c; gzip -c < /dev/null",
    ),
    ("gz", "bgzip -c b; gzip -c c"),
    ("gz", "gzip -c b; bgzip -c c"),
    ("gz", "pigz -p 2 -c b c"),
    (
        "bz2",
        "bzip2 -c b; bzip2 -c < /dev/null; bzip2 -1 -c c; bzip2 -c < /dev/null",
    ),
    ("bz2", "lbzip2 -n 2 -1 -c b; pbzip2 -p2 -1 -c c"),
    ("bz2", "python3 streams.py a"),
];

/// Python's compressor: a stream for each piece of the image, of all levels, and empty ones.
const STREAMS: &str = "
import bz2, sys
plain, out = open(sys.argv[1], 'rb').read(), sys.stdout.buffer
for number, at in enumerate(range(0, len(plain), 123457)):
    out.write(bz2.compress(plain[at:at + 123457], number % 9 + 1) + bz2.compress(b''))
";

/// Images below are not worth an index.
const KEPT: usize = 16 << 20;

/// Numbers that look random, the same at every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// Bytes that compress well, badly and not at all.
fn mixed(len: usize) -> Vec<u8> {
    let noise = noise(20_000);
    let mut plain = Vec::with_capacity(len + 200_000);
    for number in 0.. {
        plain.extend(&noise[..number * 777 % 20_000]);
        plain.extend(
            format!("{number} words that come again ")
                .repeat(3000)
                .into_bytes(),
        );
        plain.resize(plain.len() + 90_000, 0);
        if plain.len() >= len {
            plain.truncate(len);
            return plain;
        }
    }
    unreachable!("it grows")
}

/// The same with a volume of the same size.
fn volume(sectors: u32) -> Vec<u8> {
    let mut plain = mixed(sectors as usize * 2048);
    plain[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    plain[0x8050..0x8054].copy_from_slice(&sectors.to_le_bytes());
    plain[0x8080..0x8082].copy_from_slice(&2048_u16.to_le_bytes());
    plain
}

/// Whether this is the process that the test is for: one with an empty folder for what is kept. Otherwise such a
/// process is run.
fn has_an_own_cache(test: &str) -> bool {
    const WITHIN: &str = "PLAINISO_TEST_CACHE";
    if env::var_os(WITHIN).is_some() {
        return true;
    }
    let cache = tempfile::tempdir().unwrap();
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(["--exact", test, "--nocapture"]);
    let output = succeed(again.env(WITHIN, "1").env("XDG_CACHE_HOME", cache.path()));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    false
}

/// Indexes that are kept.
fn kept() -> usize {
    let folder = Path::new(&env::var_os("XDG_CACHE_HOME").unwrap()).join("plainiso/index");
    fs::read_dir(folder).map_or(0, Iterator::count)
}

fn are_there(command: &str) -> bool {
    let programs = [
        "bgzip", "gzip", "pigz", "bzip2", "pbzip2", "lbzip2", "python3",
    ];
    let words: Vec<_> = command.split_whitespace().collect();
    programs.iter().all(|program| {
        let found =
            !words.contains(program) || Command::new(program).arg("--version").output().is_ok();
        if !found {
            eprintln!("left out: {program} is not installed");
        }
        found
    })
}

/// What `command` makes of an image, `None` where a program is missing.
fn compressed(folder: &Path, (ending, command): (&str, &str), plain: &[u8]) -> Option<PathBuf> {
    if !are_there(command) {
        return None;
    }
    // A third, so that the members of bgzip have the same size on both sides.
    let (first, second) = plain.split_at(plain.len() / 3 / 65_280 * 65_280);
    for (name, bytes) in [
        ("a", plain),
        ("b", first),
        ("c", second),
        ("streams.py", STREAMS.as_bytes()),
    ] {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let file = folder.join(format!("image.iso.{ending}"));
    let script = format!("set -e; {{ {command}; }} < a > '{}'", file.display());
    succeed(Command::new("sh").args(["-c", &script]).current_dir(folder));
    Some(file)
}

fn read(image: &Image, span: &Range<usize>) -> plainiso::Result<Vec<u8>> {
    let mut bytes = vec![0xEE; span.len()];
    let n = image.read_at(&mut bytes, span.start as u64)?;
    bytes.truncate(n);
    Ok(bytes)
}

/// Any reads, those of everything and over the end among them.
fn reads_like(image: &Image, plain: &[u8], numbers: &mut Numbers, what: &str) {
    assert_eq!(image.size(), plain.len() as u64, "{what}");
    for number in 0..20 {
        let at = numbers.below(plain.len());
        let len = numbers.below([10, 5000, 300_000][number % 3]);
        let wanted = &plain[at..plain.len().min(at + len)];
        let got = read(image, &(at..at + len)).unwrap_or_else(|why| panic!("{what}: {why}"));
        assert!(got == wanted, "{what}: {len} bytes at {at}");
    }
    assert!(whole(image).unwrap() == plain, "{what}");
    let behind = read(image, &(plain.len()..plain.len() + 9)).unwrap();
    assert!(behind.is_empty(), "{what}");
}

/// What is read is the image's, or an error; says of how many reads it was the image's.
fn is_right_or_fails(file: &Path, plain: &[u8], step: usize, what: &str) -> usize {
    let Ok(image) = open(file) else { return 0 };
    let mut right = 0;
    // The end first: all that is behind a stream of one piece is known then.
    for at in (0..plain.len()).step_by(step).rev() {
        if let Ok(got) = read(&image, &(at..at + step)) {
            assert!(plain[at..].starts_with(&got), "{what}: at {at}");
            let is_all = got.len() == step.min(plain.len() - at);
            right += usize::from(is_all);
        }
    }
    right
}

#[test]
fn an_image_of_any_length_at_the_ends_of_blocks_is_read() {
    let borders = [
        65_280,
        65_536,
        2 * 65_280,
        99_981,
        100_000,
        899_981,
        900_000,
    ];
    let mut lengths = vec![1, 2, 500_000];
    lengths.extend(
        borders
            .iter()
            .flat_map(|border| [border - 1, *border, border + 1]),
    );
    let (plain, mut numbers) = (mixed(1_000_000), Numbers(1));
    let folder = tempfile::tempdir().unwrap();
    for program in PROGRAMS {
        for len in &lengths {
            let plain = &plain[plain.len() - len..];
            let Some(file) = compressed(folder.path(), *program, plain) else {
                break;
            };
            let what = format!("{} of {len} bytes", program.1);
            let image = open(&file).unwrap_or_else(|why| panic!("{what}: {why}"));
            reads_like(&image, plain, &mut numbers, &what);
        }
    }
}

#[test]
fn images_are_the_same_before_and_after_their_index_is_kept() {
    if !has_an_own_cache("images_are_the_same_before_and_after_their_index_is_kept") {
        return;
    }
    let sectors = u32::try_from(KEPT / 2048 + 3).unwrap();
    let (plain, mut numbers) = (volume(sectors), Numbers(2));
    for way in PROGRAMS.iter().chain(SEVERAL) {
        let (folder, before) = (tempfile::tempdir().unwrap(), kept());
        let Some(file) = compressed(folder.path(), *way, &plain) else {
            continue;
        };
        for _ in 0..2 {
            let image = open(&file).unwrap_or_else(|why| panic!("{}: {why}", way.1));
            reads_like(&image, &plain, &mut numbers, way.1);
        }
        assert!(kept() > before, "{}: nothing is kept", way.1);
        let variant = open(&file).unwrap().details().variant.clone();
        assert!(way.0 == "gz" || variant.contains("blocks:"), "{variant}");
        flipped_bytes_are_noticed(&file, &plain, *way);
    }
}

/// A few bytes are flipped in the file, whose length, ends and time stay: its index is not for it any more.
fn flipped_bytes_are_noticed(file: &Path, plain: &[u8], way: (&str, &str)) {
    let mut bytes = fs::read(file).unwrap();
    let time = fs::metadata(file).unwrap().modified().unwrap();
    let numbers = &mut Numbers(3);
    for _ in 0..4 {
        let at = 5000 + numbers.below(bytes.len() - 10_000);
        bytes[at] ^= 1 << numbers.below(8);
    }
    let written = File::options().write(true).open(file).unwrap();
    written.write_all_at(&bytes, 0).unwrap();
    written.set_modified(time).unwrap();
    let step = checked_step(way, 100_000, plain);
    let right = is_right_or_fails(file, plain, step, way.1);
    assert!(right < plain.len().div_ceil(step), "{}", way.1);
}

/// A gzip member of one piece is only known to be right at its end: it is read as a whole.
fn checked_step(way: (&str, &str), step: usize, plain: &[u8]) -> usize {
    let is_checked = way.0 == "bz2" || way.1.starts_with("bgzip") && !way.1.contains(" gzip");
    if is_checked { step } else { plain.len() }
}

#[test]
fn one_flipped_byte_gives_right_bytes_or_an_error() {
    let plain = volume(260);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("damaged.iso");
    let ways = PROGRAMS.iter().chain(SEVERAL);
    for way in ways {
        let Some(file) = compressed(folder.path(), *way, &plain) else {
            continue;
        };
        let stored = fs::read(file).unwrap();
        let step = checked_step(*way, 20_000, &plain);
        let numbers = &mut Numbers(4);
        for _ in 0..200 {
            let mut bad = stored.clone();
            let at = numbers.below(bad.len());
            bad[at] ^= u8::try_from(1 + numbers.below(255)).unwrap();
            fs::write(&copy, bad).unwrap();
            is_right_or_fails(&copy, &plain, step, &format!("{}, byte {at}", way.1));
        }
    }
}

#[test]
fn a_file_that_is_cut_gives_right_bytes_or_an_error() {
    let plain = volume(260);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("cut.iso");
    for way in PROGRAMS.iter().chain(SEVERAL) {
        let Some(file) = compressed(folder.path(), *way, &plain) else {
            continue;
        };
        let stored = fs::read(file).unwrap();
        let numbers = &mut Numbers(5);
        let ends = (1..30).map(|cut| stored.len() - cut);
        let anywhere: Vec<_> = (0..40).map(|_| numbers.below(stored.len())).collect();
        for len in ends.chain(anywhere) {
            fs::write(&copy, &stored[..len]).unwrap();
            is_right_or_fails(&copy, &plain, 20_000, &format!("{}, cut to {len}", way.1));
        }
    }
}

/// gzip shows what follows a member's deflate data, whatever length the member tells.
#[test]
fn nothing_is_hidden_from_a_reader_that_gzip_shows() {
    if !are_there("bgzip gzip") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let plain = volume(260);
    let file = compressed(folder.path(), ("gz", "bgzip -c"), &plain).unwrap();
    let stored = fs::read(&file).unwrap();
    let len_at =
        |at: usize| usize::from(u16::from_le_bytes([stored[at + 16], stored[at + 17]])) + 1;
    // The second member twice, within one length.
    let (start, len) = (len_at(0), len_at(len_at(0)));
    let mut hiding = stored[..start + len].to_vec();
    hiding.extend(&stored[start..]);
    let told = u16::try_from(2 * len - 1).expect("two members fit into the length of one");
    hiding[start + 16..start + 18].copy_from_slice(&told.to_le_bytes());
    fs::write(&file, hiding).unwrap();
    let shown = succeed(Command::new("gzip").arg("-dc").arg(&file)).stdout;
    assert_eq!(shown.len(), plain.len() + 65_280);
    let image = open(&file).unwrap();
    assert!(image.details().variant.contains("BGZF"));
    for at in (0..plain.len()).step_by(65_280) {
        let got = read(&image, &(at..at + 65_280));
        assert_eq!(got.is_err(), at == 65_280, "{at}");
        assert!(
            got.is_err() || plain[at..].starts_with(&got.unwrap()),
            "{at}"
        );
    }
}
