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
//! | Xbox CISO | stored | length, LZ4 block |
//! | ZSO of `DreamShell` | LZO1X stream | stored |
//!
//! The distance of two entries is the most that a block takes: padding and checksums may follow its bytes.
//! All numbers are little-endian. Sources: maxcso's `README_CSO.md`; files made by maxcso, ciso (BOOSTER's and the
//! Python ones), ziso.py, Danixu's ziso, 7ciso and `DreamShell`. `docs/formats/cso.md` lists their differences.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    sync::Arc,
};

use self::{
    blocks::Blocks,
    header::{Family, Header, Kin},
    index::Index,
};
use super::{Details, Format, OpenOptions, Opened, PartOf, Summary, file_beside};
use crate::{
    Result,
    source::{Part, Parts, Source, read_array},
};

mod blocks;
mod gamecube;
mod header;
mod index;
mod lookalikes;
mod oddities;
mod pack;
#[cfg(test)]
mod tests;

pub(super) use gamecube::CISO;

pub(super) static CSO: Format = Format {
    name: "cso",
    title: "CSO v0, v1 and v2: deflate or LZ4 blocks (PSP, PS2); Xbox CISO",
    extensions: &["cso"],
    detect: |head, source| head.starts_with(b"CISO") && !gamecube::is_one(head, source),
    probe,
    passes_through: false,
    files: None,
    open,
    is_part_extension: |_| false,
    targets: &[&pack::CSO1, &pack::CSO2],
};

pub(super) static ZSO: Format = Format {
    name: "zso",
    title: "ZSO: LZ4 blocks (PS2, PSP), LZO in those of DreamShell (Dreamcast)",
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
    let header = read_header(source)?;
    let may_go_on = source.len() > XBOX_SPLIT && header.family == Family::Cso;
    Ok(Summary {
        size: header.size,
        part: if may_go_on && lookalikes::kin(&header, source)? == Kin::Xbox {
            PartOf::First
        } else {
            PartOf::Whole
        },
        encrypted: false,
    })
}

/// Where the writers of Xbox CISO go on in a second file.
const XBOX_SPLIT: u64 = 0xffbf_6000;

fn open(source: Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Opened> {
    let mut header = read_header(source.as_ref())?;
    header.kin = lookalikes::kin(&header, source.as_ref())?;
    let mut index = Index::read(header, source.as_ref())?;
    let (source, parts) = match header.kin {
        Kin::Xbox => with_second(source, &mut index, options)?,
        Kin::Own | Kin::DreamShell => (source, Vec::new()),
    };
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
            parts,
            notes,
            ..Details::default()
        },
    })
}

/// Joins the second file of an Xbox CISO, where the index goes on in one, and names both.
fn with_second(
    source: Arc<dyn Source>,
    index: &mut Index,
    options: &OpenOptions<'_>,
) -> Result<(Arc<dyn Source>, Vec<String>)> {
    let Some(block) = index.first_at_zero() else {
        return Ok((source, Vec::new()));
    };
    let name = second_name(options.name);
    let second = file_beside(&name, "the index", options)?;
    let names = [options.name, &name].map(|name| name.to_string_lossy().into_owned());
    let at = source.len();
    let parts = [source, second].into_iter().zip(&names);
    let parts = parts.map(|(source, name)| Part {
        at: 0,
        len: source.len(),
        source,
        name: name.clone(),
    });
    let joined = Parts::new(parts.collect())?;
    index.go_on(block, at, joined.len());
    Ok((Arc::new(joined), names.into()))
}

/// `Game.2.cso` for `Game.1.cso`.
fn second_name(first: &OsStr) -> OsString {
    let stem = Path::new(first).with_extension("");
    let stem = match stem.extension() {
        Some(number) if number == "1" => stem.with_extension(""),
        _ => stem,
    };
    let mut name = stem.into_os_string();
    name.push(".2.cso");
    name
}

fn read_header(source: &dyn Source) -> Result<Header> {
    Header::read(&read_array(source, 0, "header")?, source)
}

fn variant(header: &Header) -> String {
    let name = match (header.kin, header.family) {
        (Kin::Xbox, _) => return "Xbox CISO".into(),
        (Kin::DreamShell, _) => "DreamShell ZISO with LZO blocks".into(),
        (Kin::Own, Family::Cso) => format!("CSO v{}", header.version),
        (Kin::Own, Family::Zso) => "ZSO".into(),
    };
    match header.shift {
        0 => name,
        shift => format!("{name}, index shift {shift}"),
    }
}
