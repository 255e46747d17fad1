//! LZMA without a header. The properties are those of the writer, and always the same.

use std::io::Read;

use lzma_rust2::LzmaReader;

use crate::format::chd::huffman::Fault;

pub(super) fn decode(src: &[u8], dst: &mut [u8]) -> Result<(), Fault> {
    let bad = "the stream is damaged, or ends too early";
    let len = u32::try_from(dst.len()).map_err(|_| "the hunk is too large")?;
    // Nothing is further back than the hunk is long.
    let reader = LzmaReader::new(src, dst.len() as u64, 3, 0, 2, len.max(4096), None);
    let mut reader = reader.map_err(|_| bad)?;
    reader.read_exact(dst).map_err(|_| bad)
}
