//! The blocks of all streams of a file, found from its end backwards.

use super::{
    MAGIC,
    check::Check,
    number::{Fields, check, checked},
};
use crate::{
    Error, ErrorKind, Result,
    map::{self, check_size},
    source::{Source, read_array},
};

/// The most blocks: 64 GiB in pieces of 64 KiB.
const MOST_BLOCKS: u64 = 1 << 20;

/// The most streams in a file.
const MOST_STREAMS: usize = 1 << 14;

/// The most zeroes behind a stream.
const MOST_PADDING: u64 = 1 << 20;

/// Bytes of a stream's header, and of its footer.
const ENDS: u64 = 12;

/// The largest header that a block can have.
const MOST_HEADER: u64 = 1024;

/// A block as the index gives it. It lies inside the file, between others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) at: u64,
    /// Bytes of header, data and check.
    pub(super) unpadded: u64,
    /// Number of plain bytes, not 0.
    pub(super) plain: u64,
    pub(super) check: Check,
}

impl Block {
    /// Stored bytes with the padding between data and check.
    pub(super) fn padded(&self) -> u64 {
        self.unpadded.next_multiple_of(4)
    }

    /// Bytes at the front that hold the header.
    pub(super) fn head_len(&self) -> usize {
        usize::try_from(self.padded().min(MOST_HEADER)).expect("it is at most MOST_HEADER")
    }
}

/// The blocks that hold plain bytes, in order.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) blocks: Box<[Block]>,
    pub(super) size: u64,
}

impl Index {
    pub(super) fn read(source: &dyn Source) -> Result<Self> {
        let mut streams = Vec::new();
        let (mut end, mut count) = (source.len(), 0);
        while end > 0 {
            end = without_padding(source, end)?;
            let (start, blocks) = read_stream(source, end)?;
            count += blocks.len() as u64;
            if streams.len() == MOST_STREAMS || count > MOST_BLOCKS {
                return Err(Error::new(
                    ErrorKind::LimitExceeded,
                    format!(
                        "the file has more than {MOST_STREAMS} streams or {MOST_BLOCKS} blocks"
                    ),
                ));
            }
            streams.push(blocks);
            end = start;
        }
        let blocks = streams.into_iter().rev().flatten();
        let blocks: Box<[Block]> = blocks.filter(|block| block.plain > 0).collect();
        let sizes = blocks.iter().map(|block| block.plain);
        let size = sizes.fold(0, u64::saturating_add);
        Ok(Self {
            size: check_size(size)?,
            blocks,
        })
    }

    /// The first plain byte of each block, then the size.
    pub(super) fn starts(&self) -> Box<[u64]> {
        map::starts(self.blocks.iter().map(|block| block.plain))
    }
}

/// Goes back over the zeroes behind a stream, which come in fours.
fn without_padding(source: &dyn Source, end: u64) -> Result<u64> {
    const AT_ONCE: u64 = 4096;
    let mut now = end;
    while now > 0 && end - now < MOST_PADDING {
        let at = now - now.min(AT_ONCE);
        let mut bytes = vec![0; usize::try_from(now - at).expect("it is at most AT_ONCE")];
        source.read_exact_at(&mut bytes, at)?;
        if let Some(last) = bytes.iter().rposition(|&byte| byte != 0) {
            let padding = end - (at + last as u64 + 1);
            if padding % 4 == 0 {
                return Ok(end - padding);
            }
            return Err(Error::corrupt(format!(
                "there are {padding} bytes of padding behind a stream, it must be a multiple of 4"
            )));
        }
        now = at;
    }
    Err(Error::corrupt(format!(
        "there is no end of a stream before the {} zeroes at {now}",
        end - now
    )))
}

