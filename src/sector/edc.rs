//! The error detection code: a CRC of 32 bits with its own polynomial, from ECMA-130 section 14.3.

/// (x^16 + x^15 + x^2 + 1)(x^16 + x^2 + x + 1), lowest bit first.
const POLYNOMIAL: u32 = 0xd801_8001;

/// Entry `[k][b]` is what a byte `b` does to the code when `k` zero bytes follow it.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation)] // It is below 256.
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ ((crc & 1) * POLYNOMIAL);
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[k - 1][byte];
            tables[k][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        k += 1;
    }
    tables
}

/// The code of some bytes.
#[must_use]
pub fn edc(bytes: &[u8]) -> u32 {
    let mut eights = bytes.chunks_exact(8);
    let mut crc = 0_u32;
    for eight in &mut eights {
        let [a, b, c, d] =
            (crc ^ u32::from_le_bytes([eight[0], eight[1], eight[2], eight[3]])).to_le_bytes();
        crc = TABLES[7][usize::from(a)]
            ^ TABLES[6][usize::from(b)]
            ^ TABLES[5][usize::from(c)]
            ^ TABLES[4][usize::from(d)]
            ^ TABLES[3][usize::from(eight[4])]
            ^ TABLES[2][usize::from(eight[5])]
            ^ TABLES[1][usize::from(eight[6])]
            ^ TABLES[0][usize::from(eight[7])];
    }
    eights.remainder().iter().fold(crc, |crc, &byte| {
        (crc >> 8) ^ TABLES[0][usize::from(crc.to_le_bytes()[0] ^ byte)]
    })
}
