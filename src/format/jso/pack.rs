//! Writes JISO without block headers, as jiso.exe does by default.

use md5::{Digest, Md5};

use super::HEADER_LEN;
use crate::{
    Error, ErrorKind, Result,
    codec::{Codec, Encoder, Method},
    pack::{
        BlockEncoder, BlockSizes, Encoded, Layout, Output, Pack, Recipe, Table, Target, smaller_of,
    },
};

pub(super) static TARGET: Target = Target {
    name: "jso",
    extension: "jso",
    methods: &[Method::Deflate, Method::Lzo],
    blocks: BlockSizes {
        min: 2048,
        max: 16_384,
        default: 2048,
    },
    splits: false,
    encrypts: false,
    aligns: false,
    pack: |recipe| {
        if u32::try_from(recipe.image_size).is_err() {
            return Err(TARGET.refuse("holds images below 4 GiB only"));
        }
        // Then a last block that is shorter is far shorter, and its encoded form is never taken for a stored block.
        if recipe.image_size % 2048 != 0 {
            return Err(TARGET.refuse("is written for whole sectors of 2048 bytes only"));
        }
        Ok(Box::new(Packer(recipe.clone())))
    },
};

#[derive(Debug)]
struct Packer(Recipe);

impl Pack for Packer {
    fn block_size(&self) -> u32 {
        self.0.block_size
    }

    fn encoder(&self) -> Box<dyn BlockEncoder> {
        let encoder = match self.0.method {
            Method::Lzo => Encoder::lzo(self.0.level),
            _ => Encoder::deflate(self.0.level),
        };
        let block_size = self.0.block_size as usize;
        Box::new(Blocks {
            encoder,
            block_size,
        })
    }

    fn layout(&self) -> Box<dyn Layout> {
        Box::new(Places {
            recipe: self.0.clone(),
            index: Table::new(u64::from(HEADER_LEN)),
            md5: Md5::new(),
        })
    }
}

struct Blocks {
    encoder: Encoder,
    block_size: usize,
}

impl BlockEncoder for Blocks {
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Codec {
        // Only a whole block can be stored: readers know it by its length. So the last stays compressed at any cost.
        let most = if plain.len() == self.block_size {
            self.block_size - 1
        } else {
            usize::MAX
        };
        let codec = self.encoder.codec();
        smaller_of(plain, codec, most, out, |plain, out| {
            self.encoder.encode(plain, out);
        })
    }
}

#[derive(Debug)]
struct Places {
    recipe: Recipe,
    index: Table,
    md5: Md5,
}

impl Places {
    fn entry(&mut self, out: &mut dyn Output) -> Result<()> {
        let at = u32::try_from(out.len()).map_err(|_| {
            let message = "the output grows to 4 GiB, farther than JISO can say";
            Error::new(ErrorKind::LimitExceeded, message)
        })?;
        self.index.push(&at.to_le_bytes(), out)
    }

    fn header(&mut self) -> [u8; HEADER_LEN as usize] {
        let size = u32::try_from(self.recipe.image_size).expect("larger images were refused");
        let block_size = u16::try_from(self.recipe.block_size).expect("it is at most 16384");
        let codec = u16::from(self.recipe.method != Method::Lzo);
        let mut header = [0; HEADER_LEN as usize];
        header[..4].copy_from_slice(b"JISO");
        header[4] = 1;
        header[6..8].copy_from_slice(&block_size.to_le_bytes());
        header[10..12].copy_from_slice(&codec.to_le_bytes());
        header[12..16].copy_from_slice(&size.to_le_bytes());
        header[16..32].copy_from_slice(&self.md5.finalize_reset());
        header[32..36].copy_from_slice(&HEADER_LEN.to_le_bytes());
        header
    }
}

impl Layout for Places {
    fn begin(&mut self, out: &mut dyn Output) -> Result<()> {
        out.skip(u64::from(HEADER_LEN) + 4 * (self.recipe.blocks() + 1))
    }

    fn place(&mut self, block: &Encoded<'_>, out: &mut dyn Output) -> Result<()> {
        self.md5.update(block.plain);
        self.entry(out)?;
        out.append(block.stored)
    }

    fn finish(&mut self, out: &mut dyn Output) -> Result<()> {
        self.entry(out)?;
        self.index.flush(out)?;
        out.write_at(0, 0, &self.header())
    }
}
