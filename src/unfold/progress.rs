//! How far a builder came, and who waits for it.

use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{Error, ErrorKind, Result};

/// So long after the system failed it is asked again at the earliest: a share may be back then. To come to the same
/// place, all before it is decoded again.
const PAUSE: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 5 });

/// Shared by a builder and its readers.
#[derive(Debug, Default)]
pub(super) struct Progress {
    state: Mutex<State>,
    changed: Condvar,
    stopped: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    passed: u64,
    end: Option<End>,
    ended: Option<Instant>,
}

/// What is known when a builder is through.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// Plain bytes that may be given out: none of them is known to be wrong.
    pub(super) good: u64,
    /// What stands against those behind.
    pub(super) why: Option<(ErrorKind, String)>,
}

impl Progress {
    /// The builder passed so many plain bytes. One that begins anew passes the same ones again.
    pub(super) fn pass(&self, to: u64) {
        let mut state = self.lock();
        state.passed = state.passed.max(to);
        drop(state);
        self.changed.notify_all();
    }

    /// The builder is through.
    pub(super) fn end(&self, end: End) {
        self.lock().end_with(end);
        self.changed.notify_all();
    }

    /// No builder could be started.
    pub(super) fn fail(&self, err: &Error) {
        let mut state = self.lock();
        let end = End::damaged(state.passed, err);
        state.end_with(end);
        drop(state);
        self.changed.notify_all();
    }

    /// Whether a builder has to begin anew for a byte behind those that are good, because it was the system that stood
    /// against more of them, a while ago. Who is told so lets one
    /// begin, or says that it fails.
    pub(super) fn begins_anew(&self, end: u64) -> bool {
        let mut state = self.lock();
        let is_over = state.ended.is_some_and(|ended| ended.elapsed() >= PAUSE);
        let failed = |known: &End| known.is_of_the_system() && known.good < end;
        let begins = is_over && state.end.as_ref().is_some_and(failed);
        if begins {
            (state.end, state.ended) = (None, None);
        }
        begins
    }

    /// Waits until plain bytes up to `end` can be given out. The last ones, at `size`, wait for the end of the stream,
    /// because only that tells whether there are as many as claimed, and whether their checksums hold.
    pub(super) fn wait_for(&self, end: u64, size: u64) -> Result<()> {
        let mut state = self.lock();
        loop {
            if let Some(known) = &state.end {
                return known.allow(end, size);
            }
            if state.passed >= end && end < size {
                return Ok(());
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Asks the builder to stop.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to stop.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end_with(&mut self, end: End) {
        (self.end, self.ended) = (Some(end), Some(Instant::now()));
    }
}

impl End {
    fn is_of_the_system(&self) -> bool {
        matches!(self.why, Some((ErrorKind::Io, _)))
    }

    /// A stream of `total` plain bytes, all of them right.
    pub(super) fn complete(total: u64) -> Self {
        Self {
            good: total,
            why: None,
        }
    }

    /// A stream whose first `good` plain bytes are right as far as anybody knows.
    pub(super) fn damaged(good: u64, err: &Error) -> Self {
        Self {
            good,
            why: Some((err.kind(), err.sentence())),
        }
    }

    fn allow(&self, end: u64, size: u64) -> Result<()> {
        let holds = if end >= size {
            self.why.is_none() && self.good == size
        } else {
            end <= self.good
        };
        if holds {
            return Ok(());
        }
        let (good, what) = (self.good, "plain bytes of the stream");
        Err(match &self.why {
            Some((kind, why)) => {
                Error::new(*kind, format!("behind the first {good} {what}: {why}"))
            }
            None => Error::corrupt(format!("the {what} are {good}, not {size} as it claims")),
        })
    }
}

/// Tells the readers that no more will come, also when the builder panics.
pub(super) struct EndWhenDropped<'p>(pub(super) &'p Progress);

impl Drop for EndWhenDropped<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.end.is_none() {
            let stopped = Error::new(ErrorKind::Io, "decoding was stopped");
            let end = End::damaged(state.passed, &stopped);
            state.end_with(end);
        }
        drop(state);
        self.0.changed.notify_all();
    }
}
