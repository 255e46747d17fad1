//! Writes the compressed images that the benchmark mounts.
//!
//! Every format here has a head of known length (header and tables) and then the blocks in their order, so the input
//! is read once, in slabs that all CPUs encode together.

use std::{
    error::Error,
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    thread,
};

use bzip2::Compression as Bzip2Level;
use clap::{Parser, ValueEnum};
use libdeflater::{CompressionLvl, Compressor};
use lz4::block::CompressionMode;
use plainiso_bench_tools::bytes;
use serde_json::json;

/// Plain bytes that are encoded at once; a multiple of every block size.
const SLAB: usize = 16 << 20;

const DEFLATE_LEVEL: i32 = 9;
const LZ4_HC_LEVEL: i32 = 12;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Compresses a plain image and prints how many bytes its blocks take.
#[derive(Parser)]
struct Arguments {
    plain: PathBuf,
    image: PathBuf,
    #[arg(long, value_enum)]
    format: Format,
    /// Plain bytes per block (DAX always has 8K).
    #[arg(long, value_parser = bytes, default_value = "2K")]
    block: u64,
    /// For ISZ: bzip2 in place of zlib.
    #[arg(long)]
    bzip2: bool,
}

#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
enum Format {
    Cso,
    Zso,
    Dax,
    Isz,
}

/// A block as it is stored.
struct Stored {
    bytes: Vec<u8>,
    is_plain: bool,
}

fn main() -> Result<()> {
    let mut arguments = Arguments::parse();
    if arguments.format == Format::Dax {
        arguments.block = 8 << 10;
    }
    if arguments.block == 0 || SLAB as u64 % arguments.block != 0 {
        return Err("16M must be a multiple of the block size".into());
    }
    let mut plain = File::open(&arguments.plain)?;
    let size = plain.metadata()?.len();
    let mut image = BufWriter::with_capacity(1 << 20, File::create(&arguments.image)?);
    let mut head = Head::new(&arguments, size);
    image.write_all(&vec![0; head.len()])?;
    let mut slab = vec![0; SLAB];
    loop {
        let filled = fill(&mut plain, &mut slab)?;
        if filled == 0 {
            break;
        }
        head.plain_crc.update(&slab[..filled]);
        for stored in encode_slab(&arguments, &slab[..filled])? {
            image.write_all(&stored.bytes)?;
            head.add(&stored)?;
        }
    }
    image.seek(SeekFrom::Start(0))?;
    image.write_all(&head.finish(&arguments)?)?;
    image.flush()?;
    let stored = head.at - head.len() as u64;
    println!(
        "{}",
        json!({ "plain": size, "stored": stored, "blocks": head.blocks })
    );
    Ok(())
}

/// Reads until `buffer` is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// Encodes on all CPUs; the blocks keep their order.
fn encode_slab(arguments: &Arguments, slab: &[u8]) -> Result<Vec<Stored>> {
    let block = usize::try_from(arguments.block)?;
    let cpus = thread::available_parallelism().map_or(1, Into::into);
    let share = slab.len().div_ceil(block).div_ceil(cpus) * block;
    let shares: Vec<Result<Vec<Stored>>> = thread::scope(|scope| {
        let encoders: Vec<_> = slab
            .chunks(share)
            .map(|share| {
                scope.spawn(move || {
                    let mut encoder = Encoder::new(arguments)?;
                    share.chunks(block).map(|b| encoder.encode(b)).collect()
                })
            })
            .collect();
        let panicked = |_| Err("an encoder panicked".into());
        encoders
            .into_iter()
            .map(|encoder| encoder.join().unwrap_or_else(panicked))
            .collect()
    });
    let shares: Vec<Vec<Stored>> = shares.into_iter().collect::<Result<_>>()?;
    Ok(shares.into_iter().flatten().collect())
}

struct Encoder {
    format: Format,
    bzip2: bool,
    deflate: Compressor,
}

impl Encoder {
    fn new(arguments: &Arguments) -> Result<Self> {
        let level = CompressionLvl::new(DEFLATE_LEVEL).map_err(|_| "no such level")?;
        Ok(Self {
            format: arguments.format,
            bzip2: arguments.bzip2,
            deflate: Compressor::new(level),
        })
    }

    /// A block that does not shrink is stored as it is, except in DAX, whose version 0 cannot say so.
    fn encode(&mut self, plain: &[u8]) -> Result<Stored> {
        let bytes = match self.format {
            Format::Cso => self.deflate(plain)?,
            Format::Zso => {
                let mode = CompressionMode::HIGHCOMPRESSION(LZ4_HC_LEVEL);
                lz4::block::compress(plain, Some(mode), false)?
            }
            Format::Isz if self.bzip2 => bzip2(plain)?,
            Format::Dax | Format::Isz => self.zlib(plain)?,
        };
        let is_plain = bytes.len() >= plain.len() && self.format != Format::Dax;
        let bytes = if is_plain { plain.to_vec() } else { bytes };
        Ok(Stored { bytes, is_plain })
    }

    fn deflate(&mut self, plain: &[u8]) -> Result<Vec<u8>> {
        let mut out = vec![0; self.deflate.deflate_compress_bound(plain.len())];
        let len = self.deflate.deflate_compress(plain, &mut out)?;
        out.truncate(len);
        Ok(out)
    }

