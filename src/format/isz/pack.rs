//! Writes ISZ: a header of 64 bytes, masked tables with entries of 3 bytes, both checksums.
//!
//! - Chunks of zeroes are compressed like others, which costs them some hundred bytes: libMirage and what was made
//!   from it look for everything behind a chunk of type "zero" in the wrong place.
//! - No chunk lies in two files: readers disagree about where its second half is.
//! - The serial number is the image's CRC-32 and not the time, so that the same image gives the same file.

use super::{
    chunks::Mask,
    cipher::{Cipher, KeyLen},
    header::SIGNATURE,
    segments::MAX_FILES,
};
use crate::{
    Error, ErrorKind, Result,
    codec::{Codec, Encoder, Method},
    pack::{
        BlockEncoder, BlockSizes, Encoded, Encryption, Layout, Output, Pack, Recipe, Table, Target,
        smaller_of,
    },
};

pub(super) static TARGET: Target = Target {
    name: "isz",
    extension: "isz",
    methods: &[Method::Zlib, Method::Bzip2],
    blocks: BlockSizes {
        min: 2048,
        // A length has 22 bits, so 4 MiB is one byte too long.
        max: 2 << 20,
        default: 128 << 10,
    },
    splits: true,
    encrypts: true,
    aligns: false,
    pack: prepare,
};

const HEADER_LEN: u8 = 64;
const SECTOR: u16 = 2048;
/// Entries of the segment table, and the empty one that closes it.
const SEGMENTS_LEN: usize = (MAX_FILES + 1) * 24;

fn prepare(recipe: &Recipe) -> Result<Box<dyn Pack>> {
    if recipe.image_size % u64::from(SECTOR) != 0 {
        return Err(TARGET.refuse("holds whole sectors of 2048 bytes only"));
    }
    if u32::try_from(recipe.image_size / u64::from(SECTOR)).is_err() {
        return Err(TARGET.refuse("holds images below 8 TiB only"));
    }
    let packer = Packer(recipe.clone());
    let least = packer.data_at() + u64::from(recipe.block_size);
    if let Some(split) = recipe.split.filter(|split| split.get() < least) {
        let why = format!("needs files of at least {least} bytes for this image, not of {split}");
        return Err(TARGET.refuse(&why));
    }
    Ok(Box::new(packer))
}

#[derive(Clone, Debug)]
struct Packer(Recipe);

impl Packer {
    fn table_at(&self) -> u64 {
        let segments = self.0.split.map_or(0, |_| SEGMENTS_LEN as u64);
        u64::from(HEADER_LEN) + segments
    }

    /// Where the first chunk starts. The vendor's writer rounds the table up to 4 bytes.
    fn data_at(&self) -> u64 {
        (self.table_at() + 3 * self.0.blocks()).next_multiple_of(4)
    }
}

impl Pack for Packer {
    fn block_size(&self) -> u32 {
        self.0.block_size
    }

    fn encoder(&self) -> Box<dyn BlockEncoder> {
        let encoder = match self.0.method {
            Method::Bzip2 => Encoder::bzip2(self.0.level),
            _ => Encoder::zlib(self.0.level),
        };
        let cipher = self.0.encryption.as_ref().map(cipher);
        Box::new(Chunks { encoder, cipher })
    }

    fn layout(&self) -> Box<dyn Layout> {
        Box::new(Places {
            packer: self.clone(),
            table: Masked::new(self.table_at()),
            files: vec![File::default()],
            chunks: 0,
            stored_len: 0,
            image_sum: crc32fast::Hasher::new(),
            stored_sum: crc32fast::Hasher::new(),
        })
    }

    fn notes(&self) -> Vec<String> {
        let encryption = self.0.encryption.as_ref();
        let cut = encryption.filter(|it| it.password.len() > usize::from(it.key_bits / 8));
        let note = cut.map(|it| {
            let used = it.key_bits / 8;
            format!("only the first {used} bytes of the password count")
        });
        note.into_iter().collect()
    }
}

fn cipher(encryption: &Encryption) -> Cipher {
    Cipher::new(key_len(encryption), &encryption.password)
}

fn key_len(encryption: &Encryption) -> KeyLen {
    match encryption.key_bits {
        128 => KeyLen::Aes128,
        192 => KeyLen::Aes192,
        _ => KeyLen::Aes256,
    }
}

struct Chunks {
    encoder: Encoder,
    cipher: Option<Cipher>,
}

impl BlockEncoder for Chunks {
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Codec {
        let start = out.len();
        let codec = self.encoder.codec();
        let codec = smaller_of(plain, codec, plain.len() - 1, out, |plain, out| {
            self.encoder.encode(plain, out);
        });
        let stored = &mut out[start..];
        if codec == Codec::Bzip2 {
            stored[..3].copy_from_slice(b"ISz");
        }
        if let Some(cipher) = &self.cipher {
            cipher.encrypt(stored);
        }
        codec
    }
}

/// A table under its mask, which takes 4 entries of 3 bytes to come around.
#[derive(Debug)]
struct Masked {
    table: Table,
    pending: Vec<u8>,
}

impl Masked {
    fn new(at: u64) -> Self {
        let (table, pending) = (Table::new(at), Vec::with_capacity(12));
        Self { table, pending }
    }

