//! Reads an image through the library, without the kernel: allocations per read, and what decoding alone costs.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    error::Error,
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use clap::{Parser, Subcommand};
use plainiso::{
    cache::BlockCache,
    fs::{Filesystem, Naming, Options, ROOT, Tracks},
    image::Image,
};
use plainiso_bench_tools::{PageAligned, Random, bytes, cpu_time};
use serde_json::{Map, json};

/// Reads an image through the library, without a mount.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Allocations per random read, by the size of the read.
    Allocations {
        image: PathBuf,
        /// Reads of each size.
        #[arg(long, default_value_t = 1000)]
        count: u32,
    },
    /// CPU time of decoding whole blocks in their order, fetching included.
    Decode {
        image: PathBuf,
        /// Decode from here on.
        #[arg(long, value_parser = bytes, default_value = "0")]
        start: u64,
        /// Decode this many plain bytes.
        #[arg(long, value_parser = bytes, default_value = "64M")]
        span: u64,
    },
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
    let report = match Arguments::parse().command {
        Command::Allocations { image, count } => {
            let mut report = Map::new();
            for len in [4 << 10, 16 << 10, 64 << 10, 128 << 10] {
                let each = allocations_per_read(&image, len, count)?;
                report.insert(len.to_string(), json!(each));
            }
            report
        }
        Command::Decode { image, start, span } => {
            let nanos = decoder_nanos_per_byte(&image, start, span)?;
            Map::from_iter([("decoder_ns_per_byte".into(), json!(nanos))])
        }
    };
    println!("{}", json!(report));
    Ok(())
}

/// A filesystem that shows the one image, with the size of cache that a mount has.
fn filesystem(image: &Path) -> Result<Filesystem> {
    Ok(Filesystem::new(Options {
        sources: vec![image.into()],
        root_is_file: false,
        naming: Naming::default(),
        images_only: false,
        follow_links: false,
        nfs_export: false,
        tracks: Tracks::Both,
        parents: Vec::new(),
        uid: None,
        gid: None,
        umask: None,
        cache: Arc::new(BlockCache::new(64 << 20)),
        password: None,
    })?)
}

fn allocations_per_read(image: &Path, len: usize, count: u32) -> Result<f64> {
    let filesystem = filesystem(image)?;
    let shown = image.with_extension("iso");
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
    for _ in 0..count {
        read()?;
    }
    let asked = ALLOCATIONS.load(Relaxed) - before;
    Ok(asked as f64 / f64::from(count))
}

fn decoder_nanos_per_byte(path: &Path, start: u64, span: u64) -> Result<f64> {
    let image = Image::open(path, Arc::new(BlockCache::new(0)), &|| Ok(None))?;
    let mut buffer = PageAligned::new(image.geometry().largest_block().max(128 << 10));
    // What the first read sets up is used by all others.
    image.read_at(buffer.bytes_mut(), start)?;
    let end = image.size().min(start.saturating_add(span));
    let before = cpu_time();
    let mut at = start;
    while at < end {
        at += image.read_at(buffer.bytes_mut(), at)? as u64;
    }
    let taken = cpu_time().saturating_sub(before);
    Ok(taken.as_nanos() as f64 / at.saturating_sub(start).max(1) as f64)
}
