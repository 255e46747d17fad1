//! Writes every variant, in memory.

use std::{
    ffi::{OsStr, OsString},
    io::Write,
    sync::Arc,
};

use aes::{
    Aes128, Aes192, Aes256,
    cipher::{BlockEncrypt, KeyInit, inout::InOutBuf},
};

use crate::{
    Result,
    codec::Codec,
    source::{Siblings, Source},
};

/// What to write. The fields are public so that a test changes just what it is about.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub(super) plain: Vec<u8>,
    pub(super) sector: u16,
    pub(super) block: u32,
    pub(super) header_size: u8,
    /// Bytes per table entry; 0 for no table.
    pub(super) entry_len: usize,
    pub(super) masked: bool,
    /// Used in turn; a chunk of zeroes is stored as one when `Zero` is among them.
    pub(super) codecs: Vec<Codec>,
    /// Length that a chunk of zeroes gives: its own, or 0.
    pub(super) zero_gives_length: bool,
    pub(super) bzip2_start: [u8; 3],
    /// The key length in bytes and the password.
    pub(super) key: Option<(usize, Vec<u8>)>,
    /// Chunk data bytes in the first and in each later file; `None` for a single file.
    pub(super) split: Option<u64>,
    pub(super) names: Names,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Names {
    Extensions,
    TwoDigits,
    ThreeDigits,
}

pub(super) const SERIAL: u32 = 0x4D18_8484;

impl Recipe {
    pub(super) fn new(plain: Vec<u8>) -> Self {
        Self {
            plain,
            sector: 512,
            block: 4096,
            header_size: 64,
            entry_len: 3,
            masked: true,
            codecs: vec![Codec::Zero, Codec::Zlib, Codec::Bzip2, Codec::Raw],
            zero_gives_length: true,
            bzip2_start: *b"ISz",
            key: None,
            split: None,
            names: Names::Extensions,
        }
    }

    pub(super) fn name(&self, number: usize) -> String {
        match (self.names, number) {
            (Names::Extensions, 0) => "Game.isz".into(),
            (Names::Extensions, _) => format!("Game.i{number:02}"),
            (Names::TwoDigits, _) => format!("Game.part{:02}.isz", number + 1),
            (Names::ThreeDigits, _) => format!("Game.part{:03}.isz", number + 1),
        }
    }

