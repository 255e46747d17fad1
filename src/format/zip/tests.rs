use std::{io::Write, sync::Arc};

use flate2::{Compression, write::DeflateEncoder};

use super::*;
use crate::{ErrorKind, cache::BlockCache, format, image::Image};

/// An archive of members, with a method each.
fn archive(members: &[(&str, u16, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, method, plain) in members {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        let packed = encoder.finish().unwrap();
        let data = if *method == 8 { &packed } else { *plain };
        let mut common = vec![0; 26];
        common[..2].copy_from_slice(&20_u16.to_le_bytes());
        common[4..6].copy_from_slice(&method.to_le_bytes());
        common[10..14].copy_from_slice(&crc32fast::hash(plain).to_le_bytes());
        common[14..18].copy_from_slice(&(data.len() as u32).to_le_bytes());
        common[18..22].copy_from_slice(&(plain.len() as u32).to_le_bytes());
        common[22..24].copy_from_slice(&(name.len() as u16).to_le_bytes());
        let at = bytes.len() as u32;
        bytes.extend([b"PK\x03\x04", common.as_slice(), name.as_bytes(), data].concat());
        directory.extend([b"PK\x01\x02\x14\x00", common.as_slice(), &[0; 10]].concat());
        directory.extend([&at.to_le_bytes(), name.as_bytes()].concat());
    }
    let at = bytes.len() as u32;
    let count = (members.len() as u16).to_le_bytes();
    let len = (directory.len() as u32).to_le_bytes();
    let end = [
        &[0; 4],
        &count[..],
        &count,
        &len,
        &at.to_le_bytes(),
        &[0; 2],
    ]
    .concat();
    [bytes, directory, b"PK\x05\x06".to_vec(), end].concat()
}

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|i| (i.wrapping_mul(i) >> 9) as u8)
        .collect()
}

fn listed(stored: &[u8]) -> Result<Vec<(String, u64)>> {
    let source: Arc<dyn Source> = Arc::new(stored.to_vec());
    let listed = files(&source, &OpenOptions::alone())?;
    let file = |file: PlainFile| match (file.name, file.content) {
        (PlainName::Own(name), Content::Blocks { size, .. }) => (name.into_string().unwrap(), size),
        other => panic!("{other:?}"),
    };
    Ok(listed.files.into_iter().map(file).collect())
}

fn read(stored: &[u8], file: u32) -> Result<Vec<u8>> {
    let options = OpenOptions {
        file,
        ..OpenOptions::alone()
    };
    let opened = format::open(Arc::new(stored.to_vec()), &options)?;
    let image = Image::new(opened, Arc::new(BlockCache::new(16 << 20)));
    let mut plain = vec![0; image.size() as usize];
    image.read_at(&mut plain, 0).map(|_| plain)
}

fn refused(stored: &[u8]) -> String {
    listed(stored).unwrap_err().to_string()
}

