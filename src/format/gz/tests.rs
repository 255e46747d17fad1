use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use super::*;
use crate::{
    cache::BlockCache,
    format::{self, tests::volume},
    image::Image,
};

fn gzipped(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn image(stored: Vec<u8>) -> Image {
    let opened = format::open(Arc::new(stored), &OpenOptions::alone()).unwrap();
    Image::new(opened, Arc::new(BlockCache::new(16 << 20)))
}

#[test]
fn an_image_is_its_plain_bytes_with_any_tail_behind_the_volume() {
    for len in [100 * 2048, 150 * 2048, 99 * 2048] {
        let plain = volume(100, len);
        let image = image(gzipped(&plain));
        assert_eq!(image.size(), len as u64);
        let mut read = vec![0; len];
        assert_eq!(image.read_at(&mut read, 0).unwrap(), len);
        assert!(read == plain);
    }
}

#[test]
fn several_members_have_the_size_of_their_volume() {
    let plain = volume(100, 100 * 2048);
    let (first, second) = plain.split_at(120_000);
    let image = image([gzipped(first), gzipped(second)].concat());
    assert_eq!(image.size(), plain.len() as u64);
    let mut read = vec![0; plain.len()];
    image.read_at(&mut read, 0).unwrap();
    assert!(read == plain);
}

#[test]
fn a_size_beyond_32_bits_is_taken_from_the_volume() {
    let dvd = 8_543_666_176_u64;
    let low = |size: u64| (size & 0xFFFF_FFFF) as u32;
    assert_eq!(likely_size(low(dvd), Some(dvd), 6 << 30), dvd);
    assert_eq!(
        likely_size(low(dvd + 307_200), Some(dvd), 6 << 30),
        dvd + 307_200
    );
    assert_eq!(
        likely_size(low(dvd - 307_200), Some(dvd), 6 << 30),
        dvd - 307_200
    );
    assert_eq!(likely_size(low(dvd + (1 << 30)), Some(dvd), 6 << 30), dvd);
    assert_eq!(likely_size(low(dvd), None, 6 << 30), dvd);
    assert_eq!(
        likely_size(low(700 << 20), Some(100 << 20), 80 << 20),
        700 << 20
    );
}

#[test]
fn a_short_stream_has_the_size_that_it_decodes_to() {
    let image = image([gzipped(b"short"), gzipped(b" and more")].concat());
    assert_eq!(image.size(), 14);
}

#[test]
fn rejects_an_empty_stream_and_a_method_that_is_not_deflate() {
    let open = |stored| format::open(Arc::new(stored), &OpenOptions::alone());
    assert!(
        open(gzipped(b""))
            .unwrap_err()
            .to_string()
            .contains("image size is 0")
    );
    let mut stored = gzipped(b"x");
    stored[3] = 0x80;
    assert!(open(stored).unwrap_err().to_string().contains("gzip flags"));
}
