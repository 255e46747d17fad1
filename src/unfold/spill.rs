//! Plain bytes that are decoded once, from front to end, and kept in a file without a name until the image is closed.
//!
//! This is for streams whose places to begin at lie too far apart, or that have none but the first. Each stretch
//! between two of them is a *section*, decoded by a thread of its own when somebody asks for bytes in it. A reader
//! waits only until the thread has passed what it asked for. Small images are kept in memory.

use std::{
    collections::HashMap,
    fmt,
    io::{self, BufReader, Read},
    mem,
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{
    MOST_PLAIN,
    kept::{self, Key},
    progress::{End, EndWhenDropped, Progress},
    reading::{Refuted, Stretch, from_io},
    store::Store,
};
use crate::{Error, ErrorKind, Result, source::Source};

mod in_order;

use in_order::InOrder;

/// Plain bytes that are decoded between two looks at whether they are still wanted.
const STEP: usize = 256 << 10;

/// Threads that decode one image at a time. Each has a decoder, whose memory counts.
const MOST_THREADS: usize = 4;

/// Opens the section of a number: gives its plain bytes from the first on.
pub type Opening = Box<dyn Fn(usize) -> Result<Box<dyn Read + Send>> + Send + Sync>;

/// The plain bytes of sections, by position.
#[derive(Debug)]
pub struct Spilled {
    stored: u64,
    shared: Arc<Shared>,
}

struct Shared {
    /// The first plain byte of each section, then the size.
    starts: Box<[u64]>,
    open: Opening,
    /// Where the size is kept when it is known, if it is a guess so far.
    guess_of: Option<Key>,
    begun: Mutex<Begun>,
    /// A thread ended.
    ended: Condvar,
    store: Mutex<Option<Arc<Store>>>,
}

#[derive(Default)]
struct Begun {
    sections: HashMap<usize, Arc<Progress>>,
    running: usize,
}

impl Spilled {
    /// The sections of `source` that begin at `starts`, of which the last is the size. Nothing is decoded before the
    /// first read.
    #[must_use]
    pub fn new(source: &dyn Source, starts: Box<[u64]>, open: Opening) -> Self {
        Self::with(source, starts, open, None)
    }

    /// All of `source` as one section, whose plain bytes `plain` makes of the stored ones. A size that is not certain
    /// is counted, and [`super::kept_size`] gives the number the next time.
    #[must_use]
    pub fn whole<R: Read + Send + 'static>(
        source: Arc<dyn Source>,
        size: u64,
        is_certain: bool,
        plain: impl Fn(BufReader<Stretch>) -> R + Send + Sync + 'static,
    ) -> Self {
        let stored = Arc::clone(&source);
        let open = move |_| {
            let all = Stretch::new(Arc::clone(&source), 0..source.len());
            Ok(Box::new(plain(all)) as Box<dyn Read + Send>)
        };
        if is_certain {
            Self::new(stored.as_ref(), [0, size].into(), Box::new(open))
        } else {
            Self::guessed(stored.as_ref(), size, Box::new(open))
        }
    }

    fn guessed(source: &dyn Source, size: u64, open: Opening) -> Self {
        let key = Key::of(source, 0, source.len());
        Self::with(source, [0, size].into(), open, key)
    }

    fn with(source: &dyn Source, starts: Box<[u64]>, open: Opening, guess_of: Option<Key>) -> Self {
        let shared = Shared {
            starts,
            open,
            guess_of,
            begun: Mutex::default(),
            ended: Condvar::new(),
            store: Mutex::default(),
        };
        Self {
            stored: source.len(),
            shared: Arc::new(shared),
        }
    }

    /// The section that holds a byte, being decoded or decoded already.
    fn section(&self, number: usize) -> Result<Arc<Progress>> {
        let mut begun = self.shared.lock();
        loop {
            if let Some(progress) = begun.sections.get(&number) {
                let progress = Arc::clone(progress);
                // Whoever came from the section before goes on to the one behind.
                let next = number + 1;
                let goes_on = number > 0 && begun.sections.contains_key(&(number - 1));
                let is_new = next < self.shared.count() && !begun.sections.contains_key(&next);
                if goes_on && is_new && begun.running < most_threads() {
                    self.begin(next, &mut begun)?;
                }
                return Ok(progress);
            }
            if begun.running < most_threads() {
                self.begin(number, &mut begun)?;
                continue;
            }
            let waited = self.shared.ended.wait(begun);
            begun = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets a section be decoded once more that the system stood against.
    fn begin_anew(&self, number: usize, progress: &Arc<Progress>) -> Result<()> {
        let mut begun = self.shared.lock();
        while begun.running >= most_threads() {
            let waited = self.shared.ended.wait(begun);
            begun = waited.unwrap_or_else(PoisonError::into_inner);
        }
        self.begin_with(number, Arc::clone(progress), &mut begun)
            .inspect_err(|err| progress.fail(err))
    }

    fn begin(&self, number: usize, begun: &mut Begun) -> Result<()> {
        self.begin_with(number, Arc::default(), begun)
    }

    fn begin_with(&self, number: usize, progress: Arc<Progress>, begun: &mut Begun) -> Result<()> {
        let worker = Worker {
            progress: Arc::clone(&progress),
            store: self.shared.store()?,
            shared: Arc::clone(&self.shared),
            number,
        };
        thread::Builder::new()
            .name("unfold".into())
            .spawn(move || worker.run())
            .map_err(|err| Error::io(err, "cannot start a thread to decode the stream"))?;
        begun.sections.insert(number, progress);
        begun.running += 1;
        Ok(())
    }
}

fn most_threads() -> usize {
    thread::available_parallelism().map_or(1, |all| all.get().min(MOST_THREADS))
}

impl Source for Spilled {
    fn len(&self) -> u64 {
        self.shared.size()
    }

    fn stored_len(&self) -> u64 {
        self.stored
    }

    /// Only as long as nobody reads by position, who has all of it decoded anyway. Sections of their own are decoded
    /// side by side and so need their places.
    fn in_order(&self) -> Option<Box<dyn Read + Send>> {
        let is_alone = self.shared.count() == 1 && self.shared.lock().sections.is_empty();
        is_alone.then(|| Box::new(InOrder::of(&self.shared)) as Box<dyn Read + Send>)
    }

    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> Result<()> {
        let end = at.checked_add(buf.len() as u64);
        if end.is_none_or(|end| end > self.len()) {
            let kind = io::ErrorKind::UnexpectedEof.into();
            let what = format!("cannot read {} bytes at {at}", buf.len());
            return Err(Error::io(kind, what));
        }
        let (mut rest, mut at) = (buf, at);
        while !rest.is_empty() {
            let number = self.shared.starts.partition_point(|&start| start <= at) - 1;
            let span = self.shared.span(number);
            let left = usize::try_from(span.end - at).unwrap_or(usize::MAX);
            let n = left.min(rest.len());
            let (now, later) = mem::take(&mut rest).split_at_mut(n);
            let progress = self.section(number)?;
            let wanted = at + n as u64 - span.start;
            if progress.begins_anew(wanted) {
                self.begin_anew(number, &progress)?;
            }
            progress.wait_for(wanted, span.end - span.start)?;
            self.shared.store()?.read(now, at)?;
            rest = later;
            at += n as u64;
        }
        Ok(())
    }
}

impl Drop for Spilled {
    fn drop(&mut self) {
        for progress in self.shared.lock().sections.values() {
            progress.stop();
        }
    }
}

impl Shared {
    fn size(&self) -> u64 {
        *self.starts.last().expect("the size stands at the end")
    }

    fn count(&self) -> usize {
        self.starts.len() - 1
    }

    fn span(&self, number: usize) -> Range<u64> {
        self.starts[number]..self.starts[number + 1]
    }

    fn lock(&self) -> MutexGuard<'_, Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a section of `len` plain bytes may hold: more where that is a guess, and then they are counted.
    fn check_length(&self, done: u64, len: u64) -> std::result::Result<(), Fault> {
        let most = self.guess_of.as_ref().map_or(len, |_| MOST_PLAIN);
        if done <= most {
            return Ok(());
        }
        let message = format!("the stream holds more than {most} plain bytes");
        let err = Error::new(ErrorKind::LimitExceeded, message);
        Err(Fault::Damaged(err))
    }

    /// What is known of a section of `len` plain bytes that was gone through.
    fn end_of(&self, gone: std::result::Result<(), Fault>, done: u64, len: u64) -> End {
        match gone {
            Ok(()) => {
                if let Some(key) = &self.guess_of {
                    kept::save_size(key, done);
                }
                End::complete(done)
            }
            Err(Fault::Refuted(why)) => End::damaged(0, &why),
            Err(Fault::Damaged(why)) => End::damaged(done.min(len), &why),
        }
    }

    /// Where the plain bytes are put, made when it is first asked for.
    fn store(&self) -> Result<Arc<Store>> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if store.is_none() {
            *store = Some(Arc::new(Store::of(self.size())?));
        }
        Ok(Arc::clone(store.as_ref().expect("it was made now")))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("size", &self.size())
            .field("sections", &self.count())
            .finish_non_exhaustive()
    }
}

/// Decodes one section, from front to end.
struct Worker {
    shared: Arc<Shared>,
    store: Arc<Store>,
    progress: Arc<Progress>,
    number: usize,
}

/// Counts a thread out, also when it panics.
struct CountedOut<'s>(&'s Shared);

