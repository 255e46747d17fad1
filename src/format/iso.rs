//! Plain images, which need no decoding.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0x8001 | 5 | `CD001` (ISO 9660, ECMA-119), or `BEA01` (UDF without ISO 9660, ECMA-167) in sector 16 |
//!
//! Source: ECMA-119 section 8 and ECMA-167 part 2 section 9.1.

use std::sync::Arc;

use super::{Details, Format, OpenOptions, Opened, PartOf, Summary};
use crate::{
    Result,
    map::{AsStored, check_size},
    source::Source,
};

mod pack;

pub(super) static ISO: Format = Format {
    name: "iso",
    title: "plain images, shown as they are",
    extensions: &["iso"],
    detect: |_, source| is_volume(source),
    probe: |source| {
        Ok(Summary {
            size: check_size(source.len())?,
            part: PartOf::Whole,
            encrypted: false,
        })
    },
    passes_through: true,
    files: None,
    open,
    is_part_extension: |_| false,
    targets: &[&pack::TARGET],
};

/// Where the first volume descriptor's identifier stands: one byte into sector 16.
const IDENTIFIER_AT: u64 = 16 * 2048 + 1;

fn is_volume(source: &dyn Source) -> bool {
    let mut identifier = [0; 5];
    source.len() >= IDENTIFIER_AT + 5
        && source.read_exact_at(&mut identifier, IDENTIFIER_AT).is_ok()
        && matches!(&identifier, b"CD001" | b"BEA01")
}

pub(super) fn open(source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    let map = AsStored::new(check_size(source.len())?);
    Ok(Opened {
        format: &ISO,
        source,
        map: Box::new(map),
        details: Details {
            variant: "plain".into(),
            ..Details::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, format};

    fn volume(identifier: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 40_000];
        bytes[0x8001..0x8006].copy_from_slice(identifier);
        bytes
    }

    #[test]
    fn knows_iso_9660_and_udf() {
        for identifier in [b"CD001", b"BEA01"] {
            let opened = format::open(Arc::new(volume(identifier)), &OpenOptions::alone()).unwrap();
            assert_eq!(opened.format.name, "iso");
            assert_eq!(opened.map.geometry().size(), 40_000);
        }
    }

    #[test]
    fn rejects_a_file_without_a_volume_descriptor() {
        let err = format::open(Arc::new(volume(b"CD002")), &OpenOptions::alone()).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::UnknownFormat);
    }
}
