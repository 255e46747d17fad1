//! The hashes, each computed by a thread of its own from shared pieces.

use std::{
    sync::{Arc, mpsc},
    thread::{Scope, ScopedJoinHandle},
};

use crate::{
    digest::{Algorithm, Hasher},
    stream::Piece,
};

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
