use std::io::Write;

use ::bzip2::{Compression, write::BzEncoder};

use crate::format::tests::{image, opened, read, volume};

fn packed(plain: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
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
