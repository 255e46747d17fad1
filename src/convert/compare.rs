//! Two images, byte by byte.

use std::{
    io::Read,
    num::NonZeroUsize,
    ops::Range,
    sync::{Mutex, PoisonError},
    thread,
};

use super::{Watch, interrupted};
use crate::{Error, Result, image::Image, unfold::from_io};

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
    let next = Mutex::new(Next {
        at: 0,
        in_order: image.in_order(),
    });
    thread::scope(|scope| {
        let compare = || compare_pieces(image, copy, piece, &next, watch);
        let workers: Vec<_> = (0..jobs.get()).map(|_| scope.spawn(compare)).collect();
        let mut outcomes = workers
            .into_iter()
            .map(|worker| worker.join().expect("it does not panic"));
        outcomes.try_for_each(|outcome| outcome)
    })
}

/// What no worker has yet.
struct Next {
    at: u64,
    /// The plain bytes from there on, where the image is better read in order.
    in_order: Option<Box<dyn Read + Send>>,
}

/// Fills `piece` with the next bytes of the image and tells which they are: none behind the last one.
fn take(image: &Image, next: &Mutex<Next>, piece: &mut [u8]) -> Result<Range<u64>> {
    let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
    let at = next.at;
    let end = image.size().min(at + piece.len() as u64);
    next.at = end;
    let len = usize::try_from(end - at).expect("it is inside the piece");
    if let Some(plain) = &mut next.in_order {
        plain.read_exact(&mut piece[..len]).map_err(from_io)?;
    } else {
        drop(next);
        image.read_at(&mut piece[..len], at)?;
    }
    Ok(at..end)
}

fn compare_pieces(
    image: &Image,
    copy: &Image,
    piece: usize,
    next: &Mutex<Next>,
    watch: &dyn Watch,
) -> Result<()> {
    let (mut ours, mut theirs) = (vec![0; piece], vec![0; piece]);
    loop {
        if watch.stops() {
            return Err(interrupted());
        }
        let span = take(image, next, &mut ours)?;
        if span.is_empty() {
            return Ok(());
        }
        let len = usize::try_from(span.end - span.start).expect("it is a piece");
        let read = copy.read_at(&mut theirs, span.start);
        let read = read.map_err(|err| err.in_context("read back"))?;
        if ours[..len] != theirs[..read] {
            let same = ours[..len]
                .iter()
                .zip(&theirs[..read])
                .take_while(|(a, b)| a == b);
            let at = span.start + same.count() as u64;
            let message =
                format!("read back, the output differs from the source at image offset {at}");
            return Err(Error::corrupt(message));
        }
        watch.advance(len as u64, 0);
    }
}
