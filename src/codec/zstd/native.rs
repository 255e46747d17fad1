//! By zstd's own library.

use std::{
    cell::Cell,
    io::{self, BufRead},
};

use zstd_safe::{
    DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, find_frame_compressed_size,
    get_error_name, is_error_kind, zstd_sys::ZSTD_ErrorCode as Code,
};

use super::{
    Fault, Lengths,
    frame::damage,
    header::{Header, MOST_WINDOW, bare},
};
use crate::codec::KEEP_BUFFER;

/// Bytes of the header of a block.
const BLOCK_HEADER: usize = 3;

thread_local! {
    /// A context to be used again: it has tables of 160 KiB.
    static SPARE: Cell<Option<DCtx<'static>>> = const { Cell::new(None) };
}

/// A context that goes back to where it is kept, unless it has grown large.
struct Context(Option<DCtx<'static>>);

impl Context {
    fn lend() -> Option<Self> {
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        if spare.is_some() {
            return Some(Self(spare));
        }
        let mut context = DCtx::try_create()?;
        let limit = DParameter::WindowLogMax(MOST_WINDOW.ilog2());
        context.set_parameter(limit).ok()?;
        Some(Self(Some(context)))
    }

    fn get(&mut self) -> &mut DCtx<'static> {
        self.0.as_mut().expect("it is given back by drop alone")
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let Some(mut context) = self.0.take() else {
            return;
        };
        let is_whole = context.reset(ResetDirective::SessionOnly).is_ok();
        if is_whole && context.sizeof() <= KEEP_BUFFER {
            // A thread that ends keeps nothing.
            let _ = SPARE.try_with(|spare| spare.set(Some(context)));
        }
    }
}

const NO_MEMORY: &str = "there is no memory for a decoder";

pub(super) fn decode(_: &Header, src: &[u8], dst: &mut [u8]) -> Result<Lengths, Fault> {
    let stored = find_frame_compressed_size(src).map_err(|code| Fault::of(code, src))?;
    let frame = &src[..stored];
    let mut context = Context::lend().ok_or_else(|| Fault::Damaged(NO_MEMORY.into()))?;
    match context.get().decompress(dst, frame) {
        Ok(plain) => Ok(Lengths { stored, plain }),
        Err(code) => Err(Fault::of(code, frame)),
    }
}

impl Fault {
    /// What the library says about a frame.
    fn of(code: usize, frame: &[u8]) -> Self {
        if is_error_kind(code, Code::ZSTD_error_dstSize_tooSmall) {
            return Self::TooLong;
        }
        match frame.last_chunk() {
            Some(wanted) if is_error_kind(code, Code::ZSTD_error_checksum_wrong) => {
                Self::Checksum(u32::from_le_bytes(*wanted))
            }
            _ => Self::Damaged(format!("the frame is damaged: {}", get_error_name(code))),
        }
    }
}

/// The blocks of a frame, which are given to the library one by one: when it finds damage, it forgets what it made of
/// the other bytes that it was given at the time.
pub(super) struct Blocks {
    context: Context,
    /// Stored bytes that make the library go on: the rest of a block, and often the next one's header. 0 at the end.
    hint: usize,
    /// Whether it may have plain bytes that there was no room for.
    is_full: bool,
}

impl Blocks {
    /// Blocks whose matches reach back so many bytes.
    pub(super) fn new(window: u64) -> io::Result<Self> {
        let mut context = Context::lend().ok_or_else(|| io::Error::other(NO_MEMORY))?;
        let header = bare(window);
        let mut nothing = OutBuffer::around(&mut [][..]);
        let begun = context
            .get()
            .decompress_stream(&mut nothing, &mut InBuffer::around(&header));
        Ok(Self {
            hint: begun.map_err(refuse)?,
            context,
            is_full: false,
        })
    }

    /// Some plain bytes, or none behind the last block.
    pub(super) fn read(&mut self, stored: &mut impl BufRead, buf: &mut [u8]) -> io::Result<usize> {
        let room = buf.len();
        let mut out = OutBuffer::around(buf);
        while room > 0 && out.pos() == 0 && self.hint > 0 {
            let piece = if self.is_full {
                &[]
            } else {
                self.piece(stored)?
            };
            let mut input = InBuffer::around(piece);
            let hint = self.context.get().decompress_stream(&mut out, &mut input);
            self.hint = hint.map_err(refuse)?;
            self.is_full = out.pos() == room;
            let consumed = input.pos();
            stored.consume(consumed);
        }
        Ok(out.pos())
    }

    /// Stored bytes up to the end of a block, or of a block's header.
    fn piece<'s>(&self, stored: &'s mut impl BufRead) -> io::Result<&'s [u8]> {
        let all = stored.fill_buf()?;
        if all.is_empty() {
            return Err(damage("the frame ends before its last block does"));
        }
        let wanted = match self.hint {
            rest @ ..=BLOCK_HEADER => rest,
            more => more - BLOCK_HEADER,
        };
        Ok(&all[..wanted.min(all.len())])
    }
}

fn refuse(code: usize) -> io::Error {
    damage(format!("the frame is damaged: {}", get_error_name(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_kept() -> bool {
        let spare = SPARE.take();
        let is_kept = spare.is_some();
        SPARE.set(spare);
        is_kept
    }

    /// What comes out of a window of that size, if it is not damaged.
    fn plain(frame: &[u8], window: u64) -> io::Result<Vec<u8>> {
        let mut blocks = Blocks::new(window)?;
        assert!(!is_kept());
        let (mut rest, mut all, mut piece) = (frame, Vec::new(), [0; 9]);
        loop {
            match blocks.read(&mut rest, &mut piece)? {
                0 => return Ok(all),
                n => all.extend(&piece[..n]),
            }
        }
    }

    /// One block, stored, of the bytes 1 to 5.
    const BLOCK: [u8; 8] = [0x29, 0, 0, 1, 2, 3, 4, 5];

    #[test]
    fn a_context_is_used_again_unless_it_is_large() {
        for (window, kept) in [(1 << 20, true), (8 << 20, false)] {
            assert_eq!(plain(&BLOCK, window).unwrap(), [1, 2, 3, 4, 5]);
            assert_eq!(is_kept(), kept, "{window}");
        }
    }

    #[test]
    fn a_context_that_saw_damage_decodes_the_next_frame() {
        let mut damaged = BLOCK;
        damaged[0] |= 6;
        assert!(plain(&damaged, 1 << 17).is_err());
        assert!(is_kept());
        assert_eq!(plain(&BLOCK, 1 << 17).unwrap(), [1, 2, 3, 4, 5]);
    }
}
