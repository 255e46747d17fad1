//! The error correction code: two Reed-Solomon codes over the bytes from the header on, from ECMA-130 annex A.
//!
//! The bytes stand in 26 rows of 43 words of two bytes. Column by column, P adds two words to the first 24 rows; then
//! diagonal by diagonal, Q adds two words to all 26. Both are worked out for a whole row of bytes at once, which
//! compilers turn into vector instructions; for Q the columns are laid down as rows, each turned so that the
//! diagonals become columns.

use super::{ECC, HEADER, Sector};

const ROWS: usize = 26;
const COLUMNS: usize = 43;
/// Bytes of a row.
const ROW: usize = 2 * COLUMNS;
/// Bytes of a column, and of as many diagonals.
const COLUMN: usize = 2 * ROWS;
/// Bytes that P covers.
const P_COVERS: usize = 24 * ROW;
const P: usize = 2 * ROW;

/// The ECC of a sector. In mode 2 the header counts as zeroes, so that the address is free.
pub(super) fn of(sector: &Sector) -> [u8; ECC.end - ECC.start] {
    let mut covered = [0; ROWS * ROW];
    let in_front = P_COVERS;
    covered[..in_front].copy_from_slice(&sector[HEADER..HEADER + in_front]);
    if sector[HEADER + 3] == 2 {
        covered[..4].fill(0);
    }
    let mut ecc = [0; ECC.end - ECC.start];
    let (p, q) = ecc.split_at_mut(P);
    parity(covered[..P_COVERS].chunks_exact(ROW), p, [0; ROW]);
    covered[P_COVERS..].copy_from_slice(p);
    let diagonals = diagonals(&covered);
    parity(diagonals.iter().map(|row| &row[..]), q, [0; COLUMN]);
    ecc
}

/// The columns as rows: entry `j` holds the words of column `j`, from row `j` on and around.
fn diagonals(covered: &[u8; ROWS * ROW]) -> [[u8; COLUMN]; COLUMNS] {
    let mut turned = [[0; COLUMN]; COLUMNS];
    for (row, words) in covered.chunks_exact(ROW).enumerate() {
        let mut at = row;
        for (column, word) in words.chunks_exact(2).enumerate() {
            turned[column][2 * at..2 * at + 2].copy_from_slice(word);
            at = if at == 0 { ROWS - 1 } else { at - 1 };
        }
    }
    turned
}

/// Two parity bytes for each of `N` columns: first those that stand in front, then the others.
fn parity<'r, const N: usize>(
    rows: impl Iterator<Item = &'r [u8]>,
    out: &mut [u8],
    zeroes: [u8; N],
) {
    let (mut weighted, mut sum) = (zeroes, zeroes);
    for row in rows {
        for ((weighted, sum), &byte) in weighted.iter_mut().zip(&mut sum).zip(row) {
            *weighted = doubled(*weighted ^ byte);
            *sum ^= byte;
        }
    }
    let (first, second) = out.split_at_mut(N);
    let sums = weighted.iter().zip(&sum);
    for ((first, second), (weighted, sum)) in first.iter_mut().zip(second).zip(sums) {
        *first = THIRDS[usize::from(doubled(*weighted) ^ sum)];
        *second = *first ^ sum;
    }
}

/// Twice a number of the field of 256 that x^8 + x^4 + x^3 + x^2 + 1 makes.
const fn doubled(byte: u8) -> u8 {
    let carry = 0_u8.wrapping_sub(byte >> 7);
    (byte << 1) ^ (carry & 0x1d)
}

/// A third of each number of that field.
static THIRDS: [u8; 256] = thirds();

const fn thirds() -> [u8; 256] {
    let mut thirds = [0; 256];
    let mut byte = 0_u8;
    loop {
        thirds[(byte ^ doubled(byte)) as usize] = byte;
        if byte == u8::MAX {
            return thirds;
        }
        byte += 1;
    }
}
