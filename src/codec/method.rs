//! How blocks are compressed: what users choose from, and the encoders behind it.

use super::{Codec, bzip2, deflate, lz4, lzo};

/// A way to compress, as users know it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Not at all.
    Stored,
    /// Deflate by the encoder that gives the most for its time.
    Deflate,
    /// Deflate by zlib's encoder where a format holds raw deflate; a zlib stream where it holds those.
    Zlib,
    /// LZ4, quickly.
    Lz4,
    /// LZ4, as small as its format allows.
    Lz4hc,
    /// bzip2.
    Bzip2,
    /// LZO1X.
    Lzo,
}

impl Method {
    /// The name by which it is asked for.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Method::Stored => "stored",
            Method::Deflate => "deflate",
            Method::Zlib => "zlib",
            Method::Lz4 => "lz4",
            Method::Lz4hc => "lz4hc",
            Method::Bzip2 => "bzip2",
            Method::Lzo => "lzo",
        }
    }
}

/// How hard an encoder tries: 0 to 12, and beyond that [`Level::MAX`].
///
/// What a level means depends on the method; it never matters to a reader.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Level(u8);

impl Level {
    /// Quick, and better than most writers' usual level.
    pub const FAST: Level = Level(6);
    /// Everything that makes the output smaller, whatever it takes.
    pub const MAX: Level = Level(13);

    /// A level from 0, which compresses nothing or next to it, to 12; `None` beyond.
    #[must_use]
    pub fn new(level: u8) -> Option<Self> {
        (level <= 12).then_some(Self(level))
    }

    /// The number; 13 is [`Level::MAX`].
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

impl Default for Level {
    fn default() -> Self {
        Level(10)
    }
}

/// An encoder with its working memory, for one thread.
#[derive(Debug)]
pub struct Encoder(Kind);

#[derive(Debug)]
enum Kind {
    Deflate(deflate::Encoder),
    Zlib(deflate::Encoder),
    PlainDeflate(Box<deflate::Zlib>),
    Lz4(Box<lz4::Encoder>),
    Bzip2(u32),
    Lzo(Box<lzo::Encoder>),
}

impl Encoder {
    /// Raw deflate.
    #[must_use]
    pub fn deflate(level: Level) -> Self {
        Self(Kind::Deflate(deflate::Encoder::new(level)))
    }

    /// Zlib streams.
    #[must_use]
    pub fn zlib(level: Level) -> Self {
        Self(Kind::Zlib(deflate::Encoder::new(level)))
    }

    /// Raw deflate by zlib's own encoder, for readers that take nothing else.
    #[must_use]
    pub fn plain_deflate(level: Level) -> Self {
        Self(Kind::PlainDeflate(Box::new(deflate::Zlib::new(level))))
    }

    /// LZ4 blocks, quickly made.
    #[must_use]
    pub fn lz4() -> Self {
        Self(Kind::Lz4(Box::new(lz4::Encoder::fast())))
    }

    /// LZ4 blocks, as small as the level finds.
    #[must_use]
    pub fn lz4hc(level: Level) -> Self {
        Self(Kind::Lz4(Box::new(lz4::Encoder::thorough(level))))
    }

    /// bzip2 streams.
    #[must_use]
    pub fn bzip2(level: Level) -> Self {
        Self(Kind::Bzip2(u32::from(level.number()).clamp(1, 9)))
    }

    /// LZO1X streams.
    #[must_use]
    pub fn lzo(level: Level) -> Self {
        Self(Kind::Lzo(Box::new(lzo::Encoder::new(level))))
    }

    /// What its output is.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match self.0 {
            Kind::Deflate(_) | Kind::PlainDeflate(_) => Codec::Deflate,
            Kind::Zlib(_) => Codec::Zlib,
            Kind::Lz4(_) => Codec::Lz4,
            Kind::Bzip2(_) => Codec::Bzip2,
            Kind::Lzo(_) => Codec::Lzo,
        }
    }

    /// Appends the compressed form of `plain`, which may be longer than `plain`.
    pub fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            Kind::Deflate(encoder) => encoder.deflate(plain, out),
            Kind::Zlib(encoder) => encoder.zlib(plain, out),
            Kind::PlainDeflate(encoder) => encoder.deflate(plain, out),
            Kind::Lz4(encoder) => encoder.encode(plain, out),
            Kind::Bzip2(level) => bzip2::encode(*level, plain, out),
            Kind::Lzo(encoder) => encoder.encode(plain, out),
        }
    }
}
