//! Files of other consoles that look like CSO or ZSO, told apart by their blocks.
//!
//! | file | magic | what tells it |
//! |---|---|---|
//! | Xbox CISO | `CISO` | version 2, shift 2; flagged blocks are u32 length, LZ4 block, padding to 4; others are stored |
//! | `DreamShell` (Dreamcast) ZISO | `ZISO` | blocks are LZO1X; the header size is 0 |
//!
//! An Xbox CISO of more than 4 GiB goes on in a second file without a header: `Game.2.cso` behind `Game.1.cso`. The
//! first block in it has an entry of 0, and the entries behind count from there.
//!
//! Sources: files made by stellar-cso and by `DreamShell`'s ciso, and the text of the two programs.

use std::ops::Range;

use super::header::{FLAG, Family, Header, INDEX_AT, Kin};
use crate::{Result, codec::Codec, source::Source};

/// Blocks that are tried before a file is taken for what its header says.
const SAMPLES: usize = 4;

/// What the blocks of a file are. For a sound ZSO this decodes one block, for most CSO none.
pub(super) fn kin(header: &Header, source: &dyn Source) -> Result<Kin> {
    match header.family {
        Family::Cso if header.version == 2 && header.shift == 2 => xbox(header, source),
        Family::Cso => Ok(Kin::Own),
        Family::Zso => dreamshell(header, source),
    }
}

