//! `cat`.

use std::{fs::File, io, io::Write, sync::Arc};

use super::{Exit, arguments::CatArguments, password};
use crate::{Error, Result, cache::BlockCache, image::Image};

/// Plain bytes for one read.
const CHUNK: usize = 1 << 20;

/// Writes the plain bytes to stdout. A reader that went away wants no more, which is no failure.
///
/// # Errors
/// What opening and reading report, after everything in front of the damage was written; `Io` when stdout refuses.
pub(super) fn run(arguments: &CatArguments) -> Result<Exit> {
    let given = password::given(arguments.password_file.as_deref())?;
    let path = &arguments.image;
    let password = password::ForImage::new(path, given.as_ref());
    let cache = Arc::new(BlockCache::new(CHUNK));
    let image = Image::open(path, cache, &|| password.find())?;
    // Std's own stdout looks for line ends in all that it writes.
    let stdout = rustix::stdio::stdout()
        .try_clone_to_owned()
        .map_err(|e| Error::io(e, "cannot write to stdout"))?;
    match write_all(&image, &mut File::from(stdout)) {
        Ok(()) => Ok(Exit::SUCCESS),
        Err(Stop::Read(err)) => Err(err.in_file(path)),
        Err(Stop::Write(err)) if err.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::SUCCESS),
        Err(Stop::Write(err)) => Err(Error::io(err, "cannot write to stdout")),
    }
}

/// Which side ended a copy.
#[derive(Debug)]
enum Stop {
    Read(Error),
    Write(io::Error),
}

fn write_all(image: &Image, out: &mut dyn Write) -> std::result::Result<(), Stop> {
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while at < image.size() {
        match image.read_at(&mut buffer, at) {
            Ok(n) => {
                out.write_all(&buffer[..n]).map_err(Stop::Write)?;
                at += n as u64;
            }
            Err(err) => return write_up_to_damage(image, at, out).and(Err(Stop::Read(err))),
        }
    }
    Ok(())
}

/// Writes the blocks from `at` on up to the first that cannot be read, and fails with its error.
fn write_up_to_damage(
    image: &Image,
    at: u64,
    out: &mut dyn Write,
) -> std::result::Result<(), Stop> {
    let mut at = at;
    while at < image.size() {
        let span = image.geometry().span(image.geometry().block_at(at));
        let len = usize::try_from(span.end - at).expect("a block fits in memory");
        let mut block = vec![0; len];
        let n = image.read_at(&mut block, at).map_err(Stop::Read)?;
        out.write_all(&block[..n]).map_err(Stop::Write)?;
        at = span.end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::Codec,
        format::{Details, FORMATS, Opened},
        map::{BlockMap, Geometry, Stored},
    };

    /// Blocks of 1000 bytes, of which one has no place.
    #[derive(Debug)]
    struct OneMissing {
        geometry: Geometry,
        missing: u64,
    }

    impl BlockMap for OneMissing {
        fn geometry(&self) -> &Geometry {
            &self.geometry
        }

        fn locate(&self, block: u64) -> Stored {
            let span = self.geometry.span(block);
            Stored {
                at: span.start,
                len: u32::try_from(span.end - span.start).unwrap(),
                codec: if block == self.missing {
                    Codec::Missing
                } else {
                    Codec::Raw
                },
            }
        }
    }

    fn image(plain: &[u8], missing: u64) -> Image {
        let geometry = Geometry::Uniform {
            size: plain.len() as u64,
            block_size: 1000,
        };
        let opened = Opened {
            format: FORMATS[0],
            source: Arc::new(plain.to_vec()),
            map: Box::new(OneMissing { geometry, missing }),
            details: Details::default(),
        };
        Image::new(opened, Arc::new(BlockCache::new(10_000)))
    }

    fn plain() -> Vec<u8> {
        (0..2_500_123_u32).map(|i| (i / 7) as u8).collect()
    }

    #[test]
    fn writes_every_byte() {
        let plain = plain();
        let mut out = Vec::new();
        write_all(&image(&plain, u64::MAX), &mut out).unwrap();
        assert!(out == plain);
    }

    #[test]
    fn writes_everything_in_front_of_a_damaged_block() {
        let plain = plain();
        for missing in [0, 1, 1048, 1049, 2500] {
            let mut out = Vec::new();
            let stop = write_all(&image(&plain, missing), &mut out).unwrap_err();
            assert!(matches!(stop, Stop::Read(_)));
            assert!(
                out == plain[..usize::try_from(missing).unwrap() * 1000],
                "{missing}"
            );
        }
    }
}
