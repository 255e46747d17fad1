//! Statistics.

use std::ffi::OsStr;

use plainiso::fs::ROOT;

use crate::{
    formats::cso,
    library::{Library, contents, find, volume},
};

#[test]
fn statistics_count_all_files_on_the_root_and_one_on_an_image() {
    let image = cso(&volume(40_000));
    let library = Library::with(&[("a.cso", &image), ("b.cso", &image), ("bad.cso", b"bad!")]);
    let filesystem = library.mount();
    let stats = |ino| -> serde_json::Value {
        let name = OsStr::new("user.plainiso.stats");
        serde_json::from_slice(&filesystem.xattr(ino, name).unwrap().unwrap()).unwrap()
    };
    contents(&filesystem, "a.iso").unwrap();
    contents(&filesystem, "b.iso").unwrap();
    contents(&filesystem, "bad.iso").unwrap_err();
    let a = find(&filesystem, "a.iso").unwrap().ino;
    let handle = filesystem.open(a).unwrap().handle;
    filesystem.read(handle, &mut [0; 1000], 100).unwrap();
    let (all, one) = (stats(ROOT), stats(a));
    assert_eq!((&all["opens"], &one["opens"]), (&3.into(), &2.into()));
    assert_eq!((&all["reads"], &one["reads"]), (&3.into(), &2.into()));
    assert_eq!(
        (&all["bytes_out"], &one["bytes_out"]),
        (&81_000.into(), &41_000.into())
    );
    assert_eq!(all["errors"], 1);
    assert_eq!(all["cache_misses"], 1);
    assert!(one["bytes_in"].as_u64().unwrap() > 100);
    assert_eq!(
        all,
        serde_json::from_str::<serde_json::Value>(&filesystem.statistics()).unwrap()
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_closed_image_is_kept_open_until_a_rescan_or_another_takes_its_name() {
    let library = Library::with(&[("a.cso", &cso(&volume(40_000)))]);
    let filesystem = library.mount();
    let path = library.path("a.cso");
    let is_open = || {
        let links = std::fs::read_dir("/proc/self/fd").unwrap();
        let mut files = links.filter_map(|link| std::fs::read_link(link.unwrap().path()).ok());
        files.any(|file| file.starts_with(&path))
    };
    assert!(!is_open());
    contents(&filesystem, "a.iso").unwrap();
    assert!(is_open());
    filesystem.rescan();
    assert!(!is_open());
    contents(&filesystem, "a.iso").unwrap();
    library.put("other.cso", &cso(&volume(50_000)));
    std::fs::rename(library.path("other.cso"), &path).unwrap();
    assert_eq!(contents(&filesystem, "a.iso").unwrap().len(), 50_000);
    let deleted = path.with_file_name("a.cso (deleted)");
    let links = std::fs::read_dir("/proc/self/fd").unwrap();
    let mut files = links.filter_map(|link| std::fs::read_link(link.unwrap().path()).ok());
    assert!(files.all(|file| file != deleted));
}

#[test]
fn what_is_no_file_or_gone_is_no_error_of_an_image() {
    let library = Library::with(&[("sub/a.cso", &cso(&volume(40_000)))]);
    let filesystem = library.mount();
    let sub = find(&filesystem, "sub").unwrap().ino;
    let image = find(&filesystem, "sub/a.iso").unwrap().ino;
    filesystem.open(sub).unwrap_err();
    std::fs::remove_file(library.path("sub/a.cso")).unwrap();
    filesystem.open(image).unwrap_err();
    let stats: serde_json::Value = serde_json::from_str(&filesystem.statistics()).unwrap();
    assert_eq!((&stats["errors"], &stats["opens"]), (&0.into(), &0.into()));
}
