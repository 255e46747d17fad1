//! Mounting as an ordinary user: the setuid program fusermount3 does it and hands over the connection.
//!
//! It gets one end of a pair of sockets as its standard input and sends the descriptor of /dev/fuse back through it.
//! With `auto_unmount` it stays, and unmounts when the other end is closed: when this process ends, however it ends.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use rustix::{
    io::{Errno, fcntl_dupfd_cloexec},
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
};

use crate::{
    Error, ErrorKind, Result,
    fuse::options::{MountOptions, Unmount},
};

/// mount(8) starts its helpers with an empty PATH.
const USUAL_FOLDERS: [&str; 6] = [
    "/usr/bin",
    "/bin",
    "/usr/sbin",
    "/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
];

/// The waiting fusermount3 of an `auto_unmount`; dropping it tells it that the mount has ended.
#[derive(Debug)]
pub(super) struct Guardian {
    socket: Option<OwnedFd>,
    child: Option<Child>,
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.socket.take();
        if let Some(mut child) = self.child.take() {
            // It looks at the mountpoint once more before it ends, which need not be waited for.
            thread::spawn(move || child.wait());
        }
    }
}

/// Mounts at an absolute path; the descriptor is the connection to the kernel.
pub(super) fn mount(path: &Path, options: &MountOptions) -> Result<(OwnedFd, Option<Guardian>)> {
    let (ours, theirs) =
        UnixStream::pair().map_err(|err| Error::io(err, "cannot make a pair of sockets"))?;
    let child = program()?
        .arg("-o")
        .arg(option_string(options))
        .arg("--")
        .arg(path)
        .env("_FUSE_COMMFD", "0")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|err| Error::io(err, "cannot start fusermount3"))?;
    let received = receive(&ours).map_err(|err| Error::io(err, "cannot hear from fusermount3"))?;
    match received {
        Some(connection) if options.auto_unmount => {
            // Descriptors are closed in the order of their numbers when a process is killed. The connection must go
            // first: while it lives, the guardian finds the mount alive and leaves it.
            let after = rustix::fd::AsRawFd::as_raw_fd(&connection) + 1;
            let socket = fcntl_dupfd_cloexec(ours.as_fd(), after)
                .map_err(|err| Error::io(err.into(), "cannot keep the socket of fusermount3"))?;
            let guardian = Guardian {
                socket: Some(socket),
                child: Some(child),
            };
            Ok((connection, Some(guardian)))
        }
        Some(connection) => {
            let said = last_words(child);
            if !said.is_empty() {
                log::warn!("{said}");
            }
            Ok((connection, None))
        }
        None => Err(refusal(child)),
    }
}

/// Unmounts at an absolute path.
pub(super) fn unmount(path: &Path, how: Unmount) -> Result<()> {
    let mut command = program()?;
    command.arg("-u");
    if how == Unmount::Lazy {
        command.arg("-z");
    }
    let output = command
        .arg("--")
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .map_err(|err| Error::io(err, "cannot start fusermount3"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = one_line(&output.stderr);
    if said.contains("busy") {
        return Err(busy(path));
    }
    Err(Error::new(ErrorKind::Fuse, said_or_silent(said)))
}

/// What to do about a mount that is in use.
pub(super) fn busy(path: &Path) -> Error {
    let message = format!(
        "is in use: 'fuser -vm {}' lists by whom, '-z' detaches it nevertheless",
        path.display()
    );
    Error::new(ErrorKind::Mountpoint, message)
}

/// fusermount3, or its older name, speaking English.
fn program() -> Result<Command> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = find(&path).ok_or_else(|| {
        Error::new(
            ErrorKind::Fuse,
            "fusermount3 is not there: install the package fuse3",
        )
    })?;
    let mut command = Command::new(found);
    command.arg0("fusermount3").env("LC_ALL", "C");
    Ok(command)
}

fn find(path: &OsStr) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .chain(USUAL_FOLDERS.map(PathBuf::from))
        .collect();
    ["fusermount3", "fusermount"]
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|candidate| candidate.is_file())
}

fn option_string(options: &MountOptions) -> OsString {
    let mut words = vec!["ro".to_string(), "subtype=plainiso".to_string()];
    words.extend(options.flags.iter().cloned());
    words.push(format!("fsname={}", escape(&options.source_name)));
    let switches = [
        (options.lets_others_in(), "allow_other"),
        (options.checks_permissions(), "default_permissions"),
        (options.auto_unmount, "auto_unmount"),
    ];
    words.extend(
        switches
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| (*word).to_string()),
    );
    words.join(",").into()
}

/// A backslash makes the next character a part of the value.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,")
}

/// The descriptor that fusermount3 sends, or `None` when it hangs up.
fn receive(socket: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    loop {
        let mut data = [IoSliceMut::new(&mut byte)];
        match recvmsg(socket, &mut data, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            Err(err) => return Err(err.into()),
            Ok(_) => break,
        }
    }
    let sent = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(sent)
}

/// Why fusermount3 did not mount, with the remedy where there is a known one.
fn refusal(child: Child) -> Error {
    let said = last_words(child);
    if said.contains("user_allow_other") {
        return Error::new(
            ErrorKind::Fuse,
            "allow_other and allow_root are not allowed to users: add the line user_allow_other to /etc/fuse.conf",
        );
    }
    let kind = if said.contains("mountpoint") || said.contains("mount point") {
        ErrorKind::Mountpoint
    } else {
        ErrorKind::Fuse
    };
    Error::new(kind, said_or_silent(said))
}

/// Waits for the child, and returns what it complained about.
fn last_words(child: Child) -> String {
    match child.wait_with_output() {
        Ok(output) => one_line(&output.stderr),
        Err(err) => format!("fusermount3: {err}"),
    }
}

fn said_or_silent(said: String) -> String {
    if said.is_empty() {
        return "fusermount3 gave up without a word".into();
    }
    said
}

fn one_line(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_and_a_backslash_in_a_value_are_escaped() {
        assert_eq!(escape(r"one, two\three"), r"one\, two\\three");
    }

    #[test]
    fn an_empty_path_still_finds_a_program_in_the_usual_folders() {
        let found = find(OsStr::new(""));
        let usual = USUAL_FOLDERS
            .iter()
            .any(|folder| Path::new(folder).join("fusermount3").is_file());
        assert!(found.is_some() || !usual);
    }
}
