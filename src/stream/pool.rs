//! A fixed number of buffers, used again and again: fresh memory costs more than decoding into it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The buffers that nobody uses.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    changed: Condvar,
    len: usize,
}

#[derive(Debug)]
struct State {
    free: Vec<Vec<u8>>,
    /// Buffers that may still be made.
    unmade: usize,
    closed: bool,
}

impl Pool {
    /// At most `count` buffers of `len` bytes, each made when it is first needed.
    pub(super) fn new(count: usize, len: usize) -> Self {
        let state = State {
            free: Vec::with_capacity(count),
            unmade: count,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            len,
        }
    }

    /// Waits for a buffer; `None` when the pool is closed.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        let wait = |state: &mut State| !state.closed && state.free.is_empty() && state.unmade == 0;
        let mut state = self
            .changed
            .wait_while(self.lock(), wait)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return None;
        }
        if let Some(buffer) = state.free.pop() {
            return Some(buffer);
        }
        state.unmade -= 1;
        drop(state);
        Some(vec![0; self.len])
    }

    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        self.lock().free.push(buffer);
        self.changed.notify_one();
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends all waiting, also when its owner panics.
pub(super) struct CloseWhenDropped<'p>(pub(super) &'p Pool);

impl Drop for CloseWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
