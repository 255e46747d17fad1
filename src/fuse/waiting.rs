//! Where requests wait, so that a source that hangs keeps only its own readers waiting.
//!
//! One thread more than asked for takes requests from the kernel. As long as requests are answered, it rests: each
//! further thread that takes turns with the others costs all of them their warm caches. When nothing was answered for
//! a moment, it takes requests as well, and the last thread that is free does no request's work itself then: it leaves
//! that here for the first who is done. So there is always somebody who takes the next request. What waits longer than
//! [`SOON`], because all others hang, or decode for long, is done by spare threads.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
    time::{Duration, Instant},
};

#[cfg(test)]
mod tests;

/// So long a request waits for those who are busy: they seldom decode for longer, and each further thread has buffers.
const SOON: Duration = Duration::from_millis(500);

/// So often somebody looks how long.
const TICK: Duration = Duration::from_millis(50);

/// So often the thread that rests looks whether requests are answered. What hangs keeps everybody waiting for so long,
/// and so does unmounting right after a request, so it is short; in an idle mount nobody rests.
const REST: Duration = Duration::from_millis(20);

/// So long a thread waits for further work before it ends.
const LINGER: Duration = Duration::from_secs(1);

/// So long a request waits for a source that hangs, when others hang there already. A disk that sleeps is awake by
/// then.
const PATIENCE: Duration = Duration::from_secs(30);

/// So many spare threads there are at most,
const MOST_SPARES: usize = 64;

/// and for one source, once for each kind of request: a disk that reads slowly may tell names at once.
const MOST_FOR_ONE: usize = 8;

/// So many requests wait at most. Each has somebody in front of it who waits for the answer.
pub(super) const MOST_WAITING: u16 = 4096;

/// Whether a request's work is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    Work,
    /// Too much hangs, or for too long.
    Refused,
}

/// What a request asks of its source.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum What {
    Read,
    /// The way back from a number, for which the library may have to be walked through.
    Number,
    Other,
}

/// What may hang: a device, by its number, in one respect.
type Source = (u64, What);

#[derive(Debug)]
pub(super) struct WaitingRoom(Arc<Room>);

#[derive(Debug)]
struct Room {
    /// How many of the threads that take requests have none.
    free: AtomicUsize,
    /// Whether one of them rests, which is not free then.
    rests: AtomicBool,
    /// How many requests were answered, for whoever rests.
    answered: AtomicUsize,
    /// How many requests wait, to be seen without the lock.
    waiting: AtomicUsize,
    inside: Mutex<Inside>,
    /// For spare threads.
    more: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    jobs: VecDeque<Job>,
    spares: usize,
    /// Spare threads that have nothing to do.
    idle: usize,
    /// How many spare threads work for a source.
    at_source: HashMap<Source, usize>,
    is_attended: bool,
}

struct Job {
    since: Instant,
    source: Source,
    work: Box<dyn FnOnce(Turn) + Send>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").finish_non_exhaustive()
    }
}

impl WaitingRoom {
    /// For so many threads that take requests. One alone does all work itself.
    pub(super) fn new(threads: usize) -> Self {
        let is_alone = threads <= 1;
        let free = if is_alone { usize::MAX / 2 } else { threads };
        Self(Arc::new(Room {
            free: AtomicUsize::new(free),
            // The one that is alone must not rest.
            rests: AtomicBool::new(is_alone),
            answered: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            inside: Mutex::default(),
            more: Condvar::new(),
        }))
    }

    /// Whether this thread may do its request's work. Then it calls [`WaitingRoom::leave`] afterwards, and else
    /// [`WaitingRoom::put`].
    pub(super) fn enter(&self) -> bool {
        let may_work = self.0.free.fetch_sub(1, SeqCst) > 1 || self.0.rests.load(SeqCst);
        if !may_work {
            self.0.free.fetch_add(1, SeqCst);
        }
        may_work
    }

    /// Does what waits, and is free again: at once, or after a rest.
    pub(super) fn leave(&self) {
        self.0.answered.fetch_add(1, Relaxed);
        loop {
            self.work();
            let is_to_rest = !self.0.rests.load(SeqCst) && !self.0.rests.swap(true, SeqCst);
            if is_to_rest {
                self.rest();
            }
            self.0.free.fetch_add(1, SeqCst);
            if is_to_rest {
                self.0.rests.store(false, SeqCst);
            }
            // Whoever put something down a moment ago saw that all were busy.
            if self.0.waiting.load(SeqCst) == 0 || !self.enter() {
                return;
            }
        }
    }

    /// Does what waits.
    fn work(&self) {
        while self.0.waiting.load(SeqCst) > 0 {
            let Some(job) = self.0.lock().jobs.pop_front() else {
                break;
            };
            self.0.waiting.fetch_sub(1, SeqCst);
            (job.work)(Turn::Work);
        }
    }

