//! The image as blocks: a chunk of raw data each, or 64 sectors of a partition, which are hashed together.

use std::{io::Read, ops::Range, sync::Arc};

use super::{
    areas::{Area, Content, Partition},
    bytes::Bytes,
    groups::{Place, Wanted},
    header::{Disc, HASHED, START},
    method::{self, Method, Stream},
    partition::{self, DATA, ON_DISC},
    tables::Tables,
};
use crate::{
    Error, Result,
    codec::Codec,
    map::{BlockMap, Geometry, Stored},
    source::Source,
    unfold::Chunks,
};

#[derive(Debug)]
pub(super) struct Map {
    geometry: Geometry,
    source: Arc<dyn Source>,
    disc: Disc,
    tables: Tables,
    /// Chunks of more than a block.
    large: Chunks,
}

impl Map {
    pub(super) fn new(source: Arc<dyn Source>, size: u64, disc: Disc, tables: Tables) -> Self {
        Self {
            geometry: geometry(size, &tables.areas),
            source,
            disc,
            tables,
            large: Chunks::default(),
        }
    }

    fn area_of(&self, block: u64) -> &Area {
        let areas = &self.tables.areas;
        let behind = areas.partition_point(|area| area.first_block <= block);
        &areas[behind - 1]
    }

    /// The chunks that a block has something of, by number in its area.
    fn chunks_of(&self, area: &Area, block: u64) -> Range<u64> {
        let span = area.span_of(block);
        let chunk = u64::from(self.disc.chunk);
        (span.start - area.start) / chunk..(span.end - area.start).div_ceil(chunk)
    }

    fn group(area: &Area, chunk: u64) -> u32 {
        area.first_group + u32::try_from(chunk).expect("the table of groups has room for it")
    }

    fn places(&self, area: &Area, block: u64) -> Vec<std::result::Result<Place, String>> {
        let groups = self.chunks_of(area, block).map(|it| Self::group(area, it));
        groups.map(|it| self.tables.groups.check(it)).collect()
    }

    /// What a chunk of an area holds.
    fn wanted(&self, area: &Area, chunk: u64) -> Wanted {
        let size = u64::from(self.disc.chunk);
        let start = area.start + chunk * size;
        let len = size.min(area.span.end - start);
        let data = |bytes: u64| bytes / ON_DISC as u64 * DATA as u64;
        match area.content {
            Content::Partition(of) => Wanted {
                len: data(len),
                has_lists: true,
                at: data(start - of.start),
            },
            _ => Wanted {
                len,
                has_lists: false,
                at: start,
            },
        }
    }

    /// A chunk's bytes from its front, out of what was fetched or read here.
    fn begin<'s>(
        &self,
        area: &Area,
        chunk: u64,
        fetched: &'s [u8],
        at: u64,
    ) -> Result<(Stream<'s>, Place)> {
        let place = self.tables.groups.check(Self::group(area, chunk));
        let place = place.map_err(Error::corrupt)?;
        let stored = match place.of(at, fetched) {
            Some(bytes) => bytes,
            None => self.fetch(place)?,
        };
        let groups = &self.tables.groups;
        let stream = groups.begin(place, stored, self.wanted(area, chunk));
        let stream = stream.map_err(|why| method::refuse(place.method, &why))?;
        Ok((stream, place))
    }

    /// The stored bytes of a group that does not lie beside the one before: writers store equal chunks once.
    fn fetch(&self, place: Place) -> Result<Bytes<'static>> {
        let mut bytes = vec![0; place.len as usize];
        self.source.read_exact_at(&mut bytes, place.at)?;
        Ok(Bytes::Owned(bytes))
    }

    /// Reads from the chunks of a block, one after the other. `read` is given the bytes that are in the block, and
    /// how many of the chunk's stand before.
    fn each_chunk(
        &self,
        block: u64,
        fetched: (&[u8], u64),
        dst: &mut [u8],
        mut read: impl FnMut(&mut dyn Skip, &mut [u8], usize) -> std::io::Result<()>,
    ) -> Result<()> {
        let area = self.area_of(block);
        let span = area.span_of(block);
        let size = u64::from(self.disc.chunk);
        let mut rest = dst;
        let mut at = span.start;
        for chunk in self.chunks_of(area, block) {
            let start = area.start + chunk * size;
            let end = span.end.min(start + size);
            let (now, later) = rest.split_at_mut(in_memory(end - at));
            let before = in_memory(at - start);
            let number = Self::group(area, chunk);
            // A chunk of zeroes needs no keeping.
            let is_stored = |place: Place| place.len > 0;
            if self.disc.is_large() && self.tables.groups.check(number).is_ok_and(is_stored) {
                let begin = || Ok(self.begin(area, chunk, &[], u64::MAX)?.0);
                let mut plain = self.large.open(number.into(), begin)?;
                read(&mut plain, now, before)
                    .map_err(|why| method::refuse(self.disc.method, &why))?;
            } else {
                let (mut stream, place) = self.begin(area, chunk, fetched.0, fetched.1)?;
                read(&mut stream, now, before).map_err(|why| method::refuse(place.method, &why))?;
            }
            (rest, at) = (later, end);
        }
        Ok(())
    }

    /// 64 sectors of a partition, or as many as are left.
    fn decode_sectors(
        &self,
        of: Partition,
        block: u64,
        fetched: (&[u8], u64),
        dst: &mut [u8],
    ) -> Result<()> {
        let sectors = (self.disc.chunk.min(HASHED) / super::SECTOR) as usize;
        let mut exceptions = Vec::new();
        self.each_chunk(block, fetched, dst, |stream, sectors_here, before| {
            let number = before / HASHED as usize;
            let mut stream = stream;
            for list in 0..self.disc.lists() as usize {
                let read = partition::read_list(&mut stream, sectors)?;
                if list == number {
                    exceptions.push(read);
                }
            }
            stream.skip(before / ON_DISC * DATA)?;
            partition::read_data(&mut stream, sectors_here)
        })?;
        partition::hash(dst);
        for (list, sectors) in exceptions.iter().zip(dst.chunks_mut(sectors * ON_DISC)) {
            partition::replace(sectors, list);
        }
        partition::encrypt(dst, &self.tables.keys[of.number]);
        Ok(())
    }
}

