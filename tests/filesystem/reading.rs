//! Reading, seeking, sharing.

use plainiso::fs::ROOT;

use crate::library::{Library, contents, find, names, volume};

#[test]
fn an_image_reads_as_its_plain_bytes_and_other_files_as_they_are() {
    let library = Library::with(&[
        ("sub/Game.cso", &volume(50_000)),
        ("sub/read me.txt", b"hello"),
    ]);
    let filesystem = library.mount();
    assert_eq!(names(&filesystem, ROOT), ["sub"]);
    let sub = find(&filesystem, "sub").unwrap();
    assert_eq!(names(&filesystem, sub.ino), ["Game.iso", "read me.txt"]);
    assert_eq!(find(&filesystem, "sub/Game.iso").unwrap().size, 50_000);
    assert_eq!(
        contents(&filesystem, "sub/Game.iso").unwrap(),
        volume(50_000)
    );
    assert_eq!(contents(&filesystem, "sub/read me.txt").unwrap(), b"hello");
}
