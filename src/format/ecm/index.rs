//! Where blocks start: found by going from head to head once, which is the only way to the plain size.

use super::runs::{MAX_HEAD, Run};
use crate::{Error, Result, map::check_size, source::Source};

/// Plain bytes after which a block ends, at the end of a sector.
const BLOCK: usize = 32 << 10;

/// Bytes read at once when heads lie near each other.
const NEAR: u64 = 64 << 10;

/// Bytes read at once when they do not.
const FAR: u64 = 512;

/// Where a block starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// Position in the file; a head stands there when nothing is left of a run.
    pub(super) at: u64,
    /// What is left of the run that goes on there.
    pub(super) rest: Option<Run>,
}

/// The blocks of a file.
#[derive(Debug)]
pub(super) struct Index {
    /// Plain start of each block, then the size.
    pub(super) plain: Vec<u64>,
    /// Start of each block, then the end of the runs.
    pub(super) starts: Vec<Start>,
    runs: u64,
}

impl Index {
    pub(super) fn size(&self) -> u64 {
        self.plain.last().copied().unwrap_or(0)
    }

    pub(super) fn runs(&self) -> u64 {
        self.runs
    }
}

/// Goes through all runs.
pub(super) fn scan(source: &dyn Source) -> Result<Index> {
    let mut walk = Walk {
        heads: Heads {
            source,
            at: 0,
            bytes: Vec::new(),
        },
        index: Index {
            plain: vec![0],
            starts: vec![Start { at: 4, rest: None }],
            runs: 0,
        },
        at: 4,
        plain: 0,
    };
    loop {
        let (run, len) = walk.heads.run_at(walk.at)?;
        let Some(run) = run else {
            return walk.finish(len);
        };
        walk.at += len as u64;
        walk.index.runs += 1;
        walk.pass(run, source.len())?;
    }
}

struct Walk<'s> {
    heads: Heads<'s>,
    index: Index,
    at: u64,
    plain: u64,
}

impl Walk<'_> {
    /// Goes through a run, and notes the blocks that start in it.
    fn pass(&mut self, run: Run, len: u64) -> Result<()> {
        let (stored, plain) = (run.kind.stored() as u64, run.kind.plain() as u64);
        let end = self.at + u64::from(run.count) * stored;
        if end > len {
            return Err(Error::corrupt(format!(
                "a run at {} ends at {end}, the file at {len}",
                self.at
            )));
        }
        let mut rest = u64::from(run.count);
        while rest > 0 {
            let room = (BLOCK as u64).saturating_sub(self.plain - self.block_start());
            let units = room.div_ceil(plain).min(rest);
            rest -= units;
            self.at += units * stored;
            self.plain += units * plain;
            if self.plain - self.block_start() >= BLOCK as u64 {
                let count = u32::try_from(rest).expect("it is what is left of a count");
                let rest = (count > 0).then_some(Run { count, ..run });
                self.cut(rest)?;
            }
        }
        Ok(())
    }

    fn block_start(&self) -> u64 {
        self.index.size()
    }

    fn cut(&mut self, rest: Option<Run>) -> Result<()> {
        check_size(self.plain)?;
        self.index.plain.push(self.plain);
        self.index.starts.push(Start { at: self.at, rest });
        Ok(())
    }

    /// The end mark of `len` bytes stands here, and the EDC behind it.
    fn finish(mut self, len: usize) -> Result<Index> {
        check_size(self.plain)?;
        let end = self.at + len as u64 + 4;
        let file = self.heads.source.len();
        if end != file {
            return Err(Error::corrupt(format!(
                "the file has {file} bytes, its end mark and EDC end at {end}"
            )));
        }
        if self.plain > self.block_start() {
            self.cut(None)?;
        }
        Ok(self.index)
    }
}

/// Reads heads, with a few bytes in advance.
struct Heads<'s> {
    source: &'s dyn Source,
    at: u64,
    bytes: Vec<u8>,
}

impl Heads<'_> {
    fn run_at(&mut self, at: u64) -> Result<(Option<Run>, usize)> {
        let read_end = self.at + self.bytes.len() as u64;
        let left = self.source.len().saturating_sub(at);
        let wanted = left.min(MAX_HEAD as u64);
        if at < self.at || at + wanted > read_end {
            let is_near = at.saturating_sub(read_end) < NEAR / 8;
            let most = if is_near { NEAR } else { FAR };
            let len = usize::try_from(left.min(most)).expect("it is at most 64 KiB");
            self.bytes.resize(len, 0);
            self.source.read_exact_at(&mut self.bytes, at)?;
            self.at = at;
        }
        let from = usize::try_from(at - self.at).expect("it is inside the buffer");
        Run::parse(&self.bytes[from..]).map_err(|err| err.in_context(format_args!("at {at}")))
    }
}
