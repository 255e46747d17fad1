//! The three headers, read into one.

use std::fmt::Write as _;

use super::codecs::Method;
use crate::{
    Error, ErrorKind, Result,
    map::{MAX_BLOCK, check_size},
    source::{Source, read_array},
};

/// The first bytes of every file.
pub(super) const SIGNATURE: &[u8; 8] = b"MComprHD";

/// The most hunks: 32 GiB in hunks of 1 KiB, or a Blu-ray of 50 GiB in hunks of 2 KiB.
const MOST_HUNKS: u64 = 1 << 25;

/// A SHA-1.
pub(super) type Sha1 = [u8; 20];

/// A header whose fields keep their rules.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) version: u32,
    /// Plain bytes.
    pub(super) size: u64,
    /// Plain bytes of a hunk, not 0.
    pub(super) hunk_len: u32,
    /// Plain bytes of a unit, in which version 5 counts places in a parent; divides `hunk_len`.
    pub(super) unit_len: u32,
    /// The ways in which hunks are compressed, by number.
    pub(super) methods: [Method; 4],
    /// Where the map is.
    pub(super) map_at: u64,
    /// Where the first metadata is; 0 when there is none.
    pub(super) metadata_at: u64,
    /// Of the plain bytes; `None` when the writer left it out.
    pub(super) plain_sha1: Option<Sha1>,
    /// Of plain bytes and metadata: by this a child names its parent.
    pub(super) sha1: Sha1,
    /// The `sha1` of the file that holds what this one does not.
    pub(super) parent: Option<Sha1>,
}

impl Header {
    pub(super) fn read(source: &dyn Source) -> Result<Self> {
        let start: [u8; 16] = read_array(source, 0, "CHD header")?;
        let (len, version) = (word(&start, 8), word(&start, 12));
        let known = match version {
            3 => 120,
            4 => 108,
            5 => 124,
            1 | 2 => {
                return Err(Error::unsupported(format!(
                    "version is {version}; `chdman copy` makes the version 5 of it"
                )));
            }
            _ => {
                return Err(Error::unsupported(format!(
                    "version is {version}, CHD has the versions 1 to 5"
                )));
            }
        };
        if len != known {
            return Err(Error::corrupt(format!(
                "header length is {len}, that of version {version} has {known} bytes"
            )));
        }
        let header = match version {
            3 => Self::of_v3(&read_array(source, 0, "CHD header")?),
            4 => Self::of_v4(&read_array(source, 0, "CHD header")?),
            _ => Self::of_v5(&read_array(source, 0, "CHD header")?),
        }?;
        header.checked()
    }

    fn of_v5(bytes: &[u8; 124]) -> Result<Self> {
        let mut methods = [Method::Nothing; 4];
        for (number, method) in methods.iter_mut().enumerate() {
            *method = Method::of_tag(word(bytes, 16 + 4 * number))?;
        }
        Ok(Self {
            version: 5,
            size: long(bytes, 32),
            hunk_len: word(bytes, 56),
            unit_len: word(bytes, 60),
            methods,
            map_at: long(bytes, 40),
            metadata_at: long(bytes, 48),
            plain_sha1: given(sha1(bytes, 64)),
            sha1: sha1(bytes, 84),
            parent: given(sha1(bytes, 104)),
        })
    }

    fn of_v4(bytes: &[u8; 108]) -> Result<Self> {
        Self {
            version: 4,
            size: long(bytes, 28),
            hunk_len: word(bytes, 44),
            unit_len: word(bytes, 44),
            methods: old_methods(word(bytes, 20))?,
            map_at: 108,
            metadata_at: long(bytes, 36),
            plain_sha1: given(sha1(bytes, 88)),
            sha1: sha1(bytes, 48),
            parent: old_parent(word(bytes, 16), sha1(bytes, 68))?,
        }
        .with_hunks(word(bytes, 24))
    }

