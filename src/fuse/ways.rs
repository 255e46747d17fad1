//! One way of reading for each inode: the kernel mixes none, so the first open decides until the last close.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::fs::Ino;

/// What was decided for the inodes that are open. Its lock is held to copy or change a line, never during I/O.
#[derive(Debug)]
pub(super) struct Ways<W>(Mutex<HashMap<Ino, InUse<W>>>);

#[derive(Debug)]
struct InUse<W> {
    way: Arc<W>,
    opens: u64,
}

impl<W> Default for Ways<W> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<W> Ways<W> {
    /// Counts one open and returns the way for it: that of the others who have the inode open, or else the one that
    /// is decided now.
    pub(super) fn enter(&self, ino: Ino, decide: impl FnOnce() -> W) -> Arc<W> {
        if let Some(known) = self.lock().get_mut(&ino) {
            known.opens += 1;
            return Arc::clone(&known.way);
        }
        // Another may decide at the same time. Of the two ways one is dropped, after the lock.
        let decided = Arc::new(decide());
        let mut ways = self.lock();
        let known = ways.entry(ino).or_insert_with(|| InUse {
            way: Arc::clone(&decided),
            opens: 0,
        });
        known.opens += 1;
        Arc::clone(&known.way)
    }

    /// Counts one close. The way ends with the last.
    pub(super) fn leave(&self, ino: Ino) {
        let mut ways = self.lock();
        let Some(known) = ways.get_mut(&ino) else {
            return;
        };
        known.opens -= 1;
        let ended = match known.opens {
            0 => ways.remove(&ino),
            _ => None,
        };
        drop(ways);
        // A file may be closed with it, after the lock.
        drop(ended);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Ino, InUse<W>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn the_first_open_decides_until_the_last_close() {
        let ways = Ways::default();
        let undecided = || panic!("it is decided");
        assert_eq!(*ways.enter(5, || "direct"), "direct");
        assert_eq!(*ways.enter(5, undecided), "direct");
        assert_eq!(*ways.enter(6, || "cached"), "cached");
        ways.leave(5);
        assert_eq!(*ways.enter(5, undecided), "direct");
        for _ in 0..3 {
            ways.leave(5);
        }
        assert_eq!(*ways.enter(5, || "cached"), "cached");
    }

    #[test]
    fn what_is_behind_a_way_is_shared_and_goes_with_the_last_close() {
        let ways = Ways::default();
        let backing = Arc::new(());
        for _ in 0..2 {
            ways.enter(5, || Arc::clone(&backing));
        }
        for left in [2, 1] {
            assert_eq!(Arc::strong_count(&backing), 2, "{left} are open");
            ways.leave(5);
        }
        assert_eq!(Arc::strong_count(&backing), 1);
    }

    #[test]
    fn two_who_decide_at_once_get_one_way() {
        let ways = Ways::default();
        let both_decide = Barrier::new(2);
        let enter = |number: u8| {
            *ways.enter(5, || {
                both_decide.wait();
                number
            })
        };
        thread::scope(|scope| {
            let other = scope.spawn(|| enter(1));
            assert_eq!(enter(2), other.join().unwrap());
        });
    }
}
