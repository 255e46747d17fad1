//! Mounts that mount(8) and mount.fuse ask for.

use std::{ffi::OsStr, fs, os::unix::fs::symlink, path::Path, process::Command};

use crate::{PROGRAM, Place, common::fuse_is_there, quiet};

#[test]
fn mount_fuse_runs_the_program_without_path_and_environment() {
    let helper = Path::new("/usr/sbin/mount.fuse3");
    if !fuse_is_there() {
        return;
    }
    if !helper.exists() {
        eprintln!("left out: {} is not there", helper.display());
        return;
    }
    let place = Place::new();
    let source = format!("{PROGRAM}#{}", place.path("lib").display());
    let mut command = Command::new(helper);
    command
        .arg(source)
        .arg(place.path("mnt"))
        .args(["-o", "ro,nofail"])
        .env_clear();
    quiet(&command.output().unwrap());
    place.shows_the_library();
    place.run(&["umount", "mnt"]);
}

/// A link that mount(8) finds its helper by, taken away at the end.
struct HelperLink(&'static Path);

impl HelperLink {
    fn make() -> std::io::Result<Self> {
        let path = Path::new("/sbin/mount.plainiso");
        symlink(PROGRAM, path).map(|()| Self(path))
    }
}

impl Drop for HelperLink {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0);
    }
}

#[test]
fn a_line_of_fstab_mounts_and_umount_unmounts() {
    if !fuse_is_there() {
        return;
    }
    let link = match HelperLink::make() {
        Ok(link) => link,
        Err(err) => {
            eprintln!("left out: /sbin/mount.plainiso cannot be made: {err}");
            return;
        }
    };
    let place = Place::new();
    let (library, mountpoint) = (place.path("lib"), place.path("mnt"));
    let options = "ro,allow_other,nofail,x-systemd.automount,noatime,umask=077";
    let entry = format!(
        "{} {} plainiso {options} 0 0\n",
        library.display(),
        mountpoint.display()
    );
    fs::write(place.path("fstab"), entry).unwrap();
    let call = |program: &str, arguments: &[&OsStr]| {
        Command::new(program)
            .args(arguments)
            .env_clear()
            .output()
            .unwrap()
    };
    let fstab = place.path("fstab");
    let mount = || {
        call(
            "/bin/mount",
            &["-T".as_ref(), fstab.as_ref(), mountpoint.as_ref()],
        )
    };
    quiet(&mount());
    place.shows_the_library();
    let table = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(
        table.contains(&format!(
            "{} fuse.plainiso ro,nosuid,nodev,noatime",
            mountpoint.display()
        )),
        "{table}"
    );
    quiet(&call("/bin/umount", &[mountpoint.as_ref()]));
    assert!(!place.is_mounted());

    fs::remove_dir_all(library).unwrap();
    let refused = mount();
    assert_eq!(refused.status.code(), Some(32));
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(
        stderr.contains("lib: cannot open the source: No such file"),
        "{stderr}"
    );
    drop(link);
}
