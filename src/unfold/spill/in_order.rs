//! The plain bytes of one section for who reads them once: nothing of them is kept.

use std::{
    io::{self, Read},
    sync::Arc,
};

use super::{End, Fault, STEP, Shared};

/// The bytes of the only section, from front to end.
pub(super) struct InOrder {
    shared: Arc<Shared>,
    plain: Box<dyn Read + Send>,
    /// Plain bytes that the decoder gave.
    decoded: u64,
    /// Those that were given out.
    at: u64,
    /// Set when it is known how the section ends.
    end: Option<End>,
}

impl InOrder {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        let (plain, end) = match (shared.open)(0) {
            Ok(plain) => (plain, None),
            Err(why) => (Box::new(io::empty()) as _, Some(End::damaged(0, &why))),
        };
        Self {
            shared: Arc::clone(shared),
            plain,
            decoded: 0,
            at: 0,
            end,
        }
    }

    /// Takes what the decoder gives next. When that is nothing, it is known how the section ends.
    fn decode(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = self.shared.size();
        let decoded = match self.plain.read(out) {
            Err(err) if err.kind() == io::ErrorKind::Interrupted => return Err(err),
            Err(err) => Err(Fault::of(err)),
            Ok(n) => {
                self.decoded += n as u64;
                self.shared.check_length(self.decoded, size).map(|()| n)
            }
        };
        let n = *decoded.as_ref().unwrap_or(&0);
        if n == 0 {
            let gone = decoded.map(drop);
            self.end = Some(self.shared.end_of(gone, self.decoded, size));
        }
        Ok(n)
    }

    /// Goes on to the end of the section, which tells whether its bytes are right and as many as claimed.
    fn finish(&mut self) -> io::Result<()> {
        let mut surplus = vec![0; STEP];
        while self.end.is_none() {
            match self.decode(&mut surplus) {
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                decoded => drop(decoded?),
            }
        }
        Ok(())
    }

    /// Whether bytes up to `to` may be given out.
    fn check(&self, to: u64) -> io::Result<()> {
        let allowed = self
            .end
            .as_ref()
            .map_or(Ok(()), |end| end.allow(to, self.shared.size()));
        allowed.map_err(io::Error::other)
    }
}

impl Read for InOrder {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = self.shared.size();
        let left = usize::try_from(size - self.at).unwrap_or(usize::MAX);
        let wanted = left.min(out.len());
        if wanted == 0 {
            return Ok(0);
        }
        // Bytes behind an end are those of a stream that is not what it claims.
        self.check(size)?;
        let n = self.decode(&mut out[..wanted])?;
        let to = self.at + n as u64;
        if to == size {
            self.finish()?;
        }
        self.check(to.max(self.at + 1))?;
        self.at = to;
        Ok(n)
    }
}
