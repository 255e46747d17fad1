//! The name of the volume on a disc.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0x8000 | 1 | type of the volume descriptor: 1 is the primary one |
//! | 0x8001 | 5 | `CD001` |
//! | 0x8028 | 32 | volume identifier, filled up with spaces |
//!
//! Source: ECMA-119 sections 8.1 and 8.4.7. The primary descriptor is looked for in the first descriptors from
//! sector 16 on, because a boot record may stand in front of it.

use crate::{Result, image::Image};

const SECTOR: u64 = 2048;
const FIRST_DESCRIPTOR: u64 = 16;

/// Discs have three or four descriptors; a list without an end must not keep us.
const MOST_DESCRIPTORS: u64 = 32;

/// The volume identifier of an ISO 9660 disc; `None` when it has none, or is another kind of disc.
///
/// # Errors
/// What reading reports.
pub(super) fn read(image: &Image) -> Result<Option<String>> {
    let mut descriptor = [0; 72];
    for sector in FIRST_DESCRIPTOR..FIRST_DESCRIPTOR + MOST_DESCRIPTORS {
        let n = image.read_at(&mut descriptor, sector * SECTOR)?;
        if n < descriptor.len() || &descriptor[1..6] != b"CD001" {
            return Ok(None);
        }
        match descriptor[0] {
            1 => return Ok(text(&descriptor[40..72])),
            255 => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

/// Most writers keep to capitals, digits and underscores; others write UTF-8 or Latin-1, or end with zeroes.
fn text(field: &[u8]) -> Option<String> {
    let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
    let text = match std::str::from_utf8(&field[..end]) {
        Ok(text) => text.to_owned(),
        Err(_) => field[..end].iter().map(|&b| char::from(b)).collect(),
    };
    let text = text.trim_matches(' ');
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        cache::BlockCache,
        format::{self, OpenOptions},
    };

    /// Descriptors from sector 16 on: a type and a volume identifier each.
    fn disc(descriptors: &[(u8, &[u8])]) -> Image {
        let mut bytes = vec![0; 17 * 2048];
        bytes.resize((16 + descriptors.len().max(1)) * 2048, 0);
        for ((kind, label), sector) in descriptors.iter().zip(bytes[0x8000..].chunks_mut(2048)) {
            sector[0] = *kind;
            sector[1..6].copy_from_slice(b"CD001");
            sector[40..72].fill(b' ');
            sector[40..40 + label.len()].copy_from_slice(label);
        }
        let opened = format::open(Arc::new(bytes), &OpenOptions::alone()).unwrap();
        Image::new(opened, Arc::new(BlockCache::new(1 << 20)))
    }

    #[test]
    fn the_label_is_the_primary_descriptors() {
        let label = |descriptors| read(&disc(descriptors)).unwrap();
        assert_eq!(label(&[(1, b"GAME_1")]).as_deref(), Some("GAME_1"));
        assert_eq!(
            label(&[(0, b"boot"), (1, b"DISC")]).as_deref(),
            Some("DISC")
        );
        assert_eq!(label(&[(1, b"A\0junk")]).as_deref(), Some("A"));
        assert_eq!(label(&[(1, b"B\xe9")]).as_deref(), Some("Bé"));
    }

    #[test]
    fn a_disc_without_a_label_has_none() {
        for descriptors in [
            &[(1, &b""[..])][..],
            &[(255, b"END"), (1, b"LATE")],
            &[(2, b"JOLIET")],
        ] {
            assert_eq!(read(&disc(descriptors)).unwrap(), None);
        }
    }
}
