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

use crate::{Error, ErrorKind, Result, catalog::password_files, format::Password};

/// The variable that may hold a password.
pub(super) const VARIABLE: &str = "PLAINISO_PASSWORD";

/// Bytes of a password file that are read. No format knows longer passwords.
const MAX_LEN: usize = 4096;

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

/// What a password file holds, without the line end.
///
/// # Errors
/// `Io` when it cannot be read, `Password` when it is empty.
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
    let bytes = all_of(file).map_err(cannot)?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    match line.strip_suffix(b"\r").unwrap_or(line) {
        b"" => {
            let message = "the password file is empty";
            Err(Error::new(ErrorKind::Password, message).in_file(path))
        }
        password => Ok(Password::new(password.to_vec())),
    }
}

/// A password that another process of ours gives; `None` when it gives none.
///
/// # Errors
/// Those of the reader.
pub(super) fn from_pipe(reader: impl Read) -> io::Result<Option<Password>> {
    let bytes = all_of(reader)?;
    Ok((!bytes.is_empty()).then(|| Password::new(bytes.to_vec())))
}

/// Reads into memory that is wiped, and that does not grow and leave copies behind.
fn all_of(reader: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LEN + 1));
    reader.take(MAX_LEN as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A password to encrypt with, typed twice.
///
/// # Errors
/// `Password` when there is no terminal, or the two are not the same; `Io` when the prompt cannot be shown.
pub(super) fn new_one() -> Result<Password> {
    let refuse = |message| Err(Error::new(ErrorKind::Password, message));
    if !io::stdin().is_terminal() {
        return refuse("no password to encrypt with; give one with --encrypt-password-file");
    }
    let first = ask("Password to encrypt with: ")?;
    let second = ask("The same again: ")?;
    match first.bytes() {
        b"" => refuse("the password is empty"),
        bytes if bytes != second.bytes() => refuse("the two passwords are not the same"),
        _ => Ok(first),
    }
}

fn ask(prompt: &str) -> Result<Password> {
    let mut typed = rpassword::prompt_password(prompt)
        .map_err(|e| Error::io(e, "cannot ask for the password"))?;
    let password = Password::new(typed.as_bytes().to_vec());
    typed.zeroize();
    Ok(password)
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
        let name = self.image.file_name().unwrap_or_default();
        let beside = password_files(name)
            .into_iter()
            .map(|file| self.image.with_file_name(file));
        for file in beside {
            if file.is_file() {
                return from_file(&file).map(Some);
            }
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
        ask(&format!("Password of {}: ", name.escape_debug()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_password_file_loses_its_line_end_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        for (text, password) in [
            (&b"secret"[..], &b"secret"[..]),
            (b"secret\n", b"secret"),
            (b" secret \r\n", b" secret "),
            (b"\xff\n\n", b"\xff\n"),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(from_file(&path).unwrap().bytes(), password);
        }
    }

    #[test]
    fn rejects_an_empty_password_file_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pwd");
        fs::write(&path, "\n").unwrap();
        let err = from_file(&path).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Password);
        assert!(
            err.to_string()
                .ends_with("x.pwd: the password file is empty")
        );
    }

    #[test]
    fn the_file_beside_an_image_goes_before_the_password_for_all() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("game.isz");
        let given = Password::new(b"given".to_vec());
        let find = || {
            let password = ForImage::new(&image, Some(&given)).find().unwrap();
            password.unwrap().bytes().to_vec()
        };
        assert_eq!(find(), b"given");
        fs::write(dir.path().join("game.pwd"), "short").unwrap();
        assert_eq!(find(), b"short");
        fs::write(dir.path().join("game.isz.pwd"), "long").unwrap();
        assert_eq!(find(), b"long");
    }

    #[test]
    fn an_empty_pipe_gives_no_password() {
        assert!(from_pipe(&b""[..]).unwrap().is_none());
        let given = from_pipe(&b"a\n"[..]).unwrap().unwrap();
        assert_eq!(given.bytes(), b"a\n");
    }
}
