//! The header: 24 bytes, checked, and the size of the index behind it.

use crate::{
    Error, ErrorKind, Result,
    codec::Codec,
    map::{MAX_BLOCK, check_size},
    source::{Source, read_array},
};

/// Where the index starts, whatever the header-size field says.
pub(super) const INDEX_AT: u64 = 24;

/// The smallest block in use. Smaller ones would only make the index larger than the image.
const MIN_BLOCK: u32 = 512;

/// The most blocks: an index of 256 MiB, or 128 GiB of blocks of 2 KiB, as much as the largest Blu-ray holds.
const MAX_BLOCKS: u64 = 1 << 26;

/// The largest shift: entries have 31 bits of position, so this reaches 2^62.
const MAX_SHIFT: u8 = 31;

/// Which magic the file bears.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Family {
    /// `CISO`
    Cso,
    /// `ZISO`
    Zso,
}

/// How the blocks are stored, where the header does not tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kin {
    /// As the header says.
    Own,
    /// Xbox CISO: LZ4 with a length in front where flagged, else stored.
    Xbox,
    /// `DreamShell`'s ZISO: LZO.
    DreamShell,
}

/// A header whose values are possible, with an index that fits in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) family: Family,
    /// What the header-size field holds; nothing depends on it.
    pub(super) declared_len: u32,
    /// Number of plain bytes of the image.
    pub(super) size: u64,
    pub(super) block_size: u32,
    pub(super) version: u8,
    /// Index entries count units of `1 << shift` bytes.
    pub(super) shift: u8,
    /// Found out from the blocks, after the header.
    pub(super) kin: Kin,
    /// Number of blocks that the index has entries for: all of the image, or all but its short tail.
    pub(super) indexed: u64,
}

impl Header {
    /// Number of bytes.
    pub(super) const LEN: usize = 24;

    /// Checks the header's bytes, and reads the first index entry where the size of the index depends on it.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported` and `LimitExceeded` for impossible values, `Io` when the file cannot be read.
    pub(super) fn read(bytes: &[u8; Self::LEN], source: &dyn Source) -> Result<Self> {
        let mut header = Self::parse(bytes)?;
        header.indexed = header.count_indexed(source)?;
        Ok(header)
    }

    fn parse(bytes: &[u8; Self::LEN]) -> Result<Self> {
        let header = Self {
            family: match &bytes[..4] {
                b"CISO" => Family::Cso,
                b"ZISO" => Family::Zso,
                other => {
                    let found = other.escape_ascii();
                    return Err(Error::corrupt(format!(
                        "magic is {found}, not CISO or ZISO"
                    )));
                }
            },
            declared_len: u32_at(bytes, 4),
            size: u64::from(u32_at(bytes, 12)) << 32 | u64::from(u32_at(bytes, 8)),
            block_size: u32_at(bytes, 16),
            version: bytes[20],
            shift: bytes[21],
            kin: Kin::Own,
            indexed: 0,
        };
        header.check_version()?;
        check_size(header.size)?;
        header.check_block_size()?;
        if header.shift > MAX_SHIFT {
            let shift = header.shift;
            return Err(Error::corrupt(format!(
                "index shift is {shift}, more than {MAX_SHIFT}"
            )));
        }
        Ok(header)
    }

    fn check_version(&self) -> Result<()> {
        let (newest, magic) = match self.family {
            Family::Cso => (2, "CISO"),
            Family::Zso => (1, "ZISO"),
        };
        if self.version > newest {
            let version = self.version;
            return Err(Error::unsupported(format!(
                "version is {version}, {magic} files have 0 to {newest}"
            )));
        }
        // Version 2 reserves the field for a header that grows; the older ones hold anything there.
        if self.version == 2 && self.declared_len != 24 {
            let found = self.declared_len;
            return Err(Error::corrupt(format!(
                "header size is {found}, version 2 demands 24"
            )));
        }
        Ok(())
    }

    fn check_block_size(&self) -> Result<()> {
        match self.block_size {
            MIN_BLOCK..=MAX_BLOCK => Ok(()),
            other => Err(Error::corrupt(format!(
                "block size is {other}, not from {MIN_BLOCK} bytes to {} MiB",
                MAX_BLOCK >> 20
            ))),
        }
    }

    /// Number of blocks of the image, the short last one included.
    pub(super) fn blocks(&self) -> u64 {
        self.size.div_ceil(u64::from(self.block_size))
    }

    /// Number of plain bytes in `block`, which is one of the image's.
    pub(super) fn plain_len(&self, block: u64) -> u64 {
        let block_size = u64::from(self.block_size);
        block_size.min(self.size - block * block_size)
    }

    /// Where the index of so many blocks ends.
    pub(super) fn index_end(blocks: u64) -> u64 {
        INDEX_AT + 4 * (blocks + 1)
    }

    /// Where an index entry points to.
    pub(super) fn position(&self, entry: u32) -> u64 {
        u64::from(entry & !FLAG) << self.shift
    }

    /// Where the bytes of the last block may end at most, when the final entry points to `end`.
    ///
    /// The Python writers round that entry down to the index's unit and so cut off the block's last bytes. What is
    /// taken too much with other writers is padding.
    pub(super) fn last_end(&self, end: u64, file_len: u64) -> u64 {
        file_len.min(end + (1 << self.shift) - 1)
    }

    /// The most stored bytes that a block can need: far above every codec's worst case.
    ///
    /// Bytes behind these are padding. Without this, a lying index could make one small read cost gigabytes.
    pub(super) fn most_stored(&self) -> u64 {
        2 * u64::from(self.block_size) + (64 << 10)
    }

