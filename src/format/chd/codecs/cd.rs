//! Hunks of CD frames: all sectors together, then all subcode.
//!
//! | field | bytes |
//! |---|---|
//! | for each frame one bit, from the lowest: sync and ECC are left out | frames / 8, rounded up |
//! | compressed length of the sectors | 2, or 3 in hunks of 64 KiB and more |
//! | the sectors, compressed | that many |
//! | the subcode, compressed | the rest |
//!
//! With FLAC the first two fields are not there: sound has no ECC.

use std::cell::RefCell;

use super::{
    FRAME, Method,
    flac::{self, Order},
    with_buffer,
};
use crate::{
    Error, Result,
    sector::{HEADER, SECTOR, SYNC, put_ecc},
};

thread_local! {
    static APART: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn decode(src: &[u8], dst: &mut [u8], sectors: Method, subcode: Method) -> Result<()> {
    let frames = dst.len() / FRAME;
    let marks_len = frames.div_ceil(8);
    let width = if dst.len() < 1 << 16 { 2 } else { 3 };
    let head_len = marks_len + width;
    let too_short = || Error::corrupt(format!("a hunk of {} bytes ends in its head", src.len()));
    let (head, data) = src.split_at_checked(head_len).ok_or_else(too_short)?;
    let (marks, len) = head.split_at(marks_len);
    let len = len
        .iter()
        .fold(0, |len, byte| len << 8 | usize::from(*byte));
    let Some((packed, packed_subcode)) = data.split_at_checked(len) else {
        return Err(Error::corrupt(format!(
            "the sectors have {len} bytes of the hunk's {}",
            data.len()
        )));
    };
    with_buffer(&APART, dst.len(), |apart| {
        let (plain, plain_subcode) = apart.split_at_mut(frames * SECTOR);
        sectors.decode(packed, plain)?;
        subcode.decode(packed_subcode, plain_subcode)?;
        join(plain, plain_subcode, dst);
        Ok(())
    })?;
    let is_marked = |number: usize| marks[number / 8] >> (number % 8) & 1 != 0;
    for (number, frame) in dst.chunks_exact_mut(FRAME).enumerate() {
        if is_marked(number) {
            let sector = frame.first_chunk_mut().expect("a frame holds a sector");
            sector[..HEADER].copy_from_slice(&SYNC);
            put_ecc(sector);
        }
    }
    Ok(())
}

/// Sectors as sound, high byte first.
pub(super) fn decode_sounds(src: &[u8], dst: &mut [u8]) -> Result<()> {
    let frames = dst.len() / FRAME;
    with_buffer(&APART, dst.len(), |apart| {
        let (plain, plain_subcode) = apart.split_at_mut(frames * SECTOR);
        let len = flac::decode(src, plain, Order::Big);
        let len = len.map_err(|why| Method::CdFlac.refuse(src, why))?;
        Method::Deflate.decode(&src[len..], plain_subcode)?;
        join(plain, plain_subcode, dst);
        Ok(())
    })
}

/// Puts each sector in front of its subcode.
fn join(sectors: &[u8], subcode: &[u8], dst: &mut [u8]) {
    let subcode = subcode.chunks_exact(FRAME - SECTOR);
    let parts = sectors.chunks_exact(SECTOR).zip(subcode);
    for (frame, (sector, subcode)) in dst.chunks_exact_mut(FRAME).zip(parts) {
        frame[..SECTOR].copy_from_slice(sector);
        frame[SECTOR..].copy_from_slice(subcode);
    }
}