    fn zlib(&mut self, plain: &[u8]) -> Result<Vec<u8>> {
        let mut out = vec![0; self.deflate.zlib_compress_bound(plain.len())];
        let len = self.deflate.zlib_compress(plain, &mut out)?;
        out.truncate(len);
        Ok(out)
    }
}

/// ISZ puts its own mark over the first three bytes.
fn bzip2(plain: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), Bzip2Level::best());
    encoder.write_all(plain)?;
    let mut out = encoder.finish()?;
    out[..3].copy_from_slice(b"ISz");
    Ok(out)
}

/// The header and the tables, which are known when the last block is written.
struct Head {
    format: Format,
    bzip2: bool,
    size: u64,
    block: u64,
    blocks: u64,
    /// Where the next block goes.
    at: u64,
    table: Vec<u8>,
    /// DAX has a second table.
    lengths: Vec<u8>,
    plain_crc: crc32fast::Hasher,
    stored_crc: crc32fast::Hasher,
}

impl Head {
    fn new(arguments: &Arguments, size: u64) -> Self {
        let mut head = Self {
            format: arguments.format,
            bzip2: arguments.bzip2,
            size,
            block: arguments.block,
            blocks: size.div_ceil(arguments.block),
            at: 0,
            table: Vec::new(),
            lengths: Vec::new(),
            plain_crc: crc32fast::Hasher::new(),
            stored_crc: crc32fast::Hasher::new(),
        };
        head.at = head.len() as u64;
        head
    }

    /// Bytes in front of the first block.
    fn len(&self) -> usize {
        let blocks = usize::try_from(self.blocks).expect("the image fits into a table in memory");
        match self.format {
            Format::Cso | Format::Zso => 24 + 4 * (blocks + 1),
            Format::Dax => 32 + 6 * blocks,
            // The writer of the format rounds its table up to four bytes.
            Format::Isz => (64 + 3 * blocks).next_multiple_of(4),
        }
    }

    fn add(&mut self, stored: &Stored) -> Result<()> {
        let at = u32::try_from(self.at)?;
        let len = u32::try_from(stored.bytes.len())?;
        match self.format {
            Format::Cso | Format::Zso => {
                let entry = checked_offset(at)? | u32::from(stored.is_plain) << 31;
                self.table.extend(entry.to_le_bytes());
            }
            Format::Dax => {
                self.table.extend(at.to_le_bytes());
                self.lengths.extend(u16::try_from(len)?.to_le_bytes());
            }
            Format::Isz => {
                let kind = match (stored.is_plain, self.bzip2) {
                    (true, _) => 1,
                    (false, false) => 2,
                    (false, true) => 3,
                };
                let entry = len | kind << 22;
                self.table.extend(&entry.to_le_bytes()[..3]);
                self.stored_crc.update(&stored.bytes);
            }
        }
        self.at += u64::from(len);
        Ok(())
    }

    fn finish(&self, arguments: &Arguments) -> Result<Vec<u8>> {
        let mut head = match arguments.format {
            Format::Cso => self.ciso(*b"CISO")?,
            Format::Zso => self.ciso(*b"ZISO")?,
            Format::Dax => self.dax()?,
            Format::Isz => self.isz()?,
        };
        head.resize(self.len(), 0);
        Ok(head)
    }

    fn ciso(&self, magic: [u8; 4]) -> Result<Vec<u8>> {
        let mut head = magic.to_vec();
        head.extend(24_u32.to_le_bytes());
        head.extend(self.size.to_le_bytes());
        head.extend(u32::try_from(self.block)?.to_le_bytes());
        head.extend([1, 0, 0, 0]);
        head.extend(&self.table);
        head.extend(checked_offset(u32::try_from(self.at)?)?.to_le_bytes());
        Ok(head)
    }

    fn dax(&self) -> Result<Vec<u8>> {
        let mut head = b"DAX\0".to_vec();
        head.extend(u32::try_from(self.size)?.to_le_bytes());
        head.resize(32, 0);
        head.extend(&self.table);
        head.extend(&self.lengths);
        Ok(head)
    }

    fn isz(&self) -> Result<Vec<u8>> {
        const SECTOR: u16 = 2048;
        const KEY: [u8; 4] = [0xb6, 0x8c, 0xa5, 0xde];
        let mut head = b"IsZ!\x40\x01".to_vec();
        head.extend(1_u32.to_le_bytes());
        head.extend(SECTOR.to_le_bytes());
        head.extend(u32::try_from(self.size / u64::from(SECTOR))?.to_le_bytes());
        head.extend([0; 9]);
        head.extend(u32::try_from(self.blocks)?.to_le_bytes());
        head.extend(u32::try_from(self.block)?.to_le_bytes());
        head.extend([3, 0]);
        head.extend(64_u32.to_le_bytes());
        head.extend([0; 4]);
        head.extend(u32::try_from(self.len())?.to_le_bytes());
        head.push(0);
        head.extend((!self.plain_crc.clone().finalize()).to_le_bytes());
        head.extend((self.at - self.len() as u64).to_le_bytes());
        head.extend((!self.stored_crc.clone().finalize()).to_le_bytes());
        let keys = KEY.iter().cycle();
        head.extend(self.table.iter().zip(keys).map(|(byte, key)| byte ^ key));
        Ok(head)
    }
}

/// The highest bit of an entry is a flag.
fn checked_offset(at: u32) -> Result<u32> {
    if at >> 31 == 0 {
        Ok(at)
    } else {
        Err("the image does not fit into 2 GiB, which an index without a shift needs".into())
    }
}
