//! Areas: which groups hold which part of the disc.

use std::ops::Range;

use super::header::{Disc, HASHED};
use crate::{Error, Result};

/// An entry of a table, as it stands there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) start: u64,
    pub(super) len: u64,
    pub(super) first_group: u32,
    pub(super) groups: u32,
    pub(super) partition: Option<Partition>,
}

/// Data of a Wii partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partition {
    /// Its number, from 0.
    pub(super) number: usize,
    /// Where its data begins on the disc.
    pub(super) start: u64,
}

/// A part of the disc, cut into blocks.
#[derive(Clone, Debug)]
pub(super) struct Area {
    /// The plain bytes.
    pub(super) span: Range<u64>,
    /// Where its first chunk begins: before the span when the area before reaches into it.
    pub(super) start: u64,
    pub(super) first_group: u32,
    pub(super) content: Content,
    pub(super) first_block: u64,
    /// Plain bytes of a block.
    pub(super) block: u32,
    chunk: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    /// No table tells what is there.
    Nothing,
    Raw,
    Partition(Partition),
}

impl Area {
    /// The groups that it has.
    pub(super) fn groups(&self) -> Range<u32> {
        let chunks = match self.content {
            Content::Nothing => 0,
            _ => (self.span.end - self.start).div_ceil(self.chunk.into()),
        };
        let chunks = u32::try_from(chunks).expect("the table of groups has room for them");
        self.first_group..self.first_group + chunks
    }

    fn blocks(&self) -> u64 {
        (self.span.end - self.start).div_ceil(self.block.into())
    }

    /// The plain bytes of its block with that number in the image.
    pub(super) fn span_of(&self, block: u64) -> Range<u64> {
        let start = self.start + (block - self.first_block) * u64::from(self.block);
        start.max(self.span.start)..(start + u64::from(self.block)).min(self.span.end)
    }
}

/// The two stretches of a partition: the second one goes on behind the first.
pub(super) fn partition(number: usize, parts: [Part; 2]) -> Result<Vec<Part>> {
    let start = parts[0].start;
    let mut used: Vec<Part> = parts.into_iter().filter(|part| part.len > 0).collect();
    for part in &mut used {
        // Sectors are hashed by 64, so no block may have some of both.
        let before = part.start.checked_sub(start);
        if before.is_none_or(|before| before % u64::from(HASHED) != 0) {
            return Err(Error::unsupported(format!(
                "data of partition {number} begins at {start} and goes on at {}, which must be a multiple of {HASHED} behind",
                part.start
            )));
        }
        part.partition = Some(Partition { number, start });
    }
    Ok(used)
}

/// Tiles the image with the parts and what is between them.
pub(super) fn lay_out(mut parts: Vec<Part>, size: u64, disc: &Disc) -> Result<Box<[Area]>> {
    parts.retain(|part| part.len > 0);
    parts.sort_by_key(|part| (part.start, part.len));
    check_groups(&parts, disc)?;
    let mut areas: Vec<Area> = Vec::new();
    let mut at = 0;
    for part in parts {
        let end = part.start.checked_add(part.len).filter(|&end| end <= size);
        let end = end.ok_or_else(|| {
            Error::corrupt(format!(
                "a part of {} bytes at {} ends behind the image's end at {size}",
                part.len, part.start
            ))
        })?;
        // What is stored from the sector on may have its first bytes in the part before.
        let reach = part.start + u64::from(super::SECTOR);
        let may_reach = part.partition.is_none() && at < reach.min(end);
        if part.start < at && !may_reach {
            return Err(Error::corrupt(format!(
                "a part begins at {}, the one before ends at {at}",
                part.start
            )));
        }
        if part.start > at {
            areas.push(nothing(at..part.start));
        }
        areas.push(area(part, at.max(part.start)..end, disc));
        at = end;
    }
    if at < size {
        areas.push(nothing(at..size));
    }
    let mut first_block = 0;
    for area in &mut areas {
        area.first_block = first_block;
        first_block += area.blocks();
    }
    Ok(areas.into())
}

fn area(part: Part, span: Range<u64>, disc: &Disc) -> Area {
    let (content, block) = match part.partition {
        None => (Content::Raw, disc.chunk.min(HASHED)),
        Some(partition) => (Content::Partition(partition), HASHED),
    };
    Area {
        span,
        start: part.start,
        first_group: part.first_group,
        content,
        first_block: 0,
        block,
        chunk: disc.chunk,
    }
}

fn nothing(span: Range<u64>) -> Area {
    Area {
        start: span.start,
        span,
        first_group: 0,
        content: Content::Nothing,
        first_block: 0,
        block: HASHED,
        chunk: HASHED,
    }
}

/// Each part has the groups that its bytes need, inside the table, and no more than the table has are used.
fn check_groups(parts: &[Part], disc: &Disc) -> Result<()> {
    let mut used = 0;
    for part in parts {
        let needed = part.len.div_ceil(disc.chunk.into());
        if u64::from(part.groups) < needed {
            return Err(Error::corrupt(format!(
                "a part of {} bytes has {} groups, in chunks of {} it needs {needed}",
                part.len, part.groups, disc.chunk
            )));
        }
        let end = u64::from(part.first_group) + u64::from(part.groups);
        used += u64::from(part.groups);
        if end > disc.groups.count.into() || used > disc.groups.count.into() {
            return Err(Error::corrupt(format!(
                "a part has {} groups from {} on, the table has {}, of which parts before have {}",
                part.groups,
                part.first_group,
                disc.groups.count,
                used - u64::from(part.groups)
            )));
        }
    }
    Ok(())
}
