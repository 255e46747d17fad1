//! Mounting, threads, signals, unmounting.
//!
//! A session has three kinds of threads: those that answer the kernel, one that waits for signals, and the caller's,
//! which waits in [`Session::run`] for the first of them to have news.

use std::{
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

#[cfg(not(target_os = "linux"))]
use fuser::MountOption;
use fuser::{Config, SessionACL};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    iterator::Signals,
};

#[cfg(target_os = "linux")]
use super::linux::Mount;
#[cfg(not(target_os = "linux"))]
use super::macos::Mount;
use super::{Adaptor, kernel::Kernel, rest::Rest, unused::Unused};
pub use super::{
    options::{MountOptions, Unmount},
    patterns::Pattern,
};
use crate::{
    Error, ErrorKind, Result,
    fs::{Filesystem, Kind, ROOT},
};

/// How long a request that is being answered may take after a signal to stop, or when the mount is gone. A reader that
/// is there still gets ENOTCONN then.
const GRACE: Duration = Duration::from_secs(2);

/// So often is looked whether the mount is gone. Whoever takes requests is told so at once, but all of them may be
/// waiting for sources.
const LOOK: Duration = Duration::from_secs(5);

/// A mounted filesystem. Dropping it unmounts.
pub struct Session {
    /// First, because the mount goes before the connection that answers it.
    mount: Mount,
    kernel: fuser::Session<Adaptor>,
    filesystem: Arc<Filesystem>,
    signals: Signals,
    unused: Option<Unused>,
    rest: Option<Rest>,
    confined_to: Option<Vec<PathBuf>>,
    keeps_in: Option<PathBuf>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("mount", &self.mount)
            .finish_non_exhaustive()
    }
}

/// What [`Session::run`] waits for.
enum News {
    Signal(i32),
    Ended(io::Result<()>),
}

impl Session {
    /// Mounts, and returns when the kernel's INIT was answered: from then on the mount answers.
    ///
    /// SIGINT, SIGTERM, SIGHUP and SIGUSR1 belong to the session from here on, so that none can end the process
    /// between mounting and [`Session::run`], and leave a dead mount.
    ///
    /// # Errors
    /// `Mountpoint` or `Fuse`, with a sentence that says what to do; `Usage` for an unknown flag.
    pub fn mount(filesystem: Filesystem, options: &MountOptions) -> Result<Self> {
        let root = filesystem.attributes(ROOT)?.kind;
        let filesystem = Arc::new(filesystem);
        let signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1])
            .map_err(|err| Error::io(err, "cannot listen for signals"))?;
        let heard = Arc::new(Kernel::default());
        let adaptor = Adaptor::new(Arc::clone(&filesystem), Arc::clone(&heard), options);
        let (mount, kernel) =
            connect(adaptor, root, options).map_err(|err| err.in_file(&options.mountpoint))?;
        heard.connect(kernel.notifier());
        Ok(Self {
            mount,
            kernel,
            filesystem,
            signals,
            unused: options.idle.map(Unused::new),
            rest: options.at_rest.map(Rest::new),
            confined_to: options.confined_to.clone(),
            keeps_in: options.keeps_in.clone(),
        })
    }

    /// Serves until the filesystem is unmounted, by SIGINT or SIGTERM or by someone else.
    ///
    /// A signal to stop unmounts. A mount that is in use is detached instead: its path is free at once, requests in
    /// flight have two seconds to be answered, and then this returns although files may be open still; their readers
    /// get ENOTCONN when the process ends. A second signal does not wait. SIGHUP lets the filesystem look at its
    /// folders again, SIGUSR1 logs its statistics.
    ///
    /// When others have unmounted it, and nobody holds a file of it any more, requests that their readers have given
    /// up may still wait for sources that hang. They have as long.
    ///
    /// # Errors
    /// `Io` when the connection to the kernel breaks.
    pub fn run(self) -> Result<()> {
        let Self {
            mount,
            kernel,
            filesystem,
            mut signals,
            unused,
            rest,
            confined_to,
            keeps_in,
        } = self;
        let (tell, news) = mpsc::channel();
        let tell_end = tell.clone();
        let listener = signals.handle();
        spawn("plainiso-serve", move || {
            // The threads that answer are started by this one, and are confined as it is.
            #[cfg(target_os = "linux")]
            if let Some(folders) = &confined_to {
                super::linux::confine(folders, keeps_in.as_deref());
            }
            #[cfg(not(target_os = "linux"))]
            drop((confined_to, keeps_in));
            let _ = tell_end.send(News::Ended(kernel.run()));
        })?;
        spawn("plainiso-signal", move || {
            for signal in signals.forever() {
                let _ = tell.send(News::Signal(signal));
            }
        })?;
        let end = wait(&news, &filesystem, &mount, unused, rest);
        listener.close();
        mount.finish();
        end
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .map(drop)
        .map_err(|err| Error::io(err, "cannot start a thread"))
}

