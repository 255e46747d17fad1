//! A screen that shows lines anew at each look, until somebody presses q or Ctrl-C.

use std::{
    io::{self, Read, Write},
    sync::atomic::Ordering::Relaxed,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use signal_hook::consts::{SIGHUP, SIGTERM};

use crate::{Error, Result, cli::Exit};

const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// To the upper left corner.
const HOME: &str = "\x1b[H";
const CLEAR_REST_OF_LINE: &str = "\x1b[K";
const CLEAR_REST_OF_SCREEN: &str = "\x1b[J";

const CTRL_C: u8 = 3;

/// The longest time that the terminal itself waits for a key, in its tenths of a second.
const MOST_TENTHS: u8 = 100;

/// Shows what `look` says, once each `interval`.
///
/// # Errors
/// What `look` reports, and `Io` when the terminal refuses. The terminal is as it was before either way.
pub(super) fn watch(
    interval: Duration,
    mut look: impl FnMut() -> Result<Vec<String>>,
) -> Result<Exit> {
    let cannot = |err: io::Error| Error::io(err, "cannot use the terminal");
    let is_over = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&is_over)).map_err(cannot)?;
    }
    let _screen = Screen::enter(interval).map_err(cannot)?;
    while !is_over.load(Relaxed) {
        draw(&look()?).map_err(cannot)?;
        if quits(&key().map_err(cannot)?) {
            break;
        }
    }
    Ok(Exit::SUCCESS)
}

fn quits(keys: &[u8]) -> bool {
    keys.iter().any(|key| matches!(*key, b'q' | b'Q' | CTRL_C))
}

/// What was typed within the terminal's own time; nothing when nothing was.
fn key() -> io::Result<Vec<u8>> {
    let mut keys = [0; 16];
    match io::stdin().lock().read(&mut keys) {
        Ok(n) => Ok(keys[..n].to_vec()),
        Err(err) if err.kind() == io::ErrorKind::Interrupted => Ok(Vec::new()),
        Err(err) => Err(err),
    }
}

fn draw(lines: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let size = tcgetwinsize(&out)?;
    // A terminal that does not know its size says 0.
    let known = |size: u16, usual| if size == 0 { usual } else { usize::from(size) };
    let (rows, columns) = (known(size.ws_row, 24), known(size.ws_col, 80));
    let mut screen = HOME.to_owned();
    let all = lines
        .iter()
        .map(String::as_str)
        .take(rows.saturating_sub(1));
    for line in all.chain(["q leaves"]) {
        screen.extend(line.chars().take(columns));
        screen += CLEAR_REST_OF_LINE;
        screen += "\r\n";
    }
    let screen = screen.trim_end_matches("\r\n");
    write!(out, "{screen}{CLEAR_REST_OF_SCREEN}")?;
    out.flush()
}

/// The terminal in the state that the screen needs; dropping it brings back the one from before.
struct Screen(Termios);

impl Screen {
    fn enter(interval: Duration) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut ours = before.clone();
        ours.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        let tenths = u8::try_from(interval.as_millis().div_ceil(100)).unwrap_or(MOST_TENTHS);
        ours.special_codes[SpecialCodeIndex::VMIN] = 0;
        ours.special_codes[SpecialCodeIndex::VTIME] = tenths.clamp(1, MOST_TENTHS);
        tcsetattr(io::stdin(), OptionalActions::Now, &ours)?;
        let screen = Self(before);
        io::stdout().write_all(ENTER.as_bytes())?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = io::stdout().write_all(LEAVE.as_bytes());
        let _ = io::stdout().flush();
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_and_ctrl_c_leave_and_other_keys_do_not() {
        assert!(quits(b"q") && quits(b"xQ") && quits(&[CTRL_C]));
        assert!(!quits(b"") && !quits(b"\x1b[A"));
    }
}
