//! Writes CSO v1, CSO v2 and ZSO, in the form that every reader takes.
//!
//! - The shift is the smallest with which the index reaches the end of a file that did not shrink at all.
//! - A block takes less than the block size or is stored: padded to its full size when it is the last.
//! - Padding is zeroes, and what the final entry says is written: no reader has to guess where the last block ends.
//! - A ZSO file ends at a multiple of 2048, because hdl-dump takes no other.

use super::header::{FLAG, Header, INDEX_AT};
use crate::{
    Error, ErrorKind, Result,
    codec::{Codec, Encoder, Method},
    pack::{
        BlockEncoder, BlockSizes, Encoded, Layout, Output, Pack, Recipe, Table, Target, smaller_of,
    },
};

const BLOCKS: BlockSizes = BlockSizes {
    min: 2048,
    max: 4 << 20,
    default: 2048,
};

/// maxcso, and so the library in other programs, refuses larger blocks.
const LARGEST_COMMON: u32 = 256 << 10;

const SECTOR: u64 = 2048;

pub(super) static CSO1: Target = target("cso", "cso", &[Method::Deflate, Method::Zlib], |recipe| {
    prepare(Kind::Cso1, recipe)
});

pub(super) static CSO2: Target = target(
    "cso2",
    "cso",
    &[Method::Deflate, Method::Lz4hc, Method::Lz4],
    |recipe| prepare(Kind::Cso2, recipe),
);

pub(super) static ZSO: Target = target("zso", "zso", &[Method::Lz4hc, Method::Lz4], |recipe| {
    prepare(Kind::Zso, recipe)
});

