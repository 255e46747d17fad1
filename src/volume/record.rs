//! One directory record.

/// A record's fields as far as they are needed; nothing in them is trusted to be inside the image.
#[derive(Debug)]
pub(super) struct Record {
    /// Bytes of the record itself, at most those it was parsed from.
    pub(super) len: usize,
    pub(super) attribute_blocks: u8,
    pub(super) first_block: u32,
    pub(super) data_len: u32,
    pub(super) is_directory: bool,
    pub(super) name: String,
    special: bool,
}

/// The fields in front of the name.
const FIXED: usize = 33;

impl Record {
    /// The record at the front of `bytes`; `None` when there is none, or none that is whole.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let len = usize::from(*bytes.first()?);
        let record = bytes.get(..len).filter(|record| record.len() > FIXED)?;
        let name = record.get(FIXED..FIXED + usize::from(record[32]))?;
        Some(Self {
            len,
            attribute_blocks: record[1],
            first_block: u32_at(record, 2),
            data_len: u32_at(record, 10),
            is_directory: record[25] & 2 != 0,
            name: text(name),
            special: matches!(name, [0 | 1]),
        })
    }

    /// Every directory begins with a record of itself and one of the directory above.
    pub(super) fn is_itself_or_above(&self) -> bool {
        self.special
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes[at..at + 4].try_into();
    u32::from_le_bytes(bytes.expect("a range of 4 bytes"))
}

/// Without the version behind the semicolon, and the dot of a name without an extension.
fn text(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let name = name.split(';').next().unwrap_or_default();
    name.strip_suffix('.').unwrap_or(name).to_owned()
}
