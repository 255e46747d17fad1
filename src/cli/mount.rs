//! `mount`: in the foreground, or in a process of its own in the background.

use std::{
    fs::{File, OpenOptions},
    io::Write,
};

use rustix::process::{Resource, getrlimit, setrlimit};

use super::{
    Exit, allocator, background, log as messages, password,
    plan::{Mode, Plan, Request},
};
use crate::{Error, ErrorKind, Result, fs::Filesystem, fuse::session::Session};

/// Mounts, and returns as late as the mode says.
///
/// # Errors
/// What stands against the mount; nothing is mounted then.
pub(super) fn run(request: &Request) -> Result<Exit> {
    messages::start(request.verbosity, request.log_file.as_deref())?;
    let background = background::Child::of_environment();
    let given = match &background {
        Some(child) => child.password()?,
        None => password::given(request.settings.password_file.as_deref())?,
    };
    if request.settings.wants_writing && background.is_none() {
        log::warn!("the mount is read-only, although rw was asked for");
    }
    let ready = request.ready_fd.map(open_ready_fd).transpose()?;
    let plan = Plan::new(request, given)?;
    match (request.mode, background) {
        (Mode::Fake, _) => Ok(Exit::SUCCESS),
        (Mode::Background, None) => background::start(plan.password.as_ref()),
        (Mode::Background | Mode::Foreground, background) => serve(plan, background, ready),
    }
}

/// Mounts, says so to everyone who waits for it, and answers the kernel until the end.
fn serve(plan: Plan, background: Option<background::Child>, ready: Option<File>) -> Result<Exit> {
    allocator::limit();
    take_descriptors();
    let (filesystem, options) = plan.into_parts();
    let filesystem = Filesystem::new(filesystem)?;
    filesystem.open_only_image()?;
    let session = Session::mount(filesystem, &options)?;
    if let Some(mut ready) = ready {
        // Whoever went away does not wait. The mount is asked for and there.
        if let Err(err) = ready.write_all(b"ready\n") {
            log::warn!("cannot write to the descriptor of --ready-fd: {err}");
        }
    }
    if let Some(child) = background {
        child.detach()?;
    }
    notify(sd_notify::NotifyState::Ready);
    let end = session.run();
    notify(sd_notify::NotifyState::Stopping);
    end.map(|()| Exit::SUCCESS)
}

/// Lets this process have as many files open as it may ask for: each image that is open has one, each part of a set too.
fn take_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(err) = setrlimit(Resource::Nofile, limit) {
        log::debug!("cannot raise the number of open files: {err}");
    }
}

/// Opens an inherited descriptor anew, which takes no trust in a number. The inherited one stays open until the
/// process ends, so the other side reads up to the line's end, not to the end of the stream.
fn open_ready_fd(number: u32) -> Result<File> {
    let path = format!("/dev/fd/{number}");
    OpenOptions::new().write(true).open(path).map_err(|err| {
        let message = format!("descriptor {number} of --ready-fd cannot be written to: {err}");
        Error::new(ErrorKind::Usage, message)
    })
}

/// Tells systemd, where it listens. It waits no longer than its own limit, so a message that is lost harms nobody else.
fn notify(state: sd_notify::NotifyState<'_>) {
    if let Err(err) = sd_notify::notify(&[state]) {
        log::debug!("cannot notify systemd: {err}");
    }
}
