//! Writes DAX v0, whose last frame holds just the image's tail: what all known readers take.

use super::{FRAME, HEADER_LEN};
use crate::{
    Error, ErrorKind, Result,
    codec::{Codec, Encoder, Level, Method},
    pack::{BlockEncoder, BlockSizes, Encoded, Layout, Output, Pack, Recipe, Table, Target},
};

pub(super) static TARGET: Target = Target {
    name: "dax",
    extension: "dax",
    methods: &[Method::Zlib],
    blocks: BlockSizes {
        min: FRAME,
        max: FRAME,
        default: FRAME,
    },
    splits: false,
    encrypts: false,
    aligns: false,
    pack: |recipe| {
        if u32::try_from(recipe.image_size).is_err() {
            return Err(TARGET.refuse("holds images below 4 GiB only"));
        }
        Ok(Box::new(Packer(recipe.clone())))
    },
};

#[derive(Debug)]
struct Packer(Recipe);

impl Pack for Packer {
    fn block_size(&self) -> u32 {
        FRAME
    }

    fn encoder(&self) -> Box<dyn BlockEncoder> {
        Box::new(Frames(Encoder::zlib(self.0.level)))
    }

    fn layout(&self) -> Box<dyn Layout> {
        let (frames, size) = (self.0.blocks(), self.0.image_size);
        Box::new(Places {
            size,
            offsets: Table::new(HEADER_LEN),
            lengths: Table::new(HEADER_LEN + 4 * frames),
            tables_end: HEADER_LEN + 6 * frames,
        })
    }

    fn notes(&self) -> Vec<String> {
        let large = self.0.image_size >= 1 << 31;
        let note = "the image has 2 GiB or more, which DAX readers on the PSP do not expect";
        large.then(|| note.into()).into_iter().collect()
    }
}

struct Frames(Encoder);

impl BlockEncoder for Frames {
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Codec {
        let start = out.len();
        self.0.encode(plain, out);
        // A reader takes frames of exactly this length for stored ones.
        if out.len() - start == FRAME as usize {
            out.truncate(start);
            Encoder::zlib(Level::new(0).expect("0 is a level")).encode(plain, out);
        }
        Codec::Zlib
    }
}

#[derive(Debug)]
struct Places {
    size: u64,
    offsets: Table,
    lengths: Table,
    tables_end: u64,
}

impl Layout for Places {
    fn begin(&mut self, out: &mut dyn Output) -> Result<()> {
        out.skip(self.tables_end)
    }

    fn place(&mut self, block: &Encoded<'_>, out: &mut dyn Output) -> Result<()> {
        let end = u32::try_from(out.len() + block.stored.len() as u64);
        if end.is_err() {
            let message = "the output grows to 4 GiB, farther than DAX can say";
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let at = u32::try_from(out.len()).expect("it lies before the end");
        let len = u16::try_from(block.stored.len()).expect("a frame grows by a few bytes at most");
        self.offsets.push(&at.to_le_bytes(), out)?;
        self.lengths.push(&len.to_le_bytes(), out)?;
        out.append(block.stored)
    }

    fn finish(&mut self, out: &mut dyn Output) -> Result<()> {
        self.offsets.flush(out)?;
        self.lengths.flush(out)?;
        let size = u32::try_from(self.size).expect("larger images were refused");
        let mut header = [0; 8];
        header[..4].copy_from_slice(b"DAX\0");
        header[4..].copy_from_slice(&size.to_le_bytes());
        out.write_at(0, 0, &header)
    }
}
