//! What is done when nobody uses a mount for a moment.

use std::time::{Duration, Instant};

use crate::fs::Filesystem;

/// Longer than what is closed is kept.
const REST: Duration = Duration::from_secs(10);

/// How long nothing was open, and what is to be done then.
#[derive(Debug)]
pub(super) struct Rest {
    task: fn(),
    since: Instant,
    /// How much had been opened by then.
    opened: u64,
    is_done: bool,
}

impl Rest {
    pub(super) fn new(task: fn()) -> Self {
        Self {
            task,
            since: Instant::now(),
            opened: 0,
            is_done: false,
        }
    }

    /// Does the task when it is time, once for each rest.
    pub(super) fn look(&mut self, filesystem: &Filesystem) {
        self.look_at(filesystem.has_open(), filesystem.opened_so_far(), REST);
    }

    fn look_at(&mut self, has_open: bool, opened: u64, rest: Duration) {
        if has_open || opened != self.opened {
            *self = Self {
                opened,
                ..Self::new(self.task)
            };
        } else if !self.is_done && self.since.elapsed() >= rest {
            self.is_done = true;
            (self.task)();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;

    #[test]
    fn the_task_is_done_once_for_each_rest() {
        static DONE: AtomicU32 = AtomicU32::new(0);
        let mut rest = Rest::new(|| {
            DONE.fetch_add(1, Relaxed);
        });
        let long = Duration::from_secs(1_000_000);
        for (has_open, opened, length, done) in [
            // Nothing was open yet, for too short a time.
            (false, 0, long, 0),
            (false, 0, Duration::ZERO, 1),
            (false, 0, Duration::ZERO, 1),
            // Something was opened and closed, so that a new rest begins.
            (false, 1, Duration::ZERO, 1),
            (true, 2, Duration::ZERO, 1),
            (true, 2, Duration::ZERO, 1),
            (false, 2, long, 1),
            (false, 2, Duration::ZERO, 2),
            (false, 2, Duration::ZERO, 2),
        ] {
            rest.look_at(has_open, opened, length);
            assert_eq!(DONE.load(Relaxed), done, "{has_open} {opened} {length:?}");
        }
    }
}
