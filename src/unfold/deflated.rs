//! Deflate data read at any position, with access points that a builder leaves on its way.

use std::{
    cell::RefCell,
    mem,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
};

use super::{
    gzip::{Access, Framing, Place, Walk},
    inflate::WINDOW,
    kept::{self, Key},
    progress::{End, Progress},
};
use crate::{Error, ErrorKind, Result, source::Source};

mod builder;

use builder::Builder;

/// Plain bytes between two access points.
const SPACING: u64 = 1 << 20;

/// The same for large images: a window for each costs more than decoding a little more.
const WIDE_SPACING: u64 = 4 << 20;

/// Images above this size have the wide spacing.
const LARGE: u64 = 1 << 30;

/// Stored bytes in which the first plain ones are looked for: enough for those and the longest header before them. Members
/// that hold nothing may go on for as long as the file.
const MOST_LOOKED_AT: u64 = 1 << 20;

/// Where deflate data stands in a file, and what it is.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Position of the first stored byte.
    pub at: u64,
    /// Position behind the last stored byte.
    pub end: u64,
    /// What stands around the deflate data.
    pub framing: Framing,
}

/// The plain bytes of deflate data.
#[derive(Debug)]
pub struct Deflated {
    source: Arc<dyn Source>,
    stream: Stream,
    size: u64,
    spacing: u64,
    shared: Arc<Shared>,
    /// Where its index is kept.
    folder: Option<PathBuf>,
    /// Set when the builder is at work, or nothing is left to build.
    started: Mutex<bool>,
}

#[derive(Debug, Default)]
struct Shared {
    progress: Progress,
    accesses: Mutex<Vec<Access>>,
}

impl Stream {
    fn start(&self) -> Place {
        Place {
            bit: self.at * 8,
            first: true,
            ..Place::default()
        }
    }

    /// The first plain bytes: `most` of them, or those before the end, the first damage, or as far as is looked; and
    /// whether that is the end.
    ///
    /// # Errors
    /// What stands against the very first byte.
    pub fn head(&self, source: &dyn Source, most: usize) -> Result<(Vec<u8>, bool)> {
        let mut plain = vec![0; most];
        let mut at = 0;
        let front = Front {
            source,
            end: self.at.saturating_add(MOST_LOOKED_AT),
        };
        let walk = Walk::new(&front, self.end, self.framing, self.start(), false);
        let filled = walk.and_then(|mut walk| walk.fill(&mut plain, &mut at));
        let is_all = filled.is_ok() && at < most;
        if at == 0 {
            filled?;
        }
        plain.truncate(at);
        Ok((plain, is_all))
    }

    /// Its number of plain bytes, if an index of it was kept.
    #[must_use]
    pub fn kept_size(&self, source: &dyn Source) -> Option<u64> {
        kept::size(&self.key(source, kept::folder()?)?)
    }

    fn key(&self, source: &dyn Source, folder: PathBuf) -> Option<Key> {
        Key::in_folder(source, self.at, self.end, folder)
    }
}

/// A source of which only the bytes before `end` are looked at.
#[derive(Debug)]
struct Front<'s> {
    source: &'s dyn Source,
    end: u64,
}

impl Source for Front<'_> {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> Result<()> {
        if at >= self.end {
            let message = "the first 1 MiB of the stream holds too few plain bytes";
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        self.source.read_exact_at(buf, at)
    }
}

impl Deflated {
    /// The plain bytes of a stream of `source`, which are `size` as far as anybody knows. Nothing is decoded before the first read.
    #[must_use]
    pub fn new(source: Arc<dyn Source>, stream: Stream, size: u64) -> Self {
        Self {
            source,
            stream,
            size,
            spacing: if size > LARGE { WIDE_SPACING } else { SPACING },
            shared: Arc::default(),
            folder: kept::folder(),
            started: Mutex::default(),
        }
    }

    /// As [`Deflated::new`], with an index that is kept in a folder of its own.
    #[cfg(test)]
    pub(super) fn keeping_in(mut self, folder: &std::path::Path) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Plain bytes that are decoded at once: reads that begin at their multiples cost nothing more.
    #[must_use]
    pub fn spacing(&self) -> u32 {
        u32::try_from(self.spacing).expect("it is one of two constants")
    }

    /// As [`Deflated::new`], with an index that was built before.
    #[cfg(test)]
    pub(super) fn with_index(source: Arc<dyn Source>, stream: Stream, kept: kept::Kept) -> Self {
        let this = Self::new(source, stream, kept.size);
        this.take_up(kept);
        *this.started.lock().unwrap() = true;
        this
    }

