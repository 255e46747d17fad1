//! What a format is, when written: blocks encoded on many threads, then placed in their order.

use std::{fmt, num::NonZeroU64};

use zeroize::Zeroizing;

use crate::{
    Error, ErrorKind, Result,
    codec::{Codec, Level, Method},
};

/// A way to write a format, as data. A format may have several, such as the versions of CSO.
#[derive(Debug)]
pub struct Target {
    /// Short lower-case name, by which it is asked for.
    pub name: &'static str,
    /// The usual file name ending, without the dot.
    pub extension: &'static str,
    /// The methods that it can hold; the first is the default.
    pub methods: &'static [Method],
    /// Plain bytes of a block.
    pub blocks: BlockSizes,
    /// Whether an image can be cut into several files.
    pub splits: bool,
    /// Whether an image can be encrypted.
    pub encrypts: bool,
    /// Whether the distance of block starts can be chosen.
    pub aligns: bool,
    /// Checks what only this format can check, and gets ready.
    pub pack: fn(&Recipe) -> Result<Box<dyn Pack>>,
}

/// The block sizes that a format's readers take: powers of two from one to another, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct BlockSizes {
    /// The smallest.
    pub min: u32,
    /// The largest.
    pub max: u32,
    /// What every reader takes.
    pub default: u32,
}

/// What to write, as it was asked for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Plain bytes of a block; `None` for what every reader takes.
    pub block_size: Option<u32>,
    /// How blocks are encoded; `None` for the format's usual method.
    pub method: Option<Method>,
    /// How hard the encoder tries.
    pub level: Level,
    /// Blocks start at multiples of so many bytes, a power of two up to 2048.
    pub align: Option<u32>,
    /// The most bytes of a file; an image that needs more becomes a set of files.
    pub split: Option<NonZeroU64>,
    /// How the image is encrypted.
    pub encryption: Option<Encryption>,
}

/// A cipher and its password.
#[derive(Clone)]
pub struct Encryption {
    /// Bits of the AES key: 128, 192 or 256.
    pub key_bits: u16,
    /// The password's bytes; wiped when dropped.
    pub password: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encryption(AES-{})", self.key_bits)
    }
}

/// What to write, checked: nothing in it that the format cannot hold.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Plain bytes of the image, at least one.
    pub image_size: u64,
    /// Plain bytes of a block, a power of two.
    pub block_size: u32,
    /// How blocks are encoded.
    pub method: Method,
    /// How hard the encoder tries.
    pub level: Level,
    /// Blocks start at multiples of `1 << align_shift` bytes; 0 where nobody asked.
    pub align_shift: u8,
    /// The most bytes of a file.
    pub split: Option<NonZeroU64>,
    /// How the image is encrypted.
    pub encryption: Option<Encryption>,
}

impl Recipe {
    /// Number of blocks.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.image_size.div_ceil(u64::from(self.block_size))
    }
}

impl Target {
    /// Gets ready to write an image of `image_size` bytes.
    ///
    /// # Errors
    /// `Usage` when the format cannot hold what is wished for, or not this image; it says what it can.
    pub fn prepare(&self, image_size: u64, wish: &Wish) -> Result<Box<dyn Pack>> {
        let recipe = Recipe {
            image_size,
            block_size: self.block_size(wish.block_size)?,
            method: self.method(wish.method)?,
            level: wish.level,
            align_shift: self.align_shift(wish.align)?,
            split: wish.split,
            encryption: wish.encryption.clone(),
        };
        if wish.split.is_some() && !self.splits {
            return Err(self.refuse("is one file always: only isz can be split"));
        }
        if wish.encryption.is_some() && !self.encrypts {
            return Err(self.refuse("cannot be encrypted: only isz can"));
        }
        (self.pack)(&recipe)
    }

    fn block_size(&self, wished: Option<u32>) -> Result<u32> {
        let BlockSizes { min, max, default } = self.blocks;
        let size = wished.unwrap_or(default);
        if size.is_power_of_two() && (min..=max).contains(&size) {
            return Ok(size);
        }
        let sizes = if min == max {
            format!("{min} bytes")
        } else {
            format!("{min} to {max} bytes, by powers of two")
        };
        Err(self.refuse(&format!("has blocks of {sizes}, not of {size}")))
    }

    fn method(&self, wished: Option<Method>) -> Result<Method> {
        match wished {
            None => Ok(self.methods[0]),
            Some(method) => self.method_named(method.name()),
        }
    }

    /// The method of that name.
    ///
    /// # Errors
    /// `Usage` when the format cannot hold it; it says what it can.
    pub fn method_named(&self, name: &str) -> Result<Method> {
        let found = self.methods.iter().find(|method| method.name() == name);
        found.copied().ok_or_else(|| {
            let can: Vec<&str> = self.methods.iter().map(|method| method.name()).collect();
            let (can, name) = (can.join(", "), name.escape_debug());
            self.refuse(&format!("cannot hold {name}; it can hold {can}"))
        })
    }

