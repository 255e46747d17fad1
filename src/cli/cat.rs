//! `cat`, and what `extract` does to stdout.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    Exit,
    parents::{ParentPaths, Parents},
    password,
};
use crate::{
    Error, Result,
    cache::BlockCache,
    extract::{self, Stop},
    format::Password,
};

/// What `cat` is asked for.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// An image file. Of a split set, the first file.
    image: PathBuf,
    /// Read the password of an encrypted image from this file.
    #[arg(long, value_name = "PATH")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    parents: ParentPaths,
}

/// Writes the plain bytes to stdout. A reader that went away wants no more, which is no failure.
///
/// # Errors
/// What opening and reading report, after everything in front of the damage was written; `Io` when stdout refuses.
pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let given = password::given(arguments.password_file.as_deref())?;
    to_stdout(
        &arguments.image,
        &arguments.parents.checked()?,
        given.as_ref(),
    )
}

/// As [`run`], for an image, and what was given for all: where parents are, and the password.
///
/// # Errors
/// Those of [`run`].
pub(super) fn to_stdout(path: &Path, parents: &Parents, given: Option<&Password>) -> Result<Exit> {
    let password = password::ForImage::new(path, given);
    // Whole blocks are decoded straight to where they are wanted.
    let image = parents.open(path, BlockCache::new(0), &|| password.find())?;
    // Std's own stdout looks for line ends in all that it writes.
    let stdout = rustix::stdio::stdout()
        .try_clone_to_owned()
        .map_err(|e| Error::io(e, "cannot write to stdout"))?;
    match extract::to_writer(&image, &mut File::from(stdout), &mut |_| {}) {
        Ok(()) => Ok(Exit::SUCCESS),
        Err(Stop::Read(err)) => Err(err.in_file(path)),
        Err(Stop::Write(err)) if err.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::SUCCESS),
        Err(Stop::Write(err)) => Err(Error::io(err, "cannot write to stdout")),
    }
}
