//! The program as users and mount(8) call it: words, exit codes, what goes to stdout and what to stderr.

use std::{
    ffi::OsStr,
    fs,
    io::Read,
    os::unix::fs::symlink,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

#[path = "cli/info.rs"]
mod info;

const PROGRAM: &str = env!("CARGO_BIN_EXE_plainiso");

struct Run {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Run {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

fn finish(output: Output) -> Run {
    Run {
        code: output.status.code().unwrap(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The program in an environment of our own.
fn program(arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("RUST_LOG")
        .env_remove("PLAINISO_PASSWORD");
    command
}

fn run(arguments: &[impl AsRef<OsStr>]) -> Run {
    finish(program(arguments).output().unwrap())
}

/// A plain ISO 9660 image of 100,000 bytes.
fn plain_image(label: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
    bytes[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    bytes[0x8028..0x8048].fill(b' ');
    bytes[0x8028..0x8028 + label.len()].copy_from_slice(label);
    bytes
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("lib")).unwrap();
        fs::create_dir(dir.path().join("mnt")).unwrap();
        fs::write(dir.path().join("lib/good.iso"), plain_image(b"GOOD_DISC")).unwrap();
        fs::write(dir.path().join("lib/bad.iso"), b"no image").unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

#[test]
fn usage_errors_end_with_2_and_say_what_is_wrong() {
    let place = Place::new();
    let (library, mountpoint) = (place.path("lib"), place.path("mnt"));
    let (library, mountpoint) = (library.to_str().unwrap(), mountpoint.to_str().unwrap());
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage:"),
        (&["mount"], "required"),
        (&["mount", library], "the mountpoint is missing"),
        (&["mont", library, mountpoint], "'mount'"),
        (&["info"], "<IMAGE>"),
        (&["cat", "a", "b"], "unexpected argument 'b'"),
        (&["completions", "nosuchshell"], "nosuchshell"),
        (&["mount", "--nosuch", library, mountpoint], "--nosuch"),
        (
            &[library, mountpoint, "-o", "alow_other"],
            "mount option 'alow_other' is not known; did you mean allow_other?",
        ),
        (
            &[library, mountpoint, "-o", "threads=x"],
            "mount option threads is 'x'",
        ),
        (
            &["mount", "--uid", "x", library, mountpoint],
            "mount option uid is 'x'",
        ),
        (
            &["mount", "--ready-fd", "77", library, mountpoint],
            "descriptor 77",
        ),
    ];
    for (arguments, message) in cases {
        let run = run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(
            run.stderr.contains(message),
            "{arguments:?}: {}",
            run.stderr
        );
        assert!(run.stdout.is_empty());
    }
}

#[test]
fn failures_have_fixed_exit_codes() {
    let place = Place::new();
    let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
    for (source, mountpoint, code, message) in [
        (
            "nosuch",
            "mnt",
            1,
            "nosuch: cannot open the source: No such file",
        ),
        ("lib/bad.iso", "mnt", 3, "bad.iso: this is no disc image"),
        ("lib", "nosuch", 4, "nosuch: cannot use the mountpoint"),
        ("lib", "lib/bad.iso", 4, "only a single image"),
        ("lib", "lib", 4, "the source itself"),
    ] {
        for stay in [&[][..], &["-f"]] {
            let arguments = [
                &[path(source), path(mountpoint)],
                &stay.iter().map(ToString::to_string).collect::<Vec<_>>()[..],
            ]
            .concat();
            let run = run(&arguments);
            assert_eq!(run.code, code, "{source}: {}", run.stderr);
            assert!(run.stderr.contains(message), "{source}: {}", run.stderr);
            assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        }
    }
}

#[test]
fn help_and_version_go_to_stdout() {
    for arguments in [
        &["--help"][..],
        &["-V"],
        &["help", "mount"],
        &["mount", "-h"],
        &["man"],
        &["formats"],
    ] {
        let run = run(arguments);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        assert!(!run.stdout.is_empty());
    }
}

#[test]
fn every_mount_option_is_in_the_help_and_in_the_manual() {
    let (help, manual) = (run(&["mount", "--help"]), run(&["man"]));
    let manual = manual.text().replace('\\', "");
    for word in [
        "ro",
        "allow_other",
        "allow_root",
        "default_permissions",
        "auto_unmount",
        "uid",
        "gid",
        "umask",
        "fsname",
        "nonempty",
        "cache",
        "threads",
        "readahead",
        "direct_io",
        "images_only",
        "name",
        "follow_links",
        "nfs_export",
        "password-file",
        "parent",
        "mkdir",
        "log-file",
        "ready-fd",
    ] {
        let flag = format!("--{word}");
        assert!(help.text().contains(&flag), "{flag}");
        assert!(manual.contains(&flag), "{flag}");
    }
    for section in [
        "NAME",
        "SYNOPSIS",
        "COMMANDS",
        "EXIT STATUS",
        "ENVIRONMENT",
        "FILES",
        "EXAMPLES",
    ] {
        assert!(
            manual.contains(&format!(".SH {section}"))
                || manual.contains(&format!(".SH \"{section}\"")),
            "{section}"
        );
    }
}

#[test]
fn no_color_is_honoured_and_pipes_get_none_anyway() {
    let run = finish(
        program(&["mount", "--nosuch"])
            .env("NO_COLOR", "1")
            .output()
            .unwrap(),
    );
    assert!(!run.stderr.contains('\u{1b}'));
}

#[test]
fn cat_writes_the_plain_bytes_and_nothing_else() {
    let place = Place::new();
    let cat = |name: &str| run(&[OsStr::new("cat"), place.path(name).as_os_str()]);
    let good = cat("lib/good.iso");
    assert_eq!((good.code, good.stderr.as_str()), (0, ""));
    assert!(good.stdout == plain_image(b"GOOD_DISC"));
    let bad = cat("lib/bad.iso");
    assert_eq!((bad.code, bad.stdout.len()), (3, 0));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    let large = place.path("large.iso");
    let mut bytes = plain_image(b"LARGE");
    bytes.resize(4 << 20, 1);
    fs::write(&large, bytes).unwrap();
    let arguments = [OsStr::new("cat"), large.as_os_str()];
    let mut child = program(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let run = finish(child.wait_with_output().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn formats_lists_the_registry() {
    let json: serde_json::Value =
        serde_json::from_slice(&run(&["formats", "--json"]).stdout).unwrap();
    let names: Vec<&str> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|format| format["name"].as_str().unwrap())
        .collect();
    let registry: Vec<&str> = plainiso::format::FORMATS
        .iter()
        .map(|format| format.name)
        .collect();
    assert_eq!(names, registry);
    let table = run(&["formats"]);
    assert!(registry.iter().all(|name| table.text().contains(name)));
}

#[test]
fn completions_are_there_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = run(&["completions", shell]);
        assert_eq!(run.code, 0);
        assert!(run.text().contains("allow_other"), "{shell}");
    }
}

/// The program under the name that mount(8) looks for.
fn helper(place: &Place, name: &str, arguments: &[&str]) -> Run {
    let link = place.path(name);
    if !link.exists() {
        symlink(PROGRAM, &link).unwrap();
    }
    let mut command = Command::new(link);
    command.args(arguments).env_clear().stdin(Stdio::null());
    finish(command.output().unwrap())
}

#[test]
fn the_helper_of_mount_takes_its_options_in_any_order_and_ends_with_its_codes() {
    let place = Place::new();
    let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
    let (library, bad, mountpoint) = (path("lib"), path("lib/bad.iso"), path("mnt"));
    let cases: &[(&[&str], i32)] = &[
        (&[&library, &mountpoint, "-f"], 0),
        (
            &[
                "-f",
                &library,
                "-o",
                "rw,nofail,x-gvfs-show",
                &mountpoint,
                "-n",
            ],
            0,
        ),
        (
            &[
                &library,
                &mountpoint,
                "-sfnv",
                "-o",
                "whatever",
                "-t",
                "fuse.plainiso",
            ],
            0,
        ),
        (&[&library, &mountpoint, "-f", "-o", "whatever"], 1),
        (&[&library, &mountpoint, "-f", "-N", "/proc/1/ns/mnt"], 1),
        (&[&library], 1),
        (&[&bad, &mountpoint, "-f"], 32),
        (&[&library, &path("nosuch"), "-f"], 32),
    ];
    for name in [
        "mount.plainiso",
        "mount.fuse.plainiso",
        "mount.fuse3.plainiso",
    ] {
        for (arguments, code) in cases {
            let run = helper(&place, name, arguments);
            assert_eq!(run.code, *code, "{name} {arguments:?}: {}", run.stderr);
            assert_eq!(
                run.stderr.is_empty(),
                *code == 0 && !arguments.contains(&"rw,nofail,x-gvfs-show")
            );
        }
    }
}

#[test]
fn umount_names_each_mountpoint_that_it_cannot_unmount() {
    let place = Place::new();
    let (first, second) = (place.path("mnt"), place.path("nosuch"));
    let run = run(&[OsStr::new("umount"), first.as_os_str(), second.as_os_str()]);
    assert_ne!(run.code, 0);
    assert_eq!(run.stderr.lines().count(), 2, "{}", run.stderr);
    for (line, path) in run.stderr.lines().zip([&first, &second]) {
        assert!(line.contains(path.to_str().unwrap()), "{line}");
    }
}