    /// The access points so far.
    #[cfg(test)]
    pub(super) fn accesses(&self) -> Vec<Access> {
        self.shared.lock().clone()
    }

    fn take_up(&self, kept: kept::Kept) {
        *self.shared.lock() = kept.accesses;
        self.shared.progress.end(End::complete(kept.size));
    }

    /// Takes up a kept index, or begins to build one.
    pub(super) fn start(&self) -> Result<()> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if *started {
            return Ok(());
        }
        let key = self.key();
        let kept = key.as_ref().and_then(kept::load);
        if let Some(kept) = kept.filter(|kept| kept.spacing == self.spacing) {
            self.take_up(kept);
        } else {
            self.build(key)?;
        }
        *started = true;
        Ok(())
    }

    fn key(&self) -> Option<Key> {
        let folder = self.folder.clone()?;
        self.stream.key(self.source.as_ref(), folder)
    }

    fn build(&self, key: Option<Key>) -> Result<()> {
        let mut builder = Builder {
            source: Arc::clone(&self.source),
            stream: self.stream,
            spacing: self.spacing,
            shared: Arc::clone(&self.shared),
            key,
        };
        let spawned = thread::Builder::new()
            .name("unfold".into())
            .spawn(move || builder.run());
        spawned
            .map(drop)
            .map_err(|err| Error::io(err, "cannot start a thread to decode the stream"))
    }

    /// Reads plain bytes that lie between two access points.
    fn read_section(&self, out: &mut [u8], at: u64) -> Result<()> {
        thread_local! {
            static PLAIN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let number = usize::try_from(at / self.spacing).expect("there are few access points");
        let access = self.shared.lock().get(number).cloned();
        let access = access.ok_or_else(|| Error::corrupt("an access point is missing"))?;
        let skip = usize::try_from(at % self.spacing).expect("it is below the spacing");
        PLAIN.with_borrow_mut(|plain| {
            plain.resize(WINDOW + skip + out.len(), 0);
            unpack(&access.window, &mut plain[..WINDOW])?;
            let Stream { end, framing, .. } = self.stream;
            let mut walk = Walk::new(self.source.as_ref(), end, framing, access.place, false)?;
            let mut filled = WINDOW;
            walk.fill(plain, &mut filled)?;
            if filled < plain.len() {
                return Err(Error::corrupt(
                    "the stored bytes changed while they were read",
                ));
            }
            out.copy_from_slice(&plain[WINDOW + skip..]);
            if plain.capacity() > KEEP_BUFFER {
                *plain = Vec::new();
            }
            Ok(())
        })
    }
}

/// A buffer larger than this is given back after use.
const KEEP_BUFFER: usize = 2 << 20;

impl Source for Deflated {
    fn len(&self) -> u64 {
        self.size
    }

    fn stored_len(&self) -> u64 {
        self.stream.end - self.stream.at
    }

    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> Result<()> {
        let end = at
            .checked_add(buf.len() as u64)
            .filter(|&end| end <= self.size);
        let end = end.ok_or_else(|| {
            let kind = std::io::ErrorKind::UnexpectedEof.into();
            Error::io(kind, format!("cannot read {} bytes at {at}", buf.len()))
        })?;
        self.start()?;
        if self.shared.progress.begins_anew(end) {
            self.build(self.key())
                .inspect_err(|err| self.shared.progress.fail(err))?;
        }
        self.shared.progress.wait_for(end, self.size)?;
        let (mut rest, mut at) = (buf, at);
        while !rest.is_empty() {
            let left = self.spacing - at % self.spacing;
            let n = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
            let (now, later) = mem::take(&mut rest).split_at_mut(n);
            self.read_section(now, at)?;
            rest = later;
            at += n as u64;
        }
        Ok(())
    }
}

/// The one whose index is finished though nobody reads it any more.
static LEFT: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

impl Drop for Deflated {
    /// What only looks at an image for a moment shall leave an index to the next one. But whoever looks at each of a
    /// thousand images must not leave a thousand builders.
    fn drop(&mut self) {
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        let keeps = self.folder.is_some() && kept::is_worth(self.size);
        if keeps && left.strong_count() == 0 {
            *left = Arc::downgrade(&self.shared);
        } else {
            self.shared.progress.stop();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Access>> {
        self.accesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unpack(packed: &[u8], window: &mut [u8]) -> Result<()> {
    crate::codec::Codec::Deflate.decode(packed, window)
}
