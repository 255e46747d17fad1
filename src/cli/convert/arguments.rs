//! The options of `convert`, and what they mean together.

use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::{Path, PathBuf},
    thread,
};

use clap::{Args, ValueEnum};
use zeroize::Zeroizing;

use crate::{
    Error, ErrorKind, Result,
    cli::{parents::ParentPaths, password},
    codec::{Level, Method},
    convert::Settings,
    digest::Algorithm,
    format::{self, extension_of},
    output::Existing,
    pack::{Encryption, Target, Wish},
};

#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools)] // They are flags that users combine freely.
pub(in crate::cli) struct ConvertArguments {
    /// Image files, of a split set the first file; with --recursive also folders.
    #[arg(value_name = "INPUT", required = true)]
    pub(super) inputs: Vec<PathBuf>,
    /// Where to write: a file for one image, else a folder. Without it, outputs stand beside their sources.
    #[arg(short, long, value_name = "PATH")]
    pub(super) output: Option<PathBuf>,
    /// The format to write: cso, cso2, zso, dax, jso, isz or iso. Without it, what -o or --for tells.
    #[arg(long, value_name = "FORMAT")]
    to: Option<String>,
    /// Who will read it: chooses format, block size and method where they are not given.
    #[arg(long = "for", value_name = "USE")]
    purpose: Option<Purpose>,
    /// Plain bytes of a block, such as 2k, 16k or 1m.
    #[arg(short, long, value_name = "SIZE", value_parser = size)]
    block_size: Option<u64>,
    /// How hard to compress: 0 to 12, fast (6), or max. The default is 10.
    #[arg(short = 'c', long, value_name = "LEVEL", value_parser = level)]
    level: Option<Level>,
    /// How to compress: deflate, zlib, lz4, lz4hc, bzip2 or lzo, where the format has it.
    #[arg(short, long, value_name = "METHOD")]
    method: Option<String>,
    /// Threads that compress, at most 256. The default is one for each processor.
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Start blocks at multiples of so many bytes (cso and zso).
    #[arg(long, value_name = "BYTES", value_parser = size)]
    align: Option<u64>,
    /// Cut the output into files of at most this size, such as 700m (isz).
    #[arg(long, value_name = "SIZE", value_parser = size)]
    split: Option<u64>,
    /// Encrypt with AES and a key of so many bits: 128, 192 or 256 (isz).
    #[arg(long, value_name = "BITS", num_args = 0..=1, default_missing_value = "256",
          value_parser = clap::builder::PossibleValuesParser::new(["128", "192", "256"]))]
    encrypt: Option<String>,
    /// Read the password to encrypt with from this file. Without it, it is asked for.
    #[arg(long, value_name = "PATH", requires = "encrypt")]
    encrypt_password_file: Option<PathBuf>,
    /// Read the password of encrypted sources from this file.
    #[arg(long, value_name = "PATH")]
    pub(super) password_file: Option<PathBuf>,
    #[command(flatten)]
    parents: ParentPaths,
    /// Print a checksum of the plain bytes.
    #[arg(long, value_name = "SUM", default_value = "none")]
    pub(super) checksum: SumName,
    /// Also write the checksum to a file beside the output, such as Game.iso.sha256.
    #[arg(long)]
    pub(super) checksum_file: bool,
    /// Read the output back and compare it with the source. On when sources are deleted.
    #[arg(long)]
    verify: bool,
    /// Delete each source once its output was written, synced, read back and compared.
    #[arg(long)]
    pub(super) delete_source: bool,
    /// Replace outputs that are there already.
    #[arg(long)]
    pub(super) force: bool,
    /// Check everything and say what would be done; write nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Convert the images in folders and their subfolders; outputs keep the tree.
    #[arg(short, long)]
    pub(super) recursive: bool,
    /// Answer with JSON, one object a line, as things happen.
    #[arg(long)]
    pub(super) json: bool,
    /// Print nothing but errors.
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// Who will read the output.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Purpose {
    /// A PS2 console: zso in blocks of 2 KiB.
    Ps2,
    /// A PSP console: cso in blocks of 2 KiB, by zlib.
    Psp,
    /// An emulator: cso in blocks of 16 KiB.
    Emulator,
    /// Nobody for long: cso in blocks of 256 KiB, as small as can be.
    Archive,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum SumName {
    None,
    Crc32,
    Sha256,
}

impl SumName {
    pub(super) fn name(self) -> &'static str {
        match self {
            SumName::None => "none",
            SumName::Crc32 => "crc32",
            SumName::Sha256 => "sha256",
        }
    }
}

/// What a purpose stands for.
struct Preset {
    target: &'static str,
    block_size: u32,
    method: Option<Method>,
    level: Option<Level>,
}

impl Purpose {
    fn preset(self) -> Preset {
        let preset = |target, block_size, method, level| Preset {
            target,
            block_size,
            method,
            level,
        };
        match self {
            Purpose::Ps2 => preset("zso", 2048, None, None),
            Purpose::Psp => preset("cso", 2048, Some(Method::Zlib), Level::new(9)),
            Purpose::Emulator => preset("cso", 16 << 10, None, None),
            Purpose::Archive => preset("cso", 256 << 10, None, Some(Level::MAX)),
        }
    }
}