fn xbox(header: &Header, source: &dyn Source) -> Result<Kin> {
    let samples = samples(header, source, FLAG)?;
    let block_size = header.block_size as usize;
    let is_one = samples
        .iter()
        .any(|sample| holds_length_word(sample, block_size));
    Ok(if is_one { Kin::Xbox } else { Kin::Own })
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

/// A `ZISO` of which no block is LZ4 is `DreamShell`'s, if they are LZO or the header is one that only it writes.
fn dreamshell(header: &Header, source: &dyn Source) -> Result<Kin> {
    let samples = samples(header, source, 0)?;
    let decodes = |codec: Codec, sample: &Sample| {
        let mut plain = vec![0; sample.plain_len];
        let most = header.block_size as usize;
        matches!(codec.decode_start(&sample.stored, &mut plain, most), Ok(n) if n + 1 >= plain.len())
    };
    if samples.is_empty() || samples.iter().any(|sample| decodes(Codec::Lz4, sample)) {
        return Ok(Kin::Own);
    }
    // Every writer of LZ4 puts 24 into the header.
    let is_one =
        header.declared_len == 0 || samples.iter().any(|sample| decodes(Codec::Lzo, sample));
    Ok(if is_one { Kin::DreamShell } else { Kin::Own })
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
    use std::{ffi::OsStr, sync::Arc};

    use super::super::tests::{Final, Writer, patterned};
    use super::*;
    use crate::{
        ErrorKind,
        format::{
            self, OpenOptions, Opened,
            tests::{Beside, image, read},
        },
    };

    fn opened(file: Vec<u8>) -> Opened {
        format::open(Arc::new(file), &OpenOptions::alone()).unwrap()
    }

    /// The file is told to be this, and reads as the plain bytes.
    fn reads_as(file: Vec<u8>, variant: &str, plain: &[u8]) {
        let opened = opened(file);
        assert_eq!(opened.details.variant, variant);
        assert_eq!(opened.details.notes, [""; 0]);
        assert!(read(&image(opened), 0, plain.len() + 1).unwrap() == plain);
    }

    /// Length, LZ4 block, padding to 4; every block flagged but those that do not shrink. From `second` on the blocks
    /// lie in a second file.
    fn xbox_set(plain: &[u8], second: usize) -> (Vec<u8>, Vec<u8>) {
        let mut file =
            super::super::tests::header(*b"CISO", plain.len() as u64, 2048, 2, 2).to_vec();
        let blocks: Vec<&[u8]> = plain.chunks_exact(2048).collect();
        let start = 24 + 4 * (blocks.len() + 1);
        let mut data = [vec![0; start], Vec::new()];
        for (number, block) in blocks.iter().enumerate() {
            let data = &mut data[usize::from(number >= second)];
            let entry = u32::try_from(data.len() >> 2).unwrap();
            let packed = lz4_flex::block::compress(block);
            let is_stored = packed.len() + 12 >= block.len();
            file.extend((entry | if is_stored { 0 } else { FLAG }).to_le_bytes());
            if is_stored {
                data.extend(*block);
            } else {
                data.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
                data.extend(packed);
            }
            data.resize(data.len().next_multiple_of(4), 0);
        }
        let [mut first, mut later] = data;
        let end = if second < blocks.len() {
            &later
        } else {
            &first
        };
        file.extend(u32::try_from(end.len() >> 2).unwrap().to_le_bytes());
        first[..start].copy_from_slice(&file);
        for file in [&mut first, &mut later] {
            file.resize((file.len() + 1).next_multiple_of(1024), 0);
        }
        (first, later)
    }

    fn xbox(plain: &[u8]) -> Vec<u8> {
        xbox_set(plain, usize::MAX).0
    }

    /// Patterns, and noise that does not shrink.
    fn mixed() -> Vec<u8> {
        let mut plain = patterned(20 * 2048);
        let mut x = 9_u32;
        for byte in &mut plain[3 * 2048..6 * 2048] {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = x.to_be_bytes()[0];
        }
        plain
    }

    #[test]
    fn an_xbox_ciso_is_read() {
        reads_as(xbox(&mixed()), "Xbox CISO", &mixed());
    }

    #[test]
    fn a_block_of_an_xbox_ciso_whose_length_is_too_long_fails_alone() {
        let mut file = xbox(&mixed());
        let first = 24 + 4 * 21;
        file[first + 1] = 0xff;
        let image = image(opened(file));
        let err = read(&image, 0, 2048).unwrap_err();
        assert!(err.to_string().contains("its length is"), "{err}");
        assert!(read(&image, 2048, 4096).unwrap() == mixed()[2048..6144]);
    }

    fn open_set(first: Vec<u8>, second: &Beside) -> Result<Opened> {
        let options = OpenOptions {
            name: OsStr::new("Game.1.cso"),
            siblings: second,
            ..OpenOptions::alone()
        };
        format::open(Arc::new(first), &options)
    }

    #[test]
    fn an_xbox_ciso_goes_on_in_its_second_file() {
        for split in 2..20 {
            let (first, second) = xbox_set(&mixed(), split);
            let opened = open_set(first, &Beside::one("game.2.CSO", second)).unwrap();
            assert_eq!(opened.details.parts, ["Game.1.cso", "Game.2.cso"]);
            assert!(
                read(&image(opened), 0, 50_000).unwrap() == mixed(),
                "{split}"
            );
        }
    }

    #[test]
    fn rejects_an_xbox_ciso_without_its_second_file() {
        let (first, second) = xbox_set(&mixed(), 11);
        let err = open_set(first, &Beside::one("other.2.cso", second)).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::MissingPart);
        assert!(err.to_string().contains("Game.2.cso"), "{err}");
    }

    #[test]
    fn a_cso_of_version_2_with_the_shift_of_an_xbox_ciso_is_a_cso() {
        let mut writer = Writer::cso();
        (writer.version, writer.shift) = (2, 2);
        let file = writer.write(&patterned(20 * 2048));
        assert_eq!(opened(file).details.variant, "CSO v2, index shift 2");
    }

    #[test]
    fn a_cso_whose_header_size_is_a_gamecube_block_size_is_a_cso() {
        let plain = patterned(200 * 2048);
        let mut writer = Writer::cso();
        writer.header_size = 0x20_0000;
        let file = writer.write(&plain);
        assert!(file.len() > 0x8000);
        assert_eq!(opened(file).format.name, "cso");
    }

    fn dreamshell(plain: &[u8], header_size: u32) -> Vec<u8> {
        let mut writer = Writer::zso();
        writer.header_size = header_size;
        writer.pack = |block| lzokay_native::compress(block).unwrap();
        writer.write(plain)
    }

    #[test]
    fn a_dreamshell_ziso_is_read() {
        for header_size in [0, 24] {
            let file = dreamshell(&mixed(), header_size);
            reads_as(file, "DreamShell ZISO with LZO blocks", &mixed());
        }
    }

    #[test]
    fn a_damaged_block_of_a_dreamshell_ziso_fails_alone() {
        let mut file = dreamshell(&mixed(), 0);
        file[24 + 4 * 21..][..6].fill(0xff);
        let image = image(opened(file));
        assert!(read(&image, 0, 1).is_err());
        assert!(read(&image, 2048, 4096).unwrap() == mixed()[2048..6144]);
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
        assert_eq!(opened(file).details.variant, "ZSO, index shift 6");
    }

    #[test]
    fn a_zso_with_header_size_0_and_some_damaged_blocks_is_a_zso() {
        let mut writer = Writer::zso();
        writer.header_size = 0;
        let mut file = writer.write(&patterned(20 * 2048));
        let first = 24 + 4 * 21;
        file[first..first + 200].fill(0);
        assert_eq!(opened(file).details.variant, "ZSO");
    }
}