    fn of_v3(bytes: &[u8; 120]) -> Result<Self> {
        Self {
            version: 3,
            size: long(bytes, 28),
            hunk_len: word(bytes, 76),
            unit_len: word(bytes, 76),
            methods: old_methods(word(bytes, 20))?,
            map_at: 120,
            metadata_at: long(bytes, 36),
            plain_sha1: given(sha1(bytes, 80)),
            sha1: sha1(bytes, 80),
            parent: old_parent(word(bytes, 16), sha1(bytes, 100))?,
        }
        .with_hunks(word(bytes, 24))
    }

    /// The older versions give the number of hunks too. More than the size needs were seen in no file.
    fn with_hunks(self, hunks: u32) -> Result<Self> {
        let needed = self.size.div_ceil(u64::from(self.hunk_len).max(1));
        if self.hunk_len > 0 && u64::from(hunks) != needed {
            return Err(Error::corrupt(format!(
                "number of hunks is {hunks}, {} bytes in hunks of {} are {needed}",
                self.size, self.hunk_len
            )));
        }
        Ok(self)
    }

    fn checked(self) -> Result<Self> {
        check_size(self.size)?;
        if !(1..=MAX_BLOCK).contains(&self.hunk_len) {
            return Err(Error::corrupt(format!(
                "hunk size is {}, it must be from 1 to {MAX_BLOCK}",
                self.hunk_len
            )));
        }
        if self.unit_len == 0 || self.hunk_len % self.unit_len != 0 {
            return Err(Error::corrupt(format!(
                "unit size is {}, it must divide the hunk size {}",
                self.unit_len, self.hunk_len
            )));
        }
        if self.hunks_needed() > MOST_HUNKS {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!(
                    "{} bytes in hunks of {} are more than the limit of {MOST_HUNKS} hunks",
                    self.size, self.hunk_len
                ),
            ));
        }
        Ok(self)
    }

    fn hunks_needed(&self) -> u64 {
        self.size.div_ceil(u64::from(self.hunk_len))
    }

    /// Number of hunks.
    pub(super) fn hunks(&self) -> u32 {
        u32::try_from(self.hunks_needed()).expect("it is checked to be at most MOST_HUNKS")
    }

    /// Whether the map of version 5 is compressed.
    pub(super) fn is_compressed(&self) -> bool {
        self.methods[0] != Method::Nothing
    }
}

/// Versions 3 and 4 have one method for all hunks, by a number.
fn old_methods(number: u32) -> Result<[Method; 4]> {
    let method = match number {
        0 => Method::Nothing,
        1 | 2 => Method::Deflate,
        3 => {
            return Err(Error::unsupported(
                "compression is 3, which is for the pictures and sounds of laser discs",
            ));
        }
        _ => {
            return Err(Error::corrupt(format!(
                "compression is {number}, versions 3 and 4 have 0 to 3"
            )));
        }
    };
    Ok([method, Method::Nothing, Method::Nothing, Method::Nothing])
}

/// Bit 0 of the flags says whether there is a parent.
fn old_parent(flags: u32, parent: Sha1) -> Result<Option<Sha1>> {
    let wanted = flags & 1 != 0;
    match given(parent) {
        None if wanted => Err(Error::corrupt(
            "there is a parent by the flags, and its SHA-1 is all zeroes",
        )),
        parent => Ok(parent.filter(|_| wanted)),
    }
}

/// In lower-case hexadecimal.
pub(super) fn hex(sha1: &Sha1) -> String {
    let mut hex = String::with_capacity(2 * sha1.len());
    for byte in sha1 {
        write!(hex, "{byte:02x}").expect("a string takes everything");
    }
    hex
}

fn given(sha1: Sha1) -> Option<Sha1> {
    (sha1 != [0; 20]).then_some(sha1)
}

fn sha1(bytes: &[u8], at: usize) -> Sha1 {
    bytes[at..at + 20].try_into().expect("a range of 20 bytes")
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("a range of 4 bytes"))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("a range of 8 bytes"))
}
