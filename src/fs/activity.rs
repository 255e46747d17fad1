//! What is being done at the moment.

use std::sync::Arc;

use super::{
    Filesystem,
    opened::OpenedFile,
    stats::{Counters, OpenImage},
};

/// So many open images are told of, those that most was read of first: an extended attribute holds 64 KiB.
const MOST_TOLD: usize = 64;

impl Filesystem {
    /// Counters of all files together, and of those that are open, as one line of JSON.
    #[must_use]
    pub fn statistics(&self) -> String {
        let sum = Counters::default();
        sum.add(&self.totals);
        let open = self.open_files();
        for (file, _) in &open {
            sum.add(&file.work());
        }
        let is_open = |file: &Arc<OpenedFile>| open.iter().any(|(it, _)| Arc::ptr_eq(it, file));
        for file in self.idle.all().iter().filter(|file| !is_open(file)) {
            sum.add(&file.work());
        }
        sum.report(Some(self.options.cache.hits_and_misses()))
            .with_open(self.told(&open))
            .json()
    }

    /// Whether anybody has a file or a folder open.
    #[must_use]
    pub fn has_open(&self) -> bool {
        !self.files.is_empty() || !self.directories.is_empty()
    }

    /// How many files and folders were opened since the start.
    #[must_use]
    pub fn opened_so_far(&self) -> u64 {
        self.files.opened() + self.directories.opened()
    }

    /// Every open file once, with the number of its readers.
    fn open_files(&self) -> Vec<(Arc<OpenedFile>, usize)> {
        let handles = self.files.all();
        let mut files: Vec<_> = handles.iter().map(|it| Arc::clone(it.file())).collect();
        files.sort_by_key(Arc::as_ptr);
        files
            .chunk_by(Arc::ptr_eq)
            .map(|same| (Arc::clone(&same[0]), same.len()))
            .collect()
    }

    fn told(&self, open: &[(Arc<OpenedFile>, usize)]) -> Vec<OpenImage> {
        let mut told: Vec<OpenImage> = open
            .iter()
            .map(|(file, readers)| {
                let ino = file.attributes().ino;
                let path = self.shown_path(ino).unwrap_or_default();
                OpenImage {
                    path: path.to_string_lossy().into_owned(),
                    readers: *readers,
                    work: file.work().report(None),
                }
            })
            .collect();
        told.sort_by_key(|image| std::cmp::Reverse(image.work.bytes_out));
        told.truncate(MOST_TOLD);
        told
    }
}
