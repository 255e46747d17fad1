use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn plain(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|i| (i.wrapping_mul(i) >> 7) as u8)
        .collect()
}

/// A reader that gives `bytes`, then what `end` says.
struct Until(io::Cursor<Vec<u8>>, fn() -> io::Result<usize>);

impl Read for Until {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buf)? {
            0 => (self.1)(),
            n => Ok(n),
        }
    }
}

fn sections(all: Vec<u8>, starts: &[u64], end: fn() -> io::Result<usize>) -> Spilled {
    let spans: Vec<_> = starts.to_vec();
    let source = vec![0; 10];
    let open = move |number: usize| {
        let span = spans[number] as usize..(spans[number + 1] as usize).min(all.len());
        let bytes = io::Cursor::new(all[span].to_vec());
        Ok(Box::new(Until(bytes, end)) as Box<dyn Read + Send>)
    };
    Spilled::new(&source, starts.into(), Box::new(open))
}

fn read(source: &dyn Source, at: u64, len: usize) -> Result<Vec<u8>> {
    let mut read = vec![0; len];
    source.read_exact_at(&mut read, at)?;
    Ok(read)
}

#[test]
fn reads_across_sections_are_the_plain_bytes() {
    let all = plain(3_000_000);
    let starts = [0, 700_000, 700_001, 2_000_000, 3_000_000];
    for (at, len) in [
        (2_999_999, 1),
        (699_999, 3),
        (0, 3_000_000),
        (1_999_000, 5000),
    ] {
        let spilled = sections(all.clone(), &starts, || Ok(0));
        assert!(read(&spilled, at as u64, len).unwrap() == all[at..at + len]);
    }
    let spilled = sections(all, &starts, || Ok(0));
    assert!(read(&spilled, 2_999_999, 2).is_err());
}

#[test]
fn an_image_too_large_for_memory_is_kept_in_a_file() {
    let all = plain(5_000_000);
    let spilled = sections(all.clone(), &[0, 5_000_000], || Ok(0));
    match read(&spilled, 0, all.len()) {
        Ok(bytes) => assert!(bytes == all),
        Err(why) => eprintln!("left out: {why}"),
    }
}

#[test]
fn damage_spoils_what_lies_behind_it_in_its_section() {
    let all = plain(600_000);
    let broken = || Err(io::Error::other("it is damaged"));
    let spilled = sections(all.clone(), &[0, 400_000, 700_000], broken);
    assert!(read(&spilled, 0, 300_000).unwrap() == all[..300_000]);
    assert!(read(&spilled, 399_999, 1).is_err());
    assert!(read(&spilled, 450_000, 100_000).unwrap() == all[450_000..550_000]);
    let err = read(&spilled, 590_000, 20_000).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt);
    assert!(err.to_string().ends_with("it is damaged"));
}

#[test]
fn a_wrong_checksum_spoils_its_section_and_no_other() {
    let all = plain(600_000);
    let starts = [0, 300_000, 600_000];
    let refuted = || Err(Refuted::error("the checksum is wrong"));
    let spilled = sections(all.clone(), &starts, refuted);
    assert!(read(&spilled, 299_999, 1).is_err());
    assert!(read(&spilled, 0, 1).is_err());
}

#[test]
fn a_section_longer_or_shorter_than_it_claims_is_an_error_at_its_end() {
    let all = plain(600_000);
    let shorter = sections(all.clone(), &[0, 700_000], || Ok(0));
    assert!(read(&shorter, 0, 600_000).unwrap() == all);
    let err = read(&shorter, 600_000, 1).unwrap_err();
    assert!(err.to_string().contains("are 600000, not 700000"), "{err}");

    let open = |_| Ok(Box::new(io::repeat(7)) as Box<dyn Read + Send>);
    let endless = Spilled::new(&Vec::new(), [0, 600_000].into(), Box::new(open));
    let err = read(&endless, 599_999, 1).unwrap_err();
    assert!(err.to_string().contains("holds more than 600000"), "{err}");
    assert_eq!(read(&endless, 500_000, 2).unwrap(), [7, 7]);
}

