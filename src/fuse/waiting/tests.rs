use std::sync::{Barrier, mpsc};

use super::*;

const SOURCE: Source = (1, What::Read);

fn waits_for(barrier: &Arc<Barrier>) -> impl FnOnce(Turn) + Send + 'static {
    let barrier = Arc::clone(barrier);
    move |turn| {
        assert_eq!(turn, Turn::Work);
        barrier.wait();
    }
}

#[test]
fn the_last_thread_that_is_free_does_no_work() {
    let room = WaitingRoom::new(3);
    assert!(room.enter() && room.enter() && !room.enter());
    room.leave();
    assert!(room.enter() && !room.enter());
}

#[test]
fn one_thread_alone_does_all_work_and_never_rests() {
    let room = WaitingRoom::new(1);
    assert!((0..1000).all(|_| room.enter()));
    room.leave();
    assert_eq!(room.0.answered.load(Relaxed), 1);
}

#[test]
fn the_last_thread_that_is_free_does_work_while_another_rests_which_comes_back_when_that_hangs() {
    let room = WaitingRoom::new(2);
    assert!(room.enter());
    room.0.rests.store(true, SeqCst);
    assert!(room.enter());
    // The other works still and hangs. This one has rested, and is the last one that is free.
    room.rest();
    room.0.free.fetch_add(1, SeqCst);
    room.0.rests.store(false, SeqCst);
    assert!(!room.enter());
}

#[test]
fn whoever_is_done_rests_for_a_moment_and_is_free_again() {
    let room = WaitingRoom::new(2);
    for _ in 0..3 {
        assert!(room.enter());
        room.leave();
    }
    assert_eq!(room.0.free.load(SeqCst), 2);
    assert!(!room.0.rests.load(SeqCst));
}

#[test]
fn whoever_is_done_does_what_waits() {
    let room = WaitingRoom::new(2);
    assert!(room.enter());
    let (done, next) = mpsc::channel();
    room.put(SOURCE, move |turn| done.send(turn).unwrap());
    room.leave();
    assert_eq!(next.recv().unwrap(), Turn::Work);
}

#[test]
fn what_waits_behind_a_source_that_hangs_is_done_by_others_and_only_so_many_hang() {
    let room = WaitingRoom::new(2);
    // The only thread besides the last one hangs.
    assert!(room.enter());
    let barrier = Arc::new(Barrier::new(MOST_FOR_ONE + 1));
    for _ in 0..MOST_FOR_ONE {
        room.put(SOURCE, waits_for(&barrier));
    }
    let (done, next) = mpsc::channel();
    let too_many = done.clone();
    room.put(SOURCE, move |_| too_many.send("of the same").unwrap());
    room.put((1, What::Other), move |_| done.send("another").unwrap());
    assert_eq!(next.recv().unwrap(), "another");
    assert!(next.try_recv().is_err());
    barrier.wait();
    assert_eq!(next.recv().unwrap(), "of the same");
}

#[test]
fn what_waited_for_too_long_is_refused_in_its_turn() {
    let job = |since| Job {
        since,
        source: SOURCE,
        work: Box::new(|_| {}),
    };
    let now = Instant::now();
    let Some(long_ago) = now.checked_sub(PATIENCE * 2) else {
        return;
    };
    let mut inside = Inside::default();
    inside.jobs.extend([job(long_ago), job(now)]);
    assert_eq!(inside.refused().len(), 1);
    assert_eq!(inside.jobs.len(), 1);
}