    /// Stays out of the others' way as long as they answer requests.
    fn rest(&self) {
        let mut answered = self.0.answered.load(Relaxed);
        while self.0.waiting.load(SeqCst) == 0 {
            thread::sleep(REST);
            let before = mem::replace(&mut answered, self.0.answered.load(Relaxed));
            if answered == before {
                return;
            }
        }
    }

    /// Leaves work to others. `source` tells what may hang.
    pub(super) fn put(&self, source: Source, work: impl FnOnce(Turn) + Send + 'static) {
        let mut inside = self.0.lock();
        if inside.jobs.len() >= usize::from(MOST_WAITING) {
            drop(inside);
            log::warn!("{MOST_WAITING} requests wait for sources: a further one fails");
            return work(Turn::Refused);
        }
        inside.jobs.push_back(Job {
            since: Instant::now(),
            source,
            work: Box::new(work),
        });
        self.0.waiting.fetch_add(1, SeqCst);
        if !inside.is_attended {
            inside.is_attended = self.0.start("plainiso-wait", Room::attend);
        }
        let is_expected = inside.idle > 0;
        drop(inside);
        if is_expected {
            self.0.more.notify_one();
        }
        // Others may have become free since.
        if self.enter() {
            self.leave();
        }
    }
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread, which has the rights of those that take requests, as one of them or a child of one starts it.
    fn start(self: &Arc<Self>, name: &str, work: fn(&Arc<Self>)) -> bool {
        let room = Arc::clone(self);
        thread::Builder::new()
            .name(name.into())
            .spawn(move || work(&room))
            .inspect_err(|err| log::debug!("cannot start a spare thread: {err}"))
            .is_ok()
    }

    /// Looks from time to time whether somebody waits for too long, as long as anybody waits.
    fn attend(self: &Arc<Self>) {
        let mut quiet_since = Instant::now();
        loop {
            thread::sleep(TICK);
            let mut inside = self.lock();
            let refused = inside.refused();
            self.waiting.fetch_sub(refused.len(), SeqCst);
            for _ in 0..inside.spares_needed() {
                inside.spares += usize::from(self.start("plainiso-spare", Self::help));
            }
            if !inside.jobs.is_empty() {
                quiet_since = Instant::now();
            }
            let is_over = inside.jobs.is_empty() && quiet_since.elapsed() > LINGER;
            inside.is_attended = !is_over;
            drop(inside);
            if !refused.is_empty() {
                let count = refused.len();
                log::warn!("a source does not answer: {count} more of its readers get errors");
            }
            for job in refused {
                (job.work)(Turn::Refused);
            }
            if is_over {
                return;
            }
        }
    }

    /// What a spare thread does.
    fn help(self: &Arc<Self>) {
        let mut inside = self.lock();
        loop {
            if let Some(job) = inside.take() {
                drop(inside);
                self.waiting.fetch_sub(1, SeqCst);
                (job.work)(Turn::Work);
                inside = self.lock();
                inside.left(job.source);
                continue;
            }
            inside.idle += 1;
            let waited = self.more.wait_timeout(inside, LINGER);
            let (woken, end) = waited.unwrap_or_else(PoisonError::into_inner);
            inside = woken;
            inside.idle -= 1;
            if end.timed_out() && inside.next().is_none() {
                inside.spares -= 1;
                return;
            }
        }
    }
}

impl Inside {
    /// The first for whose source not too many threads work.
    fn next(&self) -> Option<usize> {
        let is_free = |job: &Job| {
            let there = self.at_source.get(&job.source);
            there.is_none_or(|there| *there < MOST_FOR_ONE)
        };
        self.jobs.iter().position(is_free)
    }

    fn take(&mut self) -> Option<Job> {
        let job = self.jobs.remove(self.next()?)?;
        *self.at_source.entry(job.source).or_default() += 1;
        Some(job)
    }

    fn left(&mut self, source: Source) {
        if let Some(there) = self.at_source.get_mut(&source) {
            *there -= 1;
            if *there == 0 {
                self.at_source.remove(&source);
            }
        }
    }

    /// So many threads would find work that waits for too long.
    fn spares_needed(&self) -> usize {
        let mut at_source = self.at_source.clone();
        let mut finds_a_place = |job: &&Job| {
            let there = at_source.entry(job.source).or_default();
            *there += 1;
            *there <= MOST_FOR_ONE
        };
        let late = self
            .jobs
            .iter()
            .take_while(|job| job.since.elapsed() >= SOON);
        let found = late.filter(|job| finds_a_place(job)).count();
        let room = MOST_SPARES.saturating_sub(self.spares);
        found.saturating_sub(self.idle).min(room)
    }

    /// Takes out what has waited for too long.
    fn refused(&mut self) -> Vec<Job> {
        let late = self
            .jobs
            .iter()
            .take_while(|job| job.since.elapsed() > PATIENCE);
        let count = late.count();
        self.jobs.drain(..count).collect()
    }
}