/// The plain bytes in order, in pieces of `step`, as far as they come; and what stands against more.
fn passed(spilled: &Spilled, step: usize) -> (Vec<u8>, Option<Error>) {
    let mut plain = spilled.in_order().expect("nobody reads by position");
    let (mut all, mut piece) = (Vec::new(), vec![0; step]);
    loop {
        match plain.read(&mut piece) {
            Ok(0) => return (all, None),
            Ok(n) => all.extend_from_slice(&piece[..n]),
            Err(err) => {
                let again = plain.read(&mut piece).map_err(from_io).unwrap_err();
                let err = from_io(err);
                assert_eq!(again.kind(), err.kind());
                return (all, Some(err));
            }
        }
    }
}

#[test]
fn bytes_in_order_are_the_plain_bytes_and_take_no_room() {
    let all = plain(5_000_000);
    for step in [1000, 65_536, 6_000_000] {
        let spilled = sections(all.clone(), &[0, 5_000_000], || Ok(0));
        let (bytes, err) = passed(&spilled, step);
        assert!(bytes == all && err.is_none(), "{err:?}");
        assert!(spilled.shared.store.lock().unwrap().is_none());
    }
}

#[test]
fn what_is_read_by_position_or_has_sections_is_not_read_in_order() {
    let all = plain(10_000);
    let spilled = sections(all.clone(), &[0, 4000, 10_000], || Ok(0));
    assert!(spilled.in_order().is_none());
    let spilled = sections(all, &[0, 10_000], || Ok(0));
    assert!(spilled.in_order().is_some());
    read(&spilled, 0, 10).unwrap();
    assert!(spilled.in_order().is_none());
}

#[test]
fn in_order_the_same_stands_against_bytes_as_by_position() {
    let all = plain(600_000);
    let complete = || Ok(0);
    let broken = || Err(io::Error::other("it is damaged"));
    let refuted = || Err(Refuted::error("the checksum is wrong"));
    for (claimed, end) in [
        (600_000, broken as fn() -> _),
        (700_000, broken),
        (600_000, refuted),
        (700_000, complete),
    ] {
        let (bytes, err) = passed(&sections(all.clone(), &[0, claimed], end), 4096);
        let by_position = sections(all.clone(), &[0, claimed], end);
        let expected = read(&by_position, claimed - 1, 1).unwrap_err();
        let err = err.expect("its end is wrong");
        assert_eq!(
            (err.kind(), err.to_string()),
            (expected.kind(), expected.to_string())
        );
        assert!(all.starts_with(&bytes));
        let good = claimed.min(600_000) as usize;
        assert!(
            bytes.len() <= good && bytes.len() + 4096 > good,
            "{}",
            bytes.len()
        );
    }
}

#[test]
fn a_section_that_cannot_be_opened_has_no_bytes_in_order() {
    let open = |_| Err(Error::corrupt("its header is wrong"));
    let spilled = Spilled::new(&Vec::new(), [0, 600_000].into(), Box::new(open));
    let (bytes, err) = passed(&spilled, 4096);
    assert!(bytes.is_empty());
    assert!(err.unwrap().to_string().ends_with("its header is wrong"));
}

#[test]
fn an_endless_section_ends_in_order_as_well() {
    let open = |_| Ok(Box::new(io::repeat(7)) as Box<dyn Read + Send>);
    let endless = Spilled::new(&Vec::new(), [0, 600_000].into(), Box::new(open));
    let (bytes, err) = passed(&endless, 4096);
    assert!(bytes.len() < 600_000);
    assert!(err.unwrap().to_string().contains("holds more than 600000"));
}

#[test]
fn dropped_bytes_stop_their_threads() {
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    struct Endless;
    impl Read for Endless {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            buf.fill(1);
            Ok(buf.len())
        }
    }
    impl Drop for Endless {
        fn drop(&mut self) {
            RUNNING.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let open = |_| {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Endless) as Box<dyn Read + Send>)
    };
    let guessed = Spilled::guessed(&vec![0; 10], 1 << 20, Box::new(open));
    assert_eq!(read(&guessed, 0, 2).unwrap(), [1, 1]);
    drop(guessed);
    while RUNNING.load(Ordering::SeqCst) > 0 {
        thread::yield_now();
    }
}
