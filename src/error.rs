//! One error type. The kind is for code, the message is for people, the source is for the chain.

use std::{
    error, fmt, io,
    path::{Path, PathBuf},
};

/// The result of a fallible operation in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller may want to tell apart. Small on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused or failed an operation on a file.
    Io,
    /// No known format recognizes the file.
    UnknownFormat,
    /// The file contradicts its format.
    Corrupt,
    /// The file is valid but needs something this program does not do.
    Unsupported,
    /// The file asks for more memory than the named limit.
    LimitExceeded,
    /// The image is encrypted and the password is absent or wrong.
    Password,
    /// A part of a split set is not there.
    MissingPart,
    /// There is no such name, inode or extended attribute.
    NotFound,
    /// A directory was needed.
    NotADirectory,
    /// A file was needed.
    IsADirectory,
    /// The position asked for is behind the end.
    OutOfRange,
    /// The handle is not open.
    BadHandle,
    /// The mountpoint does not exist, is busy, or is of the wrong kind.
    Mountpoint,
    /// FUSE is not there, or refuses: no device, no permission, an option that is not allowed.
    Fuse,
    /// The command line asks for something that does not make sense.
    Usage,
}

/// An error with its kind, a sentence, the file it is about, and the error underneath if there is one.
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    source: Option<io::Error>,
}

impl Error {
    /// An error without a cause underneath.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            path: None,
            source: None,
        }))
    }

    /// A failed operation of the operating system, with what was being done.
    pub fn io(source: io::Error, doing: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Io, doing);
        error.0.source = Some(source);
        error
    }

    /// Shorthand for an [`ErrorKind::Corrupt`] error.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// Shorthand for an [`ErrorKind::Unsupported`] error.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// Names the file that the error is about, unless something closer to the file already did.
    #[must_use]
    pub fn in_file(mut self, path: &Path) -> Self {
        self.0.path.get_or_insert_with(|| path.to_path_buf());
        self
    }

    /// Says where in the file it happened, in front of the message.
    #[must_use]
    pub fn in_context(mut self, place: impl fmt::Display) -> Self {
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// The kind, for control flow.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operating system's error number, where there is one underneath.
    #[must_use]
    pub fn os_error(&self) -> Option<i32> {
        self.0.source.as_ref().and_then(io::Error::raw_os_error)
    }

    /// The whole story on one line: file, message, and the error underneath.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.0.source {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}

impl fmt::Display for Error {
    /// `FILE: MESSAGE`, on one line whatever the file's name holds; the error underneath is left to the chain.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.0.path {
            write!(f, "{}: ", path.display().to_string().escape_debug())?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.sentence())
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_ref().map(|e| e as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_path_stays_and_a_newline_in_it_does_not_break_the_line() {
        let err = Error::corrupt("block size is 0")
            .in_file(Path::new("a\nb.cso"))
            .in_file(Path::new("/somewhere/else"));
        assert_eq!(err.to_string(), "a\\nb.cso: block size is 0");
    }

    #[test]
    fn the_sentence_ends_with_the_error_underneath() {
        let os = io::Error::from_raw_os_error(libc::EIO);
        let err = Error::io(os, "cannot read 24 bytes at 0");
        assert!(err.sentence().starts_with("cannot read 24 bytes at 0: "));
        assert_eq!(err.os_error(), Some(libc::EIO));
    }
}