#[test]
fn each_image_is_a_file_of_its_own() {
    let (one, two) = (noise(300_000), noise(5000));
    let stored = archive(&[
        ("read me.txt", 0, b"text"),
        ("folder/One.iso", 8, &one),
        ("folder/._One.iso", 0, b"attributes"),
        ("Two.BIN", 0, &two),
        ("Two.cue", 8, b"FILE \"Two.BIN\" BINARY\n"),
    ]);
    let names = listed(&stored).unwrap();
    let expected = [("One.iso", 300_000), ("Two.BIN", 5000), ("Two.cue", 22)];
    assert_eq!(names, expected.map(|(name, size)| (name.to_string(), size)));
    assert!(read(&stored, 0).unwrap() == one);
    assert!(read(&stored, 1).unwrap() == two);
    assert_eq!(read(&stored, 3).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn no_name_leads_out_of_its_folder() {
    let stored = archive(&[
        ("../../up.iso", 0, b"1"),
        ("/root.iso", 0, b"2"),
        ("c:\\dos.iso", 0, b"3"),
        ("nul\0.iso", 0, b"4"),
        ("..", 0, b"5"),
    ]);
    let names: Vec<_> = listed(&stored)
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["up.iso", "root.iso", "dos.iso"]);
}

#[test]
fn rejects_an_archive_without_an_image() {
    let err = refused(&archive(&[("a.txt", 0, b"x"), ("a.cue", 0, b"y")]));
    assert!(err.contains("holds no disc image"), "{err}");
}

#[test]
fn rejects_an_encrypted_member_and_an_unknown_method_by_name() {
    let mut stored = archive(&[("a.iso", 0, b"x")]);
    let entry = stored
        .windows(4)
        .position(|it| it == b"PK\x01\x02")
        .unwrap();
    stored[entry + 8] |= 1;
    assert_eq!(refused(&stored), "member a.iso: it is encrypted");
    let err = refused(&archive(&[("a.iso", 14, b"x")]));
    assert!(err.contains("method is 14 (LZMA)"), "{err}");
}

#[test]
fn rejects_members_that_overlap_and_two_of_one_name() {
    let mut stored = archive(&[("a.iso", 0, &[1; 90]), ("b.iso", 0, &[2; 90])]);
    let second = stored
        .windows(4)
        .rposition(|it| it == b"PK\x01\x02")
        .unwrap();
    stored[second + 42..second + 46].fill(0);
    assert!(refused(&stored).contains("inside another"));
    let err = refused(&archive(&[("x/a.iso", 0, b"1"), ("y/a.iso", 0, b"2")]));
    assert_eq!(err, "two members are called a.iso");
}

#[test]
fn rejects_numbers_that_lead_out_of_the_file() {
    let stored = archive(&[("a.iso", 0, b"plain")]);
    let entry = stored
        .windows(4)
        .position(|it| it == b"PK\x01\x02")
        .unwrap();
    for (field, at) in [(20, "stored"), (24, "plain"), (42, "header"), (28, "name")] {
        let mut bad = stored.clone();
        bad[entry + field..entry + field + 2].fill(0xFE);
        assert!(listed(&bad).is_err(), "{at}");
    }
    for cut in 1..stored.len() {
        assert!(
            listed(&stored[..stored.len() - cut]).is_err(),
            "{cut} bytes are missing"
        );
    }
}

#[test]
fn a_wrong_crc_is_an_error_at_the_end() {
    let plain = noise(100_000);
    let mut stored = archive(&[("a.iso", 8, &plain)]);
    let entry = stored
        .windows(4)
        .position(|it| it == b"PK\x01\x02")
        .unwrap();
    stored[entry + 16] ^= 1;
    let err = read(&stored, 0).unwrap_err().to_string();
    assert!(err.contains("CRC-32"), "{err}");
}

#[test]
fn large_numbers_stand_in_the_zip64_field() {
    let plain = noise(1000);
    let mut stored = archive(&[("a.iso", 0, &plain)]);
    let entry = stored
        .windows(4)
        .position(|it| it == b"PK\x01\x02")
        .unwrap();
    let end = stored.len() - 22;
    stored[entry + 20..entry + 28].fill(0xFF);
    stored[entry + 30] = 20;
    let extra = [
        &[1, 0, 16, 0][..],
        &1000_u64.to_le_bytes(),
        &1000_u64.to_le_bytes(),
    ]
    .concat();
    let (len, at) = (end - entry + 20, entry);
    let mut larger = b"PK\x06\x06".to_vec();
    larger.resize(24, 0);
    for number in [1, 1, len as u64, at as u64] {
        larger.extend(number.to_le_bytes());
    }
    let mut locator = b"PK\x06\x07\0\0\0\0".to_vec();
    locator.extend((end as u64 + 20).to_le_bytes());
    locator.extend([1, 0, 0, 0]);
    let mut tail = stored.split_off(end);
    tail[8..20].fill(0xFF);
    let stored = [stored, extra, larger, locator, tail].concat();
    assert_eq!(listed(&stored).unwrap(), [("a.iso".to_string(), 1000)]);
    assert!(read(&stored, 0).unwrap() == plain);
}
