//! Words, tables and exit codes.

use std::{env, ffi::OsString, process::ExitCode};

use crate::{Error, ErrorKind, Result};

mod allocator;
mod arguments;
mod background;
mod cat;
mod convert;
mod extract;
mod formats;
mod found;
mod info;
mod label;
mod log;
mod man;
mod mount;
mod named;
mod open;
mod options;
mod parents;
mod password;
mod plan;
mod progress;
mod rescan;
mod status;
mod umount;
mod verify;
mod words;

use arguments::{Caller, Command};

/// Runs the program with the process's own arguments. What goes wrong ends on stderr, one line for each.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    let caller = Caller::of(&arguments);
    let exit = match arguments::parse(arguments, caller) {
        Ok(command) => run(command).unwrap_or_else(|err| {
            log::report(&err);
            caller.exit(err.kind())
        }),
        Err(err) => {
            // A message that cannot be printed has no other way to the user.
            let _ = err.print();
            if err.use_stderr() {
                caller.exit(ErrorKind::Usage)
            } else {
                Exit::SUCCESS
            }
        }
    };
    ExitCode::from(exit.0)
}

fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Mount(arguments) => mount::run(&arguments.request()?),
        Command::Umount(arguments) => Ok(umount::run(&arguments)),
        Command::Rescan(arguments) => Ok(rescan::run(&arguments)),
        Command::Info(arguments) => info::run(&arguments),
        Command::Cat(arguments) => cat::run(&arguments),
        Command::Extract(arguments) => extract::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Open(arguments) => open::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Formats(arguments) => formats::run(&arguments),
        Command::Completions { shell } => man::completions(shell),
        Command::Man => man::page(),
    }
}

/// What the process ends with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Exit(u8);

impl Exit {
    const SUCCESS: Exit = Exit(0);
    /// Something asked for did not work.
    const FAILURE: Exit = Exit(1);
    const USAGE: Exit = Exit(2);
    /// The file is no disc image, or a damaged or incomplete one.
    const IMAGE: Exit = Exit(3);
    const MOUNTPOINT: Exit = Exit(4);
    /// FUSE is not there, or refuses.
    const FUSE: Exit = Exit(5);
}

/// The table of the manual's section "EXIT STATUS".
fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::UnknownFormat
        | ErrorKind::Corrupt
        | ErrorKind::Unsupported
        | ErrorKind::LimitExceeded
        | ErrorKind::MissingPart => Exit::IMAGE,
        ErrorKind::Mountpoint => Exit::MOUNTPOINT,
        ErrorKind::Fuse => Exit::FUSE,
        ErrorKind::Usage => Exit::USAGE,
        ErrorKind::Io
        | ErrorKind::Password
        | ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::OutOfRange
        | ErrorKind::BadHandle => Exit::FAILURE,
    }
}

/// Collects how a command went that does the same to several things.
#[derive(Debug, Default)]
struct Tally(Option<Exit>);

impl Tally {
    /// Reports a failure, and keeps what it means for the end: failures of different kinds end as [`Exit::FAILURE`].
    fn failed(&mut self, err: &Error) {
        log::report(err);
        self.count(exit_of(err.kind()));
    }

    fn count(&mut self, exit: Exit) {
        self.0 = match self.0 {
            None => Some(exit),
            Some(before) if before == exit => Some(exit),
            Some(_) => Some(Exit::FAILURE),
        };
    }

    fn exit(self) -> Exit {
        self.0.unwrap_or(Exit::SUCCESS)
    }
}

/// Writes to stdout what a command answers. A reader that went away wants no more, which is no failure.
fn answer(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> Result<Exit> {
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    let written = write(&mut stdout).and_then(|()| std::io::Write::flush(&mut stdout));
    match written {
        Err(err) if err.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io(err, "cannot write to stdout"))
        }
        _ => Ok(Exit::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::is_image_fault;

    #[test]
    fn every_fault_of_an_image_ends_with_its_own_exit_code() {
        for kind in [
            ErrorKind::UnknownFormat,
            ErrorKind::Corrupt,
            ErrorKind::MissingPart,
        ] {
            assert!(is_image_fault(kind));
            assert_eq!(exit_of(kind), Exit::IMAGE);
        }
    }

    #[test]
    fn failures_of_one_kind_keep_their_code_and_mixed_ones_do_not() {
        let mut tally = Tally::default();
        tally.count(Exit::IMAGE);
        tally.count(Exit::IMAGE);
        assert_eq!(tally.0, Some(Exit::IMAGE));
        tally.count(Exit::FAILURE);
        assert_eq!(tally.exit(), Exit::FAILURE);
        assert_eq!(Tally::default().exit(), Exit::SUCCESS);
    }
}
