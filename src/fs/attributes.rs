//! Attributes, from what is known about files and folders.

use super::{Attributes, Bearer, Filesystem, Found, Ino, Kind, ROOT};
use crate::{
    Result,
    catalog::{Item, Probe, Seen, Stat},
};

impl Filesystem {
    pub(super) fn attributes_of(&self, ino: Ino, found: &Found) -> Result<(Attributes, Bearer)> {
        match found.item() {
            Item::File(file) => {
                let seen = self.catalog.look(&found.directory, &file)?;
                Ok((self.attributes_of_file(ino, &seen), Bearer::of(&seen)))
            }
            Item::Directory(_) => {
                let stat = Stat::of(&found.item().path())?;
                let attributes = self.attributes_of_directory(ino, &stat);
                Ok((attributes, Bearer::NO_FILE))
            }
            Item::Link(path) => {
                let stat = Stat::of_link(&path)?;
                let attributes = Attributes {
                    mode: 0o777,
                    ..self.common(ino, Kind::Link, &stat)
                };
                Ok((attributes, Bearer::of_link(&stat)))
            }
        }
    }

    pub(super) fn attributes_of_top(&self) -> Result<Attributes> {
        let places = self.options.sources.iter();
        let mut stats = places.map(|source| Stat::of(source));
        let first = stats.next().unwrap_or_else(|| Err(super::no_such_name()))?;
        Ok(self.attributes_of_directory(ROOT, &first))
    }

    pub(super) fn attributes_of_file(&self, ino: Ino, seen: &Seen) -> Attributes {
        let mut attributes = self.common(ino, Kind::File, &seen.stat);
        match &seen.probe {
            Probe::Image { size, .. } => attributes.size = *size,
            Probe::Text(_, text) => attributes.size = text.len() as u64,
            Probe::PassThrough | Probe::Fault => {}
        }
        attributes.mode = self.mode(0o444, seen.stat.mode);
        attributes
    }

    fn attributes_of_directory(&self, ino: Ino, stat: &Stat) -> Attributes {
        // Who may read may enter: a folder's own bits say so anyway, and a top made of files has only theirs.
        let source = stat.mode | ((stat.mode & 0o444) >> 2);
        Attributes {
            mode: self.mode(0o555, source),
            links: 2,
            size: 0,
            ..self.common(ino, Kind::Directory, stat)
        }
    }

    fn mode(&self, most: u16, source: u32) -> u16 {
        let allowed = self.options.umask.map_or(source, |umask| !umask);
        most & u16::try_from(allowed & 0o777).expect("nine bits fit")
    }

    fn common(&self, ino: Ino, kind: Kind, stat: &Stat) -> Attributes {
        Attributes {
            ino,
            generation: 0,
            kind,
            size: stat.stored_size,
            stored_size: stat.stored_size,
            mtime: stat.mtime,
            mode: 0,
            uid: self.options.uid.unwrap_or(stat.uid),
            gid: self.options.gid.unwrap_or(stat.gid),
            links: 1,
        }
    }
}