impl BlockMap for Map {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        let area = self.area_of(block);
        if matches!(area.content, Content::Nothing) {
            return Stored::nowhere(Codec::Missing);
        }
        let places: std::result::Result<Vec<Place>, _> =
            self.places(area, block).into_iter().collect();
        let Ok(places) = places else {
            return Stored::nowhere(Codec::Missing);
        };
        let codec = codec(area, block, &places);
        let run = neighbours(&places);
        Stored {
            at: run.start,
            // A large chunk is read when the first of its blocks is asked for, and not again for each.
            len: if self.disc.is_large() {
                0
            } else {
                u32::try_from(run.end - run.start).expect("64 small groups at most")
            },
            codec,
        }
    }

    fn decode(&self, block: u64, stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        let fetched = (&*src, stored.at);
        let area = self.area_of(block);
        match area.content {
            Content::Nothing => return Err(Error::corrupt("no table tells what is there")),
            Content::Raw => self.each_chunk(block, fetched, dst, |stream, now, before| {
                stream.skip(before)?;
                stream.read_exact(now)
            })?,
            Content::Partition(of) => self.decode_sectors(of, block, fetched, dst)?,
        }
        let at = area.span_of(block).start;
        if let Some(start) = usize::try_from(at)
            .ok()
            .and_then(|at| self.disc.start.get(at..))
        {
            let len = start.len().min(dst.len());
            dst[..len].copy_from_slice(&start[..len]);
        }
        Ok(())
    }
}

/// The codec of a block whose chunks are all there.
fn codec(area: &Area, block: u64, places: &[Place]) -> Codec {
    let method = places.iter().find(|place| place.len > 0);
    let is_raw = matches!(area.content, Content::Raw) && area.span_of(block).start >= START as u64;
    match method {
        None if is_raw => Codec::Zero,
        None => Codec::Own {
            name: "zero",
            checksum: None,
        },
        Some(place) => {
            let checked = places.iter().all(|it| it.method.checksum().is_some());
            let is_packed = place.packed > 0 && place.method == Method::Stored;
            Codec::Own {
                name: if is_packed {
                    "packed"
                } else {
                    place.method.name()
                },
                checksum: place.method.checksum().filter(|_| checked),
            }
        }
    }
}

/// Leaves out plain bytes of a chunk.
trait Skip: Read {
    fn skip(&mut self, bytes: usize) -> std::io::Result<()>;
}

impl Skip for crate::unfold::ChunkBytes {
    fn skip(&mut self, bytes: usize) -> std::io::Result<()> {
        Self::skip(self, bytes);
        Ok(())
    }
}

impl Skip for Stream<'_> {
    fn skip(&mut self, bytes: usize) -> std::io::Result<()> {
        std::io::copy(&mut self.take(bytes as u64), &mut std::io::sink()).map(drop)
    }
}

/// The stored bytes of the first group and of those that follow it, each at the next multiple of 4.
fn neighbours(places: &[Place]) -> Range<u64> {
    let mut stored = places.iter().filter(|place| place.len > 0);
    let Some(first) = stored.next() else {
        return 0..0;
    };
    let mut run = first.at..first.at + u64::from(first.len);
    for place in stored {
        if place.at == run.end.next_multiple_of(4) {
            run.end = place.at + u64::from(place.len);
        }
    }
    run
}

fn geometry(size: u64, areas: &[Area]) -> Geometry {
    if let [only] = areas {
        return Geometry::Uniform {
            size,
            block_size: only.block,
        };
    }
    let blocks = areas.iter().flat_map(|area| {
        let count = (area.span.end - area.start).div_ceil(area.block.into());
        (area.first_block..area.first_block + count).map(|block| area.span_of(block).start)
    });
    Geometry::Table(blocks.chain([size]).collect())
}

fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).expect("it is no more than a chunk")
}