/// Handles signals until the mount has ended or nobody wants to wait for that any more.
fn wait(
    news: &mpsc::Receiver<News>,
    filesystem: &Filesystem,
    mount: &Mount,
    mut unused: Option<Unused>,
    mut rest: Option<Rest>,
) -> Result<()> {
    let mut deadline: Option<Instant> = None;
    loop {
        let next_look = deadline.or(unused.as_ref().map(Unused::next_look));
        let patience = next_look.map_or(LOOK, |then| {
            LOOK.min(then.saturating_duration_since(Instant::now()))
        });
        match news.recv_timeout(patience) {
            Ok(News::Signal(SIGHUP)) => filesystem.rescan(),
            Ok(News::Signal(SIGUSR1)) => log::info!("{}", filesystem.statistics()),
            Ok(News::Signal(_)) if deadline.is_none() => {
                stop(mount);
                deadline = Some(Instant::now() + GRACE);
            }
            Ok(News::Ended(end)) => return ended(end),
            Err(RecvTimeoutError::Timeout) if deadline.is_none() => {
                if mount.has_ended() {
                    deadline = Some(Instant::now() + GRACE);
                    continue;
                }
                if let Some(rest) = &mut rest {
                    rest.look(filesystem);
                }
                if let Some(unused) = &mut unused {
                    unused.look(filesystem, mount);
                }
            }
            Ok(News::Signal(_)) | Err(_) => {
                log::info!(
                    "requests are left unanswered: their sources hang, or the mount was in use"
                );
                return Ok(());
            }
        }
    }
}

/// Unmounts, lazily where it is busy. If even that fails, the end of the process ends the connection.
fn stop(mount: &Mount) {
    let unmounted = mount.unmount(Unmount::Now).or_else(|err| {
        log::info!("{}; detaching it", err.sentence());
        mount.unmount(Unmount::Lazy)
    });
    if let Err(err) = unmounted {
        log::error!("cannot unmount: {}", err.sentence());
    }
}

/// A connection that was unmounted or aborted ended as it should.
fn ended(end: io::Result<()>) -> Result<()> {
    match end {
        Ok(()) => Ok(()),
        Err(err) if matches!(err.raw_os_error(), Some(libc::ENODEV | libc::ECONNABORTED)) => Ok(()),
        Err(err) => Err(Error::io(err, "the connection to the kernel broke")),
    }
}

/// How many threads take requests. One more than asked for, so that one is free when all others hang.
pub(super) fn threads(options: &MountOptions) -> usize {
    if cfg!(target_os = "linux") {
        options.threads.max(1) + 1
    } else {
        // More are not supported there.
        1
    }
}

fn config(options: &MountOptions) -> Config {
    let mut config = Config::default();
    config.n_threads = Some(threads(options));
    // The kernel itself keeps others out of a mount without allow_other.
    config.acl = if options.allow_root && !options.allow_other {
        SessionACL::RootAndOwner
    } else {
        SessionACL::All
    };
    config
}

