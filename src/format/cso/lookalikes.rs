//! Files of other consoles that bear the same magic, told apart and refused by name.
//!
//! | file | magic | what tells it |
//! |---|---|---|
//! | `GameCube` and Wii CISO | `CISO` | u32 at 4 a power of two from 0x8000, then 0x7ff8 bytes that are each 0 or 1 |
//! | Xbox CISO | `CISO` | version 2, shift 2; flagged blocks are u32 length, LZ4 block, padding to 4 |
//! | `DreamShell` (Dreamcast) ZISO | `ZISO` | blocks are LZO1X; the header size is 0 |
//!
//! Sources: files made by stellar-cso and by `DreamShell`'s ciso; Dolphin's and `DreamShell`'s documentation.

use std::ops::Range;

use super::header::{FLAG, Family, Header, INDEX_AT};
use crate::{Error, Result, codec::Codec, source::Source};

/// Where the data of a `GameCube` or Wii CISO starts: its header is this long.
const MAP_END: usize = 0x8000;

/// Blocks that are tried before a file is taken for what its header says.
const SAMPLES: usize = 4;

/// Refuses a `GameCube` or Wii CISO. Reads 32 KiB, but only where the first bytes look like one.
pub(super) fn refuse_gamecube(head: &[u8; Header::LEN], source: &dyn Source) -> Result<()> {
    if source.len() < MAP_END as u64 {
        return Ok(());
    }
    let block_size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    let is_map = |bytes: &[u8]| bytes.iter().all(|&used| used <= 1);
    let possible = head.starts_with(b"CISO") && block_size.is_power_of_two();
    if !possible || (block_size as usize) < MAP_END || !is_map(&head[8..]) {
        return Ok(());
    }
    let mut map = vec![0; MAP_END - 8];
    source.read_exact_at(&mut map, 8)?;
    if is_map(&map) && map.contains(&1) {
        return Err(Error::unsupported(
            "this is a GameCube or Wii CISO, which shares only its magic with CSO; Dolphin reads it",
        ));
    }
    Ok(())
}

/// Refuses the look-alikes that the header hints at. Reads some blocks, but only on such a hint.
pub(super) fn refuse_hinted(header: &Header, source: &dyn Source) -> Result<()> {
    match header.family {
        Family::Cso if header.version == 2 && header.shift == 2 => refuse_xbox(header, source),
        Family::Zso if header.declared_len == 0 => refuse_dreamshell(header, source),
        _ => Ok(()),
    }
}

fn refuse_xbox(header: &Header, source: &dyn Source) -> Result<()> {
    for sample in samples(header, source, FLAG)? {
        if holds_length_word(&sample, header.block_size as usize) {
            return Err(Error::unsupported(
                "this is an Xbox CISO, whose LZ4 blocks have a length in front; Repackinator turns it into an ISO",
            ));
        }
    }
    Ok(())
}

/// Whether a block is a length, an LZ4 block of that length that decodes to a whole block, and padding to 4.
fn holds_length_word(sample: &Sample, block_size: usize) -> bool {
    let Some((length, rest)) = sample.stored.split_first_chunk() else {
        return false;
    };
    let length = u32::from_le_bytes(*length) as usize;
    let Some((packed, padding)) = rest.split_at_checked(length) else {
        return false;
    };
    padding.len() < 4 && Codec::Lz4.decode(packed, &mut vec![0; block_size]).is_ok()
}

/// Refuses the look-alikes that only their blocks tell. For a sound file this decodes one block.
pub(super) fn refuse_unhinted(header: &Header, source: &dyn Source) -> Result<()> {
    match header.family {
        Family::Zso if header.declared_len != 0 => refuse_dreamshell(header, source),
        _ => Ok(()),
    }
}

/// Refuses a `ZISO` of which no block is LZ4, if they are LZO or the header is one that only `DreamShell` writes.
fn refuse_dreamshell(header: &Header, source: &dyn Source) -> Result<()> {
    let samples = samples(header, source, 0)?;
    let decodes = |codec: Codec, sample: &Sample| {
        let mut plain = vec![0; sample.plain_len];
        let most = header.block_size as usize;
        matches!(codec.decode_start(&sample.stored, &mut plain, most), Ok(n) if n + 1 >= plain.len())
    };
    if samples.is_empty() || samples.iter().any(|sample| decodes(Codec::Lz4, sample)) {
        return Ok(());
    }
    // Every writer of LZ4 puts 24 into the header.
    if header.declared_len == 0 || samples.iter().any(|sample| decodes(Codec::Lzo, sample)) {
        return Err(Error::unsupported(
            "this is a DreamShell (Dreamcast) ZISO with LZO blocks, which shares only its layout with ZSO; \
             DreamShell's ciso unpacks it",
        ));
    }
    Ok(())
}

/// A block's stored bytes, as far as the index tells where they end, and how many plain bytes they stand for.
struct Sample {
    stored: Vec<u8>,
    plain_len: usize,
}

