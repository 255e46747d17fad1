//! Any bytes: whatever opens is read from end to end, within the memory that `scripts/fuzz` allows.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use plainiso::{
    cache::BlockCache,
    files::Content,
    format::{self, OpenOptions, Password},
    image::Image,
    source::Source,
    volume::Volume,
};

/// Images of false terabytes cannot be read whole in a fuzzer's time.
const MOST_BLOCKS_READ: u64 = 12;

fuzz_target!(|stored: &[u8]| {
    let options = OpenOptions {
        password: &|| Ok(Some(Password::new(b"open sesame".to_vec()))),
        ..OpenOptions::alone()
    };
    let stored: Arc<dyn Source> = Arc::new(stored.to_vec());
    let _ = format::probe(stored.as_ref(), options.name);
    read(&stored, &options);
    let listed = format::detect(stored.as_ref(), options.name)
        .ok()
        .and_then(|format| format.files)
        .and_then(|files| files(&stored, &options).ok());
    for file in listed.iter().flat_map(|listed| &listed.files).take(4) {
        if let Content::Blocks { number, .. } = file.content {
            let file = number;
            read(&stored, &OpenOptions { file, ..options });
        }
    }
});

fn read(stored: &Arc<dyn Source>, options: &OpenOptions<'_>) {
    let Ok(opened) = format::open(Arc::clone(stored), options) else {
        return;
    };
    let image = Image::new(opened, Arc::new(BlockCache::new(1 << 20)));
    let blocks = image.geometry().blocks();
    let mut plain = vec![0; image.geometry().largest_block()];
    let front = 0..blocks.min(MOST_BLOCKS_READ);
    let back = blocks.saturating_sub(2)..blocks;
    for block in front.chain(back) {
        let span = image.geometry().span(block);
        let len = usize::try_from(span.end - span.start).expect("a block fits in memory");
        let _ = image.read_at(&mut plain[..len], span.start);
        let _ = image.read_at(&mut plain[..len.min(7)], span.end - 1);
    }
    assert_eq!(image.read_at(&mut plain, image.size()).ok(), Some(0));
    if let Some(volume) = Volume::read(&image) {
        let _ = volume.names_in(&[0..image.size()]);
    }
}
