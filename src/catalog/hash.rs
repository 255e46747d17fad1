//! A hash that is the same on every machine and in every version.

/// FNV-1a over 64 bits, with the finalizer of `MurmurHash3` so that every bit of the result depends on every byte.
///
/// Inode numbers are made with it, so its results must never change.
#[derive(Clone, Copy, Debug)]
pub struct StableHash(u64);

impl StableHash {
    /// The hash of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Takes bytes in. Their number is taken in too, so that cutting them differently hashes differently.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.number(bytes.len() as u64).raw(bytes)
    }

    /// Takes a number in.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.raw(&number.to_le_bytes())
    }

    /// The hash of all that was taken in.
    #[must_use]
    pub fn finish(self) -> u64 {
        let mix = |hash: u64, factor| (hash ^ (hash >> 33)).wrapping_mul(factor);
        let hash = mix(mix(self.0, 0xff51_afd7_ed55_8ccd), 0xc4ce_b9fe_1a85_ec53);
        hash ^ (hash >> 33)
    }

    fn raw(self, bytes: &[u8]) -> Self {
        let take = |hash: u64, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(bytes.iter().fold(self.0, take))
    }
}

impl Default for StableHash {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_never_change() {
        assert_eq!(StableHash::new().finish(), 0xefd0_1f60_ba99_2926);
        let hash = StableHash::new().number(1).bytes(b"Game.iso").finish();
        assert_eq!(hash, 0x093a_2fa4_7748_99f6);
    }

    #[test]
    fn the_same_bytes_cut_differently_hash_differently() {
        let hash = |a: &[u8], b: &[u8]| StableHash::new().bytes(a).bytes(b).finish();
        assert_ne!(hash(b"ab", b"c"), hash(b"a", b"bc"));
    }
}
