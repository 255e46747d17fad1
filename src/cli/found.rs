//! The images that a command's arguments mean: files, and what folders hold.

use std::path::{Path, PathBuf};

use super::Tally;
use crate::{
    Result,
    catalog::{Catalog, Directory, Item, Naming, Options, Probe},
};

/// An image to work on.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it is stored; of a set, the first file.
    pub(super) path: PathBuf,
    /// The plain file's path: for a file its name, below a folder the path from there.
    pub(super) shown: PathBuf,
    /// Whether it is stored as the plain bytes, under the name of a plain image.
    pub(super) is_plain: bool,
}

/// A file, or all images of a folder and the folders in it, by the names that a mount would show, sorted.
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
    let mut found = Vec::new();
    search(&catalog, &top, Path::new(""), &mut found, tally);
    Ok(found)
}

fn search(
    catalog: &Catalog,
    directory: &Directory,
    shown: &Path,
    found: &mut Vec<Found>,
    tally: &mut Tally,
) {
    let listing = match catalog.list(directory) {
        Ok(listing) => listing,
        Err(err) => return tally.failed(&err),
    };
    for entry in listing.entries() {
        let shown = shown.join(&*entry.name);
        match &entry.item {
            Item::Directory(places) => {
                let below = Directory::of(places.clone());
                search(catalog, &below, &shown, found, tally);
            }
            Item::File(file) => {
                let probe = catalog.look(directory, file).map(|seen| seen.probe);
                found.push(Found {
                    path: file.path(),
                    shown,
                    is_plain: matches!(probe, Ok(Probe::PassThrough)),
                });
            }
            Item::Link(_) => {}
        }
    }
}
