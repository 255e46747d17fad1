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
