//! Opening and closing files.

use std::{path::PathBuf, sync::Arc};

use super::{
    Bearer, Filesystem, Found, Ino, OpenFile, ROOT, SharedFile,
    inodes::{State, displaced},
    opened::{OpenHandle, OpenedFile, Opening},
};
use crate::{
    Error, ErrorKind, Result,
    catalog::{Item, Seen, StoredFile},
};

impl Filesystem {
    /// Opens a file. Reading through the handle needs no lock but the table's, and goes on with the same file when
    /// another takes its name.
    ///
    /// # Errors
    /// `IsADirectory` for anything but a file; what reading the image's header and index reports; `NotFound` when
    /// the file is gone, `Io` when it cannot be read; ESTALE when another file has the name by now.
    pub fn open(&self, ino: Ino) -> Result<OpenFile> {
        let found = self.find(ino)?;
        let opened = self.open_found(ino, &found)?;
        let (fingerprint, is_in_use) = (opened.fingerprint(), opened.is_in_use());
        // From here on the number is left to this reader, so what the kernel is told before that is known below.
        let handle = OpenHandle::new(opened, &self.ahead);
        let keeps = |state: &mut State| state.keeps_pages(fingerprint, is_in_use);
        let unchanged = self.inodes.with_state(ino, keeps);
        Ok(OpenFile {
            handle: self.files.insert(handle),
            unchanged,
        })
    }

    /// Opens the image whose file is the only source, so that what stands against it is known before anybody reads,
    /// and so that its first reader finds it open. Does nothing for folders and several sources.
    ///
    /// # Errors
    /// As [`Filesystem::open`]; nothing is logged.
    pub fn open_only_image(&self) -> Result<()> {
        match &self.options.sources[..] {
            [source] if source.is_file() => {}
            _ => return Ok(()),
        }
        let listing = self.catalog.list(&self.top)?;
        let Some(only) = listing.entry(0).filter(|_| listing.len() == 1) else {
            return Ok(());
        };
        let ino = if self.options.root_is_file {
            ROOT
        } else {
            // This lookup is never taken back: there is no other file, and the inode keeps the image.
            self.lookup(ROOT, only.name)?.ino
        };
        let found = self.find(ino)?;
        let (file, seen) = self.look_at(&found)?;
        let opened = self.open_seen(ino, &file, &seen)?;
        let shared = self.inodes.with_state(ino, |state| state.share(opened));
        self.idle.keep(shared);
        Ok(())
    }

    /// Where an inode is shown: its path below the root, or of a root that is a file, the name of that file.
    ///
    /// # Errors
    /// `NotFound` when nothing is left of a root that is a file, `Io` when it cannot be inspected.
    pub fn shown_path(&self, ino: Ino) -> Result<PathBuf> {
        match ino {
            ROOT => Ok(self.find(ino)?.name().into()),
            _ => Ok(self.inodes.path_of(ino)),
        }
    }

    /// The file behind a handle. It is not closed before this is dropped.
    ///
    /// # Errors
    /// `BadHandle`.
    pub fn shared(&self, handle: u64) -> Result<SharedFile> {
        let open = self.files.get(handle)?;
        Ok(SharedFile(Arc::clone(open.file())))
    }

    /// Leaves a number to a file that is open: whatever bears the inode's name now gets the next number when it is
    /// looked up.
    pub fn displace(&self, ino: Ino, open: &SharedFile) {
        self.inodes.displace(ino, &open.0);
    }

    /// The generation of a number that was looked up, 0 of one that is not known.
    #[must_use]
    pub fn generation_of(&self, ino: Ino) -> u32 {
        self.inodes.generation_of(ino)
    }

    /// Checks that an inode has its name still.
    ///
    /// # Errors
    /// ESTALE, with which callers look a name up again; `NotFound` when the inode is not known.
    pub fn check_named(&self, ino: Ino) -> Result<()> {
        self.inodes.check_named(ino)
    }

    /// Closes a file. Unknown handles are ignored.
    pub fn release(&self, handle: u64) {
        let Some(closed) = self.files.remove(handle) else {
            return;
        };
        let file = closed.file();
        let (ino, inodes) = (file.attributes().ino, &self.inodes);
        let is_current = inodes.check_named(ino).is_ok()
            && inodes.with_state(ino, |state| {
                let is_current = state.has_open(file);
                if is_current {
                    state.has_pages_of(file.fingerprint());
                }
                is_current
            });
        if is_current && file.image().is_some() {
            self.idle.keep(Arc::clone(file));
        }
    }
}

impl Filesystem {
    /// Opens what a name stands for, or shares what is open already. What stands against that in the file itself is
    /// logged, once for each state of it.
    pub(super) fn open_found(&self, ino: Ino, found: &Found) -> Result<Arc<OpenedFile>> {
        let (file, seen) = self.look_at(found)?;
        let bearer = Bearer::of(&seen);
        if self.inodes.leaves_to_readers(ino, bearer) || self.inodes.is_of_another(ino, bearer) {
            return Err(displaced());
        }
        let shared = |state: &mut State| state.shared(seen.stat.fingerprint);
        if let Some(open) = self.inodes.with_state(ino, shared) {
            return Ok(open);
        }
        let opened = self.open_seen(ino, &file, &seen).inspect_err(|err| {
            self.totals.count_error();
            let reported = self.catalog.reported();
            reported.fault(&file.path(), seen.first_fingerprint, err);
        })?;
        // The name leads to one file when it is seen, and maybe to another when it is opened.
        let (_, now) = self.look_at(found)?;
        if !Bearer::of(&now).is_that_of(opened.bearer()) {
            return Err(displaced());
        }
        Ok(self.inodes.with_state(ino, |state| state.share(opened)))
    }

    fn look_at<'f>(&self, found: &'f Found) -> Result<(StoredFile<'f>, Seen)> {
        let Item::File(file) = found.item() else {
            return Err(Error::new(ErrorKind::IsADirectory, "this is no file"));
        };
        Ok((file, self.catalog.look(&found.directory, &file)?))
    }

    /// Opens a file in the state in which it was seen.
    fn open_seen(&self, ino: Ino, file: &StoredFile<'_>, seen: &Seen) -> Result<OpenedFile> {
        let counters = self.inodes.with_state(ino, |state| {
            Arc::clone(state.counters.get_or_insert_default())
        });
        let opening = || Opening {
            bearer: Bearer::of(seen),
            attributes: self.attributes_of_file(ino, seen),
            sums: [Arc::clone(&counters), Arc::clone(&self.totals)],
        };
        if let Some(old) = self.inodes.with_state(ino, |state| state.open.upgrade()) {
            self.idle.drop_file(&old);
        }
        let folder = self.catalog.folder_around(file);
        self.with_room(|| opening().open(&file.path(), seen, &folder, &self.options))
    }
}
