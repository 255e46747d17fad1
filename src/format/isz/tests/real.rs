//! The only bytes of a real file at hand: the first 160 of an image that `UltraISO` encrypted in December 2010,
//! as its owner posted them in the vendor's forum (topic 3336). The posting is the only source; no command made it.

use super::*;
use crate::map::Stored;

const FIRST_160: &str = "\
    49735a2140018484184d000878390000020000000000000000e6000000000002\
    0003004000000000000000f402000000b1cd6c3a9555c8010000000080146b1b\
    a13c25deb6cea5def48ca59cb68ce7deb6cea5def48ca59cb68ce7deb6cea5de\
    f48ca59cb68ce7deb6cea5def48ca59cb68ce7deb6cea5def48ca59cb68ce7de\
    b6cea5def48ca59cb68ce7deb6cea5def48ca59cb68ce7deb6cea5def48ca59c";

fn bytes() -> Vec<u8> {
    let digits = FIRST_160.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

#[test]
fn the_header_of_a_real_file_is_read() {
    // The rest of the chunk table, so that it lies inside the file.
    let bytes = [bytes(), vec![0; 596]].concat();
    let summary = super::super::probe(&bytes).unwrap();
    assert_eq!(summary.size, 14_712 * 2048);
    assert_eq!(summary.part, PartOf::Whole);
    let header = Header::read(&bytes).unwrap();
    assert_eq!(header.identity.serial, 0x4D18_8484);
    assert_eq!((header.chunks, header.block_size), (230, 131_072));
    assert_eq!(header.encryption, Some(KeyLen::Aes128));
    assert_eq!(header.data_at, 756);
    assert_eq!(header.checksums.unwrap().image, !0x3A6C_CDB1);
    assert_eq!(header.checksums.unwrap().stored_len, 29_906_325);
}

#[test]
fn the_chunk_table_of_a_real_file_is_read() {
    let mut bytes = bytes();
    // The 32 chunks whose entries were posted, as an image of their own, without the password.
    bytes[12..16].copy_from_slice(&(32_u32 * 64).to_le_bytes());
    bytes[16] = 0;
    bytes.resize(756 + 45_079 + 31 * 131_072, 0);
    let opened = super::super::open(Arc::new(bytes), &OpenOptions::alone()).unwrap();
    let first = opened.map.locate(0);
    assert_eq!(
        (first.at, first.len, first.codec),
        (756, 45_079, Codec::Zlib)
    );
    for block in 1..32 {
        let expected = Stored {
            at: 756 + 45_079 + (block - 1) * 131_072,
            len: 131_072,
            codec: Codec::Raw,
        };
        assert_eq!(opened.map.locate(block), expected);
    }
}
