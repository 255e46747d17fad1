//! The command line: its commands, and the shapes in which mount(8), mount.fuse and habit call us.

use std::{ffi::OsStr, ffi::OsString, path::Path, path::PathBuf};

use clap::{
    Args, CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind as ClapError,
};

use super::{
    Exit, cat,
    convert::ConvertArguments,
    exit_of, extract,
    log::Verbosity,
    open,
    options::{self, OptionFlags, Sloppiness},
    parents::ParentPaths,
    plan::{Mode, Request},
    status, verify, words,
};
use crate::{Error, ErrorKind, Result};

/// Shows compressed disc images as the plain files they once were.
///
/// plainiso mounts a folder of compressed disc images (.cso, .zso, .isz, .dax, .jso), or a single one, as plain
/// read-only .iso files. Only what is read is decoded, and nothing is unpacked to disk.
#[derive(Debug, Parser)]
#[command(name = "plainiso", version, arg_required_else_help = true)]
#[command(
    after_help = "`plainiso SOURCE MOUNTPOINT` is short for `plainiso mount SOURCE MOUNTPOINT`."
)]
pub(super) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Mount images or folders of images, and return when the mount answers.
    Mount(MountArguments),
    /// Unmount what plainiso mounted.
    #[command(visible_alias = "unmount")]
    Umount(UmountArguments),
    /// Let mounts look at their sources again, at once and at everything.
    Rescan(RescanArguments),
    /// Tell what images are: format, sizes, codecs, label, checksums.
    Info(InfoArguments),
    /// Write an image's plain bytes to stdout.
    Cat(cat::Arguments),
    /// Write the plain bytes of images to files. An interrupted run is continued by the next one.
    Extract(extract::Arguments),
    /// Decode images completely, check their checksums and tell their hashes.
    Verify(verify::Arguments),
    /// Write images in another format.
    Convert(Box<ConvertArguments>),
    /// Mount an image where the session keeps such things, and open it with the desktop's file manager.
    Open(open::Arguments),
    /// Show what mounts are doing: images being read, rates, hit rate, decode time, errors.
    Status(status::Arguments),
    /// List the formats that plainiso reads and writes.
    Formats(FormatsArguments),
    /// Print a completion script for a shell.
    Completions {
        /// The shell that will read the script.
        shell: clap_complete::Shell,
    },
    /// Print the manual page (in roff, for man).
    Man,
}

#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools)] // They are flags that users combine freely.
#[command(override_usage = "plainiso mount [OPTIONS] SOURCE... MOUNTPOINT")]
pub(super) struct MountArguments {
    /// Image files or folders to show, then the directory to show them in. A single image can also be shown at the
    /// path of a regular file.
    #[arg(value_name = "SOURCE... MOUNTPOINT", num_args = 1.., required = true)]
    paths: Vec<PathBuf>,
    /// Mount options as a comma list, as in fstab. Write `\,` for a comma inside a value. Each option is also a
    /// flag of its own, which wins over this list.
    #[arg(short, value_name = "OPTION[,...]")]
    options: Vec<String>,
    /// Stay in the foreground. Log messages go to stderr.
    #[arg(short, long)]
    foreground: bool,
    /// Log every request. Stays in the foreground.
    #[arg(short, long)]
    debug: bool,
    #[command(flatten)]
    verbosity: VerbosityFlags,
    /// Ignore options that are not known.
    #[arg(short, long)]
    sloppy: bool,
    /// Append log messages to this file instead of stderr or syslog.
    #[arg(long, value_name = "PATH")]
    log_file: Option<PathBuf>,
    /// Write the line "ready" to this inherited file descriptor when the mount answers.
    #[arg(long, value_name = "N")]
    ready_fd: Option<u32>,
    #[command(flatten)]
    flags: OptionFlags,
    /// Check everything, mount nothing: what mount(8) calls fake.
    #[arg(skip)]
    fake: bool,
}

#[derive(Args, Clone, Copy, Debug)]
struct VerbosityFlags {
    /// Log more; twice for everything.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Log errors only.
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
}

#[derive(Args, Debug)]
pub(super) struct UmountArguments {
    /// Where it is mounted.
    #[arg(value_name = "MOUNTPOINT", required = true)]
    pub(super) mountpoints: Vec<PathBuf>,
    /// Detach a busy mount at once; it ends with its last user.
    #[arg(short = 'z', long)]
    pub(super) lazy: bool,
}

