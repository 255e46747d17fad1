//! Workers read and encode batches of blocks; the writer gets them in order.
//!
//! There is a fixed number of batches. A worker takes a free one together with the next stretch of the image, in one
//! step; so the stretch that the writer waits for always has a batch, and nobody waits for ever.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use super::{Sums, Watch, interrupted};
use crate::{
    Result,
    codec::Codec,
    image::Image,
    pack::{BlockEncoder, Encoded, Output, Pack},
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
    sums: &mut Sums,
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
    });
    thread::scope(|scope| {
        for _ in 0..jobs.get() {
            let (work, done) = (&work, done.clone());
            scope.spawn(move || encode_batches(image, pack, work, &done, watch));
        }
        drop(done);
        let outcome = write_in_order(pack, &finished, &free, out, sums, watch);
        // When it ended early, workers wait on these.
        drop((finished, free));
        outcome
    })
}

/// The stretches of the image that no worker has yet, and the batches to hold them.
#[derive(Debug)]
struct Work {
    free: Receiver<Batch>,
    next: Stretches,
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
    let mut encoder = Remembering {
        encoder: pack.encoder(),
        zeroes: None,
        block_size: pack.block_size() as usize,
    };
    while let Some((mut batch, range)) = take(work) {
        let filled = if watch.stops() {
            Err(interrupted())
        } else {
            batch.fill(image, range, &mut encoder)
        };
        if done.send(filled.map(|()| batch)).is_err() {
            return;
        }
    }
}

fn take(work: &Mutex<Work>) -> Option<(Batch, Range<u64>)> {
    let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
    let mut batch = work.free.recv().ok()?;
    let (number, range) = work.next.next()?;
    batch.number = number;
    Some((batch, range))
}

impl Batch {
    fn fill(&mut self, image: &Image, range: Range<u64>, encoder: &mut Remembering) -> Result<()> {
        let len = usize::try_from(range.end - range.start).expect("a batch fits in memory");
        self.plain.resize(len, 0);
        image.read_at(&mut self.plain, range.start)?;
        self.stored.clear();
        self.blocks.clear();
        for plain in self.plain.chunks(encoder.block_size) {
            let start = self.stored.len();
            let codec = encoder.encode(plain, &mut self.stored);
            let len = u32::try_from(self.stored.len() - start).expect("a block is small");
            self.blocks.push((codec, len));
        }
        Ok(())
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
    sums: &mut Sums,
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
            sums.update(&batch.plain);
            watch.advance(batch.plain.len() as u64, batch.stored.len() as u64);
            next += 1;
            // Nobody takes it when the image is at its end.
            let _ = free.send(batch);
        }
    }
    layout.finish(out)
}