    /// How a block is stored, by its entry's flag and the length that the index gives it.
    pub(super) fn codec(&self, flag: bool, length: u64) -> Codec {
        let long = length >= u64::from(self.block_size);
        match self.kin {
            Kin::Own => {}
            Kin::Xbox if flag => return Codec::Lz4,
            Kin::DreamShell if !flag => return Codec::Lzo,
            Kin::Xbox | Kin::DreamShell => return Codec::Raw,
        }
        match (self.family, self.version, flag) {
            (Family::Cso, 2, _) if long => Codec::Raw,
            (Family::Cso, 2, true) | (Family::Zso, _, false) => Codec::Lz4,
            (Family::Cso, _, false) => Codec::Deflate,
            (_, _, true) => Codec::Raw,
        }
    }

    /// How many blocks the index has entries for.
    ///
    /// The Python writers and BOOSTER's leave out a short last block, and its entry: their data starts where the
    /// last entry of a full index would stand.
    fn count_indexed(&self, source: &dyn Source) -> Result<u64> {
        let (file_len, blocks) = (source.len(), self.blocks());
        if blocks > MAX_BLOCKS {
            let message = format!("the image has {blocks} blocks, more than {MAX_BLOCKS}");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let whole = self.size / u64::from(self.block_size);
        let (full, short) = (Self::index_end(blocks), Self::index_end(whole));
        if whole < blocks && short <= file_len {
            let first = read_array(source, INDEX_AT, "index")?;
            if (short..full).contains(&self.position(u32::from_le_bytes(first))) {
                return Ok(whole);
            }
        }
        if full > file_len {
            return Err(Error::corrupt(format!(
                "the file ends at {file_len}, inside the index of {blocks} blocks, which ends at {full}"
            )));
        }
        Ok(blocks)
    }
}

/// The highest bit of an index entry. What it means depends on the version.
pub(super) const FLAG: u32 = 1 << 31;

fn u32_at(bytes: &[u8; Header::LEN], at: usize) -> u32 {
    let four = bytes[at..at + 4].try_into();
    u32::from_le_bytes(four.expect("the field lies inside the header"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::header;
    use super::*;

    fn refused(bytes: [u8; 24]) -> Error {
        Header::parse(&bytes).unwrap_err()
    }

    fn read(file: &Vec<u8>) -> Result<Header> {
        Header::read(&read_array(file, 0, "header")?, file)
    }

    #[test]
    fn rejects_a_block_size_of_zero_and_one_above_16_mib() {
        for block_size in [0, 511, (16 << 20) + 1, u32::MAX] {
            let err = refused(header(*b"CISO", 4096, block_size, 1, 0));
            let expected = format!("block size is {block_size}, not from 512 bytes to 16 MiB");
            assert_eq!(err.to_string(), expected);
        }
    }

    #[test]
    fn accepts_block_sizes_that_are_no_powers_of_two() {
        for block_size in [512, 2352, 6144, 1 << 20, 16 << 20] {
            Header::parse(&header(*b"ZISO", 5000, block_size, 1, 0)).unwrap();
        }
    }

    #[test]
    fn rejects_an_image_size_of_zero_and_one_above_the_limit() {
        let err = refused(header(*b"CISO", 0, 2048, 1, 0));
        assert_eq!(err.kind(), ErrorKind::Corrupt);
        let err = refused(header(*b"CISO", 1 << 63, 2048, 1, 0));
        assert_eq!(err.kind(), ErrorKind::LimitExceeded);
    }

    #[test]
    fn rejects_a_shift_above_31() {
        let err = refused(header(*b"CISO", 4096, 2048, 1, 32));
        assert_eq!(err.to_string(), "index shift is 32, more than 31");
        Header::parse(&header(*b"CISO", 4096, 2048, 1, 31)).unwrap();
    }

    #[test]
    fn rejects_versions_that_nobody_writes() {
        let err = refused(header(*b"CISO", 4096, 2048, 3, 0));
        assert_eq!(err.to_string(), "version is 3, CISO files have 0 to 2");
        let err = refused(header(*b"ZISO", 4096, 2048, 2, 0));
        assert_eq!(err.to_string(), "version is 2, ZISO files have 0 to 1");
        assert_eq!(err.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn rejects_a_version_2_whose_header_size_is_not_24() {
        let mut bytes = header(*b"CISO", 4096, 2048, 2, 0);
        bytes[4] = 0;
        let err = refused(bytes);
        assert_eq!(err.to_string(), "header size is 0, version 2 demands 24");
        bytes[20] = 1;
        Header::parse(&bytes).unwrap();
    }

    #[test]
    fn rejects_a_foreign_magic() {
        let err = refused(header(*b"DAX\0", 4096, 2048, 1, 0));
        assert_eq!(err.to_string(), "magic is DAX\\x00, not CISO or ZISO");
    }

    #[test]
    fn rejects_an_index_that_does_not_fit_in_the_file() {
        let mut file = header(*b"CISO", 1 << 30, 2048, 1, 0).to_vec();
        file.resize(4096, 0);
        let err = read(&file).unwrap_err();
        assert_eq!(
            err.to_string(),
            "the file ends at 4096, inside the index of 524288 blocks, which ends at 2097180"
        );
    }

    #[test]
    fn rejects_an_image_of_more_blocks_than_the_limit() {
        let file = header(*b"CISO", 1 << 40, 2048, 1, 0).to_vec();
        let err = read(&file).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::LimitExceeded);
        let expected = "the image has 536870912 blocks, more than 67108864";
        assert_eq!(err.to_string(), expected);
    }

    #[test]
    fn rejects_a_file_that_ends_inside_the_header() {
        let file = header(*b"CISO", 4096, 2048, 1, 0)[..23].to_vec();
        let err = read(&file).unwrap_err();
        assert_eq!(
            err.to_string(),
            "the file ends at 23, inside the header (24 bytes at 0)"
        );
    }
}
