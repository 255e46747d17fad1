//! Images that nobody has open any more, kept for a moment with their index: many programs, and all file servers, open
//! a file several times in a row.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// So many are kept at once; each holds a descriptor and its index.
const MOST: usize = 16;

/// What was closed a moment ago. A thread that lives as long as there is something here lets go of it.
#[derive(Debug)]
pub(super) struct Idle<T: Send + Sync + 'static> {
    shelf: Arc<Shelf<T>>,
    kept_for: Duration,
}

#[derive(Debug)]
struct Shelf<T> {
    state: Mutex<State<T>>,
    news: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// With the end of their time, which rises from front to back.
    kept: VecDeque<(Instant, Arc<T>)>,
    is_swept: bool,
}

impl<T: Send + Sync + 'static> Idle<T> {
    pub(super) fn new(kept_for: Duration) -> Self {
        let state = State {
            kept: VecDeque::new(),
            is_swept: false,
        };
        let shelf = Arc::new(Shelf {
            state: Mutex::new(state),
            news: Condvar::new(),
        });
        Self { shelf, kept_for }
    }

    /// Keeps a file that somebody closed. Others may have it open.
    pub(super) fn keep(&self, file: Arc<T>) {
        let mut state = self.shelf.lock();
        let before = state.take(&file);
        state.kept.push_back((Instant::now() + self.kept_for, file));
        let oldest = match state.kept.len() {
            0..=MOST => None,
            _ => state.kept.pop_front(),
        };
        if !state.is_swept {
            state.is_swept = self.start_sweeping();
        }
        drop(state);
        // Closing a file behind it happens here, after the lock.
        drop((before, oldest));
    }

    /// Lets go of a file that is not what its name stands for any more.
    pub(super) fn drop_file(&self, file: &Arc<T>) {
        let taken = self.shelf.lock().take(file);
        drop(taken);
    }

    /// Lets go of everything.
    pub(super) fn clear(&self) {
        let kept = std::mem::take(&mut self.shelf.lock().kept);
        self.shelf.news.notify_all();
        drop(kept);
    }

    pub(super) fn all(&self) -> Vec<Arc<T>> {
        let state = self.shelf.lock();
        state
            .kept
            .iter()
            .map(|(_, file)| Arc::clone(file))
            .collect()
    }

    fn start_sweeping(&self) -> bool {
        let swept = Arc::clone(&self.shelf);
        let thread = thread::Builder::new().name("plainiso-idle".into());
        thread
            .spawn(move || swept.sweep())
            .inspect_err(|err| log::debug!("cannot start a thread that closes images: {err}"))
            .is_ok()
    }
}

impl<T: Send + Sync + 'static> Drop for Idle<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<T> Shelf<T> {
    /// Lets go of each file at the end of its time, and returns when none is left.
    fn sweep(&self) {
        let mut state = self.lock();
        while let Some((end, _)) = state.kept.front() {
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                let old = state.kept.pop_front();
                drop(state);
                drop(old);
                state = self.lock();
            } else {
                let waited = self.news.wait_timeout(state, rest);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        state.is_swept = false;
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn take(&mut self, file: &Arc<T>) -> Option<(Instant, Arc<T>)> {
        let at = self
            .kept
            .iter()
            .position(|(_, kept)| Arc::ptr_eq(kept, file))?;
        self.kept.remove(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(1000);

    fn kept(idle: &Idle<usize>) -> Vec<usize> {
        idle.all().iter().map(|file| **file).collect()
    }

    #[test]
    fn what_was_closed_last_is_kept_longest_and_sixteen_are_kept() {
        let idle = Idle::new(LONG);
        let files: Vec<_> = (0..MOST + 2).map(Arc::new).collect();
        for file in &files {
            idle.keep(Arc::clone(file));
        }
        idle.keep(Arc::clone(&files[2]));
        let expected: Vec<_> = (3..MOST + 2).chain([2]).collect();
        assert_eq!(kept(&idle), expected);
        idle.drop_file(&files[5]);
        assert_eq!(kept(&idle).len(), MOST - 1);
        assert_eq!(Arc::strong_count(&files[5]), 1);
    }

    #[test]
    fn everything_is_let_go_at_the_end_of_its_time() {
        let idle = Idle::new(Duration::from_millis(1));
        let file = Arc::new(1);
        for _ in 0..3 {
            idle.keep(Arc::clone(&file));
            let give_up = Instant::now() + Duration::from_secs(60);
            while Arc::strong_count(&file) > 1 {
                assert!(Instant::now() < give_up, "it is kept for ever");
                thread::yield_now();
            }
        }
    }

    #[test]
    fn nothing_is_kept_when_the_file_system_ends() {
        let idle = Idle::new(LONG);
        let file = Arc::new(1);
        idle.keep(Arc::clone(&file));
        drop(idle);
        assert_eq!(Arc::strong_count(&file), 1);
    }
}
