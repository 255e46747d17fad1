//! Files that belong to another: later files of split sets, and passwords.

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use super::{Found, FoundKind};
use crate::{
    catalog::{
        Probe,
        names::{self, SetKey},
        password_files,
    },
    format::{PartOf, extension_of},
};

/// The split sets of a folder, and its images with passwords beside them.
pub(super) struct Sets {
    /// The paths of the later files of each set whose first file is there.
    pub(super) later: HashMap<SetKey, Vec<PathBuf>>,
    passwords: HashSet<OsString>,
}

impl Sets {
    pub(super) fn of(found: &[Found]) -> Self {
        let mut later: HashMap<SetKey, Vec<PathBuf>> = found
            .iter()
            .filter_map(|found| Some((found.first_of()?, Vec::new())))
            .collect();
        for found in found {
            let key = found.later_of();
            if let Some(parts) = key.and_then(|key| later.get_mut(&key)) {
                parts.push(PathBuf::from(found.stored()));
            }
        }
        Self {
            later,
            passwords: passwords(found),
        }
    }

    pub(super) fn hides(&self, found: &Found) -> bool {
        let is_file = matches!(found.kind, FoundKind::File(..) | FoundKind::Several(..));
        let is_later = || {
            found
                .later_of()
                .is_some_and(|key| self.later.contains_key(&key))
        };
        is_file && (self.passwords.contains(&found.name) || is_later())
    }
}

/// The password files of a folder whose images are there too.
fn passwords(found: &[Found]) -> HashSet<OsString> {
    let files = found.iter().map(|found| found.name.as_os_str());
    let mut unused: HashSet<&OsStr> = files.filter(|file| extension_of(file) == "pwd").collect();
    let mut passwords = HashSet::new();
    for image in found.iter().filter(|found| found.is_image()) {
        if unused.is_empty() {
            break;
        }
        let theirs = password_files(&image.name).into_iter();
        passwords.extend(theirs.filter(|file| unused.remove(file.as_os_str())));
    }
    passwords
}

/// The later files of a set that stand beside its first file, when that is in another folder than the one listed.
pub(super) fn beside(parts: Vec<PathBuf>, stored: &OsStr, probe: &Probe) -> Vec<PathBuf> {
    let stored = Path::new(stored);
    let (Some(folder), Some(name)) = (stored.parent(), stored.file_name()) else {
        return parts;
    };
    let Probe::Image {
        format,
        part: PartOf::First,
        ..
    } = probe
    else {
        return parts;
    };
    if folder == Path::new("") {
        return parts;
    }
    let key = SetKey::of_image(name, format.name);
    let is_part = |name: &OsStr| match SetKey::of_part(name) {
        Some(of) => of == key,
        None => SetKey::of_image(name, format.name) == key && names::stem(name) != name,
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return parts;
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    let mut found: Vec<OsString> = names
        .filter(|found| found != name && is_part(found))
        .collect();
    found.sort();
    found.into_iter().map(|name| folder.join(name)).collect()
}
