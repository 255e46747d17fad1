//! What the file says about its content: a chain of short texts, each with a tag.

use crate::{
    Error, ErrorKind, Result,
    source::{Source, read_array},
};

/// Texts that are looked at. A disc has one for each of up to 99 tracks.
const MOST_TEXTS: usize = 1024;

/// Bytes that are read of a text.
const MOST_BYTES: u32 = 4096;

/// One text.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) tag: [u8; 4],
    /// Its bytes; empty where the tag is none that is looked at.
    pub(super) bytes: Vec<u8>,
}

/// Reads the chain that begins at `at`; a position of 0 ends it.
pub(super) fn read(source: &dyn Source, at: u64, wanted: &[[u8; 4]]) -> Result<Vec<Text>> {
    let mut texts = Vec::new();
    let mut next = at;
    while next != 0 {
        if texts.len() == MOST_TEXTS {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("the metadata has more than {MOST_TEXTS} entries, or is a circle"),
            ));
        }
        let head: [u8; 16] = read_array(source, next, "metadata")?;
        let [tag, length] = [0, 4].map(|at| [0, 1, 2, 3].map(|i| head[at + i]));
        // The highest byte holds flags.
        let length = u32::from_be_bytes(length) & 0x00ff_ffff;
        let bytes = if wanted.contains(&tag) {
            text(source, next + 16, length)?
        } else {
            Vec::new()
        };
        texts.push(Text { tag, bytes });
        next = u64::from_be_bytes(head[8..].try_into().expect("a range of 8 bytes"));
    }
    Ok(texts)
}

fn text(source: &dyn Source, at: u64, length: u32) -> Result<Vec<u8>> {
    let end = at.checked_add(u64::from(length));
    if length > MOST_BYTES || end.is_none_or(|end| end > source.len()) {
        return Err(Error::corrupt(format!(
            "metadata has {length} bytes at {at}; it must have at most {MOST_BYTES} and lie inside the file"
        )));
    }
    let mut bytes = vec![0; length as usize];
    source.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}
