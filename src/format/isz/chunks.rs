//! The chunk table, kept as small as it is on disk.

use std::iter;

use super::header::{Header, Table};
use crate::{Error, Result, codec::Codec, source::Source};

/// How the tables of a file are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mask {
    /// By exclusive or with the inverted signature, which starts anew with each table: the vendor's way.
    Inverted,
    /// As they are: other writers' way.
    None,
}

impl Mask {
    /// Takes the mask off a table.
    pub(super) fn lift(self, table: &mut [u8]) {
        const KEY: [u8; 4] = [0xB6, 0x8C, 0xA5, 0xDE];
        if self == Mask::Inverted {
            for (byte, key) in iter::zip(table, KEY.into_iter().cycle()) {
                *byte ^= key;
            }
        }
    }
}

/// One entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Chunk {
    /// How its bytes are stored: `Zero`, `Raw`, `Zlib` or `Bzip2`.
    pub(super) codec: Codec,
    /// The length field.
    len: u64,
}

impl Chunk {
    /// Bytes that it takes in the file. A chunk of zeroes takes none, whatever its length field says.
    pub(super) fn stored_len(self) -> u64 {
        match self.codec {
            Codec::Zero => 0,
            _ => self.len,
        }
    }
}

/// A running sum stands before every so many entries.
const STRIDE: usize = 64;

/// The checked chunk table.
#[derive(Debug)]
pub(super) struct Chunks {
    /// The entries without their mask.
    raw: Box<[u8]>,
    entry_len: usize,
    /// Stored bytes before every [`STRIDE`]th chunk, then of all chunks.
    sums: Box<[u64]>,
    /// Chunks of zeroes whose length field is neither 0 nor their plain length.
    pub(super) odd_zeroes: u64,
}

impl Chunks {
    /// Reads the table and checks every entry. `table` lies inside the file.
    ///
    /// # Errors
    /// `Corrupt` naming the first chunk that breaks a rule, `Io` when the table cannot be read.
    pub(super) fn read(
        source: &dyn Source,
        header: &Header,
        table: Table,
        mask: Mask,
    ) -> Result<Self> {
        let count = usize::try_from(header.chunks).expect("the header limits it");
        let mut raw = vec![0; count * table.entry_len];
        source.read_exact_at(&mut raw, table.at)?;
        mask.lift(&mut raw);
        let mut chunks = Self {
            raw: raw.into(),
            entry_len: table.entry_len,
            sums: [].into(),
            odd_zeroes: 0,
        };
        chunks.check(header)?;
        Ok(chunks)
    }

    fn check(&mut self, header: &Header) -> Result<()> {
        let count = self.count();
        let mut sums = Vec::with_capacity(count.div_ceil(STRIDE) + 1);
        let mut sum = 0;
        for i in 0..count {
            if i % STRIDE == 0 {
                sums.push(sum);
            }
            let (chunk, plain_len) = (self.entry(i), header.plain_len(i as u64));
            check_chunk(chunk, plain_len, header.block_size)
                .map_err(|err| err.in_context(format_args!("chunk {i}")))?;
            let odd = chunk.codec == Codec::Zero && chunk.len != 0 && chunk.len != plain_len;
            self.odd_zeroes += u64::from(odd);
            sum += chunk.stored_len();
        }
        sums.push(sum);
        self.sums = sums.into();
        Ok(())
    }

    fn count(&self) -> usize {
        self.raw.len() / self.entry_len
    }

    /// The entry of a chunk that the image has.
    pub(super) fn chunk(&self, chunk: u64) -> Chunk {
        self.entry(usize::try_from(chunk).expect("a chunk number fits the table"))
    }

    /// Stored bytes of all chunks before `chunk`, or of all when it is the number of chunks.
    pub(super) fn stored_before(&self, chunk: u64) -> u64 {
        let chunk = usize::try_from(chunk).expect("a chunk number fits the table");
        if chunk == self.count() {
            return self.sums[self.sums.len() - 1];
        }
        let whole = chunk / STRIDE;
        let rest = (whole * STRIDE..chunk).map(|i| self.entry(i).stored_len());
        self.sums[whole] + rest.sum::<u64>()
    }

    /// The top two bits are the type, the rest is the length.
    fn entry(&self, i: usize) -> Chunk {
        let mut word = [0; 8];
        word[..self.entry_len].copy_from_slice(&self.raw[i * self.entry_len..][..self.entry_len]);
        let word = u64::from_le_bytes(word);
        let bits = self.entry_len * 8 - 2;
        let codec = match word >> bits {
            0 => Codec::Zero,
            1 => Codec::Raw,
            2 => Codec::Zlib,
            _ => Codec::Bzip2,
        };
        let len = word & ((1 << bits) - 1);
        Chunk { codec, len }
    }
}

fn check_chunk(chunk: Chunk, plain_len: u64, block_size: u32) -> Result<()> {
    let (name, len) = (chunk.codec.name(), chunk.len);
    if len > u64::from(block_size) {
        return Err(Error::corrupt(format!(
            "length of the {name} data is {len}, more than the chunk size of {block_size}"
        )));
    }
    match chunk.codec {
        Codec::Raw if len != plain_len => Err(Error::corrupt(format!(
            "length of the stored data is {len}, not the chunk's {plain_len}"
        ))),
        Codec::Zlib | Codec::Bzip2 if len == 0 => Err(Error::corrupt(format!(
            "length of the {name} data is 0, a stream has at least one byte"
        ))),
        _ => Ok(()),
    }
}
