//! CRC-16 with the polynomial 0x1021, highest bit first, from 0xffff: what version 5 has for each hunk and the map.

/// `TABLES[n][b]`: the checksum of byte `b` with `n` zero bytes behind it.
const TABLES: [[u16; 256]; STEP] = tables();

/// Bytes that are taken at once: as many as an entry of a map has, of which there are millions.
const STEP: usize = 12;

const fn tables() -> [[u16; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut byte: u16 = 0;
    while byte < 256 {
        let mut crc = byte << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 };
            bit += 1;
        }
        tables[0][byte as usize] = crc;
        byte += 1;
    }
    let mut behind = 1;
    while behind < STEP {
        let mut byte = 0;
        while byte < 256 {
            let crc: u16 = tables[behind - 1][byte];
            tables[behind][byte] = crc << 8 ^ tables[0][(crc >> 8) as usize];
            byte += 1;
        }
        behind += 1;
    }
    tables
}

/// The start of a sum.
pub(super) const START: u16 = 0xffff;

/// Continues a sum.
pub(super) fn continued(mut crc: u16, bytes: &[u8]) -> u16 {
    let steps = bytes.chunks_exact(STEP);
    let rest = steps.remainder();
    for step in steps {
        let (first, others) = step.split_at(2);
        // Only the first two wait for the step before.
        let behind = others.iter().zip(TABLES[..STEP - 2].iter().rev());
        let behind = behind.fold(0, |sum, (byte, table)| sum ^ table[usize::from(*byte)]);
        let [high, low] = crc.to_be_bytes();
        crc = TABLES[STEP - 1][usize::from(first[0] ^ high)]
            ^ TABLES[STEP - 2][usize::from(first[1] ^ low)]
            ^ behind;
    }
    for byte in rest {
        let [high, _] = crc.to_be_bytes();
        crc = crc << 8 ^ TABLES[0][usize::from(high ^ byte)];
    }
    crc
}

/// The sum of `bytes`.
pub(super) fn sum(bytes: &[u8]) -> u16 {
    continued(START, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_one_of_the_catalogue_of_checksums() {
        assert_eq!(sum(b"123456789"), 0x29b1);
        assert_eq!(sum(b""), 0xffff);
    }

    #[test]
    fn a_sum_may_be_made_in_pieces() {
        let bytes = b"The quick brown fox jumps over the lazy dog";
        for cut in 0..bytes.len() {
            assert_eq!(continued(sum(&bytes[..cut]), &bytes[cut..]), sum(bytes));
        }
    }
}
