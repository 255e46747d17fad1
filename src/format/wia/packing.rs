//! RVZ packing: bytes as they are, and stretches of the noise that fills discs, of which only the seed is stored.
//!
//! Each stretch begins with its length (4 bytes). When the top bit is set, 68 bytes of seed follow, else the bytes.

use std::io::{self, Read};

/// Set in the length of a stretch of noise.
const NOISE: u32 = 1 << 31;

/// The noise begins anew at each multiple of this.
const PERIOD: u64 = 0x8000;

/// The bytes that `packed` stands for.
pub(super) struct Unpacked<R> {
    packed: io::Take<R>,
    /// Position of the next byte, as the noise counts it.
    at: u64,
    /// Plain bytes to come.
    plain: u64,
    /// Bytes left of the stretch.
    left: u32,
    noise: Option<Box<Noise>>,
}

impl<R: Read> Unpacked<R> {
    /// `packed` has `packed_len` bytes, which stand for `plain` ones from the position `at` on.
    pub(super) fn new(packed: R, packed_len: u64, plain: u64, at: u64) -> Self {
        Self {
            packed: packed.take(packed_len),
            at,
            plain,
            left: 0,
            noise: None,
        }
    }

    fn next_stretch(&mut self) -> io::Result<()> {
        let mut len = [0; 4];
        self.packed.read_exact(&mut len)?;
        let len = u32::from_be_bytes(len);
        self.left = len & !NOISE;
        self.noise = None;
        if len & NOISE != 0 {
            let mut seed = [0; SEED];
            self.packed.read_exact(&mut seed)?;
            if self.left > 0 {
                self.noise = Some(Noise::new(&seed, self.at % PERIOD));
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.plain == 0 || out.is_empty() {
            return Ok(0);
        }
        while self.left == 0 {
            self.next_stretch()?;
        }
        let most = self.plain.min(u64::from(self.left));
        let n = usize::try_from(most).map_or(out.len(), |most| most.min(out.len()));
        match &mut self.noise {
            Some(noise) => noise.fill(&mut out[..n]),
            None => self.packed.read_exact(&mut out[..n])?,
        }
        self.left -= u32::try_from(n).expect("it is no more than `left`");
        self.at += n as u64;
        self.plain -= n as u64;
        if self.plain == 0 && (self.left > 0 || self.packed.limit() > 0) {
            return Err(io::Error::other("it is packed with more than the chunk"));
        }
        Ok(n)
    }
}

/// Bytes of a seed: 17 words.
const SEED: usize = 68;

/// Words of the generator's state.
const WORDS: usize = 521;

/// The lag of the second term.
const LAG: usize = 32;

/// A lagged Fibonacci generator: each word is the exclusive or of the one 521 words and the one 32 words before.
struct Noise {
    words: [u32; WORDS],
    bytes: [u8; 4 * WORDS],
    used: usize,
}

impl Noise {
    /// The generator, `skip` bytes behind the beginning of a period.
    fn new(seed: &[u8; SEED], skip: u64) -> Box<Self> {
        let mut noise = Box::new(Self {
            words: [0; WORDS],
            bytes: [0; 4 * WORDS],
            used: 0,
        });
        for (word, bytes) in noise.words.iter_mut().zip(seed.chunks_exact(4)) {
            *word = u32::from_be_bytes(bytes.try_into().expect("a chunk of 4 bytes"));
        }
        for i in SEED / 4..WORDS {
            let (far, near) = (noise.words[i - 17], noise.words[i - 16]);
            noise.words[i] = far << 23 ^ near >> 9 ^ noise.words[i - 1];
        }
        let skip = usize::try_from(skip).expect("it is less than a period");
        for _ in 0..4 + skip / (4 * WORDS) {
            noise.advance();
        }
        noise.write();
        noise.used = skip % (4 * WORDS);
        noise
    }

    /// The next 521 words.
    fn advance(&mut self) {
        for i in 0..LAG {
            self.words[i] ^= self.words[i + WORDS - LAG];
        }
        for i in LAG..WORDS {
            self.words[i] ^= self.words[i - LAG];
        }
    }

    fn write(&mut self) {
        for (bytes, word) in self.bytes.chunks_exact_mut(4).zip(self.words) {
            // The second byte begins at bit 18, and not at bit 16.
            let shifted = (word >> 2) & 0x00ff_0000;
            let word = word & 0xff00_ffff | shifted;
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        self.used = 0;
    }

    fn fill(&mut self, mut out: &mut [u8]) {
        while !out.is_empty() {
            if self.used == self.bytes.len() {
                self.advance();
                self.write();
            }
            let n = out.len().min(self.bytes.len() - self.used);
            let (now, later) = out.split_at_mut(n);
            now.copy_from_slice(&self.bytes[self.used..self.used + n]);
            self.used += n;
            out = later;
        }
    }
}
