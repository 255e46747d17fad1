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
}

/// What is known when a builder is through.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// Plain bytes that may be given out: none of them is known to be wrong.
    pub(super) good: u64,
    /// What stands against those behind.
    pub(super) why: Option<(ErrorKind, String)>,
    at: Instant,
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
        self.lock().end = Some(end);
        self.changed.notify_all();
    }

    /// There is no builder any more, or none could be started.
    pub(super) fn fail(&self, err: &Error) {
        let mut state = self.lock();
        state.end = Some(End::damaged(state.passed, err));
        drop(state);
        self.changed.notify_all();
    }

    /// Whether a builder has to begin anew for a byte behind those that are good, because it was the system that stood
    /// against more of them, a while ago. Who is told so lets one begin, or says that it fails.
    pub(super) fn begins_anew(&self, wanted: u64) -> bool {
        let failed = |end: &mut End| end.is_of_the_system() && end.good < wanted;
        let is_over = |end: &End| end.at.elapsed() >= PAUSE;
        let mut state = self.lock();
        state
            .end
            .take_if(|end| failed(end) && is_over(end))
            .is_some()
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

impl End {
    fn is_of_the_system(&self) -> bool {
        matches!(self.why, Some((ErrorKind::Io, _)))
    }

    /// A stream of `total` plain bytes, all of them right.
    pub(super) fn complete(total: u64) -> Self {
        Self {
            good: total,
            why: None,
            at: Instant::now(),
        }
    }

    /// A stream whose first `good` plain bytes are right as far as anybody knows.
    pub(super) fn damaged(good: u64, err: &Error) -> Self {
        Self {
            good,
            why: Some((err.kind(), err.sentence())),
            at: Instant::now(),
        }
    }

    /// Whether plain bytes up to `end` may be given out, of `size`: the last ones only if the whole is as it should be.
    pub(super) fn allow(&self, end: u64, size: u64) -> Result<()> {
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
pub(super) struct EndWhenDropped<'p>(Option<&'p Progress>);

impl<'p> EndWhenDropped<'p> {
    pub(super) fn of(progress: &'p Progress) -> Self {
        Self(Some(progress))
    }

    /// The builder is through. From then on it has no say: another one may have begun.
    pub(super) fn end(mut self, end: End) {
        if let Some(progress) = self.0.take() {
            progress.end(end);
        }
    }
}

impl Drop for EndWhenDropped<'_> {
    fn drop(&mut self) {
        if let Some(progress) = self.0 {
            progress.fail(&Error::new(ErrorKind::Io, "decoding was stopped"));
        }
    }
}
