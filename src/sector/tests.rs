use super::*;

/// A sector with an address and user data of no pattern.
fn sector(kind: Kind, seed: u32) -> Sector {
    let mut sector = [0; SECTOR];
    let mut state = seed;
    for byte in &mut sector[kind.user()] {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    sector[HEADER..HEADER + 3].copy_from_slice(&[0x01, 0x23, 0x45]);
    let submode = if kind == Kind::Mode2Form2 { 0x28 } else { 8 };
    if kind != Kind::Mode1 {
        sector[SUBHEADER + 2] = submode;
        sector[SUBHEADER + 6] = submode;
    }
    complete(&mut sector, kind);
    sector
}

const KINDS: [Kind; 3] = [Kind::Mode1, Kind::Mode2Form1, Kind::Mode2Form2];

/// The CRC of ECMA-130 section 14.3, bit by bit.
fn slow_edc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xd801_8001 } else { 0 }
        })
    })
}

/// A product in the field of annex A.
fn times(a: u8, b: u8) -> u8 {
    (0..8).fold(0, |product, bit| {
        let doubled = (product << 1) ^ if product & 0x80 != 0 { 0x1d } else { 0 };
        doubled ^ if b & (0x80 >> bit) != 0 { a } else { 0 }
    })
}

/// Whether the code words that the annex defines are orthogonal to its check matrix: all ones, and the powers of 2.
fn is_code_word(word: &[u8]) -> bool {
    let sum = word.iter().fold(0, |sum, &byte| sum ^ byte);
    let weighted = word.iter().fold(0, |sum, &byte| times(sum, 2) ^ byte);
    sum == 0 && weighted == 0
}

/// All P and Q words of annex A, for one byte of each pair: the byte numbers are from the header on.
fn words(sector: &Sector, plane: usize) -> Vec<Vec<u8>> {
    let byte = |word: usize| sector[HEADER + 2 * word + plane];
    let p = (0..43).map(|column| (0..26).map(|row| byte(43 * row + column)).collect());
    let q = (0..26).map(|diagonal| {
        let data = (0..43).map(|m| byte((44 * m + 43 * diagonal) % 1118));
        data.chain([byte(1118 + diagonal), byte(1144 + diagonal)])
            .collect()
    });
    p.chain(q).collect()
}

#[test]
fn the_edc_is_that_of_the_standard_whatever_the_length() {
    let sector = sector(Kind::Mode1, 1);
    for len in [0, 1, 7, 8, 9, 63, 2056, 2064, 2332] {
        assert_eq!(edc(&sector[..len]), slow_edc(&sector[..len]), "{len} bytes");
    }
}

#[test]
fn every_p_and_q_word_is_one_of_the_codes_of_the_standard() {
    for seed in 1..20 {
        for kind in [Kind::Mode1, Kind::Mode2Form1] {
            let mut sector = sector(kind, seed);
            if kind == Kind::Mode2Form1 {
                sector[HEADER..HEADER + 4].fill(0);
            }
            let all = [words(&sector, 0), words(&sector, 1)].concat();
            assert_eq!(all.len(), 2 * (43 + 26));
            assert!(all.iter().all(|word| is_code_word(word)), "{kind:?}");
        }
    }
}

#[test]
fn a_complete_sector_is_known_and_intact() {
    for kind in KINDS {
        let sector = sector(kind, 7);
        assert_eq!(Kind::of(&sector).unwrap(), kind);
        assert!(is_intact(&sector, kind));
    }
}

#[test]
fn a_changed_byte_is_noticed_wherever_it_counts() {
    for kind in KINDS {
        let sector = sector(kind, 9);
        // The sync is what `Kind::of` checks, and the address of mode 2 is free.
        let from = if kind == Kind::Mode1 { 0 } else { SUBHEADER };
        for at in (from..SECTOR).step_by(13) {
            let mut changed = sector;
            changed[at] ^= 0x40;
            assert!(!is_intact(&changed, kind), "{kind:?}, byte {at}");
        }
    }
}

#[test]
fn a_form_2_sector_may_have_no_edc() {
    let mut sector = sector(Kind::Mode2Form2, 3);
    sector[2348..].fill(0);
    assert!(is_intact(&sector, Kind::Mode2Form2));
}

#[test]
fn the_address_of_mode_2_is_free_and_that_of_mode_1_is_not() {
    for (kind, free) in [(Kind::Mode1, false), (Kind::Mode2Form1, true)] {
        let mut sector = sector(kind, 5);
        sector[HEADER] ^= 1;
        assert_eq!(is_intact(&sector, kind), free, "{kind:?}");
    }
}

#[test]
fn rejects_a_sector_without_sync() {
    let mut sector = sector(Kind::Mode1, 1);
    sector[11] = 1;
    let err = Kind::of(&sector).unwrap_err();
    assert!(err.to_string().contains("sync"), "{err}");
}

#[test]
fn rejects_a_mode_without_user_data() {
    for mode in [0, 3, 0xe2] {
        let mut sector = sector(Kind::Mode1, 1);
        sector[HEADER + 3] = mode;
        let err = Kind::of(&sector).unwrap_err();
        assert!(
            err.to_string().contains(&format!("mode is {mode}")),
            "{err}"
        );
    }
}