    /// The files of the set, or the only one.
    pub(super) fn write(&self) -> Files {
        let chunks: Vec<_> = self
            .plain
            .chunks(self.block as usize)
            .enumerate()
            .map(|(i, plain)| self.chunk(i, plain))
            .collect();
        let table: Vec<u8> = chunks.iter().flat_map(|chunk| self.entry(chunk)).collect();
        let pieces = self.pieces(&chunks);
        let segments_len = match self.split {
            Some(_) if self.entry_len > 0 => (pieces.len() + 1) * 24,
            _ => 0,
        };
        let data_at = usize::from(self.header_size) + segments_len + table.len();
        let mut segments = self.segments(&pieces, data_at);
        segments.truncate(segments_len);
        let tables = [self.mask(segments), self.mask(table)].concat();
        let data: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.stored).collect();
        let mut rest = &data[..];
        let file = |(number, piece): (usize, &Piece)| {
            let (now, later) = rest.split_at(piece.len as usize);
            rest = later;
            let header = self.header(number, segments_len, data_at, &data);
            let tables = if number == 0 { &tables[..] } else { &[] };
            (self.name(number), [&header, tables, now].concat())
        };
        Files(pieces.iter().enumerate().map(file).collect())
    }

    fn chunk(&self, i: usize, plain: &[u8]) -> Written {
        let zeroes = plain.iter().all(|&byte| byte == 0);
        let codec = if zeroes && self.codecs.contains(&Codec::Zero) {
            Codec::Zero
        } else {
            self.codecs[i % self.codecs.len()]
        };
        let mut stored = match codec {
            Codec::Zlib => zlib(plain),
            Codec::Bzip2 => bzip2(plain, self.bzip2_start),
            _ => plain.to_vec(),
        };
        let codec = match codec {
            Codec::Zero if zeroes => Codec::Zero,
            Codec::Zlib | Codec::Bzip2 if stored.len() < plain.len() => codec,
            _ => Codec::Raw,
        };
        match codec {
            Codec::Raw => stored = plain.to_vec(),
            Codec::Zero => stored.clear(),
            _ => {}
        }
        if let Some((len, password)) = &self.key {
            encrypt(*len, password, &mut stored);
        }
        Written {
            codec,
            stored,
            plain_len: plain.len(),
        }
    }

    fn entry(&self, chunk: &Written) -> Vec<u8> {
        let (kind, len) = match chunk.codec {
            Codec::Zero => (
                0,
                if self.zero_gives_length {
                    chunk.plain_len
                } else {
                    0
                },
            ),
            Codec::Raw => (1, chunk.stored.len()),
            Codec::Zlib => (2, chunk.stored.len()),
            _ => (3, chunk.stored.len()),
        };
        if self.entry_len == 0 {
            return Vec::new();
        }
        let word = (kind << (self.entry_len * 8 - 2)) | len as u64;
        word.to_le_bytes()[..self.entry_len].to_vec()
    }

    /// Cuts the chunk data every `split` bytes, as no chunk may lie in three files.
    fn pieces(&self, chunks: &[Written]) -> Vec<Piece> {
        let lens: Vec<u64> = chunks
            .iter()
            .map(|chunk| chunk.stored.len() as u64)
            .collect();
        let all: u64 = lens.iter().sum();
        let room = self.split.unwrap_or(all).max(1);
        let mut pieces = Vec::new();
        let (mut chunk, mut start, mut at) = (0, 0, 0);
        while pieces.is_empty() || at < all || chunk < lens.len() {
            let end = (at + room).min(all);
            let (first, carried) = (chunk, start - at);
            while chunk < lens.len() && (start < end || end == all) {
                start += lens[chunk];
                chunk += 1;
            }
            pieces.push(Piece {
                len: end - at,
                first,
                chunks: chunk - first,
                carried,
                left: start.saturating_sub(end),
            });
            at = end;
        }
        pieces
    }

    fn segments(&self, pieces: &[Piece], data_at: usize) -> Vec<u8> {
        let mut table = Vec::new();
        for (number, piece) in pieces.iter().enumerate() {
            let head = if number == 0 {
                data_at as u64
            } else {
                self.header_size.into()
            };
            table.extend((head + piece.len).to_le_bytes());
            for field in [
                piece.chunks as u64,
                piece.first as u64,
                head + piece.carried,
                piece.left,
            ] {
                table.extend((field as u32).to_le_bytes());
            }
        }
        table.extend([0; 24]);
        table
    }

    fn mask(&self, mut table: Vec<u8>) -> Vec<u8> {
        if self.masked {
            for (i, byte) in table.iter_mut().enumerate() {
                *byte ^= !b"IsZ!"[i % 4];
            }
        }
        table
    }

    fn header(&self, number: usize, segments_len: usize, data_at: usize, data: &[u8]) -> Vec<u8> {
        let size = u32::from(self.header_size);
        let has_table = self.entry_len > 0;
        let table_at = if has_table {
            size + segments_len as u32
        } else {
            0
        };
        let sectors = self.plain.len() / usize::from(self.sector);
        let chunks = self.plain.len().div_ceil(self.block as usize);
        let mut bytes = b"IsZ!".to_vec();
        bytes.extend([self.header_size, 1]);
        bytes.extend(SERIAL.to_le_bytes());
        bytes.extend(self.sector.to_le_bytes());
        bytes.extend((sectors as u32).to_le_bytes());
        bytes.push(match &self.key {
            None => 0,
            Some((len, _)) => *len as u8 / 8,
        });
        bytes.extend(
            self.split
                .map_or(0, |room| room + u64::from(size))
                .to_le_bytes(),
        );
        bytes.extend((chunks as u32).to_le_bytes());
        bytes.extend(self.block.to_le_bytes());
        bytes.extend([self.entry_len as u8, number as u8]);
        let segments_at = if segments_len > 0 { size } else { 0 };
        for place in [table_at, segments_at, data_at as u32] {
            bytes.extend(place.to_le_bytes());
        }
        bytes.push(0);
        bytes.extend((!crc32fast::hash(&self.plain)).to_le_bytes());
        bytes.extend((data.len() as u64).to_le_bytes());
        bytes.extend((!crc32fast::hash(data)).to_le_bytes());
        bytes.resize(self.header_size.into(), 0);
        bytes
    }
}

struct Written {
    codec: Codec,
    stored: Vec<u8>,
    plain_len: usize,
}

/// Chunk data in one file.
struct Piece {
    len: u64,
    first: usize,
    chunks: usize,
    carried: u64,
    left: u64,
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(plain: &[u8], start: [u8; 3]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(plain).unwrap();
    let mut stored = encoder.finish().unwrap();
    stored[..3].copy_from_slice(&start);
    stored
}

fn encrypt(len: usize, password: &[u8], stored: &mut [u8]) {
    let mut key = password.to_vec();
    key.resize(len, 0);
    let (blocks, _) = InOutBuf::from(stored).into_chunks();
    match len {
        16 => Aes128::new(key[..].into()).encrypt_blocks_inout(blocks),
        24 => Aes192::new(key[..].into()).encrypt_blocks_inout(blocks),
        _ => Aes256::new(key[..].into()).encrypt_blocks_inout(blocks),
    }
}

/// Files in memory, by name; the first is the one to open.
#[derive(Clone, Debug)]
pub(super) struct Files(pub(super) Vec<(String, Vec<u8>)>);

impl Files {
    pub(super) fn first(&mut self) -> &mut Vec<u8> {
        &mut self.0[0].1
    }
}

impl Siblings for Files {
    fn find(&self, name: &OsStr) -> Result<Option<Arc<dyn Source>>> {
        let found = self
            .0
            .iter()
            .find(|(file, _)| name.eq_ignore_ascii_case(file));
        Ok(found.map(|(_, bytes)| Arc::new(bytes.clone()) as Arc<dyn Source>))
    }

    fn names(&self) -> Result<Vec<OsString>> {
        Ok(self.0.iter().map(|(name, _)| name.into()).collect())
    }
}
