//! The header: what it says, checked.

use super::cipher::KeyLen;
use crate::{
    Error, ErrorKind, Result,
    map::{MAX_BLOCK, check_size},
    source::{Source, read_array},
};

/// The first bytes of every file of a set.
pub(super) const SIGNATURE: &[u8; 4] = b"IsZ!";

/// The vendor's reader stops before the last, reserved byte of the documented 48.
const SHORTEST: usize = 47;

/// From this header size on, checksums stand at offset 48.
const WITH_CHECKSUMS: u64 = 64;

/// Index entries that are read at most: 128 MiB of table at the widest, 1 TiB of image in 64 KiB chunks.
const MAX_CHUNKS: u64 = 16 << 20;

/// What the header of every file of a set is known to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    /// Bytes of header in this file.
    pub(super) header_size: u64,
    /// The same in all files of a set.
    pub(super) serial: u32,
    /// Which file of the set this is, from 0.
    pub(super) number: u8,
}

impl Identity {
    /// Reads and checks the start of a file, the first or a later one.
    ///
    /// # Errors
    /// `Corrupt` or `Unsupported` when it is no ISZ file of a known version, `Io` when it cannot be read.
    pub(super) fn read(source: &dyn Source) -> Result<Self> {
        Self::parse(&read_array(source, 0, "header")?, source.len())
    }

    fn parse(bytes: &[u8; SHORTEST], file_len: u64) -> Result<Self> {
        if !bytes.starts_with(SIGNATURE) {
            return Err(Error::corrupt(format!(
                "signature is {}, not IsZ!",
                bytes[..4].escape_ascii()
            )));
        }
        let header_size = u64::from(bytes[4]);
        if header_size < SHORTEST as u64 || header_size > file_len {
            return Err(Error::corrupt(format!(
                "header size is {header_size}, not from 47 to the file's size of {file_len}"
            )));
        }
        if bytes[5] > 1 {
            return Err(Error::unsupported(format!(
                "version is {}, known are 0 and 1",
                bytes[5]
            )));
        }
        Ok(Self {
            header_size,
            serial: u32_at(bytes, 6),
            number: bytes[34],
        })
    }
}

/// The size that the header of a later file repeats, for listings; nobody says that it must be right.
///
/// # Errors
/// `Corrupt` or `Io` when the header cannot be read.
pub(super) fn claimed_size(source: &dyn Source) -> Result<u64> {
    Ok(image_size(&read_array(source, 0, "header")?))
}

/// The header of the first file.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// What later files must agree with.
    pub(super) identity: Identity,
    /// Plain bytes of the image.
    pub(super) size: u64,
    /// Plain bytes of a chunk, a multiple of the sector size up to [`MAX_BLOCK`].
    pub(super) block_size: u32,
    /// Number of chunks that the size needs.
    pub(super) chunks: u64,
    /// Number of chunks that the header gives, at least as many.
    pub(super) declared_chunks: u64,
    /// How the chunk data is encrypted.
    pub(super) encryption: Option<KeyLen>,
    /// Intended bytes per file of a set, 0 when it is none.
    pub(super) segment_size: u64,
    /// Where the chunk table is, inside the file; without one the image is stored raw.
    pub(super) table: Option<Table>,
    /// Where the segment table is; only with a chunk table.
    pub(super) segments_at: Option<u64>,
    /// Where the first chunk is, in a single file and in a set without tables.
    pub(super) data_at: u64,
    /// The checksums of a header of 64 bytes or more.
    pub(super) checksums: Option<Checksums>,
}

/// Where the chunk table is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    /// Position in the first file.
    pub(super) at: u64,
    /// Bytes per entry, 1 to 8.
    pub(super) entry_len: usize,
}

/// CRC-32 values in the usual form (the file holds them with every bit inverted), and what they cover.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checksums {
    /// Of the plain image.
    pub(super) image: u32,
    /// Of the stored bytes of all chunks.
    pub(super) stored: u32,
    /// The number of those bytes, modulo 2^32: readers disagree whether the field is wider.
    pub(super) stored_len: u32,
}

impl Header {
    /// Reads and checks the header of a first file.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported` or `LimitExceeded` by the first rule that is broken, `Io` when it cannot be read.
    pub(super) fn read(source: &dyn Source) -> Result<Self> {
        let bytes = read_array(source, 0, "header")?;
        let mut header = Self::parse(&bytes, source.len())?;
        if header.identity.header_size >= WITH_CHECKSUMS {
            header.checksums = Checksums::parse(&read_array(source, 48, "header")?);
        }
        Ok(header)
    }

