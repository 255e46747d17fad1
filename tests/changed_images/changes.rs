//! Changes to the bytes of a file, the same in every run.

use std::ops::Range;

/// One change to a file.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// These bytes become others.
    Flip(Range<usize>, u8),
    /// These bytes become one value.
    Fill(Range<usize>, u8),
    /// A number is put over what stands there.
    Number(usize, Vec<u8>),
    /// The file ends here.
    Cut(usize),
    /// Bytes are put in, and what stands behind them moves.
    Insert(usize, Vec<u8>),
}

/// Numbers that rules are wrong about, in 64 bits. Their lower halves are such numbers of 32 bits.
const EXTREME: [u64; 12] = [
    0,
    1,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_f800,
    0xffff_ffff_ffff_fffe,
    u64::MAX,
    0x0100_0000_0000,
];

/// Changes of single bytes for files whose headers and indexes are not longer than this; of longer ones, changes of
/// as many stretches together are all of their bytes.
const MOST_SINGLE: usize = 96;

/// Changes anywhere in a file, beyond those of its header and index.
const ANYWHERE: usize = 24;

/// Of a header, numbers are tried at all places so far.
const NUMBERS_UNTIL: usize = 72;

/// All changes that are made to a file of `len` bytes, of which those in `metadata` are no block's.
pub(crate) fn of(metadata: &[usize], len: usize, seed: u64) -> Vec<Change> {
    let mut numbers = Numbers(seed);
    let mut changes = Vec::new();
    let stretch = metadata.len().div_ceil(MOST_SINGLE).max(1);
    for bytes in metadata.chunks(stretch) {
        let (first, last) = (bytes[0], bytes[bytes.len() - 1]);
        // A stretch may go around blocks that lie in it; then it is a change of its own for each piece.
        if last - first + 1 == bytes.len() {
            changes.push(Change::Flip(first..last + 1, numbers.byte() | 1));
        } else {
            let with = numbers.byte() | 1;
            changes.extend(bytes.iter().map(|&at| Change::Flip(at..at + 1, with)));
        }
    }
    for at in metadata
        .iter()
        .copied()
        .filter(|at| at % 4 == 0 && *at < NUMBERS_UNTIL)
    {
        changes.push(number(at, &mut numbers));
        changes.push(number(at, &mut numbers));
    }
    if len > 0 {
        changes.extend((0..ANYWHERE).map(|_| anywhere(metadata, len, &mut numbers)));
    }
    changes
}

fn number(at: usize, numbers: &mut Numbers) -> Change {
    let value = EXTREME[numbers.below(EXTREME.len())];
    let low = u32::try_from(value & 0xffff_ffff).unwrap();
    Change::Number(
        at,
        match numbers.below(4) {
            0 => value.to_le_bytes().into(),
            1 => value.to_be_bytes().into(),
            2 => low.to_le_bytes().into(),
            _ => low.to_be_bytes().into(),
        },
    )
}

/// One of three goes to the header or the index.
fn anywhere(metadata: &[usize], len: usize, numbers: &mut Numbers) -> Change {
    let at = match numbers.below(3) {
        0 if !metadata.is_empty() => metadata[numbers.below(metadata.len())],
        _ => numbers.below(len),
    };
    let until = len.min(at + 1 + numbers.below(63));
    match numbers.below(8) {
        0..3 => Change::Flip(at..at + 1, numbers.byte() | 1),
        3 | 4 => Change::Fill(at..until, numbers.byte()),
        5 => Change::Cut(at),
        6 => number(at, numbers),
        _ => Change::Insert(
            at,
            (at..until.min(at + 8)).map(|_| numbers.byte()).collect(),
        ),
    }
}

impl Change {
    /// The file with the change made.
    pub(crate) fn applied(&self, stored: &[u8]) -> Vec<u8> {
        let mut stored = stored.to_vec();
        match self {
            Self::Flip(range, with) => {
                for byte in &mut stored[range.clone()] {
                    *byte ^= with;
                }
            }
            Self::Fill(range, with) => stored[range.clone()].fill(*with),
            Self::Number(at, bytes) => {
                let end = stored.len().min(at + bytes.len());
                stored[*at..end].copy_from_slice(&bytes[..end - at]);
            }
            Self::Cut(at) => stored.truncate(*at),
            Self::Insert(at, bytes) => {
                stored.splice(at..at, bytes.iter().copied());
            }
        }
        stored
    }

    /// The first byte that is another.
    pub(crate) fn at(&self) -> usize {
        match self {
            Self::Flip(range, _) | Self::Fill(range, _) => range.start,
            Self::Number(at, _) | Self::Cut(at) | Self::Insert(at, _) => *at,
        }
    }
}

/// Numbers that look like chance and are the same in every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}