const fn target(
    name: &'static str,
    extension: &'static str,
    methods: &'static [Method],
    pack: fn(&Recipe) -> Result<Box<dyn Pack>>,
) -> Target {
    Target {
        name,
        extension,
        methods,
        blocks: BLOCKS,
        splits: false,
        encrypts: false,
        aligns: true,
        pack,
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Cso1,
    Cso2,
    Zso,
}

#[derive(Clone, Debug)]
struct Packer {
    kind: Kind,
    recipe: Recipe,
    shift: u8,
}

fn prepare(kind: Kind, recipe: &Recipe) -> Result<Box<dyn Pack>> {
    let index_end = Header::index_end(recipe.blocks());
    let block_size = u64::from(recipe.block_size);
    // Every block stored, and aligned as far as was asked for.
    let most = index_end + recipe.blocks() * block_size + (1 << recipe.align_shift);
    let needed = (0..=11).find(|shift| most <= u64::from(FLAG - 1) << shift);
    let needed = needed.ok_or_else(|| {
        let size = recipe.image_size;
        let message =
            format!("an image of {size} bytes is too large for an index with a shift of 11");
        Error::new(ErrorKind::Usage, message)
    })?;
    Ok(Box::new(Packer {
        kind,
        recipe: recipe.clone(),
        shift: needed.max(recipe.align_shift),
    }))
}

impl Pack for Packer {
    fn block_size(&self) -> u32 {
        self.recipe.block_size
    }

    fn encoder(&self) -> Box<dyn BlockEncoder> {
        let Recipe { method, level, .. } = self.recipe;
        let first = match method {
            Method::Zlib => Encoder::plain_deflate(level),
            Method::Lz4 => Encoder::lz4(),
            Method::Lz4hc => Encoder::lz4hc(level),
            _ => Encoder::deflate(level),
        };
        // Version 2 can take the smaller of both for each block.
        let both = self.kind == Kind::Cso2 && method == Method::Deflate;
        Box::new(Blocks {
            block_size: self.recipe.block_size as usize,
            unit: 1 << self.shift,
            encoders: [Some(first), both.then(|| Encoder::lz4hc(level))],
            padded: Vec::new(),
            other: Vec::new(),
        })
    }

    fn layout(&self) -> Box<dyn Layout> {
        Box::new(Places {
            packer: self.clone(),
            index: Table::new(INDEX_AT),
        })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.recipe.image_size % SECTOR != 0 {
            notes.push("the image is no whole number of sectors of 2048 bytes; maxcso and others refuse such a file".into());
        }
        if self.recipe.block_size > LARGEST_COMMON {
            notes.push(
                "blocks are larger than 256 KiB; maxcso and others refuse such a file".into(),
            );
        }
        notes
    }
}

struct Blocks {
    block_size: usize,
    /// Blocks start at multiples of it.
    unit: usize,
    encoders: [Option<Encoder>; 2],
    padded: Vec<u8>,
    other: Vec<u8>,
}

impl BlockEncoder for Blocks {
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Codec {
        let mut plain = plain;
        if plain.len() < self.block_size {
            // Readers demand that the last block, too, decodes to the block size.
            self.padded.clear();
            self.padded.extend_from_slice(plain);
            self.padded.resize(self.block_size, 0);
            plain = &self.padded;
        }
        let start = out.len();
        // With its padding it must stay shorter than the block: version 2 tells by this what is stored, and
        // consoles have no room for more.
        let most = self.block_size - self.unit;
        let mut best = Codec::Raw;
        for encoder in self.encoders.iter_mut().flatten() {
            self.other.clear();
            let codec = smaller_of(
                plain,
                encoder.codec(),
                most,
                &mut self.other,
                |plain, out| {
                    encoder.encode(plain, out);
                },
            );
            if out.len() == start || self.other.len() < out.len() - start {
                out.truncate(start);
                out.extend_from_slice(&self.other);
                best = codec;
            }
        }
        best
    }
}

#[derive(Debug)]
struct Places {
    packer: Packer,
    index: Table,
}

impl Places {
    /// Adds an index entry for the output's end, which it pads to the unit of the index.
    fn entry(&mut self, flag: bool, out: &mut dyn Output) -> Result<()> {
        pad(1 << self.packer.shift, out)?;
        let units = out.len() >> self.packer.shift;
        let units = u32::try_from(units).ok().filter(|units| units & FLAG == 0);
        let units = units.ok_or_else(|| {
            let message = "the output is longer than its index can say";
            Error::new(ErrorKind::LimitExceeded, message)
        })?;
        let flag = if flag { FLAG } else { 0 };
        self.index.push(&(units | flag).to_le_bytes(), out)
    }
}

impl Layout for Places {
    fn begin(&mut self, out: &mut dyn Output) -> Result<()> {
        out.skip(Header::index_end(self.packer.recipe.blocks()))
    }

    fn place(&mut self, block: &Encoded<'_>, out: &mut dyn Output) -> Result<()> {
        let flag = match self.packer.kind {
            Kind::Cso1 | Kind::Zso => block.codec == Codec::Raw,
            Kind::Cso2 => block.codec == Codec::Lz4,
        };
        self.entry(flag, out)?;
        out.append(block.stored)
    }

    fn finish(&mut self, out: &mut dyn Output) -> Result<()> {
        self.entry(false, out)?;
        self.index.flush(out)?;
        if self.packer.kind == Kind::Zso {
            pad(SECTOR, out)?;
        }
        out.write_at(0, 0, &self.packer.header())
    }
}

impl Packer {
    fn header(&self) -> [u8; Header::LEN] {
        let mut header = [0; Header::LEN];
        header[..4].copy_from_slice(match self.kind {
            Kind::Zso => b"ZISO",
            Kind::Cso1 | Kind::Cso2 => b"CISO",
        });
        header[4] = 24;
        header[8..16].copy_from_slice(&self.recipe.image_size.to_le_bytes());
        header[16..20].copy_from_slice(&self.recipe.block_size.to_le_bytes());
        header[20] = if self.kind == Kind::Cso2 { 2 } else { 1 };
        header[21] = self.shift;
        header
    }
}

/// Appends zeroes up to a multiple of `unit`.
fn pad(unit: u64, out: &mut dyn Output) -> Result<()> {
    out.skip(out.len().next_multiple_of(unit) - out.len())
}
