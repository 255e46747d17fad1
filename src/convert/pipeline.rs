//! Workers read and encode batches of blocks; the writer gets them in order.
//!
//! There is a fixed number of batches. A worker takes a free one together with the next stretch of the image, in one
//! step; so the stretch that the writer waits for always has a batch, and nobody waits for ever.

use std::{
    collections::BTreeMap,
    io::Read,
    num::NonZeroUsize,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use super::{Watch, interrupted};
use crate::{
    Result,
    codec::Codec,
    digest::Hasher,
    image::Image,
    pack::{BlockEncoder, Encoded, Output, Pack},
    unfold::from_io,
};

/// Plain bytes of a batch, where blocks are not larger.
const BATCH: usize = 256 << 10;

/// Encodes the whole image into `out`.
///
/// # Errors
/// What reading the image and writing report, and the answer to [`Watch::stops`].
pub(super) fn run(
    image: &Image,
    pack: &dyn Pack,
    jobs: NonZeroUsize,
    out: &mut dyn Output,
    sum: Option<&mut Hasher>,
    watch: &dyn Watch,
) -> Result<()> {
    let (free, taken) = mpsc::channel();
    let (done, finished) = mpsc::channel();
    for _ in 0..jobs.get() * 2 {
        free.send(Batch::default()).expect("the receiver is here");
    }
    let work = Mutex::new(Work {
        free: taken,
        next: Stretches::of(image, pack),
        in_order: image.in_order(),
    });
    thread::scope(|scope| {
        for _ in 0..jobs.get() {
            let (work, done) = (&work, done.clone());
            scope.spawn(move || encode_batches(image, pack, work, &done, watch));
        }
        drop(done);
        let outcome = write_in_order(pack, &finished, &free, out, sum, watch);
        // When it ended early, workers wait on these.
        drop((finished, free));
        outcome
    })
}

/// The stretches of the image that no worker has yet, and the batches to hold them.
struct Work {
    free: Receiver<Batch>,
    next: Stretches,
    /// The plain bytes of the next stretches, where the image is better read in order.
    in_order: Option<Box<dyn Read + Send>>,
}

/// Cuts the image into stretches of whole blocks.
#[derive(Debug)]
struct Stretches {
    number: u64,
    at: u64,
    len: u64,
    end: u64,
}

impl Stretches {
    fn of(image: &Image, pack: &dyn Pack) -> Self {
        let block_size = pack.block_size() as usize;
        // A block of the source should be decoded by one worker.
        let len = BATCH.max(image.geometry().largest_block());
        Self {
            number: 0,
            at: 0,
            len: len.next_multiple_of(block_size) as u64,
            end: image.size(),
        }
    }
}

impl Iterator for Stretches {
    type Item = (u64, Range<u64>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let (number, start) = (self.number, self.at);
        self.at = self.end.min(start + self.len);
        self.number += 1;
        Some((number, start..self.at))
    }
}

/// A stretch of the image, plain and encoded.
#[derive(Debug, Default)]
struct Batch {
    number: u64,
    plain: Vec<u8>,
    stored: Vec<u8>,
    blocks: Vec<(Codec, u32)>,
}

fn encode_batches(
    image: &Image,
    pack: &dyn Pack,
    work: &Mutex<Work>,
    done: &Sender<Result<Batch>>,
    watch: &dyn Watch,
) {
    let _alarm = Alarm(done);
    let mut encoder = Remembering {
        encoder: pack.encoder(),
        zeroes: None,
        block_size: pack.block_size() as usize,
    };
    while let Some(batch) = take(image, work) {
        let filled = batch.and_then(|mut batch| {
            if watch.stops() {
                return Err(interrupted());
            }
            batch.encode(&mut encoder);
            Ok(batch)
        });
        if done.send(filled).is_err() {
            return;
        }
    }
}

/// Ends the run when its worker panics: the writer would wait for that worker's batch for ever.
struct Alarm<'a>(&'a Sender<Result<Batch>>);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            // The panic itself goes on when all workers have ended.
            let _ = self.0.send(Err(interrupted()));
        }
    }
}

/// A batch with the plain bytes of the next stretch.
fn take(image: &Image, work: &Mutex<Work>) -> Option<Result<Batch>> {
    let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
    let mut batch = work.free.recv().ok()?;
    let (number, range) = work.next.next()?;
    batch.number = number;
    let len = usize::try_from(range.end - range.start).expect("a batch fits in memory");
    batch.plain.resize(len, 0);
    let read = if let Some(plain) = &mut work.in_order {
        // The next one's bytes follow these.
        plain.read_exact(&mut batch.plain).map_err(from_io)
    } else {
        drop(work);
        image.read_at(&mut batch.plain, range.start).map(drop)
    };
    Some(read.map(|()| batch))
}

