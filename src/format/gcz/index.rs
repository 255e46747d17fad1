//! The tables behind the header: offsets and checksums.

use super::{HEADER_LEN, Header};
use crate::{Error, Result, codec::Codec, map::Stored, source::Source};

/// Set in an offset whose block is stored as it is.
const PLAIN: u64 = 1 << 63;

/// Where each block is, as in the file. Any block may turn out not to be there.
#[derive(Debug)]
pub(super) struct Index {
    header: Header,
    offsets: Box<[u64]>,
    checksums: Box<[u32]>,
    file_end: u64,
}

impl Index {
    pub(super) fn read(header: &Header, source: &dyn Source) -> Result<Self> {
        let data_at = header.data_at();
        if data_at > source.len() {
            return Err(Error::corrupt(format!(
                "the tables of {} blocks end at {data_at}, behind the file's end at {}",
                header.blocks,
                source.len()
            )));
        }
        let checksums_at = HEADER_LEN + 8 * u64::from(header.blocks);
        Ok(Self {
            header: *header,
            offsets: table(source, HEADER_LEN, header.blocks, u64::from_le_bytes)?,
            checksums: table(source, checksums_at, header.blocks, u32::from_le_bytes)?,
            file_end: source.len(),
        })
    }

    /// What the table says that the stored bytes of a block sum up to.
    pub(super) fn checksum(&self, block: usize) -> u32 {
        self.checksums[block]
    }

    /// The stored bytes of a block, inside the file; or why it has none.
    pub(super) fn place(&self, block: usize) -> std::result::Result<Stored, String> {
        let start = self.offsets[block] & !PLAIN;
        let next = self.offsets.get(block + 1);
        let end = next.map_or(self.header.stored, |next| next & !PLAIN);
        let len = end.checked_sub(start).filter(|&len| len > 0);
        let len = len.ok_or_else(|| format!("the block begins at {start} and ends at {end}"))?;
        let most = self.header.most_stored();
        if len > most {
            return Err(format!(
                "the block has {len} stored bytes, more than the {most} that it can need"
            ));
        }
        let data_at = self.header.data_at();
        if end > self.file_end - data_at {
            return Err(format!(
                "the block ends {end} bytes behind the tables, behind the file's end at {}",
                self.file_end
            ));
        }
        let is_plain = self.offsets[block] & PLAIN != 0;
        Ok(Stored {
            at: data_at + start,
            len: u32::try_from(len).expect("a stored block is below 17 MiB"),
            codec: if is_plain { Codec::Raw } else { Codec::Zlib },
        })
    }

    pub(super) fn note_missing(&self) -> Option<String> {
        let blocks = 0..self.offsets.len();
        let mut faults = blocks.filter_map(|block| Some((block, self.place(block).err()?)));
        let (first, fault) = faults.next()?;
        Some(format!(
            "{} of {} blocks are not in the file; the first is block {first}: {fault}",
            1 + faults.count(),
            self.offsets.len()
        ))
    }
}

/// Reads `count` numbers of `N` bytes in pieces. They lie inside the file.
fn table<const N: usize, T>(
    source: &dyn Source,
    mut at: u64,
    count: u32,
    number: fn([u8; N]) -> T,
) -> Result<Box<[T]>> {
    let mut numbers = Vec::with_capacity(count as usize);
    let mut piece = vec![0; 8192 * N];
    let mut left = count as usize;
    while left > 0 {
        let some = left.min(8192);
        let bytes = &mut piece[..some * N];
        source.read_exact_at(bytes, at)?;
        let cut = bytes.chunks_exact(N);
        numbers.extend(cut.map(|bytes| number(bytes.try_into().expect("a chunk of N bytes"))));
        at += bytes.len() as u64;
        left -= some;
    }
    Ok(numbers.into_boxed_slice())
}
