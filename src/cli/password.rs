//! Where a password comes from: a file, the environment, a file beside the image, or a prompt.

use std::{
    cell::OnceCell,
    env,
    fs::File,
    io::{self, IsTerminal, Read},
    os::unix::{ffi::OsStringExt, fs::PermissionsExt},
    path::Path,
};

use zeroize::{Zeroize, Zeroizing};

use crate::{Error, ErrorKind, Result, format::Password};

/// The variable that may hold a password.
pub(super) const VARIABLE: &str = "PLAINISO_PASSWORD";

/// The longest password file that is read, in bytes. No format knows longer passwords.
const MAX_FILE: u64 = 4096;

/// The password that was given for all images: from `file`, or from the environment.
///
/// # Errors
/// `Password` or `Io` when `file` is there but holds none.
pub(super) fn given(file: Option<&Path>) -> Result<Option<Password>> {
    if let Some(path) = file {
        return from_file(path).map(Some);
    }
    let value = env::var_os(VARIABLE).filter(|value| !value.is_empty());
    Ok(value.map(|value| Password::new(value.into_vec())))
}

/// The first line of a password file, without its line end.
///
/// # Errors
/// `Io` when it cannot be read, `Password` when its first line is empty.
pub(super) fn from_file(path: &Path) -> Result<Password> {
    let cannot = |e| Error::io(e, "cannot read the password file").in_file(path);
    let file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if metadata.is_file() && metadata.permissions().mode() & 0o004 != 0 {
        let path = path.display().to_string();
        log::warn!(
            "{}: every user can read this password file",
            path.escape_debug()
        );
    }
    from_reader(file).map_err(cannot)?.ok_or_else(|| {
        let message = "the first line of the password file is empty";
        Error::new(ErrorKind::Password, message).in_file(path)
    })
}

/// The first line of what `reader` brings; `None` when it is empty.
///
/// # Errors
/// Those of the reader.
pub(super) fn from_reader(reader: impl Read) -> io::Result<Option<Password>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    reader.take(MAX_FILE).read_to_end(&mut bytes)?;
    let end = bytes
        .iter()
        .position(|&b| b == b'\n')
        .unwrap_or(bytes.len());
    let line = &bytes[..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Ok((!line.is_empty()).then(|| Password::new(line.to_vec())))
}

/// A password for one image: the one beside it, the one given for all, or the one that the user types.
pub(super) struct ForImage<'a> {
    image: &'a Path,
    given: Option<&'a Password>,
    /// What the user typed, for those who need it again.
    typed: OnceCell<Password>,
}

impl<'a> ForImage<'a> {
    pub(super) fn new(image: &'a Path, given: Option<&'a Password>) -> Self {
        let typed = OnceCell::new();
        Self {
            image,
            given,
            typed,
        }
    }

    /// The password, `None` when there is none and nobody to ask.
    ///
    /// # Errors
    /// Those of [`from_file`], and `Io` when the prompt cannot be shown.
    pub(super) fn find(&self) -> Result<Option<Password>> {
        let beside = self.image.with_extension("pwd");
        if beside.is_file() {
            return from_file(&beside).map(Some);
        }
        if let Some(given) = self.given {
            return Ok(Some(Password::new(given.bytes().to_vec())));
        }
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let typed = self.prompt()?;
        let again = Password::new(typed.bytes().to_vec());
        // An image is asked about once, so the cell is empty.
        let _ = self.typed.set(again);
        Ok(Some(typed))
    }

    /// What the user typed, if anybody asked.
    pub(super) fn into_typed(self) -> Option<Password> {
        self.typed.into_inner()
    }

    fn prompt(&self) -> Result<Password> {
        let name = self.image.display().to_string();
        let prompt = format!("Password of {}: ", name.escape_debug());
        let mut typed = rpassword::prompt_password(prompt)
            .map_err(|e| Error::io(e, "cannot ask for the password"))?;
        let password = Password::new(typed.as_bytes().to_vec());
        typed.zeroize();
        Ok(password)
    }
}
