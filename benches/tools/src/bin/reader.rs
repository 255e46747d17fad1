//! Reads a file as a user would and tells how long it took, as one line of JSON.

use std::{
    error::Error,
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use plainiso_bench_tools::{PageAligned, Random, bytes, cpu_time};
use rustix::fs::{Advice, fadvise};
use serde_json::json;

/// Reads FILE and prints what that took.
#[derive(Parser)]
struct Arguments {
    file: PathBuf,
    #[arg(long, value_enum, default_value = "sequential")]
    pattern: Pattern,
    /// Bytes per read.
    #[arg(long, value_parser = bytes, default_value = "1M")]
    block: u64,
    /// Read from here on.
    #[arg(long, value_parser = bytes, default_value = "0")]
    start: u64,
    /// Read only this many bytes; random reads stay inside them too.
    #[arg(long, value_parser = bytes)]
    span: Option<u64>,
    /// Random reads of all readers together; no place is read twice.
    #[arg(long, default_value_t = 1000)]
    count: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Readers at once, each in a thread of its own. They share the work.
    #[arg(long, default_value_t = 1)]
    readers: usize,
    /// Every reader does all of the work.
    #[arg(long, requires = "readers")]
    together: bool,
    /// Drop the file from the page cache first.
    #[arg(long)]
    cold: bool,
    /// Read these files first, so that they are in the page cache.
    #[arg(long, value_name = "FILE")]
    load: Vec<PathBuf>,
    /// Drop these files from the page cache first.
    #[arg(long, value_name = "FILE")]
    drop: Vec<PathBuf>,
}

#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
enum Pattern {
    Sequential,
    Random,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    for path in &arguments.load {
        load(path)?;
    }
    for path in &arguments.drop {
        drop_pages(path)?;
    }
    if arguments.cold {
        drop_pages(&arguments.file)?;
    }
    let shares = shares(&arguments)?;
    let before = cpu_time();
    let (elapsed, mut latencies) = run(&arguments, &shares)?;
    let cpu = cpu_time().saturating_sub(before);
    latencies.sort_unstable();
    println!("{}", report(&arguments, elapsed, cpu, &latencies));
    Ok(())
}

fn load(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    let mut buffer = PageAligned::new(1 << 20);
    let mut at = 0;
    loop {
        match file.read_at(buffer.bytes_mut(), at)? {
            0 => return Ok(()),
            n => at += n as u64,
        }
    }
}

fn drop_pages(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
}

/// The positions that each reader reads, in its order.
fn shares(arguments: &Arguments) -> Result<Vec<Vec<u64>>, Box<dyn Error>> {
    let len = File::open(&arguments.file)?.metadata()?.len();
    let len = len.saturating_sub(arguments.start);
    let slots = arguments.span.unwrap_or(len).min(len) / arguments.block;
    if slots == 0 || arguments.readers == 0 {
        return Err("there is nothing to read".into());
    }
    let mut positions: Vec<u64> = (0..slots).collect();
    if arguments.pattern == Pattern::Random {
        let count = usize::try_from(arguments.count.min(slots))?;
        let mut random = Random(arguments.seed);
        for i in 0..count {
            let other = i + usize::try_from(random.below(slots - i as u64))?;
            positions.swap(i, other);
        }
        positions.truncate(count);
    }
    for position in &mut positions {
        *position = arguments.start + *position * arguments.block;
    }
    if arguments.together {
        return Ok(vec![positions; arguments.readers]);
    }
    let share = positions.len().div_ceil(arguments.readers);
    Ok(positions.chunks(share).map(<[u64]>::to_vec).collect())
}

/// What one reader found: when it began and ended, and the nanoseconds of each read.
struct Taken {
    began: Instant,
    ended: Instant,
    latencies: Vec<u64>,
}

/// Reads all shares at once. Files are opened and buffers made before the clock starts.
fn run(arguments: &Arguments, shares: &[Vec<u64>]) -> io::Result<(Duration, Vec<u64>)> {
    let block = usize::try_from(arguments.block).map_err(io::Error::other)?;
    let start = Barrier::new(shares.len());
    let taken: Vec<io::Result<Taken>> = thread::scope(|scope| {
        let readers: Vec<_> = shares
            .iter()
            .map(|share| {
                let start = &start;
                scope.spawn(move || {
                    let file = File::open(&arguments.file);
                    let mut buffer = PageAligned::new(block);
                    start.wait();
                    read(&file?, share, buffer.bytes_mut())
                })
            })
            .collect();
        let panicked = |_| Err(io::Error::other("a reader panicked"));
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap_or_else(panicked))
            .collect()
    });
    let taken: Vec<Taken> = taken.into_iter().collect::<io::Result<_>>()?;
    let began = taken.iter().map(|one| one.began).min();
    let ended = taken.iter().map(|one| one.ended).max();
    let elapsed = ended.zip(began).map(|(end, begin)| end - begin);
    let latencies = taken.into_iter().flat_map(|one| one.latencies).collect();
    Ok((elapsed.unwrap_or_default(), latencies))
}

fn read(file: &File, positions: &[u64], buffer: &mut [u8]) -> io::Result<Taken> {
    let mut latencies = Vec::with_capacity(positions.len());
    let began = Instant::now();
    for &at in positions {
        let started = Instant::now();
        file.read_exact_at(buffer, at)?;
        let nanos = started.elapsed().as_nanos();
        latencies.push(u64::try_from(nanos).unwrap_or(u64::MAX));
    }
    Ok(Taken {
        began,
        ended: Instant::now(),
        latencies,
    })
}

fn report(
    arguments: &Arguments,
    elapsed: Duration,
    cpu: Duration,
    sorted: &[u64],
) -> serde_json::Value {
    let bytes = sorted.len() as f64 * arguments.block as f64;
    let at = |percent: usize| sorted[(sorted.len() - 1) * percent / 100] as f64 / 1e3;
    json!({
        "reads": sorted.len(),
        "bytes": bytes,
        "seconds": elapsed.as_secs_f64(),
        "mb_per_s": bytes / elapsed.as_secs_f64() / 1e6,
        "reads_per_s": sorted.len() as f64 / elapsed.as_secs_f64(),
        "p50_us": at(50),
        "p99_us": at(99),
        "mean_us": sorted.iter().sum::<u64>() as f64 / sorted.len() as f64 / 1e3,
        "reader_ns_per_byte": cpu.as_nanos() as f64 / bytes,
    })
}
