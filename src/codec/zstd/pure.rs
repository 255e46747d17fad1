//! By ruzstd: all Rust.

use std::{
    cell::Cell,
    io::{self, Read},
};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{
    Fault, Lengths, checksum,
    frame::damage,
    header::{Header, bare},
};
use crate::codec::KEEP_BUFFER;

/// The largest window that the decoder takes. It keeps all bytes that it has not given out, so those of a larger
/// window are left with it.
const DECODERS_WINDOW: u64 = 64 << 20;

thread_local! {
    static SPARE: Cell<Option<Box<FrameDecoder>>> = const { Cell::new(None) };
}

pub(super) fn decode(header: &Header, src: &[u8], dst: &mut [u8]) -> Result<Lengths, Fault> {
    let damaged = |why: io::Error| Fault::Damaged(why.to_string());
    let mut rest = &src[header.len..];
    // Nothing lies further back than the front of `dst`.
    let room = Header {
        plain: header.plain.or(Some(dst.len() as u64)),
        ..*header
    };
    let mut blocks = Blocks::new(room.reach()).map_err(damaged)?;
    let mut filled = 0;
    while filled < dst.len() {
        match blocks.read(&mut rest, &mut dst[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(why) => return Err(damaged(why)),
        }
    }
    if blocks.read(&mut rest, &mut [0]).map_err(damaged)? > 0 {
        return Err(Fault::TooLong);
    }
    if header.has_checksum {
        let mut wanted = [0; 4];
        rest.read_exact(&mut wanted).map_err(damaged)?;
        let wanted = u32::from_le_bytes(wanted);
        if checksum(&dst[..filled]) != wanted {
            return Err(Fault::Checksum(wanted));
        }
    }
    Ok(Lengths {
        stored: src.len() - rest.len(),
        plain: filled,
    })
}

/// The blocks of a frame.
pub(super) struct Blocks {
    decoder: Option<Box<FrameDecoder>>,
    window: usize,
    /// Bytes of the window beyond what the decoder knows of.
    beyond: usize,
}

impl Blocks {
    /// Blocks whose matches reach back so many bytes.
    pub(super) fn new(window: u64) -> io::Result<Self> {
        let told = window.min(DECODERS_WINDOW);
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let mut decoder = spare.unwrap_or_default();
        decoder
            .reset(&bare(told)[..])
            .map_err(|_| damage("the frame header is damaged"))?;
        let in_memory = |bytes| usize::try_from(bytes).expect("it is at most MOST_WINDOW");
        Ok(Self {
            decoder: Some(decoder),
            window: in_memory(window),
            beyond: in_memory(window - told),
        })
    }

    /// Some plain bytes, or none behind the last block.
    pub(super) fn read(&mut self, stored: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
        let decoder = self.decoder.as_mut().expect("drop alone takes it");
        while !decoder.is_finished() && decoder.can_collect() <= self.beyond {
            decoder
                .decode_blocks(&mut *stored, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|err| damage(format!("the frame is damaged: {err}")))?;
        }
        let held_back = if decoder.is_finished() {
            0
        } else {
            self.beyond
        };
        let ready = decoder.can_collect() - held_back;
        let n = ready.min(buf.len());
        decoder.read_exact(&mut buf[..n])?;
        Ok(n)
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        if self.window <= KEEP_BUFFER {
            // A thread that ends keeps nothing.
            let _ = SPARE.try_with(|spare| spare.set(self.decoder.take()));
        }
    }
}
