use super::*;
use crate::cli::options::{self, OptionFlags, Sloppiness};

fn request(sources: &[&Path], mountpoint: &Path, options: &str) -> Request {
    let flags = OptionFlags::default();
    Request {
        sources: sources.iter().map(|source| source.to_path_buf()).collect(),
        mountpoint: mountpoint.to_path_buf(),
        settings: options::read(&[options.into()], &flags, Sloppiness::Strict).unwrap(),
        mode: Mode::Background,
        verbosity: Verbosity::Usual,
        log_file: None,
        ready_fd: None,
    }
}

fn folder() -> (tempfile::TempDir, PathBuf, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    let (library, mountpoint, image) = (path.join("lib"), path.join("mnt"), path.join("lib/a.iso"));
    fs::create_dir(&library).unwrap();
    fs::create_dir(&mountpoint).unwrap();
    let mut plain = vec![0; 40_000];
    plain[0x8001..0x8006].copy_from_slice(b"CD001");
    fs::write(&image, plain).unwrap();
    (dir, library, mountpoint, image)
}

fn refusal(sources: &[&Path], mountpoint: &Path, options: &str) -> (ErrorKind, String) {
    let err = Plan::new(&request(sources, mountpoint, options), None).unwrap_err();
    (err.kind(), err.to_string())
}

#[test]
fn a_folder_or_an_image_goes_to_a_directory_and_an_image_to_a_file() {
    let (_dir, library, mountpoint, image) = folder();
    let target = library.with_file_name("target.iso");
    fs::write(&target, "").unwrap();
    for (source, mountpoint, shape) in [
        (&library, &mountpoint, Shape::Directory),
        (&image, &mountpoint, Shape::Directory),
        (&image, &target, Shape::File),
    ] {
        let plan = Plan::new(&request(&[source], mountpoint, ""), None).unwrap();
        assert_eq!(plan.shape, shape);
        let (filesystem, session) = plan.into_parts();
        assert_eq!(filesystem.root_is_file, shape == Shape::File);
        assert_eq!(session.source_name, source.to_str().unwrap());
    }
}

#[test]
fn refuses_a_file_as_mountpoint_of_a_folder_or_of_two_images() {
    let (_dir, library, mountpoint, image) = folder();
    let target = mountpoint.join("x");
    fs::write(&target, "").unwrap();
    for sources in [
        &[library.as_path()][..],
        &[image.as_path(), image.as_path()],
    ] {
        let (kind, message) = refusal(sources, &target, "");
        assert_eq!(kind, ErrorKind::Mountpoint);
        assert!(message.ends_with("where only a single image can be mounted"));
    }
}

#[test]
fn refuses_a_mountpoint_that_is_not_there_unless_it_may_make_it() {
    let (_dir, library, mountpoint, _image) = folder();
    let missing = mountpoint.join("deep/er");
    let (kind, message) = refusal(&[&library], &missing, "");
    assert_eq!(kind, ErrorKind::Mountpoint);
    assert!(
        message.ends_with("create it, or mount with -o mkdir"),
        "{message}"
    );
    Plan::new(&request(&[&library], &missing, "mkdir"), None).unwrap();
    assert!(missing.is_dir());
}

#[test]
fn a_fake_mount_makes_no_mountpoint() {
    let (_dir, library, mountpoint, _image) = folder();
    let missing = mountpoint.join("x");
    let mut request = request(&[&library], &missing, "mkdir");
    request.mode = Mode::Fake;
    Plan::new(&request, None).unwrap();
    assert!(!missing.exists());
}

#[test]
fn refuses_a_mount_over_or_inside_its_source() {
    let (dir, library, _mountpoint, image) = folder();
    let inside = library.join("mnt");
    fs::create_dir(&inside).unwrap();
    for (source, mountpoint, why) in [
        (
            &library,
            library.as_path(),
            "the mountpoint is the source itself",
        ),
        (
            &image,
            image.as_path(),
            "the mountpoint is the source itself",
        ),
        (&image, library.as_path(), "lies below the mountpoint"),
        (&library, dir.path(), "lies below the mountpoint"),
        (
            &library,
            inside.as_path(),
            "the mountpoint lies inside the source",
        ),
    ] {
        let (kind, message) = refusal(&[source], mountpoint, "");
        assert_eq!(kind, ErrorKind::Mountpoint);
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn makes_no_mountpoint_inside_what_the_option_parent_names() {
    let (dir, library, _mountpoint, _image) = folder();
    let parents = dir.path().join("parents");
    fs::create_dir(&parents).unwrap();
    let options = format!("mkdir,parent={}", parents.display());
    let (kind, message) = refusal(&[&library], &parents.join("mnt"), &options);
    assert_eq!(kind, ErrorKind::Mountpoint);
    assert!(message.contains("lies inside the parent"), "{message}");
    assert!(!parents.join("mnt").exists());
}

#[test]
fn a_damaged_image_is_refused_alone_and_not_among_others() {
    let (_dir, library, mountpoint, image) = folder();
    fs::write(&image, "no image at all").unwrap();
    let (kind, message) = refusal(&[&image], &mountpoint, "");
    assert_eq!(kind, ErrorKind::UnknownFormat);
    assert!(message.contains("a.iso: "), "{message}");
    Plan::new(&request(&[&library], &mountpoint, ""), None).unwrap();
    Plan::new(&request(&[&image, &library], &mountpoint, ""), None).unwrap();
}

#[test]
fn refuses_a_source_that_is_not_there_by_name() {
    let (_dir, _library, mountpoint, _image) = folder();
    let (kind, message) = refusal(&[Path::new("/no/such")], &mountpoint, "");
    assert_eq!(kind, ErrorKind::Io);
    assert_eq!(message, "/no/such: cannot open the source");
}
