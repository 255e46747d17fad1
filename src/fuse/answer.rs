//! What a program is told: what it asked for, or one number for every kind of error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Error, ErrorKind, Result};

/// Does one request's work and returns its result or errno. A panic ends the request with EIO and not the thread,
/// without which everything in the mount would hang.
pub(super) fn guarded<T>(
    request: &str,
    work: impl FnOnce() -> Result<T>,
) -> std::result::Result<T, i32> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(err)) => {
            log::debug!("{request}: {}", err.sentence());
            Err(errno(&err))
        }
        Err(_) => {
            log::error!("{request}: a bug in plainiso made this request panic; please report it");
            Err(libc::EIO)
        }
    }
}

/// The one place where an error becomes a number for programs.
fn errno(err: &Error) -> i32 {
    match err.kind() {
        // ENOSYS would tell the kernel never to ask again.
        ErrorKind::Io => match err.os_error() {
            None | Some(libc::ENOSYS) => libc::EIO,
            Some(number) => number,
        },
        ErrorKind::UnknownFormat
        | ErrorKind::Corrupt
        | ErrorKind::Unsupported
        | ErrorKind::LimitExceeded
        | ErrorKind::MissingPart
        | ErrorKind::Mountpoint
        | ErrorKind::Fuse
        | ErrorKind::Usage => libc::EIO,
        ErrorKind::Password => libc::EACCES,
        ErrorKind::NotFound => libc::ENOENT,
        ErrorKind::NotADirectory => libc::ENOTDIR,
        ErrorKind::IsADirectory => libc::EISDIR,
        ErrorKind::OutOfRange => libc::ENXIO,
        ErrorKind::BadHandle => libc::EBADF,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_panic_is_an_io_error() {
        assert_eq!(guarded("read", || Ok(1)), Ok(1));
        let broken = || -> Result<u8> { panic!("this panic is part of the test") };
        assert_eq!(guarded("read", broken), Err(libc::EIO));
    }

    #[test]
    fn an_error_of_the_operating_system_keeps_its_number() {
        let os = io::Error::from_raw_os_error(libc::ENOSPC);
        assert_eq!(errno(&Error::io(os, "cannot read")), libc::ENOSPC);
    }

    #[test]
    fn no_error_tells_the_kernel_to_stop_asking() {
        let os = io::Error::from_raw_os_error(libc::ENOSYS);
        assert_eq!(errno(&Error::io(os, "cannot read")), libc::EIO);
        let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(errno(&Error::io(cut, "cannot read")), libc::EIO);
    }

    #[test]
    fn damage_is_an_io_error_and_a_missing_password_a_denial() {
        assert_eq!(errno(&Error::corrupt("no")), libc::EIO);
        assert_eq!(errno(&Error::new(ErrorKind::Password, "no")), libc::EACCES);
    }
}
