//! A mount in the background: the program starts itself once more, and waits until that one says that it mounted.
//!
//! The starter gives the password on stdin and reads one line from stdout. The started one prints what goes wrong on
//! the stderr that both share, until its mount answers; then it leaves the terminal.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::{
        fd::AsFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{self, Command, ExitStatus, Stdio},
};

use rustix::stdio;

use super::{Exit, log, password};
use crate::{Error, ErrorKind, Result, format::Password};

/// Set in the environment of the process that is to mount in the background: the process that started it.
const VARIABLE: &str = "PLAINISO_STARTED_BY";

const READY: &str = "ready\n";

/// Starts this program again with the same arguments, and returns when its mount answers, or with its exit code.
///
/// # Errors
/// `Io` when it cannot be started, `Fuse` when it ends without a word.
pub(super) fn start(password: Option<&Password>) -> Result<Exit> {
    let mut arguments = env::args_os();
    let mut command = Command::new(program());
    command.arg0(arguments.next().unwrap_or_else(|| "plainiso".into()));
    command
        .args(arguments)
        .env(VARIABLE, process::id().to_string())
        .env_remove(password::VARIABLE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|e| Error::io(e, "cannot start the background process"))?;
    if let (Some(mut stdin), Some(password)) = (child.stdin.take(), password) {
        // When the other end is gone, its exit code tells why.
        let _ = stdin.write_all(password.bytes());
    }
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = BufReader::new(stdout.take(READY.len() as u64));
        // Whatever else is said or not said, the exit code tells why.
        let _ = stdout.read_line(&mut said);
    }
    if said == READY {
        return Ok(Exit::SUCCESS);
    }
    let status = child
        .wait()
        .map_err(|e| Error::io(e, "cannot wait for the background process"))?;
    exit_of(status)
}

/// The file that is being run, also when it was replaced or deleted meanwhile. PATH is never asked.
pub(super) fn program() -> PathBuf {
    match env::current_exe() {
        Ok(path) if path.exists() => path,
        _ => PathBuf::from("/proc/self/exe"),
    }
}

/// What a background process that never said that it was ready ended with. It has told why.
pub(super) fn exit_of(status: ExitStatus) -> Result<Exit> {
    let message = match (status.code(), status.signal()) {
        (Some(0), _) => "the background process was told to stop before it had mounted".into(),
        (Some(code), _) => return Ok(Exit(u8::try_from(code).unwrap_or(Exit::FAILURE.0))),
        (None, Some(signal)) => format!("the background process was ended by signal {signal}"),
        (None, None) => "the background process ended".into(),
    };
    Err(Error::new(ErrorKind::Fuse, message))
}

/// The side of the process that was started to mount in the background.
#[derive(Debug)]
pub(super) struct Child {
    /// Brings the password, if there is one.
    stdin: io::Stdin,
    /// Takes the line that the starter waits for.
    stdout: io::Stdout,
}

impl Child {
    /// `None` in a process that a user or another program started.
    pub(super) fn of_environment() -> Option<Self> {
        let starter = env::var(VARIABLE).ok()?;
        // A variable that was left over from another mount names another process.
        let parent = rustix::process::getppid()?.as_raw_nonzero().to_string();
        (starter == parent).then(|| Self {
            stdin: io::stdin(),
            stdout: io::stdout(),
        })
    }

    /// The password that the starter gives.
    ///
    /// # Errors
    /// `Io` when it cannot be read.
    pub(super) fn password(&self) -> Result<Option<Password>> {
        password::from_pipe(self.stdin.lock())
            .map_err(|e| Error::io(e, "cannot read the password from the starter"))
    }

    /// Leaves terminal, folder and standard streams, and tells the starter that the mount answers.
    ///
    /// # Errors
    /// `Io` when the system refuses.
    pub(super) fn detach(self) -> Result<()> {
        let cannot = |e: rustix::io::Errno| Error::io(e.into(), "cannot leave the terminal");
        rustix::process::setsid().map_err(cannot)?;
        rustix::process::chdir("/").map_err(cannot)?;
        let null = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null");
        let null =
            null.map_err(|e| Error::io(e, "cannot open the file").in_file(Path::new("/dev/null")))?;
        log::leave_stderr();
        let starter = self.stdout.as_fd().try_clone_to_owned();
        let starter = starter.map_err(|e| Error::io(e, "cannot tell the starter"))?;
        stdio::dup2_stdin(&null).map_err(cannot)?;
        stdio::dup2_stdout(&null).map_err(cannot)?;
        stdio::dup2_stderr(&null).map_err(cannot)?;
        // A starter that is gone does not wait. The mount is asked for and there.
        let _ = fs::File::from(starter).write_all(READY.as_bytes());
        Ok(())
    }
}
