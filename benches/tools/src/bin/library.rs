//! Reads an image through the library, without the kernel: allocations per read, and what decoding alone costs.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    error::Error,
    ffi::OsStr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use clap::Parser;
use plainiso::{
    cache::BlockCache,
    fs::{Filesystem, Naming, Options, ROOT},
    image::Image,
};
use plainiso_bench_tools::{PageAligned, Random, bytes, cpu_time};
use serde_json::{Value, json};

/// Prints what reading IMAGE through the library costs.
#[derive(Parser)]
struct Arguments {
    image: PathBuf,
    /// Bytes to decode for the speed; the whole image if it is smaller.
    #[arg(long, value_parser = bytes, default_value = "64M")]
    length: u64,
    /// Random reads of each size for the allocations.
    #[arg(long, default_value_t = 1000)]
    count: u32,
}

/// The system's allocator, and how often it was asked for memory.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.realloc(at, layout, len) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut allocations = serde_json::Map::new();
    for len in [4 << 10, 16 << 10, 64 << 10, 128 << 10] {
        let each = allocations_per_read(&arguments, len)?;
        allocations.insert(len.to_string(), json!(each));
    }
    let nanos = decoder_nanos_per_byte(&arguments)?;
    let report = json!({
        "allocations_per_read": Value::Object(allocations),
        "decoder_ns_per_byte": nanos,
        "decoder_mb_per_s": 1e3 / nanos,
    });
    println!("{report}");
    Ok(())
}

/// A filesystem that shows the one image, with the size of cache that a mount has.
fn filesystem(arguments: &Arguments) -> Result<Filesystem> {
    Ok(Filesystem::new(Options {
        sources: vec![arguments.image.clone()],
        root_is_file: false,
        naming: Naming::default(),
        images_only: false,
        follow_links: false,
        uid: None,
        gid: None,
        umask: None,
        cache: Arc::new(BlockCache::new(64 << 20)),
        password: None,
    })?)
}

fn allocations_per_read(arguments: &Arguments, len: usize) -> Result<f64> {
    let filesystem = filesystem(arguments)?;
    let shown = arguments.image.with_extension("iso");
    let name = shown.file_name().unwrap_or(OsStr::new(""));
    let attributes = filesystem.lookup(ROOT, name)?;
    let file = filesystem.open(attributes.ino)?;
    let mut buffer = PageAligned::new(len);
    let slots = attributes.size / len as u64;
    let mut random = Random(1);
    let mut read = || {
        filesystem.read(
            file.handle,
            buffer.bytes_mut(),
            random.below(slots) * len as u64,
        )
    };
    // What the first read sets up is used by all others.
    read()?;
    let before = ALLOCATIONS.load(Relaxed);
    for _ in 0..arguments.count {
        read()?;
    }
    let asked = ALLOCATIONS.load(Relaxed) - before;
    Ok(asked as f64 / f64::from(arguments.count))
}

/// CPU time of whole blocks in their order, fetching included, at its best of three rounds.
fn decoder_nanos_per_byte(arguments: &Arguments) -> Result<f64> {
    let cache = Arc::new(BlockCache::new(0));
    let image = Image::open(&arguments.image, cache, &|| Ok(None))?;
    let block = image.geometry().largest_block().max(128 << 10);
    let mut buffer = PageAligned::new(block);
    let end = image.size().min(arguments.length);
    let mut best = f64::MAX;
    for _ in 0..3 {
        let before = cpu_time();
        let mut at = 0;
        while at < end {
            at += image.read_at(buffer.bytes_mut(), at)? as u64;
        }
        let taken = cpu_time().saturating_sub(before);
        best = best.min(taken.as_nanos() as f64 / at as f64);
    }
    Ok(best)
}
