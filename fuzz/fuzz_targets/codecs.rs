//! Any bytes through every codec: no panic, nothing written behind the end, and the same result twice.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plainiso::codec::Codec;

const CODECS: [Codec; 6] = [
    Codec::Raw,
    Codec::Deflate,
    Codec::Zlib,
    Codec::Lz4,
    Codec::Bzip2,
    Codec::Lzo,
];

/// Blocks of the fuzzer's images; a codec's length counters must survive far longer ones.
const MOST: usize = 1 << 17;

fuzz_target!(|input: &[u8]| {
    let Some((&[which, a, b, c], src)) = input.split_first_chunk() else {
        return;
    };
    let codec = CODECS[usize::from(which) % CODECS.len()];
    let most = usize::from(u16::from_le_bytes([a, b])) + 1;
    let most = most * (1 + usize::from(c & 1));
    assert!(most <= MOST);
    let mut first = vec![1; most];
    let mut again = vec![2; most];
    let whole = codec.decode(src, &mut first).is_ok();
    assert_eq!(whole, codec.decode(src, &mut again).is_ok());
    if whole {
        assert!(
            first == again,
            "{codec:?} does not give the same bytes twice"
        );
        // The front of a block is what the whole block begins with.
        let want = most / 2 + 1;
        let mut start = vec![3; want];
        let n = codec
            .decode_start(src, &mut start, most)
            .expect("the whole block decodes");
        assert!(start[..n] == first[..n] && n == want, "{codec:?}");
    }
});
