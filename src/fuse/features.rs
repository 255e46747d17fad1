//! What the kernel is asked for when it introduces itself.

use std::io;

use fuser::{InitFlags, KernelConfig};

use super::waiting::MOST_WAITING;

/// Largest request that the kernel may send; it then reads up to 256 pages at once.
const REQUEST_BYTES: u32 = 1 << 20;

/// Features that are asked for where the kernel has them.
const WANTED: &[InitFlags] = &[
    InitFlags::FUSE_AUTO_INVAL_DATA,
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_DO_READDIRPLUS,
    InitFlags::FUSE_READDIRPLUS_AUTO,
    InitFlags::FUSE_CACHE_SYMLINKS,
    InitFlags::FUSE_ASYNC_DIO,
];

/// Asks for features, sizes and numbers.
///
/// # Errors
/// When the kernel does not take the size of requests.
pub(super) fn ask(
    config: &mut KernelConfig,
    readahead: Option<u32>,
    is_exported: bool,
) -> io::Result<()> {
    // Without generations, a handle of a file that was replaced would lead to the newcomer: better there are none.
    let handles = if is_exported {
        InitFlags::FUSE_EXPORT_SUPPORT
    } else {
        InitFlags::FUSE_NO_EXPORT_SUPPORT
    };
    for &feature in WANTED.iter().chain([&handles]) {
        // A kernel without it is served as well.
        let _ = config.add_capabilities(feature);
    }
    config
        .set_max_write(REQUEST_BYTES)
        .map_err(|nearest| io::Error::other(format!("requests of {nearest} bytes at most")))?;
    // What hangs must leave room for others in the kernel too.
    let _ = config.set_max_background(MOST_WAITING);
    if let Some(bytes) = readahead {
        if let Err(nearest) = config.set_max_readahead(bytes) {
            let _ = config.set_max_readahead(nearest);
            log::debug!("the kernel reads ahead {nearest} bytes, not {bytes}");
        }
    }
    Ok(())
}
