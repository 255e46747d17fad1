//! Which name a stored file is shown under.

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use crate::format::{self, FORMATS, extension_of};

/// How compressed files are named.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Naming {
    /// `Game.zso` is `Game.iso`.
    #[default]
    Strip,
    /// `Game.zso` is `Game.zso.iso`.
    Append,
}

/// What a stored file is, as far as its name is concerned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// Shown under its own name.
    Own,
    /// A compressed image.
    Image,
    /// A compressed image that is the first file of a set.
    First,
}

/// The longest name that Linux and macOS allow, in bytes.
const LONGEST: usize = 255;

/// The shown names of the files of one folder, in the order of `stored`; `None` for those that keep their own. They
/// depend on the set of files only.
///
/// Names that are kept are never given to another file. Where the wish of an image is taken, or wished by another
/// too, all that wish it get their stored name with `.iso` behind, and once more if that is taken as well.
pub(super) fn shown(stored: &[(&OsStr, Role)], naming: Naming) -> Vec<Option<OsString>> {
    let kept: HashSet<&OsStr> = stored
        .iter()
        .filter(|(_, role)| *role == Role::Own)
        .map(|(name, _)| *name)
        .collect();
    let mut attempts = vec![usize::from(naming == Naming::Append); stored.len()];
    loop {
        let names: Vec<Option<OsString>> = stored
            .iter()
            .zip(&attempts)
            .map(|((name, role), &attempt)| wish(name, *role, attempt))
            .collect();
        let clashes = clashes(stored, &names, &kept);
        if clashes.is_empty() {
            return names;
        }
        for i in clashes {
            attempts[i] += 1;
        }
    }
}

/// The images whose names are taken. A name that is as stored is taken by no other, so it is left alone.
fn clashes(
    stored: &[(&OsStr, Role)],
    names: &[Option<OsString>],
    kept: &HashSet<&OsStr>,
) -> Vec<usize> {
    let mut wishes: HashMap<&OsStr, usize> = HashMap::new();
    for name in names.iter().flatten() {
        *wishes.entry(name).or_default() += 1;
    }
    let clashes = |&i: &usize| {
        let name = names[i].as_deref();
        let taken = |name| kept.contains(name) || wishes.get(name).is_some_and(|&n| n > 1);
        name.is_some_and(|name| name != stored[i].0 && taken(name))
    };
    (0..names.len()).filter(clashes).collect()
}

/// The name that a file would like, then its second choice, and so on; at the end its stored name.
fn wish(stored: &OsStr, role: Role, attempt: usize) -> Option<OsString> {
    let mut name = match (role, attempt) {
        (Role::Own, _) => return None,
        (_, 0) => stripped(stored, role),
        _ => stored.to_os_string(),
    };
    for _ in 0..attempt {
        name.push(".iso");
    }
    if name.len() > LONGEST {
        return Some(stored.to_os_string());
    }
    Some(name)
}

fn stripped(stored: &OsStr, role: Role) -> OsString {
    let mut stem = stem(stored);
    if role == Role::First {
        stem = part_number(stem).map_or(stem, |(stem, _)| stem);
    }
    let mut name = stem.to_os_string();
    if extension_of(stem) != "iso" {
        name.push(".iso");
    }
    name
}

/// A name without the extension of a format, if it has one.
pub(super) fn stem(name: &OsStr) -> &OsStr {
    match format::of_name(name) {
        Some(_) => Path::new(name).file_stem().unwrap_or(name),
        None => name,
    }
}

/// Names a split set: the format, and what all names of the set begin with, in lower case.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct SetKey(&'static str, Vec<u8>);

impl SetKey {
    /// The set to which a file of `format` belongs by its name.
    pub(super) fn of_image(name: &OsStr, format: &'static str) -> Self {
        let stem = stem(name);
        let stem = part_number(stem).map_or(stem, |(stem, _)| stem);
        Self(format, stem.as_bytes().to_ascii_lowercase())
    }

    /// The set to which a file belongs whose extension is that of a later file, such as `Game.i01`.
    pub(super) fn of_part(name: &OsStr) -> Option<Self> {
        let extension = extension_of(name);
        let mut formats = FORMATS.iter();
        let format = formats.find(|format| (format.is_part_extension)(&extension))?;
        let stem = Path::new(name).file_stem()?;
        Some(Self(format.name, stem.as_bytes().to_ascii_lowercase()))
    }
}

/// Cuts `.part01` off the end of a stem: what is before it, and the number.
pub(super) fn part_number(stem: &OsStr) -> Option<(&OsStr, u32)> {
    let extension = extension_of(stem);
    let digits = extension.strip_prefix("part")?;
    let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| numeric)?;
    Some((Path::new(stem).file_stem()?, number))
}

#[cfg(test)]
mod tests;