/// Reads the stream that ends at `end`: gives where it starts, and its blocks.
fn read_stream(source: &dyn Source, end: u64) -> Result<(u64, Vec<Block>)> {
    let footer_at = end.checked_sub(ENDS).ok_or_else(|| short(end))?;
    let (flags, len) = read_footer(source, footer_at)?;
    let index_at = footer_at.checked_sub(len).ok_or_else(|| short(end))?;
    let mut blocks = read_records(source, index_at, len, Check(flags[1]))?;
    let all = blocks
        .iter()
        .fold(ENDS, |sum, block| sum.saturating_add(block.padded()));
    let start = index_at.checked_sub(all).ok_or_else(|| {
        Error::corrupt(format!(
            "the blocks of the stream have {all} bytes with its header, there are {index_at} before the index"
        ))
    })?;
    check_header(source, start, flags)?;
    let mut at = start + ENDS;
    for block in &mut blocks {
        block.at = at;
        at += block.padded();
    }
    Ok((start, blocks))
}

/// The flags of a stream, and the bytes of its index.
fn read_footer(source: &dyn Source, at: u64) -> Result<([u8; 2], u64)> {
    let footer: [u8; 12] = read_array(source, at, "stream footer")?;
    if !footer.ends_with(b"YZ") {
        return Err(Error::corrupt(format!(
            "the stream ends in {}, it must be YZ: the file is cut, or something follows it",
            footer[10..].escape_ascii()
        )));
    }
    let word = |at: usize| u32::from_le_bytes(footer[at..at + 4].try_into().expect("4 bytes"));
    check(&footer[4..10], word(0), "stream footer")?;
    let flags = [footer[8], footer[9]];
    if flags[0] != 0 || flags[1] > 15 {
        return Err(Error::unsupported(format!(
            "the stream flags are {:02x} {:02x}, the highest 12 bits have no meaning yet",
            flags[0], flags[1]
        )));
    }
    Ok((flags, (u64::from(word(4)) + 1) * 4))
}

fn check_header(source: &dyn Source, at: u64, flags: [u8; 2]) -> Result<()> {
    let header: [u8; 12] = read_array(source, at, "stream header")?;
    if !header.starts_with(MAGIC) || header[6..8] != flags {
        return Err(Error::corrupt(format!(
            "there is no stream header at {at}, or its flags are not those of the footer"
        )));
    }
    checked(&header[6..], "stream header").map(drop)
}

fn short(end: u64) -> Error {
    Error::corrupt(format!(
        "the stream that ends at {end} begins before the file does"
    ))
}

/// The blocks of an index of `len` bytes, without their places.
fn read_records(source: &dyn Source, at: u64, len: u64, check: Check) -> Result<Vec<Block>> {
    /// Two numbers of nine bytes at most, and some.
    const MOST_INDEX: u64 = MOST_BLOCKS * 18 + 32;
    if len > MOST_INDEX {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!("the index has {len} bytes, more than the limit of {MOST_INDEX}"),
        ));
    }
    let mut bytes = vec![0; usize::try_from(len).expect("it is at most MOST_INDEX")];
    source.read_exact_at(&mut bytes, at)?;
    let mut fields = Fields::new(checked(&bytes, "index")?, "index");
    if fields.byte()? != 0 {
        return Err(Error::corrupt("the index does not begin with 0"));
    }
    let count = fields.number()?;
    // Each takes two bytes at least.
    if count > len / 2 || count > MOST_BLOCKS {
        return Err(Error::corrupt(format!(
            "the index claims {count} blocks, it has {len} bytes, and {MOST_BLOCKS} is the limit"
        )));
    }
    let mut blocks = Vec::new();
    for number in 0..count {
        let (unpadded, plain) = (fields.number()?, fields.number()?);
        // Rounded up it must not overflow.
        if !(5..1 << 62).contains(&unpadded) {
            return Err(Error::corrupt(format!(
                "block {number} of the index has {unpadded} stored bytes, the least is 5"
            )));
        }
        blocks.push(Block {
            at: 0,
            unpadded,
            plain,
            check,
        });
    }
    fields.zeroes()?;
    Ok(blocks)
}
