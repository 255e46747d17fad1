//! Sources that fail for a while.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use flate2::{Compression, GzBuilder};

use super::{all_of, gzipped, plain, read};
use crate::{
    Error, ErrorKind, Result,
    source::Source,
    unfold::{Deflated, Spilled},
};

/// Stored bytes of which those behind a place cannot be read while the share is gone.
#[derive(Debug)]
struct OnShare {
    stored: Vec<u8>,
    reaches: u64,
    is_gone: AtomicBool,
}

impl OnShare {
    fn gone(stored: Vec<u8>, reaches: u64) -> Arc<Self> {
        Arc::new(Self {
            stored,
            reaches,
            is_gone: AtomicBool::new(true),
        })
    }
}

impl Source for OnShare {
    fn len(&self) -> u64 {
        self.stored.len() as u64
    }

    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> Result<()> {
        if self.is_gone.load(Relaxed) && at + buf.len() as u64 > self.reaches {
            let err = io::Error::from_raw_os_error(libc::EIO);
            return Err(Error::io(err, "the share is gone"));
        }
        self.stored.read_exact_at(buf, at)
    }
}

/// Reads far behind what can be read, and again when the share is back.
fn fails_and_returns(bytes: &dyn Source, share: &OnShare, plain: &[u8]) {
    for _ in 0..2 {
        let err = read(bytes, plain.len() - 10, 10).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Io);
        assert!(read(bytes, 1000, 1000).unwrap() == plain[1000..2000]);
    }
    share.is_gone.store(false, Relaxed);
    assert!(read(bytes, plain.len() - 10, 10).unwrap() == plain[plain.len() - 10..]);
    assert!(read(bytes, 0, plain.len()).unwrap() == plain);
}

#[test]
fn gzip_is_read_on_when_its_share_is_back() {
    let plain = plain(5_000_000);
    let stored = gzipped(&plain, 0);
    let share = OnShare::gone(stored, 3_000_000);
    let stream = all_of(&*share);
    let bytes = Deflated::new(Arc::<OnShare>::clone(&share), stream, plain.len() as u64);
    fails_and_returns(&bytes, &share, &plain);
}

#[test]
fn where_a_share_fails_between_two_members_is_no_end() {
    let plain = plain(3_000_000);
    let (front, rest) = plain.split_at(2_000_000);
    let first = |extra: usize| {
        let builder = GzBuilder::new().extra(vec![0; extra]);
        let mut encoder = builder.write(Vec::new(), Compression::none());
        encoder.write_all(front).unwrap();
        encoder.finish().unwrap()
    };
    // Stored bytes are fetched in such pieces: the next one would hold the next header.
    let lacking = first(1).len().wrapping_neg() % (64 << 10);
    let first = first(1 + lacking);
    let reaches = first.len() as u64;
    let share = OnShare::gone([first, gzipped(rest, 0)].concat(), reaches);
    let stream = all_of(&*share);
    let bytes = Deflated::new(Arc::<OnShare>::clone(&share), stream, plain.len() as u64);
    fails_and_returns(&bytes, &share, &plain);
}

#[test]
fn what_is_decoded_once_is_read_on_when_its_share_is_back() {
    let plain = plain(3_000_000);
    let share = OnShare::gone(plain.clone(), 2_000_000);
    let source = Arc::<OnShare>::clone(&share);
    let bytes = Spilled::whole(source, plain.len() as u64, true, |stored| stored);
    fails_and_returns(&bytes, &share, &plain);
}