/// The first blocks whose entry has this flag, and whose place makes sense. Reads the index in small pieces.
fn samples(header: &Header, source: &dyn Source, flag: u32) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    let mut piece = vec![0; 16 << 10];
    let mut first = 0;
    while first < header.indexed && samples.len() < SAMPLES {
        let most = piece.len() / 4 - 1;
        let count = usize::try_from(header.indexed - first).map_or(most, |left| left.min(most));
        let entries = &mut piece[..4 * (count + 1)];
        source.read_exact_at(entries, INDEX_AT + 4 * first)?;
        let entry = |i: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| entries[4 * i + byte]));
        for i in (0..count).filter(|&i| entry(i) & FLAG == flag) {
            let block = first + i as u64;
            let end = match header.position(entry(i + 1)) {
                end if block + 1 == header.indexed => header.last_end(end, source.len()),
                end => end,
            };
            let stored = header.position(entry(i))..end;
            samples.extend(sample(header, source, block, stored)?);
            if samples.len() == SAMPLES {
                break;
            }
        }
        first += count as u64;
    }
    Ok(samples)
}

/// Reads a block, unless the place that the index gives it makes no sense.
fn sample(
    header: &Header,
    source: &dyn Source,
    block: u64,
    stored: Range<u64>,
) -> Result<Option<Sample>> {
    let length = stored.end.saturating_sub(stored.start);
    let behind_index = stored.start >= Header::index_end(header.indexed);
    if !behind_index || stored.end > source.len() || length == 0 || length > header.most_stored() {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(length).expect("it is below 33 MiB")];
    source.read_exact_at(&mut bytes, stored.start)?;
    Ok(Some(Sample {
        stored: bytes,
        plain_len: usize::try_from(header.plain_len(block)).expect("a block fits in memory"),
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::{Final, Writer, patterned};
    use super::*;
    use crate::{
        ErrorKind,
        format::{self, OpenOptions},
    };

    /// Both ways to look at a file must refuse it, for the same reason.
    fn refused(file: &[u8]) -> String {
        let opened = format::open(Arc::new(file.to_vec()), &OpenOptions::alone()).unwrap_err();
        let probed = format::probe(&file.to_vec(), "x.cso".as_ref()).unwrap_err();
        assert_eq!(opened.kind(), ErrorKind::Unsupported);
        assert_eq!(opened.to_string(), probed.to_string());
        opened.to_string()
    }

    fn gamecube() -> Vec<u8> {
        let mut file = vec![0; 0x8000 + 0x20_0000];
        file[..8].copy_from_slice(b"CISO\0\0\x20\0");
        file[8] = 1;
        file
    }

    #[test]
    fn rejects_a_gamecube_ciso() {
        assert!(refused(&gamecube()).starts_with("this is a GameCube or Wii CISO"));
    }

    #[test]
    fn a_cso_whose_header_size_is_a_gamecube_block_size_is_a_cso() {
        let plain = patterned(200 * 2048);
        let mut writer = Writer::cso();
        writer.header_size = 0x20_0000;
        let file = writer.write(&plain);
        assert!(file.len() > MAP_END);
        assert!(format::open(Arc::new(file), &OpenOptions::alone()).is_ok());
    }

    /// Length, LZ4 block, padding to 4; every block flagged.
    fn xbox(plain: &[u8]) -> Vec<u8> {
        let mut file =
            super::super::tests::header(*b"CISO", plain.len() as u64, 2048, 2, 2).to_vec();
        let blocks: Vec<&[u8]> = plain.chunks(2048).collect();
        let mut data = Vec::new();
        let start = 24 + 4 * (blocks.len() + 1);
        for block in blocks {
            let entry = u32::try_from((start + data.len()) >> 2).unwrap() | FLAG;
            file.extend(entry.to_le_bytes());
            let packed = lz4_flex::block::compress(block);
            data.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
            data.extend(packed);
            data.resize(data.len().next_multiple_of(4), 0);
        }
        file.extend(
            u32::try_from((start + data.len()) >> 2)
                .unwrap()
                .to_le_bytes(),
        );
        [file, data].concat()
    }

    #[test]
    fn rejects_an_xbox_ciso() {
        let file = xbox(&patterned(20 * 2048));
        assert!(refused(&file).starts_with("this is an Xbox CISO"));
    }

    #[test]
    fn a_cso_of_version_2_with_the_shift_of_an_xbox_ciso_is_a_cso() {
        let mut writer = Writer::cso();
        (writer.version, writer.shift) = (2, 2);
        let file = writer.write(&patterned(20 * 2048));
        assert!(format::open(Arc::new(file), &OpenOptions::alone()).is_ok());
    }

    fn dreamshell(plain: &[u8], header_size: u32) -> Vec<u8> {
        let mut writer = Writer::zso();
        writer.header_size = header_size;
        writer.pack = |block| lzokay_native::compress(block).unwrap();
        writer.write(plain)
    }

    #[test]
    fn rejects_a_dreamshell_ziso() {
        let file = dreamshell(&patterned(20 * 2048), 0);
        assert!(refused(&file).starts_with("this is a DreamShell (Dreamcast) ZISO"));
    }

    #[test]
    fn a_zso_with_header_size_0_whose_only_block_ends_behind_the_final_entry_is_a_zso() {
        let writer = Writer {
            header_size: 0,
            shift: 6,
            last: Final::Down,
            ..Writer::zso()
        };
        let file = writer.write(b"plain ".repeat(300).as_slice());
        assert!(format::open(Arc::new(file), &OpenOptions::alone()).is_ok());
    }

    #[test]
    fn a_zso_with_header_size_0_and_some_damaged_blocks_is_a_zso() {
        let mut writer = Writer::zso();
        writer.header_size = 0;
        let mut file = writer.write(&patterned(20 * 2048));
        let first = 24 + 4 * 21;
        file[first..first + 200].fill(0);
        assert!(format::open(Arc::new(file), &OpenOptions::alone()).is_ok());
    }
}
