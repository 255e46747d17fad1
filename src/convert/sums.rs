//! The checksum of the plain bytes.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Which checksum to work out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Sum {
    /// None.
    #[default]
    None,
    /// CRC-32, as zlib has it.
    Crc32,
    /// SHA-256.
    Sha256,
}

/// A checksum in the making.
#[derive(Debug)]
pub struct Sums(Kind);

#[derive(Debug)]
enum Kind {
    None,
    Crc32(crc32fast::Hasher),
    Sha256(Sha256),
}

impl Sums {
    /// Starts.
    #[must_use]
    pub fn new(sum: Sum) -> Self {
        Self(match sum {
            Sum::None => Kind::None,
            Sum::Crc32 => Kind::Crc32(crc32fast::Hasher::new()),
            Sum::Sha256 => Kind::Sha256(Sha256::new()),
        })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, plain: &[u8]) {
        match &mut self.0 {
            Kind::None => {}
            Kind::Crc32(sum) => sum.update(plain),
            Kind::Sha256(sum) => sum.update(plain),
        }
    }

    /// The checksum in hexadecimal, if one was asked for.
    #[must_use]
    pub fn finish(self) -> Option<String> {
        match self.0 {
            Kind::None => None,
            Kind::Crc32(sum) => Some(format!("{:08x}", sum.finalize())),
            Kind::Sha256(sum) => {
                let mut text = String::new();
                for byte in sum.finalize() {
                    let _ = write!(text, "{byte:02x}");
                }
                Some(text)
            }
        }
    }
}
