//! Writes the plain bytes; zeroes become holes where the file system has them.

use crate::{
    Result,
    codec::{Codec, Method},
    pack::{BlockEncoder, BlockSizes, Encoded, Layout, Output, Pack, Target},
};

const BLOCK: u32 = 64 << 10;

pub(super) static TARGET: Target = Target {
    name: "iso",
    extension: "iso",
    methods: &[Method::Stored],
    blocks: BlockSizes {
        min: 2048,
        max: 4 << 20,
        default: BLOCK,
    },
    splits: false,
    encrypts: false,
    aligns: false,
    pack: |recipe| Ok(Box::new(Packer(recipe.block_size))),
};

#[derive(Debug)]
struct Packer(u32);

impl Pack for Packer {
    fn block_size(&self) -> u32 {
        self.0
    }

    fn encoder(&self) -> Box<dyn BlockEncoder> {
        Box::new(Plain)
    }

    fn layout(&self) -> Box<dyn Layout> {
        Box::new(Plain)
    }
}

#[derive(Debug)]
struct Plain;

impl BlockEncoder for Plain {
    fn encode(&mut self, plain: &[u8], _out: &mut Vec<u8>) -> Codec {
        let is_zero = plain.iter().all(|&byte| byte == 0);
        if is_zero { Codec::Zero } else { Codec::Raw }
    }
}

impl Layout for Plain {
    fn begin(&mut self, _out: &mut dyn Output) -> Result<()> {
        Ok(())
    }

    fn place(&mut self, block: &Encoded<'_>, out: &mut dyn Output) -> Result<()> {
        match block.codec {
            Codec::Zero => out.skip(block.plain.len() as u64),
            _ => out.append(block.plain),
        }
    }

    fn finish(&mut self, _out: &mut dyn Output) -> Result<()> {
        Ok(())
    }
}
