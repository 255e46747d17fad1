//! The one who goes through a stream once and leaves access points on its way.

use std::sync::Arc;

use super::{
    super::{
        MOST_PLAIN,
        gzip::{Access, Walk},
        inflate::WINDOW,
        kept::{self, Key},
        progress::{End, EndWhenDropped, Progress},
    },
    Shared, Stream,
};
use crate::{Error, ErrorKind, Result, source::Source};

/// Plain bytes that the builder decodes between two looks at whether it is still wanted.
const STEP: usize = 256 << 10;

/// A source of which nothing more is read when nobody wants the plain bytes any more: members that hold nothing may go
/// on for as long as the file.
#[derive(Debug)]
struct WhileWanted<'b> {
    source: &'b dyn Source,
    progress: &'b Progress,
}

impl Source for WhileWanted<'_> {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> Result<()> {
        if self.progress.is_stopped() {
            return Err(Error::new(ErrorKind::NotFound, "nobody waits for it"));
        }
        self.source.read_exact_at(buf, at)
    }
}

/// Goes through a stream once, from front to end.
pub(super) struct Builder {
    pub(super) source: Arc<dyn Source>,
    pub(super) stream: Stream,
    pub(super) spacing: u64,
    pub(super) shared: Arc<Shared>,
    pub(super) key: Option<Key>,
}

impl Builder {
    pub(super) fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        let ends = EndWhenDropped::of(&shared.progress);
        let mut done = 0;
        let source = WhileWanted {
            source: self.source.as_ref(),
            progress: &shared.progress,
        };
        let walk = Walk::new(
            &source,
            self.stream.end,
            self.stream.framing,
            self.stream.start(),
            true,
        );
        let walked = walk.map_err(|err| (0, err)).and_then(|mut walk| {
            let walked = self.walk(&mut walk, &mut done);
            let spoiled = if walk.is_refuted { walk.of_member() } else { 0 };
            walked.map_err(|err| (done - spoiled, err))
        });
        let end = match walked {
            Ok(true) => {
                if let Some(key) = &self.key {
                    kept::save(key, done, self.spacing, &shared.lock());
                }
                End::complete(done)
            }
            Ok(false) => return,
            Err(_) if shared.progress.is_stopped() => return,
            Err((good, err)) => End::damaged(good, &err),
        };
        ends.end(end);
    }

    /// True when the stream was gone through, false when nobody wants it any more.
    fn walk(&self, walk: &mut Walk<'_>, done: &mut u64) -> Result<bool> {
        let mut plain = vec![0; WINDOW + STEP];
        loop {
            if self.shared.progress.is_stopped() {
                return Ok(false);
            }
            if *done % self.spacing == 0 && self.shared.lock().len() as u64 == *done / self.spacing
            {
                let access = Access {
                    place: walk.place(),
                    window: pack(&plain[..WINDOW]),
                };
                self.shared.lock().push(access);
            }
            let mut at = WINDOW;
            let filled = walk.fill(&mut plain, &mut at);
            *done += (at - WINDOW) as u64;
            // What stands against them may have been found by now.
            filled?;
            self.shared.progress.pass(*done);
            if at < plain.len() {
                return Ok(true);
            }
            if *done > MOST_PLAIN {
                return Err(Error::new(
                    ErrorKind::LimitExceeded,
                    "the stream holds more than the limit of 1 TiB",
                ));
            }
            plain.copy_within(STEP.., 0);
        }
    }
}

fn pack(window: &[u8]) -> Arc<[u8]> {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(window).expect("memory takes it");
    encoder.finish().expect("memory takes it").into()
}