#[derive(Args, Debug)]
pub(super) struct RescanArguments {
    /// Where it is mounted.
    #[arg(value_name = "MOUNTPOINT", required = true)]
    pub(super) mountpoints: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct InfoArguments {
    /// Image files. Of a split set, the first file.
    #[arg(value_name = "IMAGE", required = true)]
    pub(super) images: Vec<PathBuf>,
    /// Answer with a JSON array, one object for each image.
    #[arg(long)]
    pub(super) json: bool,
    /// Draw where the image's blocks are stored, zero, compressed or missing.
    #[arg(long, conflicts_with = "json")]
    pub(super) map: bool,
    /// Draw the same map of one image to a new SVG file.
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
    /// Read the password of encrypted images from this file.
    #[arg(long, value_name = "PATH")]
    pub(super) password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) parents: ParentPaths,
}

#[derive(Args, Debug)]
pub(super) struct FormatsArguments {
    /// Answer with a JSON array, one object for each format.
    #[arg(long)]
    pub(super) json: bool,
    /// Answer with a package of the shared MIME database (XML), for packagers.
    #[arg(long, conflicts_with = "json")]
    pub(super) mime: bool,
}

/// How mount(8) calls its helper: `mount.plainiso SOURCE MOUNTPOINT [-sfnv] [-N namespace] [-o OPTIONS] [-t TYPE]`.
#[derive(Debug, Parser)]
#[command(
    name = "mount.plainiso",
    version,
    about = "The helper of mount(8); see plainiso(1)"
)]
struct HelperArguments {
    /// What to mount.
    source: PathBuf,
    /// Where to mount it.
    mountpoint: PathBuf,
    /// Mount options as a comma list.
    #[arg(short, value_name = "OPTION[,...]")]
    options: Vec<String>,
    /// Ignore options that are not known.
    #[arg(short)]
    sloppy: bool,
    /// Fake: check everything, mount nothing.
    #[arg(short)]
    fake: bool,
    /// Do not write /etc/mtab, which plainiso never does.
    #[arg(short)]
    no_mtab: bool,
    /// Log more.
    #[arg(short, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Mount in another namespace, which plainiso cannot.
    #[arg(short = 'N')]
    namespace: Option<OsString>,
    /// The type in fstab, which is always plainiso's here.
    #[arg(short = 't')]
    kind: Option<OsString>,
}

/// Who called decides on the shape of the arguments and the exit codes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Caller {
    /// Someone at a shell, a script, or mount.fuse.
    User,
    /// mount(8), through a link called `mount.plainiso`.
    MountProgram,
}

impl Caller {
    pub(super) fn of(arguments: &[OsString]) -> Self {
        let name = arguments.first().map(Path::new).and_then(Path::file_name);
        match name.and_then(OsStr::to_str) {
            Some("mount.plainiso" | "mount.fuse.plainiso" | "mount.fuse3.plainiso") => {
                Self::MountProgram
            }
            _ => Self::User,
        }
    }

    /// mount(8) has codes of its own: 1 for usage, 32 for a mount that did not work.
    pub(super) fn exit(self, kind: ErrorKind) -> Exit {
        match (self, kind) {
            (Self::User, _) => exit_of(kind),
            (Self::MountProgram, ErrorKind::Usage) => Exit(1),
            (Self::MountProgram, _) => Exit(32),
        }
    }
}

/// Reads the arguments. The error is also how help and the version come back.
pub(super) fn parse(
    arguments: Vec<OsString>,
    caller: Caller,
) -> std::result::Result<Command, clap::Error> {
    if caller == Caller::MountProgram {
        return HelperArguments::try_parse_from(arguments)?.into_command();
    }
    let arguments = with_command(arguments);
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(arguments)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|err| err.format(&mut command))?;
    if matches!(&cli.command, Command::Mount(mount) if mount.paths.len() < 2) {
        let mount = command
            .find_subcommand_mut("mount")
            .expect("it is derived above");
        return Err(mount.error(
            ClapError::MissingRequiredArgument,
            "the mountpoint is missing: at least one SOURCE and one MOUNTPOINT are needed",
        ));
    }
    Ok(cli.command)
}

/// Puts `mount` in front of arguments that start with no command.
fn with_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let starts_with_source = arguments.get(1).is_some_and(|first| !is_command(first));
    if starts_with_source {
        arguments.insert(1, "mount".into());
    }
    arguments
}

