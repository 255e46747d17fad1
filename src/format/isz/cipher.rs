//! AES over the stored bytes of each chunk.
//!
//! The specification says CBC and gives no initial vector; the vendor's own reader and every other one use ECB.

use std::fmt;

use aes::{
    Aes128, Aes192, Aes256,
    cipher::{BlockDecrypt, BlockEncrypt, KeyInit, inout::InOutBuf},
};
use zeroize::Zeroizing;

/// Which AES.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum KeyLen {
    Aes128,
    Aes192,
    Aes256,
}

impl KeyLen {
    /// Its name for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            KeyLen::Aes128 => "AES-128",
            KeyLen::Aes192 => "AES-192",
            KeyLen::Aes256 => "AES-256",
        }
    }

    /// How the header names it.
    pub(super) fn number(self) -> u8 {
        match self {
            KeyLen::Aes128 => 2,
            KeyLen::Aes192 => 3,
            KeyLen::Aes256 => 4,
        }
    }
}

/// A key, expanded. Its memory is wiped when it is dropped, and it is never printed.
pub(super) enum Cipher {
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
}

impl Cipher {
    /// The key is the password's bytes, cut or filled with zeroes to the key's length. There is no salt and no hash.
    pub(super) fn new(key_len: KeyLen, password: &[u8]) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let used = password.len().min(key.len());
        key[..used].copy_from_slice(&password[..used]);
        match key_len {
            KeyLen::Aes128 => Cipher::Aes128(Box::new(Aes128::new(key[..16].into()))),
            KeyLen::Aes192 => Cipher::Aes192(Box::new(Aes192::new(key[..24].into()))),
            KeyLen::Aes256 => Cipher::Aes256(Box::new(Aes256::new(key[..].into()))),
        }
    }

    /// Decrypts a chunk's stored bytes in place. The last bytes that fill no block of 16 are not encrypted.
    pub(super) fn decrypt(&self, stored: &mut [u8]) {
        let (blocks, _tail) = InOutBuf::from(stored).into_chunks();
        match self {
            Cipher::Aes128(aes) => aes.decrypt_blocks_inout(blocks),
            Cipher::Aes192(aes) => aes.decrypt_blocks_inout(blocks),
            Cipher::Aes256(aes) => aes.decrypt_blocks_inout(blocks),
        }
    }

    /// Encrypts what is to be stored for a chunk, in place.
    pub(super) fn encrypt(&self, stored: &mut [u8]) {
        let (blocks, _tail) = InOutBuf::from(stored).into_chunks();
        match self {
            Cipher::Aes128(aes) => aes.encrypt_blocks_inout(blocks),
            Cipher::Aes192(aes) => aes.encrypt_blocks_inout(blocks),
            Cipher::Aes256(aes) => aes.encrypt_blocks_inout(blocks),
        }
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 197, appendix C: the key is 00 01 02 .., the plain block 00 11 22 ...
    #[test]
    fn decrypts_the_standards_own_examples_and_leaves_the_tail() {
        let plain: Vec<u8> = (0..16).map(|i| i * 0x11).collect();
        for (key_len, bytes, encrypted) in [
            (
                KeyLen::Aes128,
                16,
                0x69c4_e0d8_6a7b_0430_d8cd_b780_70b4_c55a_u128,
            ),
            (
                KeyLen::Aes192,
                24,
                0xdda9_7ca4_864c_dfe0_6eaf_70a0_ec0d_7191,
            ),
            (
                KeyLen::Aes256,
                32,
                0x8ea2_b7ca_5167_45bf_eafc_4990_4b49_6089,
            ),
        ] {
            let cipher = Cipher::new(key_len, &(0..bytes).collect::<Vec<u8>>());
            let mut stored = [&encrypted.to_be_bytes()[..], b"tail"].concat();
            cipher.decrypt(&mut stored);
            assert_eq!(stored[..16], plain, "{}", key_len.name());
            assert_eq!(&stored[16..], b"tail");
            cipher.encrypt(&mut stored);
            assert_eq!(stored, [&encrypted.to_be_bytes()[..], b"tail"].concat());
        }
    }

    #[test]
    fn a_short_password_is_filled_with_zeroes_and_a_long_one_is_cut() {
        let decrypted = |password: &[u8]| {
            let mut stored = [7; 16];
            Cipher::new(KeyLen::Aes128, password).decrypt(&mut stored);
            stored
        };
        assert_eq!(decrypted(b"secret"), decrypted(b"secret\0\0\0"));
        assert_eq!(
            decrypted(b"0123456789abcdef"),
            decrypted(b"0123456789abcdefXYZ")
        );
        assert_ne!(decrypted(b"secret"), decrypted(b"Secret"));
    }
}
