//! TODO layout table.

use std::sync::Arc;

use super::{Format, OpenOptions, Opened, Summary};
use crate::{Error, Result, source::Source};

pub(super) static DAX: Format = Format {
    name: "dax",
    title: "DAX compressed image",
    extensions: &["dax"],
    detect: |head, _| head.starts_with(b"DAX\0"),
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