impl Drop for CountedOut<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.ended.notify_all();
    }
}

impl Worker {
    fn run(self) {
        let _counted = CountedOut(&self.shared);
        let ends = EndWhenDropped::of(&self.progress);
        let mut done = 0;
        let gone = match self.decode(&mut done) {
            Ok(true) => Ok(()),
            Ok(false) => return,
            Err(fault) => Err(fault),
        };
        ends.end(self.shared.end_of(gone, done, self.len()));
    }

    fn len(&self) -> u64 {
        let span = self.shared.span(self.number);
        span.end - span.start
    }

    /// True when the section was gone through, false when nobody wants it any more.
    fn decode(&self, done: &mut u64) -> std::result::Result<bool, Fault> {
        let start = self.shared.span(self.number).start;
        let len = self.len();
        let mut plain = (self.shared.open)(self.number).map_err(Fault::Damaged)?;
        let mut piece = vec![0; STEP];
        loop {
            if self.progress.is_stopped() {
                return Ok(false);
            }
            let (filled, end) = fill(plain.as_mut(), &mut piece);
            let inside = usize::try_from(len.saturating_sub(*done)).unwrap_or(usize::MAX);
            let inside = &piece[..filled.min(inside)];
            let written = self.store.write(inside, start + *done);
            written.map_err(Fault::Damaged)?;
            *done += filled as u64;
            // What stands against them may have been found by now.
            if let Some(err) = end {
                return Err(Fault::of(err));
            }
            self.progress.pass((*done).min(len));
            if filled < piece.len() {
                return Ok(true);
            }
            self.shared.check_length(*done, len)?;
        }
    }
}

/// What ended a section before its end.
enum Fault {
    /// What was decoded so far is right as far as anybody knows.
    Damaged(Error),
    /// Some byte of all of it is known to be wrong.
    Refuted(Error),
}

impl Fault {
    fn of(err: io::Error) -> Self {
        match err.downcast::<Refuted>() {
            Ok(Refuted(why)) => Self::Refuted(Error::corrupt(why)),
            Err(err) => Self::Damaged(from_io(err)),
        }
    }
}

/// Reads until `piece` is full or there is no more; says how much, and what stood against more.
fn fill(plain: &mut dyn Read, piece: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut filled = 0;
    while filled < piece.len() {
        match plain.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return (filled, Some(err)),
        }
    }
    (filled, None)
}

#[cfg(test)]
mod tests;
