//! CHDs whose parent stands elsewhere, and what stands there that is not it.

mod library;

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use library::{Mount, chdman, chdman_is_there, noise, sha256};

/// A CHD of one hunk of 4096 bytes without compression; without `plain`, the hunk is its parent's.
fn handmade(plain: Option<&[u8; 4096]>, sha1: u8, parent: u8) -> Vec<u8> {
    let mut file = b"MComprHD".to_vec();
    file.extend([124_u32, 5, 0, 0, 0, 0].map(u32::to_be_bytes).concat());
    file.extend([4096_u64, 124, 0].map(u64::to_be_bytes).concat());
    file.extend([4096_u32, 2048].map(u32::to_be_bytes).concat());
    for byte in [0, sha1, parent] {
        file.extend([byte; 20]);
    }
    file.extend(u32::from(plain.is_some()).to_be_bytes());
    file.resize(4096, 0);
    file.extend(plain.into_iter().flatten());
    file
}

/// A child alone in a folder, and in another one its parent and what is not.
struct Family {
    folder: tempfile::TempDir,
    plain: [u8; 4096],
}

impl Family {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plain: [u8; 4096] = noise(4096).try_into().unwrap();
        for name in ["lib", "old"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        put("lib/child.chd", &handmade(None, 1, 2));
        put("old/parent.chd", &handmade(Some(&plain), 2, 0));
        put("old/another.chd", &handmade(Some(&plain), 3, 0));
        put("old/none.chd", b"no CHD at all");
        Self { folder, plain }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(library::PLAINISO);
        command.current_dir(self.folder.path()).args(arguments);
        command.output().unwrap()
    }
}

#[test]
fn a_parent_elsewhere_is_found_where_the_option_says() {
    let family = Family::new();
    for parent in ["old", "old/parent.chd"] {
        let at = ["--parent", "old/another.chd", "--parent", parent];
        let of = |words: &[&str]| {
            let done = family.run(&[words, &at[..]].concat());
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{words:?}: {said}");
            done.stdout
        };
        assert!(of(&["cat", "lib/child.chd"]) == family.plain);
        assert!(of(&["extract", "lib/child.chd", "-o", "-"]) == family.plain);
        of(&["extract", "-r", "lib", "-o", "out/", "--force"]);
        assert!(fs::read(family.path("out/child.iso")).unwrap() == family.plain);
        let info = of(&["info", "lib/child.chd"]);
        assert!(String::from_utf8_lossy(&info).contains("1 parent"));
        let hashes = String::from_utf8(of(&["verify", "lib"])).unwrap();
        assert!(hashes.contains(&sha256(&family.plain)), "{hashes}");
        of(&[
            "convert",
            "lib/child.chd",
            "-o",
            "out.zso",
            "--verify",
            "--force",
        ]);
        assert!(of(&["cat", "out.zso"]) == family.plain);
    }
}

#[test]
fn a_parent_elsewhere_is_found_through_a_mount() {
    if !library::fuse_is_there() {
        return;
    }
    let family = Family::new();
    let (lib, old) = (family.path("lib"), family.path("old"));
    let child = lib.join("child.chd");
    let word = format!("parent={}", old.display());
    for (source, arguments) in [
        (&lib, ["-o", &word]),
        (&lib, ["--parent", old.join("parent.chd").to_str().unwrap()]),
        (&child, ["-o", &word]),
    ] {
        let mount = Mount::with(source, &arguments);
        assert!(fs::read(mount.path().join("child.iso")).unwrap() == family.plain);
    }
    let without = Mount::of(&lib);
    assert!(fs::read(without.path().join("child.iso")).is_err());
}

#[test]
fn a_file_that_is_not_the_parent_is_refused_by_its_name_and_sha1() {
    let family = Family::new();
    let refusal = |arguments: &[&str]| {
        let done = family.run(&[&["cat", "lib/child.chd"], arguments].concat());
        assert_eq!(done.status.code(), Some(3), "{arguments:?}");
        assert!(done.stdout.is_empty());
        String::from_utf8(done.stderr).unwrap()
    };
    assert!(
        refusal(&[]).contains("say where it is with --parent PATH (of a mount, -o parent=PATH)")
    );
    let wrong = refusal(&[
        "--parent",
        "old/another.chd",
        "--parent",
        "old/none.chd",
        "--parent",
        "lib",
    ]);
    for part in [
        "has the SHA-1 0202020202020202020202020202020202020202, nor",
        "old/another.chd has the SHA-1 0303030303030303030303030303030303030303;",
        "old/none.chd is not it: this is no CHD;",
        "lib has it",
    ] {
        assert!(wrong.contains(part), "{wrong}");
    }
    let missing = family.run(&["cat", "lib/child.chd", "--parent", "old/nothing"]);
    let said = String::from_utf8(missing.stderr).unwrap();
    assert!(
        said.contains("old/nothing: cannot open the parent"),
        "{said}"
    );
}

#[test]
fn parents_that_are_a_circle_or_too_many_are_refused() {
    let family = Family::new();
    let put = |name: &str, sha1, parent| {
        fs::write(family.path(name), handmade(None, sha1, parent)).unwrap();
    };
    let refusal = |name: &str| {
        let done = family.run(&["cat", name, "--parent", "old", "--parent", name]);
        assert_eq!(done.status.code(), Some(3), "{name}");
        String::from_utf8(done.stderr).unwrap()
    };
    put("self.chd", 9, 9);
    assert!(refusal("self.chd").contains("more than 8 parents, or they are a circle"));
    put("one.chd", 10, 11);
    put("old/two.chd", 11, 10);
    assert!(refusal("one.chd").contains("more than 8 parents, or they are a circle"));
    for number in 20..29 {
        put(&format!("old/{number}.chd"), number, number + 1);
    }
    fs::write(
        family.path("old/29.chd"),
        handmade(Some(&family.plain), 29, 0),
    )
    .unwrap();
    assert!(refusal("old/20.chd").contains("more than 8 parents, or they are a circle"));
    let deep = family.run(&["cat", "old/21.chd"]);
    assert!(deep.status.success() && deep.stdout == family.plain);
}

#[test]
fn a_child_of_chdman_is_read_with_its_parent_elsewhere() {
    if !chdman_is_there() {
        return;
    }
    let family = Family::new();
    let mut plain = noise(300_000);
    plain.resize(301_056, 0);
    let word = OsStr::new;
    let make = |plain: &[u8], parent: Option<&Path>, chd: &Path| {
        let image = family.path("plain");
        fs::write(&image, plain).unwrap();
        let mut words = vec![word("createraw"), word("-i"), image.as_os_str(), word("-o")];
        words.extend([
            chd.as_os_str(),
            word("-hs"),
            word("4096"),
            word("-us"),
            word("2048"),
        ]);
        words.extend(
            parent
                .into_iter()
                .flat_map(|at| [word("-op"), at.as_os_str()]),
        );
        chdman(&words);
    };
    let (parent, child) = (family.path("old/made.chd"), family.path("lib/made.chd"));
    make(&plain, None, &parent);
    plain[100_000..110_000].fill(7);
    make(&plain, Some(&parent), &child);
    assert_eq!(family.run(&["cat", "lib/made.chd"]).status.code(), Some(3));
    let read = family.run(&["cat", "lib/made.chd", "--parent", "old"]);
    assert!(read.stdout == plain);
}
