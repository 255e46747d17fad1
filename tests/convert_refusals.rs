//! What converting refuses before anything is written, and the index shift.

use std::num::NonZeroU64;

use plainiso::{
    ErrorKind, Result,
    codec::Method,
    pack::{Encryption, Layout, Output, Wish},
};
use tempfile::TempDir;
use zeroize::Zeroizing;

#[path = "convert/mod.rs"]
mod discs;

use discs::{convert, disc, names, target, text, write};

fn secret() -> Encryption {
    Encryption {
        key_bits: 128,
        password: Zeroizing::new(b"secret".to_vec()),
    }
}

/// Why a target refuses a wish for an image of that size.
fn refused(name: &str, size: u64, wish: &Wish) -> String {
    let err = target(name).prepare(size, wish).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Usage);
    err.to_string()
}

#[test]
fn rejects_a_method_that_the_format_cannot_hold_and_says_what_it_can() {
    let wish = |method| Wish {
        method: Some(method),
        ..Wish::default()
    };
    assert_eq!(
        refused("zso", 40_960, &wish(Method::Bzip2)),
        "zso cannot hold bzip2; it can hold lz4hc, lz4"
    );
    assert_eq!(
        refused("jso", 40_960, &wish(Method::Lz4)),
        "jso cannot hold lz4; it can hold deflate, lzo"
    );
}

#[test]
fn rejects_a_block_size_that_readers_do_not_take() {
    let wish = |size| Wish {
        block_size: Some(size),
        ..Wish::default()
    };
    for size in [0, 1024, 3072, 8 << 20] {
        let expected =
            format!("zso has blocks of 2048 to 4194304 bytes, by powers of two, not of {size}");
        assert_eq!(refused("zso", 40_960, &wish(size)), expected);
    }
    let dax = refused("dax", 40_960, &wish(2048));
    assert_eq!(dax, "dax has blocks of 8192 bytes, not of 2048");
    // One byte too long for a length of 22 bits.
    assert!(target("isz").prepare(8 << 20, &wish(4 << 20)).is_err());
}

#[test]
fn rejects_images_that_the_format_cannot_hold() {
    let wish = Wish::default();
    for (name, most, why) in [
        (
            "dax",
            u64::from(u32::MAX),
            "dax holds images below 4 GiB only",
        ),
        (
            "jso",
            u64::from(u32::MAX) - 2047,
            "jso holds images below 4 GiB only",
        ),
        (
            "isz",
            (u64::from(u32::MAX)) << 11,
            "isz holds images below 8 TiB only",
        ),
    ] {
        assert!(target(name).prepare(most, &wish).is_ok(), "{name}");
        assert_eq!(refused(name, most + 2048, &wish), why);
    }
    for name in ["isz", "jso"] {
        assert!(refused(name, 40_961, &wish).ends_with("whole sectors of 2048 bytes only"));
    }
}

#[test]
fn rejects_splitting_encrypting_and_aligning_where_the_format_has_none() {
    let split = Wish {
        split: NonZeroU64::new(1 << 20),
        ..Wish::default()
    };
    let encrypted = Wish {
        encryption: Some(secret()),
        ..Wish::default()
    };
    let aligned = |align| Wish {
        align: Some(align),
        ..Wish::default()
    };
    assert!(refused("cso", 40_960, &split).contains("only isz can be split"));
    assert!(refused("zso", 40_960, &encrypted).contains("only isz can"));
    assert!(refused("isz", 40_960, &aligned(64)).contains("cso and zso can"));
    for align in [3, 4096, 0] {
        assert!(refused("cso", 40_960, &aligned(align)).contains("at most 2048"));
    }
}

#[test]
fn rejects_files_of_a_set_that_could_not_hold_a_chunk() {
    let wish = Wish {
        split: NonZeroU64::new(100_000),
        ..Wish::default()
    };
    let why = refused("isz", 40_960, &wish);
    assert_eq!(
        why,
        "isz needs files of at least 133564 bytes for this image, not of 100000"
    );
}

/// Remembers the header, and how long the output got.
#[derive(Default)]
struct Header {
    bytes: Vec<u8>,
    len: u64,
}

impl Output for Header {
    fn len(&self) -> u64 {
        self.len
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn skip(&mut self, bytes: u64) -> Result<()> {
        self.len += bytes;
        Ok(())
    }

    fn write_at(&mut self, _file: usize, at: u64, bytes: &[u8]) -> Result<()> {
        if at == 0 {
            self.bytes = bytes.to_vec();
        }
        Ok(())
    }

    fn next_file(&mut self, _extension: &str) -> Result<()> {
        unreachable!("it is one file")
    }
}

#[test]
fn the_index_shift_is_the_smallest_that_reaches_the_end_of_a_file_that_did_not_shrink() {
    let shift_of = |size: u64| {
        let pack = target("cso").prepare(size, &Wish::default()).unwrap();
        let (mut layout, mut out): (Box<dyn Layout>, _) = (pack.layout(), Header::default());
        layout.begin(&mut out).unwrap();
        layout.finish(&mut out).unwrap();
        u32::from(out.bytes[21])
    };
    for size in [40_960, 1 << 31, 4_700_372_992, 8_543_666_176, 50 << 30] {
        let most: u64 = 24 + 4 * (size / 2048 + 1) + size;
        let shift = shift_of(size);
        assert!(most < (1 << 31) << shift, "{size}: {shift}");
        assert!(
            shift == 0 || most >= (1 << 31) << (shift - 1),
            "{size}: {shift}"
        );
    }
    // 2^31 bytes with header and index: the last image that needs no shift, and the next.
    let last = ((1_u64 << 31) - 28) / 2052 * 2048;
    assert_eq!((shift_of(last), shift_of(last + 2048)), (0, 1));
    assert!(target("cso").prepare(1 << 43, &Wish::default()).is_err());
}

#[test]
fn rejects_a_chd_as_output_and_says_what_makes_one() {
    let folder = TempDir::new().unwrap();
    write(&folder, "a.iso", &disc(20, 1));
    for arguments in [&["--to", "chd"][..], &["-o", "a.chd"], &["-o", "out.CHD"]] {
        let output = convert(folder.path(), &[&["a.iso"], arguments].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("format 'chd' cannot be written"), "{said}");
        for way in ["createdvd -i X.iso -o X.chd", "createcd -i X.cue -o X.chd"] {
            assert!(said.contains(way), "{said}");
        }
    }
    assert_eq!(names(folder.path()), ["a.iso"]);
}

#[test]
fn rejects_an_output_whose_format_is_only_read_by_its_name() {
    let folder = TempDir::new().unwrap();
    write(&folder, "a.iso", &disc(20, 1));
    for (name, format) in [("a.rvz", "rvz"), ("a.iso.xz", "xz")] {
        let output = convert(folder.path(), &["a.iso", "-o", name]);
        let said = text(&output.stderr);
        let why = format!("format '{format}' cannot be written; can be: cso");
        assert!(said.contains(&why), "{said}");
    }
    let output = convert(folder.path(), &["a.iso", "-o", "a.txt"]);
    assert!(text(&output.stderr).contains("give --to FORMAT"));
}
