//! Streams of many blocks each, as those of chunks of 40 MiB: the last ones keep what they were decoded to.
//!
//! A stream is gone through once, as far as somebody asked; whoever asks for bytes before that point copies them.
//! Two are kept, because readers at the end of one chunk and at the start of the next are often on their way together.

use std::{
    fmt,
    io::{self, Read},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::Result;

/// Chunks that keep their plain bytes.
const KEPT: usize = 2;

/// Room for plain bytes grows by this beyond what is asked for.
const STEP: usize = 1 << 20;

/// The chunks of an image, by number.
#[derive(Default)]
pub struct Chunks {
    /// The one that was used last comes last.
    slots: Mutex<Vec<(u64, Arc<Mutex<Chunk>>)>>,
}

/// A stream, from front to end.
type Stream = Box<dyn Read + Send>;

/// What is known of a chunk.
enum Chunk {
    Untouched {
        /// Room that another chunk had: fresh memory costs as much as decoding.
        room: Vec<u8>,
    },
    Decoded {
        plain: Vec<u8>,
        rest: Stream,
    },
    /// It went wrong behind these plain bytes, and would again.
    Broken {
        plain: Vec<u8>,
        why: String,
    },
}

impl Chunks {
    /// The plain bytes of a chunk. `begin` is asked for its stream unless it is kept.
    ///
    /// # Errors
    /// What `begin` reports; the next one asks again.
    pub fn open(&self, number: u64, begin: impl FnOnce() -> Result<Stream>) -> Result<Plain> {
        let chunk = self.slot(number);
        let mut state = lock(&chunk);
        if let Chunk::Untouched { room } = &mut *state {
            let rest = begin()?;
            let plain = mem::take(room);
            *state = Chunk::Decoded { plain, rest };
        }
        drop(state);
        Ok(Plain { chunk, at: 0 })
    }

    fn slot(&self, number: u64) -> Arc<Mutex<Chunk>> {
        let mut slots = lock(&self.slots);
        let place = slots.iter().position(|(kept, _)| *kept == number);
        let slot = if let Some(place) = place {
            slots.remove(place)
        } else {
            let oldest = (slots.len() == KEPT).then(|| slots.remove(0).1);
            let room = oldest.and_then(Arc::into_inner).map(Chunk::into_room);
            let room = room.unwrap_or_default();
            (number, Arc::new(Mutex::new(Chunk::Untouched { room })))
        };
        let chunk = Arc::clone(&slot.1);
        slots.push(slot);
        chunk
    }
}

/// A panic of a decoder leaves bytes that are right as far as they go.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks").finish_non_exhaustive()
    }
}

/// Reads the plain bytes of a chunk, decoding what nobody asked for before.
pub struct Plain {
    chunk: Arc<Mutex<Chunk>>,
    at: usize,
}

impl Plain {
    /// Leaves out bytes.
    pub fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plain")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Read for Plain {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut chunk = lock(&self.chunk);
        let wanted = self.at.saturating_add(out.len());
        chunk.decode(wanted);
        let (plain, why) = match &*chunk {
            Chunk::Untouched { .. } => (&[][..], None),
            Chunk::Decoded { plain, .. } => (&plain[..], None),
            Chunk::Broken { plain, why } => (&plain[..], Some(why)),
        };
        let there = plain.get(self.at..).unwrap_or_default();
        let n = there.len().min(out.len());
        match why {
            Some(why) if n == 0 && !out.is_empty() => Err(io::Error::other(why.clone())),
            _ => {
                out[..n].copy_from_slice(&there[..n]);
                self.at += n;
                Ok(n)
            }
        }
    }
}

impl Chunk {
    /// The memory of a chunk that nobody reads any more.
    fn into_room(chunk: Mutex<Self>) -> Vec<u8> {
        let chunk = chunk.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut room = match chunk {
            Self::Untouched { room } => room,
            Self::Decoded { plain, .. } | Self::Broken { plain, .. } => plain,
        };
        room.clear();
        room
    }

    /// Goes on until `wanted` plain bytes are there, the stream ends, or it breaks.
    fn decode(&mut self, wanted: usize) {
        let Chunk::Decoded { plain, rest } = self else {
            return;
        };
        let more = wanted.saturating_sub(plain.len());
        if more == 0 {
            return;
        }
        // A vector of this size that doubles its room would waste up to half of it.
        if plain.capacity() < wanted {
            plain.reserve_exact(more + STEP);
        }
        let done = rest.take(more as u64).read_to_end(plain);
        if let Err(why) = done {
            *self = Chunk::Broken {
                plain: mem::take(plain),
                why: why.to_string(),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts how often streams were begun.
    fn chunk(chunks: &Chunks, number: u8, begun: &mut u32) -> Plain {
        let stream = || {
            *begun += 1;
            let bytes: Stream = Box::new(io::repeat(number).take(100_000));
            Ok(bytes)
        };
        chunks.open(number.into(), stream).unwrap()
    }

    fn read(plain: &mut Plain, at: usize, len: usize) -> Vec<u8> {
        plain.at = 0;
        plain.skip(at);
        let mut bytes = Vec::new();
        plain.take(len as u64).read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_chunk_is_begun_once_however_it_is_read() {
        let (chunks, mut begun) = (Chunks::default(), 0);
        for (at, len) in [(60_000, 10), (0, 100_000), (99_990, 100), (5, 5)] {
            let mut plain = chunk(&chunks, 7, &mut begun);
            assert_eq!(read(&mut plain, at, len), vec![7; len.min(100_000 - at)]);
        }
        assert_eq!(begun, 1);
    }

    #[test]
    fn two_chunks_are_kept_and_the_one_used_longest_ago_goes_first() {
        let (chunks, mut begun) = (Chunks::default(), 0);
        for number in [1, 2, 1, 3, 1] {
            let mut plain = chunk(&chunks, number, &mut begun);
            assert_eq!(read(&mut plain, 70_000, 9), [number; 9]);
        }
        assert_eq!(begun, 3);
        chunk(&chunks, 2, &mut begun);
        assert_eq!(begun, 4);
    }

    #[test]
    fn what_comes_before_the_damage_of_a_chunk_stays_readable() {
        struct Damaged;
        impl Read for Damaged {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("damaged"))
            }
        }
        let chunks = Chunks::default();
        let mut plain = chunks
            .open(0, || Ok(Box::new(io::repeat(1).take(10).chain(Damaged))))
            .unwrap();
        let mut bytes = [0; 20];
        for _ in 0..2 {
            plain.at = 0;
            assert!(plain.read_exact(&mut bytes).is_err());
            plain.at = 0;
            plain.read_exact(&mut bytes[..10]).unwrap();
        }
    }

    #[test]
    fn a_stream_that_could_not_begin_is_asked_for_again() {
        let chunks = Chunks::default();
        let refused = chunks.open(0, || Err(crate::Error::corrupt("not now")));
        assert!(refused.is_err());
        assert!(chunks.open(0, || Ok(Box::new(io::empty()))).is_ok());
    }
}
