//! The header of a block, and the decoders that it asks for.

use std::io::Read;

use lzma_rust2::{
    Lzma2Reader,
    filter::{bcj::BcjReader, delta::DeltaReader},
};

use super::{
    check::{Check, Checked},
    index::Block,
    number::{Fields, checked},
};
use crate::{Error, Result};

/// The largest dictionary that memory is taken for, as of `xz -9`.
const MOST_DICTIONARY: u64 = 64 << 20;

/// A header whose fields keep their rules and fit the index.
#[derive(Debug)]
pub(super) struct Header {
    /// Bytes of the header.
    pub(super) len: u64,
    /// Bytes of the data behind it.
    pub(super) data: u64,
    /// In the order in which they were applied; never LZMA2.
    filters: Vec<Filter>,
    /// Bytes of the dictionary.
    dictionary: u32,
    check: Check,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Filter {
    Delta { distance: usize },
    Branches { of: u64, start: usize },
}

impl Header {
    /// Reads the front of a block.
    pub(super) fn parse(bytes: &[u8], block: &Block) -> Result<Self> {
        let len = usize::from(*bytes.first().unwrap_or(&0));
        let len = if len == 0 { 0 } else { (len + 1) * 4 };
        let bytes = bytes.get(..len).filter(|bytes| !bytes.is_empty());
        let bytes = bytes.ok_or_else(|| {
            Error::corrupt(format!(
                "the block header has {len} bytes, which its block has no room for"
            ))
        })?;
        let mut fields = Fields::new(&checked(bytes, "block header")?[1..], "block header");
        let flags = fields.byte()?;
        if flags & 0x3C != 0 {
            return Err(Error::unsupported(format!(
                "the flags of the block are {flags:#04x}, bits 2 to 5 have no meaning yet"
            )));
        }
        let data = block
            .unpadded
            .checked_sub((len + block.check.len()) as u64)
            .filter(|&data| data > 0);
        let data = data.ok_or_else(|| Error::corrupt("the block has no room for its data"))?;
        for (flag, expected, what) in [(0x40, data, "stored"), (0x80, block.plain, "plain")] {
            if flags & flag != 0 {
                let found = fields.number()?;
                if found != expected {
                    return Err(Error::corrupt(format!(
                        "the block header says {found} {what} bytes, the index {expected}"
                    )));
                }
            }
        }
        let mut filters = Vec::new();
        for _ in 0..flags & 3 {
            filters.push(Filter::parse(&mut fields)?);
        }
        let dictionary = dictionary(&mut fields, block.plain)?;
        fields.zeroes()?;
        Ok(Self {
            len: len as u64,
            data,
            filters,
            dictionary,
            check: block.check,
        })
    }

    /// The plain bytes of the block's data. At their end they are compared with `check`.
    pub(super) fn plain<'d>(
        &self,
        data: impl Read + Send + 'd,
        check: &[u8],
    ) -> Checked<Box<dyn Read + Send + 'd>> {
        let mut plain: Box<dyn Read + Send + 'd> =
            Box::new(Lzma2Reader::new(data, self.dictionary, None));
        for filter in self.filters.iter().rev() {
            plain = filter.undo(plain);
        }
        Checked::new(plain, self.check, check)
    }
}

impl Filter {
    fn parse(fields: &mut Fields<'_>) -> Result<Self> {
        let (id, len) = (fields.number()?, fields.number()?);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let properties = fields.bytes(len)?;
        match (id, properties) {
            (3, [distance]) => Ok(Self::Delta {
                distance: usize::from(*distance) + 1,
            }),
            (4..=11, []) => Ok(Self::Branches { of: id, start: 0 }),
            (4..=11, [_, _, _, _]) => {
                let start = u32::from_le_bytes(properties.try_into().expect("they are 4"));
                Ok(Self::Branches {
                    of: id,
                    start: start as usize,
                })
            }
            _ => Err(Error::unsupported(format!(
                "filter {id:#x} with {len} bytes of properties is not known: \
                 only LZMA2, delta and those for programs are"
            ))),
        }
    }

