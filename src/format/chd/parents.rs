//! Finding the file that holds what a child does not: by the SHA-1 in its header, which its name does not tell.

use std::{ffi::OsStr, path::Path, sync::Arc};

use super::header::{Header, SIGNATURE, Sha1, hex};
use crate::{
    Error, ErrorKind, Result,
    source::{FileSource, Folder, Siblings, Source},
};

/// The file with a SHA-1: beside the child, or where the user said.
pub(super) fn find(siblings: &dyn Siblings, sha1: &Sha1) -> Result<Arc<dyn Source>> {
    if let Some(source) = among(siblings, sha1)? {
        return Ok(source);
    }
    let mut others = Vec::new();
    for path in siblings.elsewhere() {
        match at(path, sha1) {
            Ok(source) => return Ok(source),
            Err(why) => others.push(why),
        }
    }
    Err(missing(sha1, &others))
}

/// The file of a folder that has a SHA-1.
fn among(folder: &dyn Siblings, sha1: &Sha1) -> Result<Option<Arc<dyn Source>>> {
    let mut names = folder.names()?;
    names.retain(|name| is_chd(name));
    names.sort_unstable();
    for name in names {
        let Ok(Some(source)) = folder.find(&name) else {
            continue;
        };
        if header_of(source.as_ref()).is_ok_and(|header| header.sha1 == *sha1) {
            return Ok(Some(source));
        }
    }
    Ok(None)
}

/// The file at a path that the user named, or one of the folder there. The error is what is there instead.
fn at(path: &Path, sha1: &Sha1) -> std::result::Result<Arc<dyn Source>, String> {
    let shown = path.display().to_string();
    let shown = shown.escape_debug();
    if path.is_dir() {
        // The folder of any file in it; this one is never opened.
        let folder = Folder::of(&path.join("child"));
        return match among(&folder, sha1) {
            Ok(Some(source)) => Ok(source),
            Ok(None) => Err(format!("no .chd in {shown} has it")),
            Err(err) => Err(err.to_string()),
        };
    }
    let source = FileSource::open(path).map_err(|err| err.to_string())?;
    match header_of(&source) {
        Ok(header) if header.sha1 == *sha1 => Ok(Arc::new(source)),
        Ok(header) => Err(format!("{shown} has the SHA-1 {}", hex(&header.sha1))),
        Err(err) => Err(format!("{shown} is not it: {err}")),
    }
}

fn header_of(source: &dyn Source) -> Result<Header> {
    let mut start = [0; 8];
    if source.read_exact_at(&mut start, 0).is_err() || start != *SIGNATURE {
        return Err(Error::new(ErrorKind::UnknownFormat, "this is no CHD"));
    }
    Header::read(source)
}

fn missing(sha1: &Sha1, others: &[String]) -> Error {
    let hex = hex(sha1);
    let message = if others.is_empty() {
        format!(
            "it needs its parent, and no .chd beside it has the SHA-1 {hex}: put it there, or say where it is \
             with --parent PATH (of a mount, -o parent=PATH)"
        )
    } else {
        format!(
            "it needs its parent, and no .chd beside it has the SHA-1 {hex}, nor what --parent names: {}",
            others.join("; ")
        )
    };
    Error::new(ErrorKind::MissingPart, message)
}

fn is_chd(name: &OsStr) -> bool {
    let extension = name.as_encoded_bytes().rsplit(|&byte| byte == b'.').next();
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case(b"chd"))
}
