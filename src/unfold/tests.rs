//! Streams that other encoders made, read in any order, whole and damaged.

use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use proptest::prelude::*;

use super::{
    FromStart,
    deflated::{Deflated, Stream},
    gzip::Framing,
    size_of,
};
use crate::source::Source;

mod keeping;
mod returning;

/// Bytes that compress to all kinds of blocks: text, zeroes, noise.
fn plain(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut bytes = Vec::with_capacity(len + 64);
    while bytes.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match state >> 28 {
            0 => bytes.resize(bytes.len() + (state >> 12 & 0xFFFF) as usize, 0),
            1 => bytes.extend(
                (0..state >> 16 & 0xFFF).map(|i| ((i * i) >> 3) as u8 ^ (state >> 5) as u8),
            ),
            2..=6 => bytes.extend_from_slice(b"a line of text that comes again and again\n"),
            7 => {
                let from = bytes.len().saturating_sub((state >> 8 & 0x7FFF) as usize);
                bytes.extend_from_within(from..);
            }
            _ => bytes.extend(state.to_le_bytes()),
        }
    }
    bytes.truncate(len);
    bytes
}

fn gzipped(plain: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn of_gzip(stored: Vec<u8>, size: usize) -> Deflated {
    let stream = all_of(&stored);
    Deflated::new(Arc::new(stored), stream, size as u64)
}

fn all_of(source: &dyn Source) -> Stream {
    Stream {
        at: 0,
        end: source.len(),
        framing: Framing::Gzip,
    }
}

fn read(source: &dyn Source, at: usize, len: usize) -> crate::Result<Vec<u8>> {
    let mut out = vec![0; len];
    source.read_exact_at(&mut out, at as u64).map(|()| out)
}

#[test]
fn every_level_reads_as_its_plain_bytes() {
    let plain = plain(2_600_000);
    for level in [0, 1, 6, 9] {
        let bytes = of_gzip(gzipped(&plain, level), plain.len());
        assert!(
            read(&bytes, 0, plain.len()).unwrap() == plain,
            "level {level}"
        );
    }
}

#[test]
fn any_read_equals_the_slice_while_the_index_is_built_and_after() {
    let plain = plain(3_300_000);
    let stored = gzipped(&plain, 6);
    let reads = proptest::collection::vec((0..plain.len(), 0_usize..300_000), 1..8);
    proptest!(ProptestConfig::with_cases(12), |(reads in reads)| {
        let bytes = of_gzip(stored.clone(), plain.len());
        for (at, len) in reads {
            let len = len.min(plain.len() - at);
            prop_assert!(read(&bytes, at, len).unwrap() == plain[at..at + len]);
        }
    });
}

#[test]
fn members_follow_each_other_and_what_is_none_is_ignored() {
    let plain = plain(1_500_000);
    let (first, second) = plain.split_at(1 << 20);
    let mut named = GzBuilder::new()
        .filename("a name")
        .comment("and more")
        .extra([1, 2, 3])
        .write(Vec::new(), Compression::default());
    named.write_all(second).unwrap();
    let stored = [
        gzipped(first, 6),
        gzipped(b"", 6),
        named.finish().unwrap(),
        vec![0; 600],
    ]
    .concat();
    let bytes = of_gzip(stored, plain.len());
    assert!(read(&bytes, 1 << 20, second.len()).unwrap() == second);
    assert!(read(&bytes, 0, plain.len()).unwrap() == plain);
}

#[test]
fn deflate_alone_may_stand_anywhere_in_a_file() {
    let plain = plain(1_200_000);
    let stored = gzipped(&plain, 6);
    // Ten bytes of header, eight of trailer.
    let source = Arc::new([b"before".as_slice(), &stored[10..], b"behind"].concat());
    let with = |crc| {
        let stream = Stream {
            at: 6,
            end: (stored.len() - 18 + 6) as u64,
            framing: Framing::Raw(crc),
        };
        Deflated::new(
            Arc::clone(&source) as Arc<dyn Source>,
            stream,
            plain.len() as u64,
        )
    };
    let bytes = with(crc32fast::hash(&plain));
    assert!(read(&bytes, 0, plain.len()).unwrap() == plain);
    let wrong = with(1);
    let err = read(&wrong, 0, plain.len()).unwrap_err().to_string();
    assert!(err.contains("CRC-32"), "{err}");
}

#[test]
fn a_cut_stream_gives_what_stands_before_the_cut() {
    let plain = plain(2_500_000);
    let mut stored = gzipped(&plain, 6);
    stored.truncate(stored.len() * 9 / 10);
    let bytes = of_gzip(stored, plain.len());
    assert!(read(&bytes, 0, 2 << 20).unwrap() == plain[..2 << 20]);
    let err = read(&bytes, 2 << 20, 400_000).unwrap_err().to_string();
    assert!(
        err.contains("the stored bytes end inside the stream"),
        "{err}"
    );
    assert!(read(&bytes, 0, 2 << 20).unwrap() == plain[..2 << 20]);
}

#[test]
fn a_flipped_bit_never_passes_as_whole() {
    let plain = plain(100_000);
    let stored = gzipped(&plain, 6);
    for at in (10..stored.len()).step_by(stored.len() / 100) {
        let mut bad = stored.clone();
        bad[at] ^= 1 << (at % 8);
        let bytes = of_gzip(bad, plain.len());
        // A flipped bit may lead to another place with the same bytes.
        let passes = read(&bytes, 0, plain.len()).is_ok_and(|read| read != plain);
        assert!(!passes, "byte {at}");
    }
}

#[test]
fn a_wrong_size_is_an_error_at_the_end_and_never_wrong_bytes() {
    let plain = plain(1_500_000);
    let stored = gzipped(&plain, 6);
    for size in [plain.len() - 1, plain.len() + 1, plain.len() * 2] {
        let bytes = of_gzip(stored.clone(), size);
        assert!(read(&bytes, 0, 1 << 20).unwrap() == plain[..1 << 20]);
        let last = size - 1;
        let err = read(&bytes, last, 1).unwrap_err().to_string();
        assert!(err.contains("not"), "{err}");
    }
}

#[test]
fn dropped_bytes_stop_their_builder() {
    let stored = Arc::new(gzipped(&plain(3_000_000), 6));
    let before = Arc::downgrade(&stored);
    let stream = all_of(&*stored);
    let bytes = Deflated::new(stored, stream, 3_000_000);
    read(&bytes, 0, 1).unwrap();
    drop(bytes);
    // The thread holds the source until it ends.
    while before.strong_count() > 0 {
        thread::yield_now();
    }
}

#[test]
fn rejects_a_further_member_that_is_cut_in_its_header() {
    let plain = plain(100_000);
    let (one, other) = (gzipped(&plain, 6), gzipped(b"more", 6));
    // gzip ignores what does not begin like a member, and zeroes.
    for behind in [&b"x"[..], b"\x1ex", b"\x1f\x8c", &[0; 100]] {
        let bytes = of_gzip([&one, behind].concat(), plain.len());
        assert!(read(&bytes, 0, plain.len()).unwrap() == plain);
    }
    for cut in 1..14 {
        let bytes = of_gzip([&one, &other[..cut]].concat(), plain.len());
        let err = read(&bytes, plain.len() - 9, 9).unwrap_err().to_string();
        assert!(err.contains("end inside the stream"), "{cut}: {err}");
    }
}

/// The same stored bytes again and again, and how many of them were read.
#[derive(Debug)]
struct Repeated {
    piece: Vec<u8>,
    len: u64,
    read: AtomicU64,
}

impl Source for Repeated {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> crate::Result<()> {
        self.read.fetch_add(buf.len() as u64, Relaxed);
        let from = usize::try_from(at).unwrap() % self.piece.len();
        let bytes = self.piece.iter().cycle().skip(from);
        buf.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
        Ok(())
    }
}

fn repeated(piece: Vec<u8>, len: u64) -> Repeated {
    let read = AtomicU64::new(0);
    Repeated { piece, len, read }
}

#[test]
fn rejects_a_mebibyte_of_members_that_hold_nothing() {
    let empty = gzipped(b"", 6);
    let source = repeated(empty, 1 << 40);
    let err = all_of(&source).head(&source, 64 << 10).unwrap_err();
    assert!(err.to_string().contains("too few plain bytes"), "{err}");
    assert!(source.read.load(Relaxed) < 2 << 20);
}

#[test]
fn a_builder_of_members_that_hold_nothing_looks_whether_it_is_wanted() {
    let source = Arc::new(repeated(gzipped(b"", 6), 1 << 40));
    let before = Arc::downgrade(&source);
    let stream = all_of(&*source);
    let bytes = Deflated::new(Arc::<Repeated>::clone(&source), stream, 1000);
    bytes.start().unwrap();
    while source.read.load(Relaxed) < 1 << 20 {
        thread::yield_now();
    }
    drop((bytes, source));
    // It holds its source until it ends, and no plain byte will ever come.
    while before.strong_count() > 0 {
        thread::yield_now();
    }
}

/// A decoder of stored bytes that all hold nothing.
struct Nothing<R>(R);

impl<R: Read> Read for Nothing<R> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        io::copy(&mut self.0, &mut io::sink()).map(|_| 0)
    }
}

#[test]
fn rejects_a_stream_whose_first_32_mebibytes_tell_no_size() {
    let source = repeated(vec![0; 4096], 1 << 40);
    let err = size_of(&source, Nothing(FromStart::of(&source))).unwrap_err();
    assert!(err.to_string().contains("first 32 MiB"), "{err}");
    assert_eq!(source.read.load(Relaxed), 32 << 20);
}
