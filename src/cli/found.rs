//! The images that a command's arguments mean: files, and what folders hold.

use std::path::{Path, PathBuf};

use super::Tally;
use crate::{
    Result,
    catalog::{Catalog, Directory, Item, Naming, Options, Probe, StoredFile, plain_names},
    format::PartOf,
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
}

/// A file, or all images of the folders in a folder and then of itself, in an order that does not change.
///
/// Folders that cannot be listed are reported, and the others still searched.
///
/// # Errors
/// `Io` when there is nothing at `path`.
pub(super) fn images_at(path: &Path, tally: &mut Tally) -> Result<Vec<Found>> {
    let (catalog, top) = Catalog::new(Options {
        sources: vec![path.to_path_buf()],
        naming: Naming::Strip,
        images_only: path.is_dir(),
        follow_links: false,
    })?;
    let mut search = Search {
        catalog,
        found: Vec::new(),
        tally,
    };
    search.directory(&top, Path::new(""));
    Ok(search.found)
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
            match &entry.item {
                Item::Directory(places) => {
                    self.directory(&Directory::of(places.clone()), &plain.join(&*entry.name));
                }
                Item::File(file) => files.push(file),
                Item::Link(_) => {}
            }
        }
        self.files(directory, plain, &files);
    }

    fn files(&mut self, directory: &Directory, plain: &Path, files: &[&StoredFile]) {
        let mut images = Vec::new();
        for file in files {
            // A file that cannot be inspected is named when it is opened.
            let probe = self.catalog.look(directory, file).map(|seen| seen.probe);
            let part = match probe {
                Ok(Probe::Image { part, .. }) => part,
                _ => PartOf::Whole,
            };
            let is_plain = matches!(probe, Ok(Probe::PassThrough));
            images.push((file.path(), part, is_plain));
        }
        let (compressed, stored_plain): (Vec<_>, Vec<_>) =
            images.into_iter().partition(|(.., is_plain)| !is_plain);
        for images in [compressed, stored_plain] {
            let stored = images
                .iter()
                .map(|(path, part, _)| (path.file_name().unwrap_or_default(), *part));
            let names = plain_names(&stored.collect::<Vec<_>>());
            for ((path, _, is_plain), name) in images.into_iter().zip(names) {
                self.found.push(Found {
                    path,
                    plain: plain.join(name),
                    is_plain,
                });
            }
        }
    }
}