    fn push(&mut self, entry: &[u8], out: &mut dyn Output) -> Result<()> {
        self.pending.extend_from_slice(entry);
        match self.pending.len() {
            12 => self.put(out),
            _ => Ok(()),
        }
    }

    fn put(&mut self, out: &mut dyn Output) -> Result<()> {
        Mask::Inverted.lift(&mut self.pending);
        self.table.push(&self.pending, out)?;
        self.pending.clear();
        Ok(())
    }

    fn flush(&mut self, out: &mut dyn Output) -> Result<()> {
        self.put(out)?;
        self.table.flush(out)
    }
}

/// What is in one file of the set.
#[derive(Clone, Copy, Debug, Default)]
struct File {
    len: u64,
    first: u64,
    chunks: u64,
}

#[derive(Debug)]
struct Places {
    packer: Packer,
    table: Masked,
    files: Vec<File>,
    chunks: u64,
    stored_len: u64,
    image_sum: crc32fast::Hasher,
    stored_sum: crc32fast::Hasher,
}

impl Places {
    /// Begins another file when a chunk of that length does not fit in this one.
    fn make_room(&mut self, stored_len: u64, out: &mut dyn Output) -> Result<()> {
        let recipe = &self.packer.0;
        if recipe
            .split
            .is_none_or(|split| out.len() + stored_len <= split.get())
        {
            return Ok(());
        }
        let number = self.files.len();
        if number == MAX_FILES {
            let message = format!("the output needs more than {MAX_FILES} files: make them larger");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        out.next_file(&format!("i{number:02}"))?;
        out.skip(HEADER_LEN.into())?;
        self.files.push(File {
            first: self.chunks,
            ..File::default()
        });
        Ok(())
    }

    /// Bytes of the segment table, unused entries and all.
    fn segments(&self) -> Vec<u8> {
        let mut table = Vec::new();
        for (number, file) in self.files.iter().enumerate() {
            let at = if number == 0 {
                self.packer.data_at()
            } else {
                HEADER_LEN.into()
            };
            table.extend(file.len.to_le_bytes());
            for field in [file.chunks, file.first, at, 0] {
                table.extend(low_word(field).to_le_bytes());
            }
        }
        let room = self.packer.0.split.map_or(0, |_| SEGMENTS_LEN);
        table.resize(room, 0);
        Mask::Inverted.lift(&mut table);
        table
    }

    fn header(&self, number: usize) -> Vec<u8> {
        let (recipe, image_sum) = (&self.packer.0, self.image_sum.clone().finalize());
        let is_set = self.files.len() > 1;
        let split = recipe
            .split
            .map_or(0, |split| if is_set { split.get() } else { 0 });
        let encryption = recipe.encryption.as_ref().map(key_len);
        let mut header = Vec::with_capacity(HEADER_LEN.into());
        header.extend(SIGNATURE);
        header.extend([HEADER_LEN, 1]);
        header.extend(image_sum.to_le_bytes());
        header.extend(SECTOR.to_le_bytes());
        header.extend(low_word(recipe.image_size / u64::from(SECTOR)).to_le_bytes());
        header.push(encryption.map_or(0, KeyLen::number));
        header.extend(split.to_le_bytes());
        header.extend(low_word(recipe.blocks()).to_le_bytes());
        header.extend(recipe.block_size.to_le_bytes());
        header.extend([
            3,
            u8::try_from(number).expect("there are 100 files at most"),
        ]);
        let segments_at = if is_set { HEADER_LEN.into() } else { 0 };
        for at in [self.packer.table_at(), segments_at, self.packer.data_at()] {
            header.extend(low_word(at).to_le_bytes());
        }
        header.push(0);
        header.extend((!image_sum).to_le_bytes());
        header.extend(self.stored_len.to_le_bytes());
        header.extend((!self.stored_sum.clone().finalize()).to_le_bytes());
        header
    }
}

impl Layout for Places {
    fn begin(&mut self, out: &mut dyn Output) -> Result<()> {
        out.skip(self.packer.data_at())
    }

    fn place(&mut self, block: &Encoded<'_>, out: &mut dyn Output) -> Result<()> {
        let len = block.stored.len() as u64;
        self.make_room(len, out)?;
        let kind = match block.codec {
            Codec::Raw => 1,
            Codec::Zlib => 2,
            _ => 3,
        };
        let entry = low_word(len) | kind << 22;
        self.table.push(&entry.to_le_bytes()[..3], out)?;
        self.image_sum.update(block.plain);
        self.stored_sum.update(block.stored);
        self.stored_len += len;
        self.chunks += 1;
        out.append(block.stored)?;
        let file = self.files.last_mut().expect("it starts with one");
        file.chunks += 1;
        file.len = out.len();
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Output) -> Result<()> {
        self.table.flush(out)?;
        out.write_at(0, HEADER_LEN.into(), &self.segments())?;
        for number in 0..self.files.len() {
            out.write_at(number, 0, &self.header(number))?;
        }
        Ok(())
    }
}

/// For what `prepare` and the limits of the format keep below 2^32.
fn low_word(n: u64) -> u32 {
    u32::try_from(n).expect("the format's limits were checked")
}
