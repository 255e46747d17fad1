//! Where messages go: stderr, a file, or syslog. Each is one line.

use std::{
    env,
    fs::{File, OpenOptions},
    io::Write,
    os::unix::net::UnixDatagram,
    path::Path,
    process,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::{Error, Result};

/// How much to log, where `RUST_LOG` says nothing else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verbosity {
    Errors,
    Usual,
    More,
    Everything,
}

/// Where messages go.
#[derive(Debug)]
enum Sink {
    Stderr,
    File(File),
    /// The socket is `None` where nobody listens; then messages are lost.
    Syslog(Option<UnixDatagram>),
}

static SINK: Mutex<Sink> = Mutex::new(Sink::Stderr);

fn sink() -> MutexGuard<'static, Sink> {
    SINK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts logging to a file, or to stderr.
///
/// # Errors
/// `Io` when the file cannot be opened.
pub(super) fn start(verbosity: Verbosity, file: Option<&Path>) -> Result<()> {
    if let Some(path) = file {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|e| Error::io(e, "cannot open the log file").in_file(path))?;
        *sink() = Sink::File(file);
    }
    let mut filter = env_logger::Builder::new();
    match env::var("RUST_LOG") {
        Ok(rules) => filter.parse_filters(&rules),
        Err(_) => filter.filter_level(level(verbosity)),
    };
    let filter = filter.build();
    log::set_max_level(filter.filter());
    // A logger that is there already stays: only a test that runs several mounts in one process has one.
    let _ = log::set_boxed_logger(Box::new(Lines { filter }));
    Ok(())
}

fn level(verbosity: Verbosity) -> LevelFilter {
    match verbosity {
        Verbosity::Errors => LevelFilter::Error,
        Verbosity::Usual => LevelFilter::Info,
        Verbosity::More => LevelFilter::Debug,
        Verbosity::Everything => LevelFilter::Trace,
    }
}

/// Sends what would go to stderr to syslog, because stderr goes away.
pub(super) fn leave_stderr() {
    let mut sink = sink();
    if matches!(*sink, Sink::Stderr) {
        *sink = Sink::Syslog(connect());
    }
}

/// Tells the user why something did not work. When stderr is gone, the log gets it, whatever its level.
pub(super) fn report(err: &Error) {
    let sentence = err.sentence();
    let mut sink = sink();
    if !matches!(*sink, Sink::Stderr) {
        sink.write(Level::Error, &sentence);
    }
    // Stderr is /dev/null in the background, and when it is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "plainiso: {}", one_line(&sentence));
}

struct Lines {
    filter: env_logger::Logger,
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.filter.matches(record) {
            return;
        }
        let text = match record.level() {
            Level::Error | Level::Warn | Level::Info => record.args().to_string(),
            Level::Debug | Level::Trace => format!("{}: {}", record.target(), record.args()),
        };
        sink().write(record.level(), &text);
    }

    fn flush(&self) {}
}

impl Sink {
    /// A message that cannot be written is lost: there is nobody to tell.
    fn write(&mut self, level: Level, text: &str) {
        let text = one_line(text);
        match self {
            Self::Stderr => drop(writeln!(std::io::stderr(), "plainiso: {text}")),
            Self::File(file) => {
                let line = format!("{} {level} {text}\n", utc(SystemTime::now()));
                drop(file.write_all(line.as_bytes()));
            }
            Self::Syslog(socket) => {
                let packet = packet(level, &text);
                let sent = |socket: &UnixDatagram| socket.send(packet.as_bytes()).is_ok();
                // The daemon may have been restarted since the last message.
                if !socket.as_ref().is_some_and(sent) {
                    *socket = connect();
                    socket.as_ref().map(sent);
                }
            }
        }
    }
}

/// Shows control characters, which names and labels may bring, instead of sending them: none starts a line of its own
/// or moves a terminal's cursor.
pub(super) fn one_line(text: &str) -> String {
    let escape = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(escape).collect()
}

#[cfg(target_os = "macos")]
const SYSLOG: &str = "/var/run/syslog";
#[cfg(not(target_os = "macos"))]
const SYSLOG: &str = "/dev/log";

fn connect() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect(SYSLOG).ok()?;
    // A log that nobody drains must not stop the mount.
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

/// A message as RFC 3164 has it, from the facility "daemon" (3). The time is left to the receiver, which
/// section 4.3.2 of the RFC allows and which knows the time zone.
fn packet(level: Level, text: &str) -> String {
    const DAEMON: u8 = 3;
    let severity = match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    let priority = DAEMON * 8 + severity;
    format!("<{priority}>plainiso[{}]: {text}", process::id())
}

/// `2025-01-31T12:00:00Z`.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day counted from 1970-01-01. Years start in March here, so that the leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    const FROM_YEAR_0_TO_1970: u64 = 719_468;
    let days = days + FROM_YEAR_0_TO_1970;
    let (era, day) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = match month {
        0..10 => (month + 3, 0),
        _ => (month - 9, 1),
    };
    (era * 400 + year + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_message_is_one_line_whatever_is_in_it() {
        assert_eq!(one_line("a\nb\u{1b}[31m ü"), "a\\nb\\u{1b}[31m ü");
    }

    #[test]
    fn a_packet_has_priority_and_tag() {
        let expected = format!("<27>plainiso[{}]: no", process::id());
        assert_eq!(packet(Level::Error, "no"), expected);
    }
}
