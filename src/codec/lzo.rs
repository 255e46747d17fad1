//! LZO1X. Written from the stream description in the Linux kernel's documentation (staging/lzo).

use super::Decoded;

pub(super) fn decode(_src: &[u8], _dst: &mut [u8]) -> Decoded {
    Err("LZO is not built yet")
}
