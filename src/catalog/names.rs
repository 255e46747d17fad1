//! Which name a stored file is shown under.

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use super::passing::passing;
use crate::{
    files::PlainName,
    format::{self, FORMATS, extension_of},
};

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
pub(super) enum Role<'a> {
    /// Shown under its own name.
    Own,
    /// A compressed image.
    Image,
    /// A compressed image that is the first file of a set.
    First,
    /// One of the plain files of a stored one. They stand side by side, and all make way where one must.
    File(&'a PlainName),
}

/// The longest name that Linux and macOS allow, in bytes.
const LONGEST: usize = 255;

/// The shown names of the files of one folder, in the order of `stored`; `None` for those that keep their own. They
/// depend on the set of files only.
///
/// Names that are kept are never given to another file. Where the wish of an image is taken, or wished by another
/// too, all that wish it get their stored name with `.iso` behind, and once more if that is taken as well.
pub(super) fn shown(stored: &[(&OsStr, Role<'_>)], naming: Naming) -> Vec<Option<OsString>> {
    let keeps = |role| matches!(role, Role::Own | Role::File(PlainName::Stored));
    let kept: HashSet<&OsStr> = stored
        .iter()
        .filter(|(_, role)| keeps(*role))
        .map(|(name, _)| *name)
        .collect();
    let first = usize::from(naming == Naming::Append);
    // By the stored name, so that all plain files of a stored one take the same step.
    let mut attempts: HashMap<&OsStr, usize> = HashMap::new();
    loop {
        let names = passing(stored.iter().map(|(name, role)| {
            let attempt = attempts.get(name).copied().unwrap_or(first);
            wish(name, *role, attempt)
        }));
        let clashes = clashes(stored, &names, &kept);
        if clashes.is_empty() {
            return without_halves(stored, names);
        }
        for name in clashes {
            *attempts.entry(name).or_insert(first) += 1;
        }
    }
}

/// Gives all plain files of a stored one its name where one of them had to take it: tracks whose names are too long
/// leave nothing that their sheet could name.
fn without_halves(
    stored: &[(&OsStr, Role<'_>)],
    mut names: Vec<Option<OsString>>,
) -> Vec<Option<OsString>> {
    let as_stored = |(name, (own, role)): (&Option<OsString>, &(_, Role<'_>))| {
        let falls_back = matches!(role, Role::File(_)) && name.as_deref() == Some(*own);
        falls_back.then_some(*own)
    };
    let whole: HashSet<&OsStr> = names.iter().zip(stored).filter_map(as_stored).collect();
    for (name, (own, role)) in names.iter_mut().zip(stored) {
        if matches!(role, Role::File(_)) && whole.contains(own) {
            *name = None;
        }
    }
    names
}

/// The images whose names are taken. A name that is as stored is taken by no other, so it is left alone.
fn clashes<'s>(
    stored: &[(&'s OsStr, Role<'_>)],
    names: &[Option<OsString>],
    kept: &HashSet<&OsStr>,
) -> HashSet<&'s OsStr> {
    let mut wishes = passing(names.iter().flatten());
    wishes.sort_unstable();
    let twins = wishes.windows(2).filter(|pair| pair[0] == pair[1]);
    let wished_twice: HashSet<&OsStr> = twins.map(|pair| pair[0].as_os_str()).collect();
    let taken = |name| kept.contains(name) || wished_twice.contains(name);
    let clashes = names.iter().zip(stored).filter_map(|(name, (own, _))| {
        let name = name.as_deref()?;
        (name != *own && taken(name)).then_some(*own)
    });
    clashes.collect()
}

/// The name that a file would like, then its second choice, and so on; at the end its stored name.
fn wish(stored: &OsStr, role: Role<'_>, attempt: usize) -> Option<OsString> {
    let name = match role {
        Role::Own | Role::File(PlainName::Stored) => return None,
        Role::Image | Role::First => {
            let set = if role == Role::First { set_of } else { stem };
            behind(set(stored), stored, attempt, ".iso")
        }
        Role::File(PlainName::Behind(ending)) => behind(stem(stored), stored, attempt, ending),
        Role::File(PlainName::Own(name)) if attempt == 0 => name.clone(),
        Role::File(PlainName::Own(name)) => {
            let mut full = behind(stored, stored, attempt, ".");
            full.push(name);
            full
        }
    };
    Some(name)
        .filter(|name| name.len() <= LONGEST)
        .or_else(|| Some(stored.to_os_string()))
}

/// What a stored name becomes with this ending: first its stem, then all of it, then with more and more `.iso`.
fn behind(stem: &OsStr, stored: &OsStr, attempt: usize, ending: &str) -> OsString {
    let mut name = if attempt == 0 { stem } else { stored }.to_os_string();
    for _ in 1..attempt {
        name.push(".iso");
    }
    let bears = attempt == 0 && bears(stem, ending);
    name.push(if bears { "" } else { ending });
    name
}

/// Whether a name has the ending already, in any letter case.
fn bears(name: &OsStr, ending: &str) -> bool {
    let (name, ending) = (name.as_bytes(), ending.as_bytes());
    let cut = name.len().checked_sub(ending.len());
    cut.is_some_and(|cut| cut > 0 && name[cut..].eq_ignore_ascii_case(ending))
}

/// What the names of a split set have in common.
fn set_of(stored: &OsStr) -> &OsStr {
    let stem = stem(stored);
    part_number(stem).map_or(stem, |(set, _)| set)
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

/// The set of an Xbox CISO to whose first file, `Game.1.cso`, a file is the second by its name. Nothing in it says so.
pub(super) fn set_of_second(name: &OsStr) -> Option<SetKey> {
    let stem = Path::new(name).file_stem()?;
    let is_second = extension_of(name) == "cso" && extension_of(stem) == "2";
    let first = Path::new(stem).with_extension("1.cso");
    is_second.then(|| SetKey::of_image(first.as_os_str(), "cso"))
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
