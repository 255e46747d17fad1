//! Looking at many files at once: a share or a disk answers several questions in little more time than one, and a
//! processor that waits for an answer can read a header meanwhile.

use std::{iter, panic, thread};

/// At most so many threads look at the files of a folder.
const MOST_THREADS: usize = 4;

/// Fewer files than these are not worth a thread.
const WORTH_A_THREAD: usize = 16;

/// Looks at each of `items`, and returns what was found in their order.
pub(super) fn look_at<T: Sync, F: Send>(
    items: &[T],
    look: impl Fn(&T) -> Option<F> + Sync,
) -> Vec<F> {
    let look_at_all = |items: &[T]| -> Vec<F> { items.iter().filter_map(&look).collect() };
    let share = items.len().div_ceil(MOST_THREADS).max(WORTH_A_THREAD);
    let (own, others) = items.split_at(share.min(items.len()));
    thread::scope(|scope| {
        let spawn = |items| {
            let spawned = thread::Builder::new().spawn_scoped(scope, move || look_at_all(items));
            (items, spawned)
        };
        let others: Vec<_> = others.chunks(share).map(spawn).collect();
        let own = iter::once(look_at_all(own));
        let theirs = others.into_iter().map(|(items, spawned)| match spawned {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|why| panic::resume_unwind(why)),
            // There is no room for another thread.
            Err(_) => look_at_all(items),
        });
        own.chain(theirs).flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_in_the_order_of_the_files() {
        for len in [0, 1, 15, 16, 17, 63, 64, 65, 1000] {
            let items: Vec<u32> = (0..len).collect();
            let found = look_at(&items, |&item| (item % 3 != 1).then_some(item * 2));
            let wanted = items.iter().filter(|item| *item % 3 != 1);
            assert_eq!(found, wanted.map(|item| item * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "the file is cursed")]
    fn a_panic_over_one_file_is_the_panic_of_who_asked() {
        let items: Vec<u32> = (0..100).collect();
        look_at(&items, |&item| {
            assert_ne!(item, 99, "the file is cursed");
            Some(item)
        });
    }
}
