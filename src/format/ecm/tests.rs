use super::{runs::Run, *};
use crate::{
    ErrorKind,
    cache::BlockCache,
    image::Image,
    sector::{HEADER, Kind, SECTOR, SUBHEADER, Sector, complete, edc},
};

fn sector(kind: Kind, number: u8) -> Sector {
    let mut sector = [0; SECTOR];
    for (i, byte) in sector[kind.user()].iter_mut().enumerate() {
        *byte = (i as u8).wrapping_mul(number) ^ (i >> 8) as u8;
    }
    sector[HEADER..HEADER + 3].copy_from_slice(&[0, 2, number]);
    if kind != Kind::Mode1 {
        let submode = if kind == Kind::Mode2Form2 { 0x20 } else { 8 };
        sector[SUBHEADER + 2] = submode;
        sector[SUBHEADER + 6] = submode;
    }
    complete(&mut sector, kind);
    sector
}

fn head(kind: u8, count: u32) -> Vec<u8> {
    let mut n = count - 1;
    let mut bytes = vec![kind | ((n & 0x1f) as u8) << 2];
    n >>= 5;
    while n > 0 {
        *bytes.last_mut().unwrap() |= 0x80;
        bytes.push((n & 0x7f) as u8);
        n >>= 7;
    }
    bytes
}

fn stored_sector(kind: Kind, sector: &Sector) -> Vec<u8> {
    let front = match kind {
        Kind::Mode1 => HEADER..HEADER + 3,
        _ => SUBHEADER..SUBHEADER + 4,
    };
    [&sector[front], &sector[kind.user()]].concat()
}

const END: [u8; 5] = [0xfc, 0xff, 0xff, 0xff, 0x3f];

/// An image of all kinds of runs, long and short ones, and what it decodes to.
fn sample() -> (Vec<u8>, Vec<u8>) {
    let (mut stored, mut plain) = (MAGIC.to_vec(), Vec::new());
    let mut put = |kind: u8, count: u32, from: &[u8], to: &[u8]| {
        stored.extend(head(kind, count));
        stored.extend(from);
        plain.extend(to);
    };
    let ones: Vec<Sector> = (0..70).map(|n| sector(Kind::Mode1, n)).collect();
    let from: Vec<u8> = ones
        .iter()
        .flat_map(|one| stored_sector(Kind::Mode1, one))
        .collect();
    put(1, 70, &from, &ones.concat());
    for (n, (kind, number)) in [(Kind::Mode2Form1, 2), (Kind::Mode2Form2, 3)]
        .repeat(20)
        .into_iter()
        .enumerate()
    {
        let sector = sector(kind, n as u8);
        put(0, 16, &sector[..16], &sector[..16]);
        put(number, 1, &stored_sector(kind, &sector), &sector[16..]);
    }
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|n| (n.wrapping_mul(n) >> 7) as u8)
        .collect();
    put(0, 100_000, &noise, &noise);
    put(0, 1, &[9], &[9]);
    stored.extend(END);
    stored.extend(edc(&plain).to_le_bytes());
    (stored, plain)
}

fn image(stored: Vec<u8>) -> Result<Image> {
    let opened = open(Arc::new(stored), &OpenOptions::alone())?;
    Ok(Image::new(opened, Arc::new(BlockCache::new(1 << 20))))
}

fn refusal(stored: Vec<u8>) -> String {
    image(stored).unwrap_err().to_string()
}

#[test]
fn any_read_equals_the_slice() {
    let (stored, plain) = sample();
    let image = image(stored).unwrap();
    assert_eq!(image.size(), plain.len() as u64);
    for len in [1, 16, 2352, 4096, 70_000, plain.len()] {
        for at in (0..plain.len()).step_by(len.max(3001)) {
            let mut read = vec![0; len];
            let n = image.read_at(&mut read, at as u64).unwrap();
            assert!(read[..n] == plain[at..at + n], "{len} bytes at {at}");
            assert_eq!(n, len.min(plain.len() - at));
        }
    }
}

#[test]
fn the_size_is_known_from_the_heads() {
    let (stored, plain) = sample();
    let summary = (ECM.probe)(&stored).unwrap();
    assert_eq!(summary.size, plain.len() as u64);
    assert_eq!(image(stored).unwrap().details().variant, "83 runs");
}

#[test]
fn the_plain_name_is_what_the_stored_name_says() {
    let source: Arc<dyn Source> = Arc::new(sample().0);
    for (name, ending) in [
        ("a.bin.ecm", ".bin"),
        ("a.IMG.ecm", ".IMG"),
        ("a.iso.ecm", ".iso"),
        ("a.ecm", ".bin"),
        ("a v1.2.ecm", ".bin"),
    ] {
        let options = OpenOptions {
            name: OsStr::new(name),
            ..OpenOptions::alone()
        };
        let listed = files(&source, &options).unwrap();
        assert_eq!(
            listed.files[0].name,
            crate::files::PlainName::Behind(ending.into()),
            "{name}"
        );
    }
}

#[test]
fn heads_of_all_lengths_are_read_back() {
    for count in [1, 32, 33, 4096, 4097, 1 << 19, 1 << 26, u32::MAX] {
        let bytes = head(2, count);
        let (run, len) = Run::parse(&bytes).unwrap();
        assert_eq!((run.unwrap().count, len), (count, bytes.len()));
    }
    assert_eq!(Run::parse(&END).unwrap(), (None, 5));
}

#[test]
fn rejects_a_count_above_32_bits() {
    let found = Run::parse(&[0xfc, 0xff, 0xff, 0xff, 0x7f]).unwrap_err();
    assert!(found.to_string().contains("32 bits"), "{found}");
}

#[test]
fn rejects_a_head_of_more_than_5_bytes() {
    let found = Run::parse(&[0x80; 9]).unwrap_err();
    assert!(found.to_string().contains("more than 5 bytes"), "{found}");
}

#[test]
fn rejects_a_run_that_ends_behind_the_file() {
    let mut stored = MAGIC.to_vec();
    stored.extend(head(1, u32::MAX));
    stored.extend([0; 100]);
    assert!(refusal(stored).contains("the file at 109"));
}

#[test]
fn rejects_a_file_that_is_cut_anywhere() {
    let (stored, _) = sample();
    for len in [
        4,
        5,
        2000,
        stored.len() - 10,
        stored.len() - 9,
        stored.len() - 1,
    ] {
        let err = image(stored[..len].to_vec()).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Corrupt, "{len}: {err}");
    }
}

#[test]
fn rejects_bytes_behind_the_end() {
    let (mut stored, _) = sample();
    stored.push(0);
    assert!(refusal(stored).contains("its end mark and EDC end at"));
}

#[test]
fn rejects_an_image_of_no_bytes() {
    let stored = [&MAGIC[..], &END, &[0; 4]].concat();
    assert!(refusal(stored).contains("size is 0"));
}