impl Batch {
    fn encode(&mut self, encoder: &mut Remembering) {
        self.stored.clear();
        self.blocks.clear();
        for plain in self.plain.chunks(encoder.block_size) {
            let start = self.stored.len();
            let codec = encoder.encode(plain, &mut self.stored);
            let len = u32::try_from(self.stored.len() - start).expect("a block is small");
            self.blocks.push((codec, len));
        }
    }

    fn blocks(&self, block_size: usize) -> impl Iterator<Item = Encoded<'_>> {
        let (mut plain, mut stored) = (&self.plain[..], &self.stored[..]);
        self.blocks.iter().map(move |&(codec, len)| {
            let block;
            (block, plain) = plain.split_at(block_size.min(plain.len()));
            let bytes;
            (bytes, stored) = stored.split_at(len as usize);
            Encoded {
                plain: block,
                codec,
                stored: bytes,
            }
        })
    }
}

/// An encoder that remembers what a whole block of zeroes becomes: images are full of them.
struct Remembering {
    encoder: Box<dyn BlockEncoder>,
    zeroes: Option<(Codec, Vec<u8>)>,
    block_size: usize,
}

impl Remembering {
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Codec {
        if plain.len() < self.block_size || plain.iter().any(|&byte| byte != 0) {
            return self.encoder.encode(plain, out);
        }
        let (codec, stored) = self.zeroes.get_or_insert_with(|| {
            let mut stored = Vec::new();
            (self.encoder.encode(plain, &mut stored), stored)
        });
        out.extend_from_slice(stored);
        *codec
    }
}

fn write_in_order(
    pack: &dyn Pack,
    finished: &Receiver<Result<Batch>>,
    free: &Sender<Batch>,
    out: &mut dyn Output,
    mut sum: Option<&mut Hasher>,
    watch: &dyn Watch,
) -> Result<()> {
    let mut layout = pack.layout();
    layout.begin(out)?;
    let (mut waiting, mut next) = (BTreeMap::new(), 0);
    for batch in finished {
        let batch = batch?;
        waiting.insert(batch.number, batch);
        while let Some(batch) = waiting.remove(&next) {
            for block in batch.blocks(pack.block_size() as usize) {
                layout.place(&block, out)?;
            }
            if let Some(sum) = &mut sum {
                sum.update(&batch.plain);
            }
            watch.advance(batch.plain.len() as u64, batch.stored.len() as u64);
            next += 1;
            // Nobody takes it when the image is at its end.
            let _ = free.send(batch);
        }
    }
    layout.finish(out)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::{
        cache::BlockCache,
        convert::Silent,
        format::{self, OpenOptions},
        pack::Layout,
    };

    /// Its encoder panics at the first block.
    #[derive(Debug)]
    struct Broken;

    impl Pack for Broken {
        fn block_size(&self) -> u32 {
            2048
        }

        fn encoder(&self) -> Box<dyn BlockEncoder> {
            Box::new(Broken)
        }

        fn layout(&self) -> Box<dyn Layout> {
            Box::new(Broken)
        }
    }

    impl BlockEncoder for Broken {
        fn encode(&mut self, _plain: &[u8], _out: &mut Vec<u8>) -> Codec {
            panic!("a block that this encoder cannot")
        }
    }

    impl Layout for Broken {
        fn begin(&mut self, _out: &mut dyn Output) -> Result<()> {
            Ok(())
        }

        fn place(&mut self, _block: &Encoded<'_>, _out: &mut dyn Output) -> Result<()> {
            Ok(())
        }

        fn finish(&mut self, _out: &mut dyn Output) -> Result<()> {
            Ok(())
        }
    }

    struct Nowhere;

    impl Output for Nowhere {
        fn len(&self) -> u64 {
            0
        }

        fn append(&mut self, _bytes: &[u8]) -> Result<()> {
            Ok(())
        }

        fn skip(&mut self, _bytes: u64) -> Result<()> {
            Ok(())
        }

        fn write_at(&mut self, _file: usize, _at: u64, _bytes: &[u8]) -> Result<()> {
            Ok(())
        }

        fn next_file(&mut self, _extension: &str) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_worker_that_panics_ends_the_run_instead_of_hanging_it() {
        let mut plain = vec![0; 8 << 20];
        plain[0x8001..0x8006].copy_from_slice(b"CD001");
        let opened = format::open(std::sync::Arc::new(plain), &OpenOptions::alone()).unwrap();
        let image = Image::new(opened, std::sync::Arc::new(BlockCache::new(0)));
        let jobs = NonZeroUsize::new(2).unwrap();
        let run = || run(&image, &Broken, jobs, &mut Nowhere, None, &Silent);
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    }
}
