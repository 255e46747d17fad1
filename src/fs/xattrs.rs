//! Extended attributes: what an image is made of, and what was done with it.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, sync::Arc};

use super::{Counters, Filesystem, Found, Ino, ROOT};
use crate::{
    Result,
    catalog::{Item, Probe, Seen, StoredFile},
};

const FORMAT: &str = "user.plainiso.format";
const SOURCE: &str = "user.plainiso.source";
const BLOCK_SIZE: &str = "user.plainiso.block_size";
const STORED_SIZE: &str = "user.plainiso.stored_size";
const RATIO: &str = "user.plainiso.ratio";
const STATS: &str = "user.plainiso.stats";

/// Not listed: reading it lets the filesystem look at its folders again. A mount that is read-only has no other way to
/// be told something by whoever may read it.
pub(super) const RESCAN: &str = "user.plainiso.rescan";

pub(super) fn names(filesystem: &Filesystem, ino: Ino) -> Result<Vec<&'static str>> {
    if ino == ROOT && !filesystem.options.root_is_file {
        return Ok(vec![STATS]);
    }
    let found = filesystem.find(ino)?;
    Ok(match image(filesystem, &found)? {
        Some((
            _,
            Seen {
                probe: Probe::Image { .. } | Probe::Text(..),
                ..
            },
        )) => {
            vec![FORMAT, SOURCE, BLOCK_SIZE, STORED_SIZE, RATIO, STATS]
        }
        Some(_) => vec![SOURCE, STORED_SIZE, STATS],
        None => Vec::new(),
    })
}

pub(super) fn value(filesystem: &Filesystem, ino: Ino, name: &OsStr) -> Result<Option<Vec<u8>>> {
    if !name.as_bytes().starts_with(b"user.plainiso.") {
        return Ok(None);
    }
    if ino == ROOT && name == RESCAN {
        filesystem.rescan();
        return Ok(Some(b"done".to_vec()));
    }
    if ino == ROOT && !filesystem.options.root_is_file {
        return Ok((name == STATS).then(|| filesystem.statistics().into_bytes()));
    }
    let found = filesystem.find(ino)?;
    let Some((file, seen)) = image(filesystem, &found)? else {
        return Ok(None);
    };
    let known = match &seen.probe {
        Probe::Image { format, size, .. } => Some((format, *size)),
        Probe::Text(format, text) => Some((format, text.len() as u64)),
        Probe::PassThrough | Probe::Fault => None,
    };
    let stored = seen.stat.stored_size;
    let text = match (name.to_str(), known) {
        (Some(SOURCE), _) => return Ok(Some(file.path().into_os_string().into_encoded_bytes())),
        (Some(STORED_SIZE), _) => stored.to_string(),
        (Some(STATS), _) => image_statistics(filesystem, ino),
        (Some(FORMAT), Some((format, _))) => format.name.to_string(),
        (Some(RATIO), Some((_, size))) => ratio(stored, size),
        (Some(BLOCK_SIZE), Some(_)) => block_size(filesystem, ino, &found)?.to_string(),
        _ => return Ok(None),
    };
    Ok(Some(text.into_bytes()))
}

fn image<'f>(filesystem: &Filesystem, found: &'f Found) -> Result<Option<(StoredFile<'f>, Seen)>> {
    let Item::File(file) = found.item() else {
        return Ok(None);
    };
    let seen = filesystem.catalog.look(&found.directory, &file)?;
    Ok(match seen.probe {
        Probe::PassThrough => None,
        _ => Some((file, seen)),
    })
}

/// Stored bytes for one plain byte, with three decimals.
fn ratio(stored: u64, plain: u64) -> String {
    let thousandths =
        (u128::from(stored) * 1000 + u128::from(plain / 2)) / u128::from(plain.max(1));
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

fn block_size(filesystem: &Filesystem, ino: Ino, found: &Found) -> Result<usize> {
    let opened = filesystem.open_found(ino, found)?;
    Ok(opened
        .image()
        .map_or(0, |image| image.geometry().largest_block()))
}

fn image_statistics(filesystem: &Filesystem, ino: Ino) -> String {
    let (closed, open) = filesystem.inodes.with_state(ino, |state| {
        (
            state.counters.as_ref().map(Arc::clone),
            state.open.upgrade(),
        )
    });
    let sum = Counters::default();
    if let Some(closed) = closed {
        sum.add(&closed);
    }
    if let Some(open) = open {
        sum.add(&open.work());
    }
    sum.report(None).json()
}