/// A word that is almost a command, and no path, counts as one, so that the answer is the command that was meant.
fn is_command(first: &OsStr) -> bool {
    let word = first.to_string_lossy();
    let cli = Cli::command();
    let mut names = cli
        .get_subcommands()
        .flat_map(|command| std::iter::once(command.get_name()).chain(command.get_all_aliases()));
    let is_slip = || {
        let names = cli.get_subcommands().map(clap::Command::get_name);
        let is_path = word.contains('/') || Path::new(first).exists();
        words::closest(&word, names).is_some() && !is_path
    };
    matches!(&*word, "help" | "-h" | "--help" | "-V" | "--version")
        || names.any(|name| name == word)
        || is_slip()
}

impl HelperArguments {
    fn into_command(self) -> std::result::Result<Command, clap::Error> {
        if self.namespace.is_some() {
            return Err(Self::command().error(
                ClapError::InvalidValue,
                "plainiso cannot mount in another namespace (-N): run mount inside it, with nsenter(1)",
            ));
        }
        Ok(Command::Mount(MountArguments {
            paths: vec![self.source, self.mountpoint],
            options: self.options,
            foreground: false,
            debug: false,
            verbosity: VerbosityFlags {
                verbose: self.verbose,
                quiet: false,
            },
            sloppy: self.sloppy,
            log_file: None,
            ready_fd: None,
            flags: OptionFlags::default(),
            fake: self.fake,
        }))
    }
}

impl MountArguments {
    /// What is asked for, with every word understood.
    ///
    /// # Errors
    /// `Usage` for an option that is not known, or a value that an option does not take.
    pub(super) fn request(mut self) -> Result<Request> {
        let sloppiness = if self.sloppy {
            Sloppiness::IgnoreUnknown
        } else {
            Sloppiness::Strict
        };
        let settings = options::read(&self.options, &self.flags, sloppiness)?;
        let mountpoint = self.paths.pop();
        let mountpoint = mountpoint
            .filter(|_| !self.paths.is_empty())
            .ok_or_else(|| Error::new(ErrorKind::Usage, "the mountpoint is missing"))?;
        Ok(Request {
            sources: self.paths,
            mountpoint,
            settings,
            mode: match (self.fake, self.foreground || self.debug) {
                (true, _) => Mode::Fake,
                (false, true) => Mode::Foreground,
                (false, false) => Mode::Background,
            },
            verbosity: match (self.debug, self.verbosity.quiet, self.verbosity.verbose) {
                (false, true, _) => Verbosity::Errors,
                (false, false, 0) => Verbosity::Usual,
                (false, false, 1) => Verbosity::More,
                (true, _, _) | (_, _, 2..) => Verbosity::Everything,
            },
            log_file: self.log_file,
            ready_fd: self.ready_fd,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Command {
        let arguments = line.split(' ').map(Into::into).collect();
        parse(arguments, Caller::User).unwrap()
    }

    #[test]
    fn a_first_word_that_is_no_command_is_a_source() {
        for line in [
            "plainiso mount a b -o ro",
            "plainiso a b -o ro",
            "plainiso -o ro a b",
            "plainiso a -o ro b",
            "plainiso -f -oro -- a b",
        ] {
            let Command::Mount(mount) = parsed(line) else {
                panic!("{line}");
            };
            assert_eq!(mount.paths, [Path::new("a"), Path::new("b")], "{line}");
            assert_eq!(mount.options, ["ro"], "{line}");
        }
        assert!(matches!(parsed("plainiso ./info b"), Command::Mount(_)));
        assert!(matches!(parsed("plainiso info b"), Command::Info(_)));
        assert!(matches!(parsed("plainiso unmount b"), Command::Umount(_)));
    }

    #[test]
    fn several_sources_stand_in_front_of_the_mountpoint() {
        let Command::Mount(mount) = parsed("plainiso a b c --cache 1m --mkdir") else {
            panic!("it is a mount");
        };
        let request = mount.request().unwrap();
        assert_eq!(request.sources, [Path::new("a"), Path::new("b")]);
        assert_eq!(request.mountpoint, Path::new("c"));
        assert!(request.settings.mkdir && request.settings.cache == 1 << 20);
        assert_eq!(request.mode, Mode::Background);
    }

    #[test]
    fn the_letter_f_means_what_its_caller_means() {
        let arguments = |name: &str| [name, "a", "b", "-f"].map(Into::into).to_vec();
        for (name, mode) in [
            ("plainiso", Mode::Foreground),
            ("/sbin/mount.plainiso", Mode::Fake),
            ("mount.fuse.plainiso", Mode::Fake),
        ] {
            let arguments = arguments(name);
            let caller = Caller::of(&arguments);
            let Ok(Command::Mount(mount)) = parse(arguments, caller) else {
                panic!("{name}");
            };
            assert_eq!(mount.request().unwrap().mode, mode, "{name}");
        }
    }
}
