//! The hashes, each computed by a thread of its own from shared pieces.

use std::{
    fmt::Write,
    sync::{Arc, mpsc},
    thread::{Scope, ScopedJoinHandle},
};

use md5::Md5;
use serde::Serialize;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::stream::Piece;

/// A hash over all plain bytes of an image.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// The CRC-32 of zlib, PNG and DAT files.
    Crc32,
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    /// All that there are.
    pub const ALL: [Algorithm; 4] = [
        Algorithm::Crc32,
        Algorithm::Md5,
        Algorithm::Sha1,
        Algorithm::Sha256,
    ];

    /// Its name in lower case, as in [`crate::format::Checksum::algorithm`].
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "crc32",
            Algorithm::Md5 => "md5",
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }
}

/// A hash in the making.
enum Hasher {
    Crc32(crc32fast::Hasher),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Crc32(hasher) => format!("{:08x}", hasher.finalize()),
            Self::Md5(hasher) => hexadecimal(&hasher.finalize()),
            Self::Sha1(hasher) => hexadecimal(&hasher.finalize()),
            Self::Sha256(hasher) => hexadecimal(&hasher.finalize()),
        }
    }
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// Threads that hash the pieces which they are given.
pub(super) struct HashThreads<'s> {
    threads: Vec<HashThread<'s>>,
}

struct HashThread<'s> {
    algorithm: Algorithm,
    pieces: mpsc::Sender<Arc<Piece>>,
    thread: ScopedJoinHandle<'s, String>,
}

impl<'s> HashThreads<'s> {
    pub(super) fn start(scope: &'s Scope<'s, '_>, algorithms: &[Algorithm]) -> Self {
        let start = |&algorithm: &Algorithm| {
            // It cannot grow without bound: each piece holds one of the stream's buffers.
            let (pieces, given) = mpsc::channel::<Arc<Piece>>();
            let thread = scope.spawn(move || {
                let mut hasher = Hasher::new(algorithm);
                for piece in given {
                    hasher.update(piece.plain());
                }
                hasher.finish()
            });
            HashThread {
                algorithm,
                pieces,
                thread,
            }
        };
        Self {
            threads: algorithms.iter().map(start).collect(),
        }
    }

    /// The next piece, for all of them.
    pub(super) fn update(&self, piece: Piece) {
        let piece = Arc::new(piece);
        for thread in &self.threads {
            // A thread that is gone has panicked, which `finish` passes on.
            let _ = thread.pieces.send(Arc::clone(&piece));
        }
    }

    pub(super) fn finish(self) -> Vec<(Algorithm, String)> {
        let finish = |thread: HashThread<'_>| {
            drop(thread.pieces);
            let hash = thread.thread.join().expect("hashing does not panic");
            (thread.algorithm, hash)
        };
        self.threads.into_iter().map(finish).collect()
    }
}
