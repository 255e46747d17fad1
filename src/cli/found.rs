//! The images that a command's arguments mean: files, and what folders hold.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Tally, parents::Parents};
use crate::{
    Result,
    cache::BlockCache,
    catalog::{Catalog, Directory, Item, Naming, Options, Probe, StoredFile, plain_names},
    files::Tracks,
    format::{PartOf, Password, WHOLE_DISC},
    image::Image,
    source::Folder,
};

/// An image to work on.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it is stored; of a set, the first file.
    pub(super) path: PathBuf,
    /// The plain file's path: for a file its name, below a folder the path from there.
    pub(super) plain: PathBuf,
    /// Whether it is stored as the plain bytes, under the name of a plain image.
    pub(super) is_plain: bool,
    probe: Probe,
    /// What may be found beside it, and elsewhere.
    folder: Folder,
}

impl Found {
    /// # Errors
    /// As [`Image::open`].
    pub(super) fn open(
        &self,
        cache: BlockCache,
        password: &dyn Fn() -> Result<Option<Password>>,
    ) -> Result<Image> {
        let cache = Arc::new(cache);
        self.probe.open(&self.path, &self.folder, cache, password)
    }

    /// Opens all of the disc of which this is a part.
    ///
    /// # Errors
    /// As [`Image::open`].
    pub(super) fn open_disc(
        &self,
        cache: BlockCache,
        password: &dyn Fn() -> Result<Option<Password>>,
    ) -> Result<Image> {
        let cache = Arc::new(cache);
        Image::open_among(&self.folder, &self.path, WHOLE_DISC, cache, password)
    }
}

/// A file, or all images of the folders in a folder and then of itself, in an order that does not change.
///
/// Folders that cannot be listed are reported, and the others still searched.
///
/// # Errors
/// `Io` when there is nothing at `path`.
pub(super) fn images_at(path: &Path, parents: &Parents, tally: &mut Tally) -> Result<Vec<Found>> {
    let (catalog, top) = Catalog::new(Options {
        sources: vec![path.to_path_buf()],
        naming: Naming::Strip,
        images_only: path.is_dir(),
        follow_links: false,
        // The image of a disc stands for its tracks.
        tracks: Tracks::Iso,
        parents: parents.paths().to_vec(),
    })?;
    let mut search = Search {
        catalog,
        found: Vec::new(),
        tally,
    };
    search.directory(&top, Path::new(""));
    Ok(search.found)
}

/// The names and plain sizes of the files that a stored one is shown as; none when it is shown as one.
///
/// # Errors
/// `Io` when there is nothing at `path`.
pub(super) fn shown_as(path: &Path) -> Result<Vec<(String, u64)>> {
    let (catalog, top) = Catalog::new(Options {
        sources: vec![path.to_path_buf()],
        naming: Naming::Strip,
        images_only: false,
        follow_links: false,
        tracks: Tracks::Both,
        parents: Vec::new(),
    })?;
    let listing = catalog.list(&top)?;
    let mut files = Vec::new();
    for entry in listing.entries() {
        let Item::File(file) = &entry.item else {
            continue;
        };
        let seen = catalog.look(&top, file)?;
        let size = match &seen.probe {
            Probe::Image { size, .. } => *size,
            Probe::Text(_, text) => text.len() as u64,
            Probe::PassThrough | Probe::Fault => seen.stat.stored_size,
        };
        files.push((entry.name.to_string_lossy().into_owned(), size));
    }
    Ok(if files.len() > 1 { files } else { Vec::new() })
}

struct Search<'a> {
    catalog: Catalog,
    found: Vec<Found>,
    tally: &'a mut Tally,
}

impl Search<'_> {
    fn directory(&mut self, directory: &Directory, plain: &Path) {
        let listing = match self.catalog.list(directory) {
            Ok(listing) => listing,
            Err(err) => return self.tally.failed(&err),
        };
        let mut files = Vec::new();
        for entry in listing.entries() {
            match entry.item {
                Item::Directory(places) => {
                    self.directory(&Directory::of(places.to_vec()), &plain.join(entry.name));
                }
                Item::File(file) => files.push((entry.name, file)),
                Item::Link(_) => {}
            }
        }
        self.files(directory, plain, &files);
    }

    fn files(&mut self, directory: &Directory, plain: &Path, files: &[(&OsStr, StoredFile<'_>)]) {
        let (mut compressed, mut stored_plain) = (Vec::new(), Vec::new());
        let has_views = files.iter().any(|(_, file)| file.is_one_of_several());
        for (name, file) in files {
            // A file that cannot be inspected is named when it is opened.
            let probe = self.catalog.look(directory, file).map(|seen| seen.probe);
            let probe = probe.unwrap_or(Probe::Fault);
            let is_plain = matches!(probe, Probe::PassThrough);
            let found = Found {
                path: file.path(),
                plain: plain.join(name),
                is_plain,
                probe,
                folder: self.catalog.folder_around(file),
            };
            match is_plain {
                _ if file.is_one_of_several() => self.found.push(found),
                // What describes an image is none itself.
                true if has_views && !file.bears_an_image() => {}
                true => stored_plain.push(found),
                false => compressed.push(found),
            }
        }
        for images in [compressed, stored_plain] {
            self.named_for_themselves(plain, images);
        }
    }

    /// Gives images the names that they have where no plain files stand beside them.
    fn named_for_themselves(&mut self, plain: &Path, images: Vec<Found>) {
        let part = |found: &Found| match found.probe {
            Probe::Image { part, .. } => part,
            _ => PartOf::Whole,
        };
        let stored = images
            .iter()
            .map(|found| (found.path.file_name().unwrap_or_default(), part(found)));
        let names = plain_names(&stored.collect::<Vec<_>>());
        let with_names = images.into_iter().zip(names).map(|(found, name)| Found {
            plain: plain.join(name),
            ..found
        });
        self.found.extend(with_names);
    }
}