    fn undo<'d>(self, plain: Box<dyn Read + Send + 'd>) -> Box<dyn Read + Send + 'd> {
        match self {
            Self::Delta { distance } => Box::new(DeltaReader::new(plain, distance)),
            Self::Branches { of, start } => Box::new(match of {
                4 => BcjReader::new_x86(plain, start),
                5 => BcjReader::new_ppc(plain, start),
                6 => BcjReader::new_ia64(plain, start),
                7 => BcjReader::new_arm(plain, start),
                8 => BcjReader::new_arm_thumb(plain, start),
                9 => BcjReader::new_sparc(plain, start),
                10 => BcjReader::new_arm64(plain, start),
                _ => BcjReader::new_riscv(plain, start),
            }),
        }
    }
}

/// The bytes of the dictionary that the last filter, LZMA2, asks for; no more than there are plain bytes.
fn dictionary(fields: &mut Fields<'_>, plain: u64) -> Result<u32> {
    let (id, len) = (fields.number()?, fields.number()?);
    if (id, len) != (0x21, 1) {
        return Err(Error::unsupported(format!(
            "the last filter is {id:#x} with {len} bytes of properties, it must be LZMA2 (0x21) with 1"
        )));
    }
    let bits = fields.byte()?;
    if bits > 40 {
        return Err(Error::corrupt(format!(
            "the size of the dictionary is coded as {bits}, the most is 40"
        )));
    }
    let size = (2 | u64::from(bits) & 1) << (bits / 2 + 11);
    let needed = size.min(plain).max(4096);
    if needed > MOST_DICTIONARY {
        return Err(Error::unsupported(format!(
            "the dictionary has {size} bytes, more than the limit of {MOST_DICTIONARY}: \
             compress the image again with at most xz -9"
        )));
    }
    Ok(u32::try_from(needed).expect("it is at most MOST_DICTIONARY"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(fields: &[u8], plain: u64) -> Result<Header> {
        let mut bytes = [&[0], fields].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes[0] = u8::try_from(bytes.len() / 4).unwrap();
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        let block = Block {
            at: 12,
            unpadded: 1000,
            plain,
            check: Check(1),
        };
        Header::parse(&bytes, &block)
    }

    fn refusal(fields: &[u8]) -> String {
        header(fields, 5000).unwrap_err().to_string()
    }

    #[test]
    fn a_header_gives_the_filters_and_no_larger_dictionary_than_needed() {
        let plain = header(&[0, 0x21, 1, 40], 5000).unwrap();
        assert_eq!((plain.dictionary, plain.filters.len()), (5000, 0));
        assert_eq!(plain.data, 1000 - 12 - 4);
        let both = header(&[2, 4, 0, 3, 1, 2, 0x21, 1, 22], 1 << 30).unwrap();
        let delta = Filter::Delta { distance: 3 };
        assert_eq!(both.filters, [Filter::Branches { of: 4, start: 0 }, delta]);
        assert_eq!(both.dictionary, 8 << 20);
    }

    #[test]
    fn rejects_flags_without_a_meaning() {
        assert!(refusal(&[4, 0x21, 1, 22]).contains("bits 2 to 5"));
    }

    #[test]
    fn rejects_sizes_that_the_index_does_not_have() {
        assert!(refusal(&[0x40, 5, 0x21, 1, 22]).contains("says 5 stored bytes"));
        assert!(refusal(&[0x80, 5, 0x21, 1, 22]).contains("says 5 plain bytes"));
    }

    #[test]
    fn rejects_an_unknown_filter() {
        assert!(refusal(&[1, 0x7F, 0, 0x21, 1, 22]).contains("filter 0x7f"));
        assert!(refusal(&[0, 3, 1, 0]).contains("it must be LZMA2"));
    }

    #[test]
    fn rejects_a_dictionary_above_the_limit() {
        let err = header(&[0, 0x21, 1, 30], 1 << 30).unwrap_err();
        assert!(err.to_string().contains("more than the limit"), "{err}");
        assert!(refusal(&[0, 0x21, 1, 41]).contains("coded as 41"));
    }

    #[test]
    fn rejects_padding_that_is_not_zero() {
        assert!(refusal(&[0, 0x21, 1, 22, 0, 0, 9]).contains("padding"));
    }

    #[test]
    fn rejects_a_header_that_reaches_out_of_its_block() {
        let block = Block {
            at: 12,
            unpadded: 16,
            plain: 1,
            check: Check(0),
        };
        for bytes in [[0; 16], [200; 16]] {
            let err = Header::parse(&bytes, &block).unwrap_err();
            assert!(err.to_string().contains("no room for"), "{err}");
        }
    }
}
