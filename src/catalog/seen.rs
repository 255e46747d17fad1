//! Looking at a file again: what is known about it is kept true.

use std::path::{Path, PathBuf};

use super::{
    StableHash,
    known::Known,
    place::Place,
    probe::Probe,
    probed::{Interest, Probed, Rules},
    rows::StoredFile,
    stat::Stat,
};
use crate::Result;

/// What a file was when it was last inspected.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The file on disk.
    pub stat: Stat,
    /// Changes whenever the file, of a set the first, is replaced or written to.
    pub first_fingerprint: u64,
    /// What it holds.
    pub probe: Probe,
}

/// The state of a file, and whether its part in the naming of its folder changed since it was listed.
pub(super) fn look(file: &StoredFile<'_>, rules: &Rules<'_>) -> Result<(Seen, bool)> {
    let path = file.path();
    let first = Stat::of_file(&path)?;
    let seen = Seen {
        stat: first,
        first_fingerprint: first.fingerprint,
        probe: Probe::PassThrough,
    };
    let Some((interest, at)) = file.candidate else {
        return Ok((seen, false));
    };
    let before = file.rows.known_of(at);
    let seen = seen.with_parts(file.folder, file.parts());
    if let Some(share) = file.share() {
        // Its neighbours may have changed with it: all are listed anew.
        let changed = before.fingerprint != seen.stat.fingerprint;
        let stat = share.of(seen.stat);
        return Ok((Seen { stat, ..seen }.with(before.probe()), changed));
    }
    if before.fingerprint == first.fingerprint {
        return Ok((seen.with(before.probe()), false));
    }
    if file.is_made() {
        return Ok((seen.with(before.probe()), true));
    }
    let (known, is_several) = inspect(&path, interest, first.fingerprint, rules);
    let probe = known.probe();
    file.rows.learn(at, known);
    let role_changed = is_several || before.probe().role() != probe.role();
    Ok((Seen { probe, ..seen }, role_changed))
}

/// Reads the header of a file. A fault is reported once for each `fingerprint`. True with what became several plain
/// files: then its folder has to be listed anew.
fn inspect(path: &Path, interest: Interest, fingerprint: u64, rules: &Rules<'_>) -> (Known, bool) {
    match Probed::of(path, interest, fingerprint, rules) {
        Probed::One(probe) => (Known::new(fingerprint, probe), false),
        Probed::Unread(probe) => (Known::new(Known::NEVER, probe), false),
        Probed::Several(..) => (Known::new(Known::NEVER, Probe::Fault), true),
    }
}

impl Seen {
    /// The later files of a set belong to its state.
    fn with_parts(mut self, folder: &Place, parts: &[PathBuf]) -> Self {
        for part in parts {
            if let Ok(part) = Stat::of_file(&folder.path().join(part)) {
                self.stat = self.stat.and(&part);
            }
        }
        self
    }

    /// Of a text that is made here, the state is that of the text too: the names in it may change alone.
    fn with(mut self, probe: Probe) -> Self {
        if let Probe::Text(_, text) = &probe {
            let state = StableHash::new().number(self.stat.fingerprint);
            self.stat.fingerprint = state.bytes(text).finish();
        }
        self.probe = probe;
        self
    }
}
