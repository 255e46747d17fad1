//! The plain bytes of an image as a file, or to a writer.
//!
//! A file is written beside its final name, with holes for zeroes, and gets the name when all of it is on the disk.
//! What an interrupted run wrote is continued by the next one, if it belongs to the same stored file.
//!
//! ```
//! # fn main() -> plainiso::Result<()> {
//! use std::{fs, sync::Arc};
//! use plainiso::{cache::BlockCache, extract, image::Image, output::Existing};
//!
//! let dir = tempfile::tempdir().unwrap();
//! let (stored, plain) = (dir.path().join("stored.iso"), dir.path().join("plain.iso"));
//! # let mut file = vec![0; 0x9000];
//! # file[0x8001..0x8006].copy_from_slice(b"CD001");
//! # fs::write(&stored, file).unwrap();
//! let image = Image::open(&stored, Arc::new(BlockCache::new(1 << 20)), &|| Ok(None))?;
//! extract::to_file(&image, &stored, &plain, Existing::Refuse, &mut |_done| {})?;
//! assert_eq!(fs::read(&plain).unwrap(), fs::read(&stored).unwrap());
//! # Ok(())
//! # }
//! ```

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use crate::{
    Error, Result,
    image::Image,
    output::Existing,
    stream::{Damage, Stream},
};

mod part;
mod space;
mod sparse;
#[cfg(test)]
mod tests;

use part::{Origin, Part};

/// Plain bytes between two points at which everything written so far is brought to the disk. A run that is killed
/// loses at most so many.
const CHECKPOINT: u64 = 128 << 20;

/// How a file came about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extracted {
    /// It was there, with the size and the time of this image.
    Before,
    /// It was written.
    Now {
        /// Plain bytes that an earlier, interrupted run had written already.
        resumed_at: u64,
    },
}

/// Writes the plain bytes of the image stored at `stored` to the file `out`, which also gets its time (of a set, the newest).
///
/// Until the file is complete it is called `OUT.part`, and `OUT.part.state` says whose it is. Both stay when the run
/// is interrupted or the disk is full, and go when the image turns out to be damaged. A file that is there with the
/// size and the time that the new one would get needs nothing. `progress` is told the number
/// of plain bytes done.
///
/// # Errors
/// That of the first damaged block; `Io` when `out` is there and may not be replaced, is the image itself or no
/// regular file, when another process extracts to it, or when the disk is full or fails.
pub fn to_file(
    image: &Image,
    stored: &Path,
    out: &Path,
    existing: Existing,
    progress: &mut dyn FnMut(u64),
) -> Result<Extracted> {
    let origin = Origin::of(image, stored)?;
    if check_target(&origin, out, existing)? {
        return Ok(Extracted::Before);
    }
    let mut part = Part::open(out, origin)?;
    let resumed_at = part.resume(image)?;
    let first_block = block_from(image, resumed_at);
    space::check(image, first_block, out)?;
    progress(resumed_at);
    match copy(image, first_block, &mut part, progress) {
        Ok(()) => {}
        Err(Stop::Read(err)) => {
            part.discard();
            return Err(err.in_file(stored));
        }
        Err(Stop::Write(err)) => return Err(part.interrupted(err)),
    }
    part.rename(out, existing)?;
    Ok(Extracted::Now { resumed_at })
}

fn copy(
    image: &Image,
    first_block: u64,
    part: &mut Part,
    progress: &mut dyn FnMut(u64),
) -> std::result::Result<(), Stop> {
    Stream::of(image)
        .from_block(first_block)
        .in_order(|mut piece| {
            if let Some(damage) = piece.take_damage().into_iter().next() {
                return Err(Stop::Read(damage.error));
            }
            part.write(piece.at(), piece.plain()).map_err(Stop::Write)?;
            let done = piece.at() + piece.plain().len() as u64;
            if done >= part.done() + CHECKPOINT {
                part.checkpoint(done).map_err(Stop::Write)?;
            }
            progress(done);
            Ok(())
        })?;
    part.complete().map_err(Stop::Write)
}

/// True when `out` is there and needs nothing.
fn check_target(origin: &Origin, out: &Path, existing: Existing) -> Result<bool> {
    let there = match fs::symlink_metadata(out) {
        Ok(there) => there,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(err) => return Err(Error::io(err, "cannot inspect the file").in_file(out)),
    };
    let refuse = |why: &str| Err(taken(why).in_file(out));
    if there.is_dir() {
        return refuse("this is a folder; name a file, or end the name with a slash");
    }
    if !there.is_file() {
        return refuse("this is no regular file; remove it, or use -o - and redirect");
    }
    if origin.has(&there) {
        return refuse("this is the image itself; choose another name with -o");
    }
    if existing == Existing::Replace {
        return Ok(false);
    }
    if origin.is_complete_in(&there) {
        return Ok(true);
    }
    refuse("it is there already; use --force to replace it")
}

fn taken(why: &str) -> Error {
    Error::new(crate::ErrorKind::Io, why)
}

/// The block that begins at `at`, which is a block's start or the end of the image.
fn block_from(image: &Image, at: u64) -> u64 {
    if at < image.size() {
        image.geometry().block_at(at)
    } else {
        image.geometry().blocks()
    }
}

/// Which side ended a copy.
#[derive(Debug)]
pub enum Stop {
    /// A damaged block, by its error.
    Read(Error),
    /// The writer's error.
    Write(io::Error),
}

/// Writes the plain bytes to `out`, in order.
///
/// # Errors
/// `Write` when `out` fails; `Read` at the first damaged block, after everything in front of it was written.
pub fn to_writer(
    image: &Image,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> std::result::Result<(), Stop> {
    Stream::of(image).in_order(|mut piece| {
        let damage = piece.take_damage().into_iter().next();
        let whole = match &damage {
            Some(Damage { bytes, .. }) => usize::try_from(bytes.start - piece.at()),
            None => Ok(piece.plain().len()),
        };
        let whole = whole.expect("damage lies in its piece");
        out.write_all(&piece.plain()[..whole])
            .map_err(Stop::Write)?;
        progress(piece.at() + whole as u64);
        damage.map_or(Ok(()), |damage| Err(Stop::Read(damage.error)))
    })
}