impl ConvertArguments {
    /// What the options mean together.
    ///
    /// # Errors
    /// `Usage` for what does not make sense, `Password` or `Io` when a password cannot be had.
    pub(super) fn settings(&self) -> Result<Settings> {
        let preset = self.purpose.map(Purpose::preset);
        let target = self.target(preset.as_ref())?;
        // What a preset says of one format means nothing in another.
        let preset = preset.filter(|preset| preset.target == target.name);
        let level = self
            .level
            .or(preset.as_ref().and_then(|preset| preset.level));
        let block_size = self
            .block_size
            .map(|size| u32::try_from(size).unwrap_or(u32::MAX));
        let method = self.method.as_deref();
        let method = method.map(|name| target.method_named(name)).transpose()?;
        Ok(Settings {
            target,
            wish: Wish {
                block_size: block_size.or(preset.as_ref().map(|preset| preset.block_size)),
                method: method.or(preset.as_ref().and_then(|preset| preset.method)),
                level: level.unwrap_or_default(),
                align: self
                    .align
                    .map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX)),
                split: self.split.and_then(NonZeroU64::new),
                encryption: self.encryption()?,
            },
            jobs: self.jobs.unwrap_or_else(processors).min(MOST_JOBS),
            verify: self.verify || self.delete_source,
            sum: match self.checksum {
                SumName::None => None,
                SumName::Crc32 => Some(Algorithm::Crc32),
                SumName::Sha256 => Some(Algorithm::Sha256),
            },
            existing: if self.force {
                Existing::Replace
            } else {
                Existing::Refuse
            },
            parents: self.parents.checked()?.paths().to_vec(),
        })
    }

    fn target(&self, preset: Option<&Preset>) -> Result<&'static Target> {
        let of_output = self
            .output
            .as_deref()
            .map(Path::as_os_str)
            .map(extension_of);
        let is_of_output = |target: &&Target| of_output.as_deref() == Some(target.extension);
        let named = match (&self.to, preset) {
            (Some(name), _) => Some(name.as_str()),
            (None, Some(preset)) => Some(preset.target),
            (None, None) => None,
        };
        let Some(name) = named else {
            let found = format::targets().find(is_of_output);
            return found.ok_or_else(|| self.no_target_named());
        };
        format::targets()
            .find(|target| target.name == name)
            .ok_or_else(|| cannot_be_written(name))
    }

    /// What stands against an output whose name does not tell a format to write.
    fn no_target_named(&self) -> Error {
        let output = self.output.as_deref();
        let read_only = output
            .and_then(|output| format::of_name(output.as_os_str()))
            .filter(|format| format.targets.is_empty());
        match read_only {
            Some(format) => cannot_be_written(format.name),
            None => Error::new(
                ErrorKind::Usage,
                "what to write is missing: give --to FORMAT, --for USE, or an output with -o",
            ),
        }
    }

    fn encryption(&self) -> Result<Option<Encryption>> {
        let Some(bits) = &self.encrypt else {
            return Ok(None);
        };
        let password = match &self.encrypt_password_file {
            Some(path) => password::from_file(path)?,
            None => password::new_one()?,
        };
        Ok(Some(Encryption {
            key_bits: bits.parse().expect("clap lets three numbers pass"),
            password: Zeroizing::new(password.bytes().to_vec()),
        }))
    }
}

/// An error for a format that is not written, with what makes it instead where many want it.
fn cannot_be_written(name: &str) -> Error {
    let known: Vec<_> = format::targets().map(|target| target.name).collect();
    let instead = match name {
        "chd" => {
            ". MAME's chdman makes CHDs, from a plain image on the mount too: \
             `chdman createdvd -i X.iso -o X.chd`, of a CD `chdman createcd -i X.cue -o X.chd`"
        }
        _ => "",
    };
    let (name, known) = (name.escape_debug(), known.join(", "));
    let message = format!("format '{name}' cannot be written; can be: {known}{instead}");
    Error::new(ErrorKind::Usage, message)
}

/// More threads than this only take memory.
const MOST_JOBS: NonZeroUsize = NonZeroUsize::new(256).expect("it is not 0");

fn processors() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn size(text: &str) -> std::result::Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match &text[digits.len()..].to_ascii_lowercase()[..] {
        "" => Some(0),
        "k" => Some(10),
        "m" => Some(20),
        "g" => Some(30),
        _ => None,
    };
    let bytes = digits.parse::<u64>().ok().zip(shift);
    let bytes = bytes.and_then(|(number, shift)| number.checked_mul(1 << shift));
    let bytes = bytes.filter(|&bytes| bytes > 0);
    bytes.ok_or_else(|| "it is not a number of bytes, such as 2048, 16k, 700m or 4g".into())
}

fn level(text: &str) -> std::result::Result<Level, String> {
    match text {
        "fast" => Ok(Level::FAST),
        "max" => Ok(Level::MAX),
        _ => {
            let level = text.parse().ok().and_then(Level::new);
            level.ok_or_else(|| "it is not fast, max, or a number from 0 to 12".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, bytes) in [
            ("2048", 2048),
            ("2k", 2048),
            ("1M", 1 << 20),
            ("4g", 4 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes));
        }
        for text in [
            "",
            "k",
            "0",
            "-1",
            "2kb",
            "1t",
            "99999999999999999999",
            "18446744073709551615k",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn levels_are_words_or_0_to_12() {
        assert_eq!(level("fast"), Ok(Level::FAST));
        assert_eq!(level("12").unwrap().number(), 12);
        assert!(level("13").is_err() && level("best").is_err());
        assert!(level("max").unwrap() > level("12").unwrap());
    }
}