#[cfg(target_os = "linux")]
fn connect(
    adaptor: Adaptor,
    root: Kind,
    options: &MountOptions,
) -> Result<(Mount, fuser::Session<Adaptor>)> {
    let config = config(options);
    let (connection, mount) = Mount::new(root, options)?;
    let kernel =
        fuser::Session::from_fd(adaptor, connection, config.acl, config).map_err(|err| {
            Error::new(
                ErrorKind::Fuse,
                format!("the kernel did not finish the handshake: {err}"),
            )
        })?;
    Ok((mount, kernel))
}

#[cfg(not(target_os = "linux"))]
fn connect(
    adaptor: Adaptor,
    root: Kind,
    options: &MountOptions,
) -> Result<(Mount, fuser::Session<Adaptor>)> {
    let mut config = config(options);
    config.mount_options = mount_options(options)?;
    let mount = Mount::prepare(root, options)?;
    let kernel = fuser::Session::new(adaptor, mount.path(), &config)
        .map_err(|err| Error::new(ErrorKind::Fuse, format!("cannot be mounted: {err}")))?;
    Ok((mount, kernel))
}

/// The library takes one string, in which a comma ends an option.
#[cfg(not(target_os = "linux"))]
fn mount_options(options: &MountOptions) -> Result<Vec<MountOption>> {
    let mut list = vec![
        MountOption::RO,
        MountOption::FSName(options.source_name.replace(',', "_")),
        MountOption::Subtype("plainiso".into()),
    ];
    if options.checks_permissions() {
        list.push(MountOption::DefaultPermissions);
    }
    for word in &options.flags {
        list.push(match word.as_str() {
            "suid" => MountOption::Suid,
            "nosuid" => MountOption::NoSuid,
            "dev" => MountOption::Dev,
            "nodev" => MountOption::NoDev,
            "exec" => MountOption::Exec,
            "noexec" => MountOption::NoExec,
            "atime" => MountOption::Atime,
            "noatime" => MountOption::NoAtime,
            _ => {
                let message = format!("mount flag '{word}' is not known");
                return Err(Error::new(ErrorKind::Usage, message));
            }
        });
    }
    Ok(list)
}

/// Unmounts a plainiso mount; `Lazy` detaches a busy one from the tree and lets it end with its last user.
///
/// # Errors
/// `Mountpoint` when nothing of ours is mounted there or it is busy, `Fuse` without the permission.
pub fn unmount(mountpoint: &Path, how: Unmount) -> Result<()> {
    #[cfg(target_os = "linux")]
    use super::linux::unmount;
    #[cfg(not(target_os = "linux"))]
    use super::macos::unmount;
    unmount(mountpoint, how).map_err(|err| err.in_file(mountpoint))
}

/// What plainiso has mounted, whoever did it: the mountpoint, and what it was mounted from.
///
/// # Errors
/// `Io` when the table of mounts cannot be read, `Unsupported` where the system has none that tells our mounts.
pub fn mounts() -> Result<Vec<(PathBuf, OsString)>> {
    #[cfg(target_os = "linux")]
    return super::linux::ours();
    #[cfg(not(target_os = "linux"))]
    Err(Error::new(
        ErrorKind::Unsupported,
        "mounts can be listed on Linux only: name the mountpoint",
    ))
}

/// Takes away what a killed plainiso left at `mountpoint`, so that the path can be looked at again. Does nothing
/// where no dead mount is.
///
/// # Errors
/// `Mountpoint` when the dead mount there is not ours, `Fuse` without the permission to take it away.
pub fn clear_dead_mount(mountpoint: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    super::linux::clear_dead(mountpoint).map_err(|err| err.in_file(mountpoint))?;
    let _ = mountpoint;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_was_unmounted_or_aborted_ended_well() {
        for number in [libc::ENODEV, libc::ECONNABORTED] {
            assert!(ended(Err(io::Error::from_raw_os_error(number))).is_ok());
        }
        let broken = ended(Err(io::Error::from_raw_os_error(libc::EBADF))).unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::Io);
    }
}
