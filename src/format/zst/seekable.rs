//! The table at the end of a file that says where its frames lie.

use super::frames::{Frame, MOST_FRAMES, check_count};
use crate::{
    Error, Result,
    codec::zstd::checksum,
    source::{Source, read_array},
};

const MAGIC: u32 = 0x8F92_EAB1;

/// What a skippable frame with a table begins with.
const SKIPPABLE: u32 = 0x184D_2A5E;

/// Number of frames, flags, and the magic.
const FOOTER: u64 = 9;

/// The frames that a table at the end gives; `None` when there is no table.
pub(super) fn read(source: &dyn Source) -> Result<Option<Box<[Frame]>>> {
    let Some(footer_at) = source.len().checked_sub(FOOTER) else {
        return Ok(None);
    };
    let footer: [u8; 9] = read_array(source, footer_at, "seek table")?;
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("a range of 4 bytes"));
    if word(&footer[5..]) != MAGIC {
        return Ok(None);
    }
    let (count, flags) = (word(&footer[..4]), footer[4]);
    if flags & 0x7C != 0 {
        return Err(Error::unsupported(format!(
            "the flags of the seek table are {flags:#04x}, bits 2 to 6 must be 0"
        )));
    }
    check_count(usize::try_from(count).unwrap_or(MOST_FRAMES + 1))?;
    let each = if flags & 0x80 == 0 { 8 } else { 12 };
    let len = u64::from(count) * each;
    let table_at = footer_at.checked_sub(len).filter(|&at| at >= 8);
    let table_at = table_at.ok_or_else(|| {
        Error::corrupt(format!(
            "the seek table has {count} frames, the file has no room for {len} bytes of table"
        ))
    })?;
    let head: [u8; 8] = read_array(source, table_at - 8, "seek table")?;
    let (magic, claimed) = (word(&head[..4]), u64::from(word(&head[4..])));
    if magic != SKIPPABLE || claimed != len + FOOTER {
        return Err(Error::corrupt(format!(
            "the seek table begins with {magic:08x} and {claimed} bytes, \
             it must be {SKIPPABLE:08x} and {}",
            len + FOOTER
        )));
    }
    let mut table = vec![0; usize::try_from(len).expect("MOST_FRAMES bounds it")];
    source.read_exact_at(&mut table, table_at)?;
    let rows = table.chunks_exact(usize::try_from(each).expect("it is 8 or 12"));
    frames(rows, table_at - 8).map(Some)
}

/// The frames of a table, which stand one behind the other and end at `end` at the latest.
fn frames<'t>(rows: impl Iterator<Item = &'t [u8]>, end: u64) -> Result<Box<[Frame]>> {
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("a range of 4 bytes"));
    let (mut at, mut frames) = (0, Vec::new());
    for row in rows {
        let frame = Frame {
            at,
            stored: word(&row[..4]).into(),
            plain: word(&row[4..8]).into(),
            sum: row.get(8..12).map(word),
        };
        at += frame.stored;
        if frame.plain > 0 {
            frames.push(frame);
        }
    }
    if at > end {
        return Err(Error::corrupt(format!(
            "the frames of the seek table have {at} bytes, there are {end} before it"
        )));
    }
    Ok(frames.into())
}

/// Compares the plain bytes of a frame with what the table says.
pub(super) fn compare(plain: &[u8], wanted: Option<u32>) -> Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    let found = checksum(plain);
    if found == wanted {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "the XXH64 of the frame's plain bytes ends in {found:08x}, the seek table says {wanted:08x}"
    )))
}