    fn parse(bytes: &[u8; SHORTEST], file_len: u64) -> Result<Self> {
        let identity = Identity::parse(bytes, file_len)?;
        let block_size = block_size(bytes)?;
        let size = check_size(image_size(bytes))?;
        let chunks = size.div_ceil(u64::from(block_size));
        let declared_chunks = u64::from(u32_at(bytes, 25));
        if declared_chunks < chunks {
            return Err(Error::corrupt(format!(
                "number of chunks is {declared_chunks}, but {size} bytes in chunks of {block_size} are {chunks}"
            )));
        }
        let header = Self {
            identity,
            size,
            block_size,
            chunks,
            declared_chunks,
            encryption: encryption(bytes[16])?,
            segment_size: u64::from_le_bytes(array_at(bytes, 17)),
            table: table(bytes),
            segments_at: (u32_at(bytes, 35) != 0 && u32_at(bytes, 39) != 0)
                .then(|| u64::from(u32_at(bytes, 39))),
            data_at: u64::from(u32_at(bytes, 43)),
            checksums: None,
        };
        header.check_places(file_len)?;
        Ok(header)
    }

    fn check_places(&self, file_len: u64) -> Result<()> {
        if let Some(table) = self.table {
            self.check_table(table, file_len)?;
        }
        let (what, at) = match self.segments_at {
            Some(at) => ("segment table offset", at),
            None => ("data offset", self.data_at),
        };
        if at < self.identity.header_size || at > file_len {
            return Err(Error::corrupt(format!(
                "{what} is {at}, not between the header ({} bytes) and the file's end at {file_len}",
                self.identity.header_size
            )));
        }
        if self.segments_at.is_none() && self.is_split() && self.segment_size <= self.data_at {
            return Err(Error::corrupt(format!(
                "segment size is {}, which leaves no room for data behind offset {}",
                self.segment_size, self.data_at
            )));
        }
        Ok(())
    }

    fn check_table(&self, table: Table, file_len: u64) -> Result<()> {
        if !(1..=8).contains(&table.entry_len) {
            return Err(Error::corrupt(format!(
                "bytes per chunk table entry are {}, not from 1 to 8",
                table.entry_len
            )));
        }
        if self.chunks > MAX_CHUNKS {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!(
                    "number of chunks is {}, more than the limit of {MAX_CHUNKS}",
                    self.chunks
                ),
            ));
        }
        let len = self.chunks * table.entry_len as u64;
        if table.at < self.identity.header_size || table.at + len > file_len {
            return Err(Error::corrupt(format!(
                "the chunk table ({len} bytes at {}) is not between the header ({} bytes) and the file's end at {file_len}",
                table.at, self.identity.header_size
            )));
        }
        Ok(())
    }

    /// Whether the image goes on in further files.
    pub(super) fn is_split(&self) -> bool {
        match self.table {
            Some(_) => self.segments_at.is_some(),
            // Without tables nothing but the size tells. 0 means "not split".
            None => self.segment_size != 0 && self.data_at + self.size > self.segment_size,
        }
    }

    /// Plain bytes of a chunk: the last one may be shorter.
    pub(super) fn plain_len(&self, chunk: u64) -> u64 {
        u64::from(self.block_size).min(self.size - chunk * u64::from(self.block_size))
    }
}

impl Checksums {
    /// `None` when a writer left the fields empty.
    fn parse(bytes: &[u8; 16]) -> Option<Self> {
        (*bytes != [0; 16]).then(|| Self {
            image: !u32_at(bytes, 0),
            stored: !u32_at(bytes, 12),
            stored_len: u32_at(bytes, 4),
        })
    }
}

fn image_size(bytes: &[u8; SHORTEST]) -> u64 {
    u64::from(u32_at(bytes, 12)) * u64::from(u16::from_le_bytes(array_at(bytes, 10)))
}

fn block_size(bytes: &[u8; SHORTEST]) -> Result<u32> {
    let sector_size = u32::from(u16::from_le_bytes(array_at(bytes, 10)));
    let block_size = u32_at(bytes, 29);
    if sector_size == 0 {
        return Err(Error::corrupt(
            "sector size is 0, a sector has at least one byte",
        ));
    }
    if block_size == 0 || block_size % sector_size != 0 {
        return Err(Error::corrupt(format!(
            "chunk size is {block_size}, not a multiple of the sector size of {sector_size}"
        )));
    }
    if block_size > MAX_BLOCK {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!("chunk size is {block_size}, more than the limit of {MAX_BLOCK}"),
        ));
    }
    Ok(block_size)
}

fn encryption(field: u8) -> Result<Option<KeyLen>> {
    match field {
        0 => Ok(None),
        1 => Err(Error::unsupported(
            "encryption is 1, the old password scheme, which is documented nowhere",
        )),
        2 => Ok(Some(KeyLen::Aes128)),
        3 => Ok(Some(KeyLen::Aes192)),
        4 => Ok(Some(KeyLen::Aes256)),
        _ => Err(Error::unsupported(format!(
            "encryption is {field}, known are 0 (none) and 2, 3, 4 (AES)"
        ))),
    }
}

fn table(bytes: &[u8; SHORTEST]) -> Option<Table> {
    match u32_at(bytes, 35) {
        0 => None,
        at => Some(Table {
            at: u64::from(at),
            entry_len: usize::from(bytes[33]),
        }),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("it is a slice of N")
}
