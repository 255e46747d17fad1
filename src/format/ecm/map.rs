//! Blocks of some runs and pieces of runs, decoded together with their heads.

use super::{
    index::Index,
    runs::{Run, Type, restore},
};
use crate::{
    Error, Result,
    codec::Codec,
    map::{BlockMap, Geometry, Stored},
};

#[derive(Debug)]
pub(super) struct Map {
    geometry: Geometry,
    index: Index,
}

impl Map {
    pub(super) fn new(index: Index) -> Self {
        Self {
            geometry: Geometry::Table(index.plain.clone().into()),
            index,
        }
    }

    fn start(&self, block: u64) -> (u64, Option<Run>) {
        let block = usize::try_from(block).expect("a block number fits the table");
        let start = &self.index.starts[block];
        (start.at, start.rest)
    }
}

impl BlockMap for Map {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let (at, _) = self.start(block);
        let (end, _) = self.start(block + 1);
        Stored {
            at,
            len: u32::try_from(end - at).expect("a block and its heads are below 1 MiB"),
            codec: Codec::Raw,
        }
    }

    fn decode(&self, block: u64, _stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        let (_, mut rest) = self.start(block);
        let (mut src, mut dst) = (&src[..], dst);
        while !dst.is_empty() {
            let run = match rest.take() {
                Some(run) => run,
                None => head(&mut src)?,
            };
            let units = u32::try_from(dst.len().div_ceil(run.kind.plain()))
                .map_or(run.count, |units| units.min(run.count));
            dst = for_units(run.kind, units as usize, &mut src, dst)?;
        }
        Ok(())
    }
}

fn head(src: &mut &[u8]) -> Result<Run> {
    let (run, len) = Run::parse(src)?;
    *src = &src[len..];
    run.ok_or_else(changed)
}

/// Decodes so many sectors or bytes from the front of `src` to the front of `dst`.
/// Returns the rest of `dst`.
fn for_units<'d>(
    kind: Type,
    units: usize,
    src: &mut &[u8],
    dst: &'d mut [u8],
) -> Result<&'d mut [u8]> {
    let (stored, plain) = (units * kind.stored(), units * kind.plain());
    let (from, rest) = src.split_at_checked(stored).ok_or_else(changed)?;
    let (to, later) = dst.split_at_mut_checked(plain).ok_or_else(changed)?;
    *src = rest;
    match kind {
        Type::Bytes => to.copy_from_slice(from),
        Type::Sectors(sector) => {
            let sectors = from.chunks_exact(kind.stored());
            for (from, to) in sectors.zip(to.chunks_exact_mut(kind.plain())) {
                restore(sector, from, to);
            }
        }
    }
    Ok(later)
}

/// The heads were checked at open; they can only be others when the file was written to since.
fn changed() -> Error {
    Error::corrupt("the runs are not what they were when the image was opened")
}