    fn align_shift(&self, wished: Option<u32>) -> Result<u8> {
        match wished {
            None | Some(1) => Ok(0),
            Some(_) if !self.aligns => Err(self.refuse("cannot align its blocks: cso and zso can")),
            Some(bytes) if bytes.is_power_of_two() && bytes <= 2048 => {
                Ok(u8::try_from(bytes.trailing_zeros()).expect("it is at most 11"))
            }
            Some(bytes) => Err(self.refuse(&format!(
                "aligns blocks to a power of two of at most 2048 bytes, not to {bytes}"
            ))),
        }
    }

    /// An error for a wish that the format cannot fulfil.
    #[must_use]
    pub fn refuse(&self, why: &str) -> Error {
        Error::new(ErrorKind::Usage, format!("{} {why}", self.name))
    }
}

/// A format that is ready to be written.
pub trait Pack: fmt::Debug + Send + Sync {
    /// Plain bytes of a block, except the last, which may be shorter.
    fn block_size(&self) -> u32;

    /// An encoder with working memory of its own; each thread takes one.
    fn encoder(&self) -> Box<dyn BlockEncoder>;

    /// What puts the encoded blocks in their places, for one output.
    fn layout(&self) -> Box<dyn Layout>;

    /// What a user may want to know about the output, as whole sentences without a dot.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Encodes blocks. The same block always becomes the same bytes, whatever came before it.
pub trait BlockEncoder {
    /// Appends to `out` what is to be stored for a block, and says how it is stored.
    ///
    /// `plain` has the block size, or less in the last block.
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Codec;
}

/// Puts blocks in their places, in the order of the image.
pub trait Layout: fmt::Debug {
    /// Leaves room for what stands in front of the blocks.
    ///
    /// # Errors
    /// Those of the output.
    fn begin(&mut self, out: &mut dyn Output) -> Result<()>;

    /// Places the next block.
    ///
    /// # Errors
    /// `LimitExceeded` when the format cannot reach that far, and those of the output.
    fn place(&mut self, block: &Encoded<'_>, out: &mut dyn Output) -> Result<()>;

    /// Writes header and index, after the last block.
    ///
    /// # Errors
    /// Those of the output.
    fn finish(&mut self, out: &mut dyn Output) -> Result<()>;
}

/// One block, encoded.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a> {
    /// Its plain bytes.
    pub plain: &'a [u8],
    /// How it is stored.
    pub codec: Codec,
    /// Its stored bytes.
    pub stored: &'a [u8],
}

/// Where an image is written to: one file, or the files of a set.
pub trait Output {
    /// Number of bytes of the last file so far.
    fn len(&self) -> u64;

    /// Whether the last file has no bytes yet.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends to the last file.
    ///
    /// # Errors
    /// `Io` when the file cannot be written.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;

    /// Appends so many zero bytes, which need take no space.
    ///
    /// # Errors
    /// `Io` when the file cannot be written.
    fn skip(&mut self, bytes: u64) -> Result<()>;

    /// Overwrites what was appended to the file of that number, from 0.
    ///
    /// # Errors
    /// `Io` when the file cannot be written.
    fn write_at(&mut self, file: usize, at: u64, bytes: &[u8]) -> Result<()>;

    /// Begins the next file of a set. Its name is the first one's with another extension.
    ///
    /// # Errors
    /// `Io` when it cannot be made.
    fn next_file(&mut self, extension: &str) -> Result<()>;
}

/// A table in front of the blocks that is written piece by piece, so that it takes no memory to speak of.
#[derive(Debug)]
pub struct Table {
    at: u64,
    pending: Vec<u8>,
}

impl Table {
    const PIECE: usize = 64 << 10;

    /// A table in the first file whose first entry is to stand at `at`.
    #[must_use]
    pub fn new(at: u64) -> Self {
        let pending = Vec::new();
        Self { at, pending }
    }

    /// Adds the bytes of the next entry.
    ///
    /// # Errors
    /// Those of the output.
    pub fn push(&mut self, entry: &[u8], out: &mut dyn Output) -> Result<()> {
        self.pending.extend_from_slice(entry);
        if self.pending.len() >= Self::PIECE {
            return self.flush(out);
        }
        Ok(())
    }

    /// Writes what was added.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self, out: &mut dyn Output) -> Result<()> {
        out.write_at(0, self.at, &self.pending)?;
        self.at += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

/// Appends what a block is stored as: its compressed form, or the plain bytes where that is not shorter.
///
/// `encode` appends the compressed form; `most` is the longest that is worth it, in bytes.
pub fn smaller_of(
    plain: &[u8],
    codec: Codec,
    most: usize,
    out: &mut Vec<u8>,
    encode: impl FnOnce(&[u8], &mut Vec<u8>),
) -> Codec {
    let start = out.len();
    encode(plain, out);
    if out.len() - start <= most {
        return codec;
    }
    out.truncate(start);
    out.extend_from_slice(plain);
    Codec::Raw
}
