//! TODO layout table.

use std::sync::Arc;

use super::{Format, OpenOptions, Opened, Summary};
use crate::{Error, Result, source::Source};

pub(super) static CSO: Format = Format {
    name: "cso",
    title: "compressed ISO (deflate)",
    extensions: &["cso"],
    detect: |head, _| head.starts_with(b"CISO"),
    probe,
    open,
    is_part_extension: |_| false,
};

pub(super) static ZSO: Format = Format {
    name: "zso",
    title: "compressed ISO (LZ4)",
    extensions: &["zso"],
    detect: |head, _| head.starts_with(b"ZISO"),
    probe,
    open,
    is_part_extension: |_| false,
};

fn probe(_source: &dyn Source) -> Result<Summary> {
    Err(Error::unsupported("not built yet"))
}

fn open(_source: Arc<dyn Source>, _options: &OpenOptions<'_>) -> Result<Opened> {
    Err(Error::unsupported("not built yet"))
}
