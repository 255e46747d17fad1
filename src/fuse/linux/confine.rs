//! Taking away from the threads that answer the kernel what they do not need: whatever an image makes them do, they
//! can read the sources, and nothing else.
//!
//! Only these threads are confined. The main thread must unmount, which takes mount(2)'s rights or the setuid program
//! fusermount3; it touches no byte of an image.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, path_beneath_rules,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs,
};

/// What the newest kernel that was tried can take away. An older one takes away what it can.
const NEWEST: ABI = ABI::V5;

/// Confines the calling thread, and those that it starts: no new privileges, no capabilities but those for reading,
/// and no files but those below `readable`, which can be read, and in `writable`, which can be made and removed. What the kernel does not know stays as it was.
pub(in crate::fuse) fn confine(readable: &[PathBuf], writable: Option<&Path>) {
    if let Err(err) = set_no_new_privs(true) {
        log::debug!("new privileges are not given up: {err}");
    }
    if let Err(err) = drop_capabilities() {
        log::debug!("capabilities are not dropped: {err}");
    }
    match restrict_files(readable, writable) {
        Ok(RulesetStatus::NotEnforced) => log::debug!("this kernel has no Landlock"),
        Ok(_) => {}
        Err(err) => log::debug!("file access is not restricted: {err}"),
    }
}

/// Root's server reads everybody's sources, and hands stored files to the kernel, which takes `SYS_ADMIN`.
fn drop_capabilities() -> rustix::io::Result<()> {
    let needed = CapabilitySet::DAC_READ_SEARCH | CapabilitySet::SYS_ADMIN;
    let now = capabilities(None)?;
    set_capabilities(
        None,
        CapabilitySets {
            effective: now.effective & needed,
            permitted: now.permitted & needed,
            inheritable: CapabilitySet::empty(),
        },
    )
}

fn restrict_files(
    readable: &[PathBuf],
    writable: Option<&Path>,
) -> Result<RulesetStatus, RulesetError> {
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let writing =
        AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::RemoveFile | AccessFs::Truncate;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(readable, reading))?
        .add_rules(path_beneath_rules(writable, reading | writing))?
        .restrict_self()?;
    Ok(status.ruleset)
}

#[cfg(test)]
mod tests {
    use std::{fs, net::TcpListener, process::Command, thread};

    use super::*;

    /// Confinement is for a thread, so each test has one of its own.
    fn confined(readable: PathBuf, test: impl FnOnce() + Send + 'static) {
        let thread = thread::spawn(move || match restrict_files(&[readable], None) {
            Ok(RulesetStatus::NotEnforced) => eprintln!("left out: this kernel has no Landlock"),
            Ok(_) => test(),
            Err(err) => panic!("{err}"),
        });
        thread.join().unwrap();
    }

    #[test]
    fn a_confined_thread_reads_below_its_folders_and_nothing_else() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (file, secret) = (inside.path().join("a"), outside.path().join("b"));
        fs::write(&file, "here").unwrap();
        fs::write(&secret, "there").unwrap();
        confined(inside.path().into(), move || {
            assert_eq!(fs::read(&file).unwrap(), b"here");
            assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
            assert!(fs::read(&secret).is_err());
            assert!(fs::read_dir(secret.parent().unwrap()).is_err());
        });
    }

    #[test]
    fn a_confined_thread_writes_nothing_starts_nothing_and_unmounts_nothing() {
        let inside = tempfile::tempdir().unwrap();
        let file = inside.path().join("a");
        fs::write(&file, "here").unwrap();
        confined(inside.path().into(), move || {
            assert!(fs::write(&file, "more").is_err());
            assert!(fs::write(file.with_extension("new"), "").is_err());
            assert!(fs::remove_file(&file).is_err());
            assert!(Command::new("/bin/true").status().is_err());
            assert!(rustix::mount::unmount("/", rustix::mount::UnmountFlags::DETACH).is_err());
        });
    }

    #[test]
    fn a_confined_thread_makes_and_renames_files_where_it_may() {
        let (inside, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, to) = (kept.path().join("new"), kept.path().join("index"));
        let folder = kept.path().to_path_buf();
        let thread = thread::spawn(move || {
            match restrict_files(&[inside.path().into()], Some(&folder)).unwrap() {
                RulesetStatus::NotEnforced => return eprintln!("left out: no Landlock"),
                _ => fs::write(&from, "kept").unwrap(),
            }
            fs::rename(&from, &to).unwrap();
            assert_eq!(fs::read(&to).unwrap(), b"kept");
            fs::remove_file(&to).unwrap();
            assert!(fs::write(inside.path().join("a"), "").is_err());
        });
        thread.join().unwrap();
    }

    /// Taken away by kernels from 6.7 on.
    #[test]
    fn a_confined_thread_opens_no_tcp_port() {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = release
            .split(['.', '-'])
            .map_while(|it| it.parse::<u32>().ok());
        if (numbers.next(), numbers.next()) < (Some(6), Some(7)) {
            return eprintln!("left out: Linux {}", release.trim_end());
        }
        confined("/".into(), || {
            assert!(TcpListener::bind("127.0.0.1:0").is_err());
        });
    }

    #[test]
    fn a_confined_thread_has_no_capability_but_those_for_reading() {
        let thread = thread::spawn(|| {
            confine(&["/".into()], None);
            let left = capabilities(None).unwrap();
            let needed = CapabilitySet::DAC_READ_SEARCH | CapabilitySet::SYS_ADMIN;
            assert!(needed.contains(left.permitted) && needed.contains(left.effective));
            assert!(rustix::thread::no_new_privs().unwrap());
        });
        thread.join().unwrap();
        let all = CapabilitySet::all();
        assert!(all.contains(capabilities(None).unwrap().permitted & all));
    }
}
