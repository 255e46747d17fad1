//! How much freed memory the C library keeps for a mount, which lives for months.
//!
//! glibc takes large pieces from the system one by one, and gives them back when they are freed. But each time that
//! such a piece is freed, it takes pieces up to that size out of its heaps from then on, of which it has one for each
//! thread, and leaves twice as much at the end of each. Decoders free tables of many sizes on all threads, so heaps
//! grow to several times what is in use, and what lives long between them keeps them there. Limits that are set stay
//! as they are; without unsafe code only the environment can set them, when a program starts.

use std::{
    env,
    ffi::OsString,
    os::unix::process::CommandExt,
    process::{self, Command},
};

use super::background;

/// From the first size on, a piece is taken from the system by itself: the memory of decoded blocks of that size is used
/// again (`cache/buffer.rs`), and the other pieces are tables of decoders, beside whose work the system's costs nothing.
/// So many bytes as the second says may be left at the end of a heap. And so many heaps there are: threads that have
/// their own cannot fill each other's holes.
const LIMITS: [(&str, &str); 3] = [
    ("MALLOC_MMAP_THRESHOLD_", "32768"),
    ("MALLOC_TRIM_THRESHOLD_", "65536"),
    ("MALLOC_ARENA_MAX", "2"),
];

/// Settings of the same kind that a user may have made.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Set in the environment of a process that started itself anew: its number.
const VARIABLE: &str = "PLAINISO_STARTED_ANEW";

/// Where memory is glibc's business. Other allocators give back large pieces.
const IS_GLIBC: bool = cfg!(all(target_os = "linux", target_env = "gnu"));

/// Gives limits to a process that is going to be started, unless the user set some.
pub(super) fn limit(command: &mut Command) {
    command.envs(missing(|name| env::var_os(name)));
}

/// Starts this program anew in its own process, with limits and the same arguments, unless it has some. It goes on
/// without them when the system refuses.
pub(super) fn start_with_limits() {
    let mut limits = missing(|name| env::var_os(name)).peekable();
    // A program that gains rights by its file is not given such variables: it would start itself for ever.
    let is_new = env::var(VARIABLE).is_ok_and(|it| it == process::id().to_string());
    if limits.peek().is_none() || is_new {
        return;
    }
    let mut arguments = env::args_os();
    let mut command = Command::new(background::program());
    command.arg0(arguments.next().unwrap_or_else(|| "plainiso".into()));
    command
        .args(arguments)
        .envs(limits)
        .env(VARIABLE, process::id().to_string());
    let err = command.exec();
    log::debug!("cannot limit what the allocator keeps: {err}");
}

/// The limits that are to be set: all or none.
fn missing(
    value_of: impl Fn(&str) -> Option<OsString>,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut names = LIMITS.iter().map(|(name, _)| *name).chain([TUNABLES]);
    let is_set = names.any(|name| value_of(name).is_some());
    LIMITS.into_iter().filter(move |_| IS_GLIBC && !is_set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_set_together_and_only_where_the_user_set_none() {
        let count = if IS_GLIBC { LIMITS.len() } else { 0 };
        assert_eq!(missing(|_| None).count(), count);
        for name in ["MALLOC_TRIM_THRESHOLD_", TUNABLES] {
            let set = |asked: &str| (asked == name).then(OsString::new);
            assert_eq!(missing(set).count(), 0, "{name}");
        }
    }
}
