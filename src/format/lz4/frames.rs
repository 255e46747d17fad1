//! The blocks of all frames of a file, found by their headers.

use super::{
    header::{Header, MOST_HEADER},
    is_skippable,
};
use crate::{
    Error, ErrorKind, Result, codec,
    map::{self, check_size},
    source::{Source, read_array},
    unfold,
};

/// The most blocks: 64 GiB in pieces of 64 KiB.
const MOST_BLOCKS: usize = 1 << 20;

/// The most frames, those that are skipped too.
const MOST_FRAMES: usize = 1 << 16;

#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// Position of the data.
    pub(super) at: u64,
    /// Bytes of the data, without the checksum behind it.
    pub(super) stored: u32,
    /// Number of plain bytes, not 0.
    pub(super) plain: u32,
    pub(super) is_raw: bool,
    pub(super) has_sum: bool,
}

/// What is known about a file without decoding more than the last block.
#[derive(Debug)]
pub(super) struct Frames {
    pub(super) blocks: Box<[Block]>,
    pub(super) size: u64,
    /// Whether blocks need those before them.
    pub(super) is_one_piece: bool,
    /// Whether the size is told by the file.
    pub(super) is_certain: bool,
}

impl Frames {
    pub(super) fn read(source: &dyn Source) -> Result<Self> {
        let mut walk = Walk::default();
        let mut at = 0;
        for _ in 0..MOST_FRAMES {
            if at == source.len() {
                return walk.finish(source);
            }
            let head = read_array(source, at, "frame")?;
            at = if is_skippable(head) {
                let len = u32::from_le_bytes(read_array(source, at + 4, "skippable frame")?);
                at + 8 + u64::from(len)
            } else {
                walk.frame(source, at)?
            };
            if at > source.len() {
                return Err(Error::corrupt(format!(
                    "a frame ends at {at}, behind the end of the file"
                )));
            }
        }
        Err(too_many("frames", MOST_FRAMES))
    }

    /// The first plain byte of each block, then the size.
    pub(super) fn starts(&self) -> Box<[u64]> {
        map::starts(self.blocks.iter().map(|block| u64::from(block.plain)))
    }
}

fn too_many(what: &str, most: usize) -> Error {
    let message = format!("the file has more than {most} {what}");
    Error::new(ErrorKind::LimitExceeded, message)
}

#[derive(Default)]
struct Walk {
    blocks: Vec<Block>,
    size: u64,
    is_one_piece: bool,
    is_guess: bool,
}

impl Walk {
    /// Takes in the frame at `start`; gives its end.
    fn frame(&mut self, source: &dyn Source, start: u64) -> Result<u64> {
        let len = (source.len() - start).min(MOST_HEADER as u64);
        let mut bytes = [0; MOST_HEADER];
        let bytes = &mut bytes[..usize::try_from(len).expect("it is at most MOST_HEADER")];
        source.read_exact_at(bytes, start)?;
        let header = Header::parse(bytes)?;
        let sum = if header.blocks_have_sums { 4 } else { 0 };
        let (first, mut at) = (self.blocks.len(), start + header.len as u64);
        while let Some((stored, is_raw)) = header.block(read_array(source, at, "block header")?)? {
            self.blocks.push(Block {
                at: at + 4,
                stored,
                plain: header.block,
                is_raw,
                has_sum: header.blocks_have_sums,
            });
            if self.blocks.len() > MOST_BLOCKS {
                return Err(too_many("blocks", MOST_BLOCKS));
            }
            at += 4 + u64::from(stored) + sum;
        }
        self.measure(source, first, &header)?;
        Ok(at + 4 + if header.has_sum { 4 } else { 0 })
    }

    /// The size of a frame whose blocks begin with `first`: all but the last are full.
    fn measure(&mut self, source: &dyn Source, first: usize, header: &Header) -> Result<()> {
        let blocks = &mut self.blocks[first..];
        let mut size = 0;
        if let Some((last, before)) = blocks.split_last_mut() {
            last.plain = plain_len(source, last, header.block)?;
            size = u64::from(header.block) * before.len() as u64 + u64::from(last.plain);
            if last.plain == 0 {
                self.blocks.pop();
            }
        }
        self.is_one_piece |= header.is_linked || header.plain.is_some_and(|plain| plain != size);
        self.is_guess |= header.plain.is_none();
        self.size = self.size.saturating_add(header.plain.unwrap_or(size));
        Ok(())
    }

    fn finish(self, source: &dyn Source) -> Result<Frames> {
        let is_guess = self.is_guess && self.is_one_piece;
        let counted = is_guess.then(|| unfold::kept_size(source)).flatten();
        Ok(Frames {
            blocks: self.blocks.into(),
            size: check_size(counted.unwrap_or(self.size))?,
            is_one_piece: self.is_one_piece,
            is_certain: !is_guess,
        })
    }
}

/// The number of plain bytes of a block.
fn plain_len(source: &dyn Source, block: &Block, most: u32) -> Result<u32> {
    if block.is_raw {
        return Ok(block.stored);
    }
    let end = block.at + u64::from(block.stored);
    if end > source.len() {
        return Err(Error::corrupt(format!(
            "a block ends at {end}, behind the end of the file"
        )));
    }
    let mut data = vec![0; block.stored as usize];
    source.read_exact_at(&mut data, block.at)?;
    let len = codec::lz4_plain_len(&data, most as usize)?;
    Ok(u32::try_from(len).expect("it is at most the size of a block"))
}
