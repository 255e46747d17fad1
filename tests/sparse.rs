//! Images of whole discs of which little is stored: too long to be read whole by tests that run for every format.

mod library;

use std::os::unix::fs::FileExt;

use library::{Mount, open, sha256, sparse};

#[test]
fn what_is_stored_is_right_and_all_else_is_zeroes() {
    for disc in sparse() {
        let image = open(&disc.path).unwrap();
        assert_eq!(image.format().name, disc.format);
        assert_eq!(image.size(), disc.size);
        let mut plain = vec![0; usize::try_from(disc.used).unwrap()];
        assert_eq!(image.read_at(&mut plain, 0).unwrap(), plain.len());
        assert_eq!(sha256(&plain), disc.sha256, "{}", disc.format);
        let mut at = disc.used;
        // Zeroes up to the end of the last stored block, then nothing is stored.
        while at < image.next_hole(at) {
            let mut rest = vec![1; 32 << 10];
            let n = image.read_at(&mut rest, at).unwrap();
            assert_eq!(rest[..n], vec![0; n], "{} at {at}", disc.format);
            at += n as u64;
        }
        assert_eq!(image.next_data(at), disc.size, "{}", disc.format);
        assert_eq!(image.read_at(&mut [1; 9], disc.size - 4).unwrap(), 4);
    }
}

#[test]
fn a_disc_is_as_long_in_a_mount() {
    if !library::fuse_is_there() {
        return;
    }
    for disc in sparse() {
        let mount = Mount::of(disc.path.parent().unwrap());
        let name = format!("Cube.{}.iso", disc.format);
        let shown = std::fs::File::open(mount.path().join(name)).unwrap();
        assert_eq!(shown.metadata().unwrap().len(), disc.size);
        let mut plain = vec![0; usize::try_from(disc.used).unwrap()];
        shown.read_exact_at(&mut plain, 0).unwrap();
        assert_eq!(sha256(&plain), disc.sha256);
        let mut end = [1; 4096];
        shown.read_exact_at(&mut end, disc.size - 4096).unwrap();
        assert_eq!(end, [0; 4096]);
    }
}
