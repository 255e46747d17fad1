//! Whether a password is right. No field tells, so the data must.

use super::{
    OpenOptions,
    cipher::{Cipher, KeyLen},
    header::Header,
    map::Map,
};
use crate::{Error, ErrorKind, Result, codec::Codec, map::BlockMap, source::Source};

/// Compressed chunks that must all be unreadable before the password is blamed: one could be damaged.
const WITNESSES: usize = 4;

/// Images up to this size are summed when nothing else tells: it takes a moment, at every open.
const MAX_SUMMED: u64 = 64 << 20;

/// And up to this many chunks, each of which is a read: as many as such an image has sectors of 2048 bytes.
const MAX_SUMMED_CHUNKS: u64 = MAX_SUMMED / 2048;

/// Asks for the password, checks it, and makes the map decrypt. Returns a note when nothing could be checked.
///
/// # Errors
/// `Password` when there is none or it is wrong, `Io` when the chunks to check it with cannot be read.
pub(super) fn unlock(
    map: &mut Map,
    source: &dyn Source,
    header: &Header,
    key_len: KeyLen,
    options: &OpenOptions<'_>,
) -> Result<Option<String>> {
    let Some(password) = (options.password)()? else {
        return Err(Error::new(
            ErrorKind::Password,
            format!(
                "the image is encrypted with {}; give the password with --password-file, PLAINISO_PASSWORD, or in a file NAME.pwd beside it",
                key_len.name()
            ),
        ));
    };
    map.set_cipher(Cipher::new(key_len, password.bytes()));
    match judge(map, source, header)? {
        Verdict::Right => Ok(None),
        Verdict::Wrong(why) => Err(Error::new(
            ErrorKind::Password,
            format!("the password is wrong: {why}"),
        )),
        Verdict::Unknown => Ok(Some(
            "nothing in the image tells whether the password is right".into(),
        )),
    }
}

enum Verdict {
    Right,
    Wrong(String),
    Unknown,
}

fn judge(map: &Map, source: &dyn Source, header: &Header) -> Result<Verdict> {
    let blocks = 0..map.geometry().blocks();
    let mut failure = None;
    for block in blocks
        .filter(|&block| is_witness(map, block))
        .take(WITNESSES)
    {
        match plain(map, source, block) {
            Ok(_) => return Ok(Verdict::Right),
            Err(err) if err.kind() == ErrorKind::Io => return Err(err),
            Err(err) => failure = failure.or(Some((block, err))),
        }
    }
    match failure {
        Some((block, err)) => Ok(Verdict::Wrong(format!("with it, chunk {block}: {err}"))),
        None => judge_stored(map, source, header),
    }
}

/// Whether a chunk is compressed, so that it decodes with the right key only, and long enough to be encrypted at all.
fn is_witness(map: &Map, block: u64) -> bool {
    let stored = map.locate(block);
    stored.len >= 16 && matches!(stored.codec, Codec::Zlib | Codec::Bzip2)
}

/// For images of which no chunk is compressed.
fn judge_stored(map: &Map, source: &dyn Source, header: &Header) -> Result<Verdict> {
    if has_volume_mark(map, source)? {
        return Ok(Verdict::Right);
    }
    let is_small = header.size <= MAX_SUMMED && map.geometry().blocks() <= MAX_SUMMED_CHUNKS;
    match header.checksums {
        Some(sums) if is_small => judge_sum(map, source, sums.image),
        _ => Ok(Verdict::Unknown),
    }
}

/// Whether sector 16 is encrypted and becomes a volume descriptor of ISO 9660 or UDF.
fn has_volume_mark(map: &Map, source: &dyn Source) -> Result<bool> {
    const MARK_AT: u64 = 16 * 2048 + 1;
    if MARK_AT >= map.geometry().size() {
        return Ok(false);
    }
    let block = map.geometry().block_at(MARK_AT);
    if map.locate(block).codec != Codec::Raw {
        return Ok(false);
    }
    let plain = plain(map, source, block)?;
    let start =
        usize::try_from(MARK_AT - map.geometry().span(block).start).expect("it is inside a chunk");
    Ok(plain[start..].starts_with(b"CD001") || plain[start..].starts_with(b"BEA01"))
}

fn judge_sum(map: &Map, source: &dyn Source, expected: u32) -> Result<Verdict> {
    let mut hasher = crc32fast::Hasher::new();
    for block in 0..map.geometry().blocks() {
        if map.locate(block).codec == Codec::Missing {
            return Ok(Verdict::Unknown);
        }
        hasher.update(&plain(map, source, block)?);
    }
    let found = hasher.finalize();
    Ok(if found == expected {
        Verdict::Right
    } else {
        Verdict::Wrong(format!(
            "with it, the image's CRC-32 is {found:08x}, not {expected:08x}"
        ))
    })
}

fn plain(map: &Map, source: &dyn Source, block: u64) -> Result<Vec<u8>> {
    let stored = map.locate(block);
    let mut src = vec![0; stored.len as usize];
    source.read_exact_at(&mut src, stored.at)?;
    let mut dst = vec![0; map.geometry().len_of(block)];
    map.decode(block, stored, &mut src, &mut dst)?;
    Ok(dst)
}
