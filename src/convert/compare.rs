//! Two images, byte by byte.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use super::{Watch, interrupted};
use crate::{Error, Result, image::Image};

/// Plain bytes that are compared at once, where blocks are not larger.
const PIECE: usize = 256 << 10;

/// Reads both images and compares them.
///
/// # Errors
/// `Corrupt` naming the first place found where `copy` is not `image`; what reading them reports, and the answer to
/// [`Watch::stops`].
pub fn compare(image: &Image, copy: &Image, jobs: NonZeroUsize, watch: &dyn Watch) -> Result<()> {
    if image.size() != copy.size() {
        let (want, found) = (image.size(), copy.size());
        let message = format!("read back, the output holds {found} bytes, not {want}");
        return Err(Error::corrupt(message));
    }
    let largest = |image: &Image| image.geometry().largest_block();
    let piece = PIECE.max(largest(image)).max(largest(copy));
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        let compare = || compare_pieces(image, copy, piece, &next, watch);
        let workers: Vec<_> = (0..jobs.get()).map(|_| scope.spawn(compare)).collect();
        let mut outcomes = workers
            .into_iter()
            .map(|worker| worker.join().expect("it does not panic"));
        outcomes.try_for_each(|outcome| outcome)
    })
}

fn compare_pieces(
    image: &Image,
    copy: &Image,
    piece: usize,
    next: &AtomicU64,
    watch: &dyn Watch,
) -> Result<()> {
    let (mut ours, mut theirs) = (vec![0; piece], vec![0; piece]);
    loop {
        if watch.stops() {
            return Err(interrupted());
        }
        let at = next.fetch_add(piece as u64, Ordering::Relaxed);
        if at >= image.size() {
            return Ok(());
        }
        let len = image.read_at(&mut ours, at)?;
        let read = copy.read_at(&mut theirs, at);
        let read = read.map_err(|err| err.in_context("read back"))?;
        if ours[..len] != theirs[..read] {
            let same = ours[..len]
                .iter()
                .zip(&theirs[..read])
                .take_while(|(a, b)| a == b);
            let at = at + same.count() as u64;
            let message =
                format!("read back, the output differs from the source at image offset {at}");
            return Err(Error::corrupt(message));
        }
        watch.advance(len as u64, 0);
    }
}
