//! CSO and ZSO: a header, an index with one entry per block and one for the end, then the blocks.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | `CISO` (CSO) or `ZISO` (ZSO) |
//! | 4 | 4 | header size: 24, 0 or anything; 24 in version 2. The index is at 24 in any case |
//! | 8 | 8 | image size in plain bytes, not always a multiple of 2048 |
//! | 16 | 4 | block size in plain bytes, not always a power of two |
//! | 20 | 1 | version: 0, 1 (the same), or 2 (only CSO) |
//! | 21 | 1 | shift: positions are in units of `1 << shift` bytes |
//! | 22 | 2 | unused |
//! | 24 | 4 (n + 1) | the start of each block, then the end of the last; bit 31 is a flag |
//!
//! | | flag clear | flag set |
//! |---|---|---|
//! | CSO version 0 and 1 | raw deflate | stored |
//! | ZSO | LZ4 block | stored |
//! | CSO version 2, length below the block size | raw deflate | LZ4 block |
//! | CSO version 2, other length | stored | stored |
//!
//! The distance of two entries is the most that a block takes: padding and checksums may follow its bytes.
//! All numbers are little-endian. Sources: maxcso's `README_CSO.md`; files made by maxcso, ciso (BOOSTER's and the
//! Python ones), ziso.py, Danixu's ziso, 7ciso and `DreamShell`. `docs/formats/cso.md` lists their differences.

use std::sync::Arc;

use self::{
    blocks::Blocks,
    header::{Family, Header},
    index::Index,
};
use super::{Details, Format, OpenOptions, Opened, PartOf, Summary};
use crate::{
    Result,
    source::{Source, read_array},
};

mod blocks;
mod header;
mod index;
mod lookalikes;
mod oddities;
mod pack;
#[cfg(test)]
mod tests;

pub(super) static CSO: Format = Format {
    name: "cso",
    title: "CSO v0, v1 and v2: deflate or LZ4 blocks (PSP, PS2)",
    extensions: &["cso"],
    detect: |head, _| head.starts_with(b"CISO"),
    probe,
    passes_through: false,
    files: None,
    open,
    is_part_extension: |_| false,
    targets: &[&pack::CSO1, &pack::CSO2],
};

pub(super) static ZSO: Format = Format {
    name: "zso",
    title: "ZSO: LZ4 blocks (PS2, PSP)",
    extensions: &["zso"],
    detect: |head, _| head.starts_with(b"ZISO"),
    probe,
    passes_through: false,
    files: None,
    open,
    is_part_extension: |_| false,
    targets: &[&pack::ZSO],
};

fn probe(source: &dyn Source) -> Result<Summary> {
    Ok(Summary {
        size: read_header(source)?.size,
        part: PartOf::Whole,
        encrypted: false,
    })
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let header = read_header(source.as_ref())?;
    lookalikes::refuse_unhinted(&header, source.as_ref())?;
    let mut index = Index::read(header, source.as_ref())?;
    let notes = oddities::settle(&mut index, source.as_ref())?;
    Ok(Opened {
        format: match header.family {
            Family::Cso => &CSO,
            Family::Zso => &ZSO,
        },
        source,
        map: Box::new(Blocks::new(index)),
        details: Details {
            variant: variant(&header),
            notes,
            ..Details::default()
        },
    })
}

/// The header, of a file that is no look-alike as far as its header tells.
fn read_header(source: &dyn Source) -> Result<Header> {
    let bytes = read_array(source, 0, "header")?;
    lookalikes::refuse_gamecube(&bytes, source)?;
    let header = Header::read(&bytes, source)?;
    lookalikes::refuse_hinted(&header, source)?;
    Ok(header)
}

fn variant(header: &Header) -> String {
    let name = match header.family {
        Family::Cso => format!("CSO v{}", header.version),
        Family::Zso => "ZSO".into(),
    };
    match header.shift {
        0 => name,
        shift => format!("{name}, index shift {shift}"),
    }
}
