use std::io::Write;

use ::bzip2::{Compression, write::BzEncoder};

use crate::format::tests::{image, opened, read};

fn packed(plain: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A volume of so many sectors, and as many bytes.
fn volume(sectors: u32, len: usize) -> Vec<u8> {
    let mut plain: Vec<u8> = (0..len as u32)
        .map(|i| (i.wrapping_mul(i) >> 9) as u8)
        .collect();
    plain[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    plain[0x8050..0x8054].copy_from_slice(&sectors.to_le_bytes());
    plain[0x8080..0x8082].copy_from_slice(&2048_u16.to_le_bytes());
    plain
}

#[test]
fn streams_that_follow_each_other_have_the_size_of_their_volume() {
    let plain = volume(150, 150 * 2048);
    let (first, second) = plain.split_at(170_000);
    let image = image(opened([packed(first), packed(second)].concat()).unwrap());
    assert_eq!(image.size(), plain.len() as u64);
    assert!(read(&image, 169_000, 2000).unwrap() == plain[169_000..171_000]);
    assert!(read(&image, 0, plain.len()).unwrap() == plain);
}

#[test]
fn an_image_without_a_volume_is_counted_if_it_is_small() {
    let plain = vec![7; 1_474_560];
    let image = image(opened(packed(&plain)).unwrap());
    assert_eq!(image.size(), 1_474_560);
    assert!(read(&image, 0, plain.len()).unwrap() == plain);
}

#[test]
fn rejects_a_large_image_of_which_nothing_tells_the_size() {
    let err = opened(packed(&vec![7; (16 << 20) + 1])).unwrap_err();
    assert!(err.to_string().contains("does not tell the size"), "{err}");
}

#[test]
fn a_damaged_stream_gives_no_byte_that_may_be_wrong() {
    let plain = volume(300, 300 * 2048);
    let whole = packed(&plain);
    let mut flipped = whole.clone();
    let at = flipped.len() - 2000;
    flipped[at] ^= 4;
    for file in [flipped, whole[..whole.len() - 2000].to_vec()] {
        let image = image(opened(file).unwrap());
        assert!(read(&image, 614_399, 1).is_err());
        assert!(read(&image, 600_000, 1).is_err());
    }
}
