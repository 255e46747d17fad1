//! Makes a raw disc of a plain image: a data track in whole sectors of 2352 bytes, then a track of sound.

use std::{
    error::Error,
    fs::File,
    io::{BufReader, BufWriter, Read, Write},
    path::PathBuf,
};

use clap::Parser;
use plainiso::sector::{self, HEADER, Kind, SECTOR};
use plainiso_bench_tools::Random;

/// Makes the BIN of a disc: an ISO in sectors of mode 1, and sound behind it.
#[derive(Parser)]
struct Arguments {
    iso: PathBuf,
    bin: PathBuf,
    /// Sectors of sound, 75 for each second.
    #[arg(long, default_value_t = 0)]
    sound: u32,
}

/// The first sector of a disc has this address: two seconds come before it.
const FIRST: u32 = 150;

fn main() -> Result<(), Box<dyn Error>> {
    let asked = Arguments::parse();
    let mut iso = BufReader::new(File::open(&asked.iso)?);
    let mut bin = BufWriter::new(File::create(&asked.bin)?);
    let sectors = u32::try_from(iso.get_ref().metadata()?.len() / 2048)?;
    for number in 0..sectors {
        let mut sector = [0; SECTOR];
        sector[HEADER..HEADER + 3].copy_from_slice(&address(FIRST + number)?);
        iso.read_exact(&mut sector[Kind::Mode1.user()])?;
        sector::complete(&mut sector, Kind::Mode1);
        bin.write_all(&sector)?;
    }
    let mut random = Random(1);
    for number in 0..asked.sound {
        bin.write_all(&sound(number, &mut random))?;
    }
    bin.flush()?;
    Ok(())
}

/// Minutes, seconds and sectors, two decimal digits in a byte.
fn address(sector: u32) -> Result<[u8; 3], Box<dyn Error>> {
    let decimal = |value: u32| u8::try_from(value / 10 * 16 + value % 10);
    Ok([
        decimal(sector / 75 / 60)?,
        decimal(sector / 75 % 60)?,
        decimal(sector % 75)?,
    ])
}

/// Two voices that wander, and some noise: what FLAC can predict and what it cannot.
fn sound(sector: u32, random: &mut Random) -> [u8; SECTOR] {
    let mut bytes = [0; SECTOR];
    for (i, sample) in bytes.chunks_exact_mut(4).enumerate() {
        let seconds = (f64::from(sector) * 588.0 + i as f64) / 44_100.0;
        let voice =
            |pitch: f64| (seconds * pitch * (1.0 + (seconds * 0.3).sin() * 1e-3)).sin() * 9000.0;
        for (side, pitch) in sample.chunks_exact_mut(2).zip([1570.0, 2350.0]) {
            let noise = random.below(256) as f64;
            #[allow(clippy::cast_possible_truncation)] // Far within the range.
            let value = (voice(pitch) + voice(pitch * 1.5) / 2.0 + noise) as i16;
            side.copy_from_slice(&value.to_le_bytes());
        }
    }
    bytes
}
