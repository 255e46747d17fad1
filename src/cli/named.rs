//! Files and folders that a user names.

use std::{
    fs,
    path::{self, Path, PathBuf},
};

use crate::{Error, ErrorKind, Result};

/// An absolute path of a file or folder that is there and can be read. `what` names it in messages.
///
/// # Errors
/// `Io` when it is not there or cannot be read, `Usage` when it is neither.
pub(super) fn check_readable(what: &str, path: &Path) -> Result<PathBuf> {
    let cannot = |e| Error::io(e, format!("cannot open the {what}")).in_file(path);
    let metadata = fs::metadata(path).map_err(cannot)?;
    if metadata.is_dir() {
        fs::read_dir(path).map_err(cannot)?;
    } else if metadata.is_file() {
        fs::File::open(path).map_err(cannot)?;
    } else {
        let message = format!("the {what} is neither a file nor a folder");
        return Err(Error::new(ErrorKind::Usage, message).in_file(path));
    }
    path::absolute(path).map_err(cannot)
}
