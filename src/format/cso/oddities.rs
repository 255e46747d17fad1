//! What can only be found out by decoding a block when the image is opened, and what people are told about it.

use super::{
    blocks::{Held, try_block},
    header::{Family, Header},
    index::{Index, Place},
};
use crate::{Error, Result, codec::Codec, source::Source};

/// Finds out what the last entries mean where they contradict themselves, and returns notes about the image.
///
/// A block that cannot be read or decoded is noted and does not hinder opening.
///
/// # Errors
/// `Corrupt` when the index gives no block at all a place.
pub(super) fn settle(index: &mut Index, source: &dyn Source) -> Result<Vec<String>> {
    let mut notes = header_notes(&index.header);
    if let Some(place) = lost_last(index, source) {
        notes.push(format!(
            "the index does not say where the last block is (a fault of its writer); it was found at {}",
            place.at
        ));
        index.set_last(place);
    }
    if hides_missing_tail(index, source) {
        index.drop_tail();
    }
    let (present, all) = (index.blocks(), index.header.blocks());
    if present < all {
        notes.push(format!(
            "its writer left out the last {} bytes of the image, which cannot be read",
            index.header.plain_len(present)
        ));
    }
    notes.extend(damage_note(index, source)?);
    Ok(notes)
}

fn header_notes(header: &Header) -> Vec<String> {
    let mut notes = Vec::new();
    if !matches!(header.declared_len, 0 | 24) {
        notes.push(format!(
            "header size is {}, where 24 or 0 is usual; nothing depends on it",
            header.declared_len
        ));
    }
    if header.shift > 16 {
        let shift = header.shift;
        notes.push(format!("index shift is {shift}, more than any writer uses"));
    }
    notes
}

fn damage_note(index: &Index, source: &dyn Source) -> Result<Option<String>> {
    if let Some((count, block, fault)) = index.faults() {
        let all = index.header.blocks();
        if count == all {
            return Err(Error::corrupt(format!(
                "no block has a place in the file; block {block}: {fault}"
            )));
        }
        return Ok(Some(format!(
            "{count} of {all} blocks cannot be read, the first is block {block}: {fault}"
        )));
    }
    // An index without entries was refused: it gives no block a place.
    let last = index.blocks() - 1;
    Ok(match try_block(index, source, last) {
        Ok(Held::All) => None,
        Ok(Held::AllButOneByte) => {
            let note = "the last byte of the image is not in the file (a fault of its writer) and reads as zero";
            Some(note.into())
        }
        Err(err) => Some(format!("the last block cannot be read: {err}")),
    })
}

/// Whether the last entry belongs to what follows the index, because the index has none for the short last block.
///
/// This is for files of the Python writers where alignment or a gap hides the tell that the header's check uses:
/// the final entry makes no sense, and what the entry before it points to is no block.
fn hides_missing_tail(index: &Index, source: &dyn Source) -> bool {
    let (blocks, header) = (index.blocks(), &index.header);
    let whole = header.size / u64::from(header.block_size);
    if blocks == whole || whole == 0 {
        return false;
    }
    let (start, end) = (index.position(blocks - 1), index.position(blocks));
    let most = header.most_stored() + (1 << header.shift);
    let sound = end > start && end - start <= most;
    !sound && try_block(index, source, blocks - 1).is_err()
}

/// The place of a last block whose entry points behind it, to the end of the data, with a final entry of 0.
///
/// phyber's ciso.py writes such files. Its blocks are stored, or deflate with an Adler-32 behind, so the last one starts
/// where the one before ends; the Adler-32, or its exact length when it is stored, proves that it was found.
fn lost_last(index: &Index, source: &dyn Source) -> Option<Place> {
    let (blocks, header) = (index.blocks(), &index.header);
    let last = blocks.checked_sub(1)?;
    let old_cso = header.family == Family::Cso && header.version < 2 && header.block_size == 2048;
    if !old_cso || header.shift > 0 || index.entry(blocks) != 0 {
        return None;
    }
    let end = index.position(last).min(index.file_len());
    let at = match last {
        0 => Header::index_end(blocks),
        _ => end_of_block(index, source, last - 1)?,
    };
    let len = end
        .checked_sub(at)
        .filter(|&len| len <= header.most_stored())?;
    let mut stored = vec![0; usize::try_from(len).ok()?];
    source.read_exact_at(&mut stored, at).ok()?;
    let want = usize::try_from(header.plain_len(last)).ok()?;
    let codec = match zlib_without_header(&stored, want) {
        Some(_) => Codec::Deflate,
        None if stored.len() == want => Codec::Raw,
        None => return None,
    };
    Some(Place {
        at,
        len: u32::try_from(len).ok()?,
        codec,
        cut: false,
    })
}

/// Where the bytes of a block end, if it is stored or a deflate stream with its Adler-32 behind.
fn end_of_block(index: &Index, source: &dyn Source, block: u64) -> Option<u64> {
    let place = index.place(block).ok()?;
    let want = index.header.plain_len(block);
    if place.codec == Codec::Raw {
        return Some(place.at + want);
    }
    let mut stored = vec![0; place.len as usize];
    source.read_exact_at(&mut stored, place.at).ok()?;
    let len = zlib_without_header(&stored, usize::try_from(want).ok()?)?;
    Some(place.at + len as u64)
}

/// The length of a zlib stream to `want` bytes that lacks its first two bytes; `None` where there is none.
fn zlib_without_header(stored: &[u8], want: usize) -> Option<usize> {
    const ZLIB_HEADER: [u8; 2] = [0x78, 0x9c];
    let stream = [&ZLIB_HEADER, stored].concat();
    let mut plain = vec![0; want];
    let mut decodes = |len: usize| Codec::Zlib.decode(&stream[..len], &mut plain).is_ok();
    let (mut short, mut enough) = (0, stream.len());
    if !decodes(enough) {
        return None;
    }
    // It decodes when it is there to its last byte, and not when a byte is missing.
    while enough - short > 1 {
        let middle = short.midpoint(enough);
        if decodes(middle) {
            enough = middle;
        } else {
            short = middle;
        }
    }
    Some(enough - ZLIB_HEADER.len())
}
