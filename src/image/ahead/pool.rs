//! The threads that decode pieces, and their queue.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use super::Image;

/// Pieces that wait for a thread, of all streams together. More than this is not asked for.
const MOST_WAITING: usize = 256;

/// Says which of the pieces that were asked for with it somebody still waits for: those from a number on.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted(Arc<AtomicU64>);

impl Wanted {
    /// Pieces before `piece` were read.
    pub(super) fn pass(&self, piece: u64) {
        self.0.fetch_max(piece, Ordering::Relaxed);
    }

    /// Nobody waits any more. What is being decoded is finished.
    pub(super) fn cancel(&self) {
        self.pass(u64::MAX);
    }

    pub(super) fn is_wanted(&self, piece: u64) -> bool {
        self.0.load(Ordering::Relaxed) <= piece
    }
}

#[derive(Debug)]
struct Job {
    image: Arc<Image>,
    piece: u64,
    wanted: Wanted,
}

/// Threads that take pieces from one queue. They start at the first piece, and end when the pool is dropped.
#[derive(Debug)]
pub(super) struct Pool {
    queue: Arc<Queue>,
    threads: usize,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    running: usize,
    ended: bool,
}

impl Pool {
    pub(super) fn new(threads: usize) -> Self {
        Self {
            queue: Arc::default(),
            threads,
        }
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// Decodes pieces into the image's cache, the first one first, while they are wanted. Errors are left to the
    /// reader that comes for the piece; so is everything when the queue is full.
    pub(super) fn decode(&self, image: &Arc<Image>, pieces: &[u64], wanted: &Wanted) {
        if pieces.is_empty() {
            return;
        }
        let mut state = self.queue.lock();
        for &piece in pieces {
            if state.jobs.len() == MOST_WAITING {
                break;
            }
            state.jobs.push_back(Job {
                image: Arc::clone(image),
                piece,
                wanted: wanted.clone(),
            });
            self.queue.news.notify_one();
        }
        while state.running < self.threads && self.start_thread() {
            state.running += 1;
        }
    }

    fn start_thread(&self) -> bool {
        let queue = Arc::clone(&self.queue);
        let thread = thread::Builder::new().name("plainiso-ahead".into());
        let started = thread.spawn(move || queue.work());
        started
            .inspect_err(|err| log::debug!("cannot start a thread that decodes ahead: {err}"))
            .is_ok()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.ended = true;
        let left = std::mem::take(&mut state.jobs);
        drop(state);
        self.queue.news.notify_all();
        // Images may be closed with what nobody waits for, after the lock.
        drop(left);
    }
}

impl Queue {
    fn work(&self) {
        while let Some(job) = self.next() {
            // A reader that comes for the piece meets the same panic, and answers for it.
            let decoded = catch_unwind(AssertUnwindSafe(|| {
                let still_wanted = || job.wanted.is_wanted(job.piece);
                job.image.piece(job.piece, still_wanted)
            }));
            drop(decoded);
        }
    }

    /// The next piece, or `None` at the end.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.ended {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state = self
                .news
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
