//! The opened image: its index as a map, and the decoding of one block.

use super::{
    header::Kin,
    index::{Index, Place},
};
use crate::{
    Error, Result,
    codec::Codec,
    map::{BlockMap, Geometry, Stored},
    source::Source,
};

#[derive(Debug)]
pub(super) struct Blocks {
    geometry: Geometry,
    index: Index,
}

impl Blocks {
    pub(super) fn new(index: Index) -> Self {
        Self {
            geometry: Geometry::Uniform {
                size: index.header.size,
                block_size: index.header.block_size,
            },
            index,
        }
    }
}

impl BlockMap for Blocks {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn locate(&self, block: u64) -> Stored {
        match self.index.place(block) {
            Ok(Place { at, len, codec, .. }) => Stored { at, len, codec },
            Err(_) => Stored::nowhere(Codec::Missing),
        }
    }

    fn decode(&self, block: u64, _stored: Stored, src: &mut [u8], dst: &mut [u8]) -> Result<()> {
        let place = self.index.place(block).map_err(fault)?;
        decode_place(&self.index, block, place, src, dst).map(|_| ())
    }
}

fn fault(fault: super::index::Fault) -> Error {
    Error::corrupt(fault.to_string())
}

/// How much of a block its stored bytes held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Held {
    /// Every byte.
    All,
    /// All but the last byte of the image, which was taken for zero.
    AllButOneByte,
}

/// Reads and decodes one block, to see whether it is what the index says.
///
/// # Errors
/// `Io` when it cannot be read, `Corrupt` when it has no place or does not decode.
pub(super) fn try_block(index: &Index, source: &dyn Source, block: u64) -> Result<Held> {
    let place = index.place(block).map_err(fault)?;
    let mut src = vec![0; place.len as usize];
    source.read_exact_at(&mut src, place.at)?;
    let want = usize::try_from(index.header.plain_len(block)).expect("a block fits in memory");
    decode_place(index, block, place, &src, &mut vec![0; want])
}

fn decode_place(
    index: &Index,
    block: u64,
    place: Place,
    src: &[u8],
    dst: &mut [u8],
) -> Result<Held> {
    let most = index.header.block_size as usize;
    let want = dst.len();
    let src = match (index.header.kin, place.codec) {
        (Kin::Xbox, Codec::Lz4) => behind_length(src)?,
        _ => src,
    };
    let is_last = block + 1 == index.header.blocks();
    let got = match place.codec.decode_start(src, dst, most) {
        Err(_) if is_last && ends_one_byte_early(index, place, src, dst) => Ok(want - 1),
        other => other,
    };
    match got.map_err(|err| say_cut(err, index, place))? {
        n if n == want => Ok(Held::All),
        n if is_last && n > 0 && n + 1 == want => {
            dst[n] = 0;
            Ok(Held::AllButOneByte)
        }
        n => {
            let err = format!(
                "{} data of {} bytes decodes to {n} bytes, not to {want}",
                place.codec.name(),
                src.len()
            );
            Err(say_cut(Error::corrupt(err), index, place))
        }
    }
}

/// The LZ4 block of an Xbox CISO behind the word that tells its length.
fn behind_length(src: &[u8]) -> Result<&[u8]> {
    let (length, rest) = src.split_first_chunk().unwrap_or((&[0; 4], src));
    let length = u32::from_le_bytes(*length);
    let packed = usize::try_from(length).ok().and_then(|len| rest.get(..len));
    packed.ok_or_else(|| {
        Error::corrupt(format!(
            "its length is {length}, the index gives it {} bytes",
            src.len()
        ))
    })
}

/// Whether an LZ4 block that does not decode is one byte short, with padding behind it that looks like more.
///
/// Danixu's ziso loses the last byte of some images; everybody else's blocks do not come here.
fn ends_one_byte_early(index: &Index, place: Place, src: &[u8], dst: &mut [u8]) -> bool {
    let most = index.header.block_size as usize;
    let short = dst.len() - 1;
    let padded = place.codec == Codec::Lz4 && index.header.shift > 0 && short > 0;
    padded && matches!(place.codec.decode_start(src, &mut dst[..short], most), Ok(n) if n == short)
}

fn say_cut(err: Error, index: &Index, place: Place) -> Error {
    if place.cut {
        let place = format!("the file ends inside the block, at {}", index.file_len());
        return err.in_context(place);
    }
    err
}
