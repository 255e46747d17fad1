//! ECM: CD sectors without what can be worked out from their user data.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | `ECM\0` |
//! | 4 | 1 to 5 | head of a run: type in bits 0 and 1, count minus 1 in bits 2 to 6, then 7 bits a byte while bit 7 is set |
//! | | | type 0: so many bytes as they are |
//! | | | type 1: mode 1 sectors, of each address (3) and user data (2048), for 2352 plain bytes |
//! | | | type 2: mode 2 form 1 from the subheader on, of each subheader (4) and user data (2048), for 2336 |
//! | | | type 3: mode 2 form 2 from the subheader on, of each subheader (4) and user data (2324), for 2336 |
//! | | | ...more runs; a count minus 1 of 2^32 - 1 ends them |
//! | end | 4 | EDC of all plain bytes |
//!
//! Source: format.txt of ecm-tools by Neill Corlett.

use std::{ffi::OsStr, path::Path, sync::Arc};

use super::{Details, Format, OpenOptions, Opened, PartOf, Summary, extension_of};
use crate::{
    Result,
    files::{Listed, PlainFile},
    source::Source,
};

mod index;
mod map;
mod runs;
#[cfg(test)]
mod tests;

pub(super) static ECM: Format = Format {
    name: "ecm",
    title: "CD images without their error correction",
    extensions: &["ecm"],
    detect: |head, _| head.starts_with(MAGIC),
    passes_through: false,
    probe: |source| {
        Ok(Summary {
            size: index::scan(source)?.size(),
            part: PartOf::Whole,
            encrypted: false,
        })
    },
    files: Some(files),
    open,
    is_part_extension: |_| false,
    targets: &[],
};

const MAGIC: &[u8; 4] = b"ECM\0";

/// `Game.img.ecm` is `Game.img`; where the name does not tell, it is a `.bin`.
fn files(source: &Arc<dyn Source>, options: &OpenOptions<'_>) -> Result<Listed> {
    let size = index::scan(source.as_ref())?.size();
    let inner = Path::new(options.name)
        .file_stem()
        .unwrap_or(OsStr::new(""));
    let ending = match extension_of(inner).as_str() {
        // The stem ends in it already, in the letter case that it has.
        "bin" | "img" | "iso" => {
            let extension = Path::new(inner).extension().unwrap_or_default();
            format!(".{}", extension.to_string_lossy())
        }
        _ => ".bin".into(),
    };
    Ok(Listed::alone(vec![PlainFile::blocks(ending, size, 0)]))
}

fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let index = index::scan(source.as_ref())?;
    let variant = format!("{} runs", index.runs());
    Ok(Opened {
        format: &ECM,
        source,
        map: Box::new(map::Map::new(index)),
        details: Details {
            variant,
            ..Details::default()
        },
    })
}
