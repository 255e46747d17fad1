//! Reads folders and decides what they show.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, DirEntry, Metadata},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

mod many;
mod playlists;
mod sets;
mod several;

use super::{
    Catalog, Directory, Place, Probe,
    known::{Candidate, Extra, Known},
    line::{Line, Thing},
    names::{self, Role, SetKey},
    passing::passing,
    probed::{Interest, Probed, Rules},
    refused,
    stat::Stat,
};
use crate::{
    Result,
    format::{self, PartOf, extension_of},
    source::Links,
};
use sets::{Sets, beside};
use several::{OneOf, Several};

/// What a directory shows, sorted by name: its folders in their order, where the first with a name wins.
pub(super) fn lines(catalog: &Catalog, directory: &Directory) -> Result<Vec<Line>> {
    let mut lines = passing(named_files(catalog, &directory.files));
    let mut readable = !directory.files.is_empty() || directory.places.is_empty();
    let mut refusal = None;
    for place in &directory.places {
        match folder(catalog, place) {
            Ok(more) => {
                readable = true;
                lines.extend(more);
            }
            Err(err) => refusal = Some(err),
        }
    }
    match refusal {
        Some(err) if !readable => return Err(err),
        Some(err) => catalog.reported.fault(Path::new(""), 0, &err),
        None => {}
    }
    // The sort is stable, so that the first source stays the first.
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    lines.dedup_by(|later, first| later.name == first.name && merge(catalog, first, later));
    Ok(lines)
}

/// Adds a line to one of the same name, or says why not. Always true: it is merged.
fn merge(catalog: &Catalog, first: &mut Line, later: &mut Line) -> bool {
    match (&mut first.thing, &mut later.thing) {
        (Thing::Directory(places), Thing::Directory(more)) => places.append(more),
        _ => report_hidden(catalog, &first.path(), &later.path()),
    }
    true
}

fn report_hidden(catalog: &Catalog, winner: &Path, loser: &Path) {
    let winner = winner.display().to_string();
    let what = format!("not shown, because {} has its name", winner.escape_debug());
    catalog.reported.note(loser, &what);
}

/// A file of a folder, before it has its name.
struct Found {
    /// Its name on disk.
    name: OsString,
    /// Where it is, if not under its name in the folder.
    elsewhere: Option<PathBuf>,
    kind: FoundKind,
}

enum FoundKind {
    Directory(Arc<Place>),
    Link,
    File(Interest, Known),
    /// Several plain files, before they have their names.
    Several(Arc<Several>),
    /// One of them.
    OneOf(OneOf),
}

/// Entries of a folder that are held while their files are looked at.
const LOOKED_AT_ONCE: usize = 256;

fn folder(catalog: &Catalog, place: &Arc<Place>) -> Result<Vec<Line>> {
    let cannot = |e| refused(e, &place.path, "cannot list the folder");
    let mut found = passing([]);
    let mut entries = fs::read_dir(&place.path).map_err(cannot)?;
    loop {
        let some: io::Result<Vec<_>> = entries.by_ref().take(LOOKED_AT_ONCE).collect();
        let some = some.map_err(cannot)?;
        if some.is_empty() {
            break;
        }
        found.extend(many::look_at(&some, |entry| {
            classify(catalog, place, entry)
        }));
    }
    // Later parts are counted in this order.
    found.sort_unstable_by(|a: &Found, b| a.name.cmp(&b.name));
    Ok(show(catalog, place, found))
}

/// Files that the user named one by one. They are shown whether they are there or not; of two with the same name
/// in different folders, the first.
fn named_files(catalog: &Catalog, files: &[PathBuf]) -> Vec<Line> {
    let mut found: Vec<Found> = Vec::new();
    for path in files {
        let name = path.file_name().unwrap_or(path.as_os_str());
        if let Some(winner) = found.iter().find(|found| found.name == name) {
            report_hidden(catalog, Path::new(winner.stored()), path);
            continue;
        }
        let interest = match Interest::of_name(name) {
            Interest::Nothing => Interest::Named,
            interest => interest,
        };
        found.push(Found {
            name: name.to_os_string(),
            elsewhere: Some(path.clone()),
            kind: probe(catalog, path, interest, &Links::Anywhere),
        });
    }
    show(catalog, &Arc::new(Place::nowhere()), found)
}

/// What a directory entry is; `None` for what is not shown: pipes, devices, sockets.
fn classify(catalog: &Catalog, place: &Arc<Place>, entry: &DirEntry) -> Option<Found> {
    let name = entry.file_name();
    let path = entry.path();
    let kind = entry.file_type().ok()?;
    let found = |elsewhere, kind| {
        Some(Found {
            name: name.clone(),
            elsewhere,
            kind,
        })
    };
    if kind.is_dir() {
        let metadata = entry.metadata().ok()?;
        let below = Place::new(path, &metadata, Some(Arc::clone(place)));
        return found(None, FoundKind::Directory(Arc::new(below)));
    }
    if kind.is_symlink() {
        let (stored, kind) = follow(catalog, place, &path).unwrap_or((path, FoundKind::Link));
        return found(Some(stored), kind);
    }
    if !kind.is_file() {
        return None;
    }
    let interest = Interest::of_name(&name);
    found(None, probe(catalog, &path, interest, &catalog.links))
}

/// What a symbolic link is shown as, when not as a link: the file or folder that it leads to.
fn follow(catalog: &Catalog, place: &Arc<Place>, link: &Path) -> Option<(PathBuf, FoundKind)> {
    let target = fs::canonicalize(link).ok()?;
    let metadata = fs::metadata(&target).ok()?;
    if metadata.is_dir() {
        return follow_to_folder(catalog, place, link, &metadata);
    }
    if !metadata.is_file() || !catalog.links.may_lead_to(&target) {
        return None;
    }
    let interest = [link, &target]
        .map(|path| Interest::of_name(path.file_name().unwrap_or_default()))
        .into_iter()
        .find(|interest| *interest != Interest::Nothing)
        .unwrap_or(Interest::Nothing);
    if interest != Interest::ImageName && !catalog.options.follow_links {
        return None;
    }
    let kind = probe(catalog, &target, interest, &catalog.links);
    Some((target, kind))
}

/// A link to a folder, if links are followed and it does not lead back up.
fn follow_to_folder(
    catalog: &Catalog,
    place: &Arc<Place>,
    link: &Path,
    metadata: &Metadata,
) -> Option<(PathBuf, FoundKind)> {
    let target = Place::new(link.to_path_buf(), metadata, Some(Arc::clone(place)));
    let follows = catalog.options.follow_links && !place.is_below(target.id);
    follows.then(|| (link.to_path_buf(), FoundKind::Directory(Arc::new(target))))
}

fn probe(catalog: &Catalog, path: &Path, interest: Interest, links: &Links) -> FoundKind {
    let stat = match interest {
        Interest::Nothing => None,
        _ => Stat::of_file(path).ok(),
    };
    let Some(Stat { fingerprint, .. }) = stat else {
        return FoundKind::File(interest, Known::new(0, Probe::PassThrough));
    };
    let rules = Rules {
        reported: &catalog.reported,
        links,
        tracks: catalog.options.tracks,
    };
    match Probed::of(path, interest, fingerprint, &rules) {
        Probed::One(probe) => FoundKind::File(interest, Known::new(fingerprint, probe)),
        Probed::Unread(probe) => FoundKind::File(interest, Known::new(Known::NEVER, probe)),
        Probed::Several(format, listed) => FoundKind::Several(Arc::new(Several {
            interest,
            format,
            listed,
        })),
    }
}

/// Hides what is not shown, and names the rest.
fn show(catalog: &Catalog, place: &Arc<Place>, found: Vec<Found>) -> Vec<Line> {
    let sets = Sets::of(&found);
    let images_only = catalog.options.images_only;
    let mut shown = found;
    shown.retain(|found| !sets.hides(found));
    several::take_apart(&mut shown);
    shown.retain(|found| !(images_only && found.is_other()));
    let roles = shown
        .iter()
        .map(|found| (found.name.as_os_str(), found.role()));
    let stored: Vec<(&OsStr, Role<'_>)> = passing(roles);
    let names = names::shown(&stored, catalog.options.naming);
    let texts = several::texts(&shown, &names);
    let mut playlists = playlists::candidates(place.path(), &shown, &names);
    let all = names.into_iter().zip(texts).zip(shown).enumerate();
    passing(all.map(|(at, ((name, text), found))| {
        let mut line = found.into_line(name, text, place, &sets);
        if let Some(playlist) = playlists.remove(&at) {
            line.thing = Thing::File(Some(playlist));
        }
        line
    }))
}

impl Found {
    /// Where it is: its name, or an absolute path.
    fn stored(&self) -> &OsStr {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.map_or(&self.name, |path| path.as_os_str())
    }

    fn probe(&self) -> Option<Probe> {
        match &self.kind {
            FoundKind::File(_, known) => Some(known.probe()),
            _ => None,
        }
    }

    fn several(&self) -> Option<&Arc<Several>> {
        match &self.kind {
            FoundKind::Several(several) => Some(several),
            _ => None,
        }
    }

    fn is_image(&self) -> bool {
        matches!(self.probe(), Some(Probe::Image { .. } | Probe::Fault)) || self.several().is_some()
    }

    /// Whether it has no place in a mount that shows images only.
    fn is_other(&self) -> bool {
        match &self.kind {
            FoundKind::Directory(_) | FoundKind::Several(_) => false,
            FoundKind::Link => extension_of(&self.name) != "iso",
            FoundKind::File(Interest::PassesThrough, known) => {
                matches!(known.probe(), Probe::PassThrough)
            }
            FoundKind::File(interest, _) => *interest == Interest::Nothing,
            FoundKind::OneOf(one) => one.is_stored(),
        }
    }

    fn role(&self) -> Role<'_> {
        match &self.kind {
            FoundKind::OneOf(one) => Role::File(one.name()),
            FoundKind::File(Interest::PlainName, _) => Role::Own,
            _ if self.first_of().is_some_and(|_| !self.is_fault()) => Role::First,
            _ if self.is_image() => Role::Image,
            _ => Role::Own,
        }
    }

    fn is_fault(&self) -> bool {
        matches!(self.probe(), Some(Probe::Fault))
    }

    /// The set that it is the first file of. A damaged file is one when its name says so.
    fn first_of(&self) -> Option<SetKey> {
        let format = match self.probe()? {
            Probe::Image {
                format,
                part: PartOf::First,
                ..
            } => format.name,
            Probe::Fault => {
                let number = names::part_number(names::stem(&self.name));
                format::of_name(&self.name)
                    .filter(|_| number.is_none_or(|(_, number)| number <= 1))?
                    .name
            }
            _ => return None,
        };
        Some(SetKey::of_image(&self.name, format))
    }

    /// The set that it is a later file of.
    fn later_of(&self) -> Option<SetKey> {
        match self.probe()? {
            Probe::Image { format, part, .. } => match part {
                PartOf::Later(_) => Some(SetKey::of_image(&self.name, format.name)),
                _ => None,
            },
            Probe::PassThrough => SetKey::of_part(&self.name),
            Probe::Fault => names::set_of_second(&self.name),
            Probe::Text(..) => None,
        }
    }

    fn into_line(
        self,
        name: Option<OsString>,
        text: Option<Arc<[u8]>>,
        place: &Arc<Place>,
        sets: &Sets,
    ) -> Line {
        let parts = self.first_of().and_then(|key| sets.later.get(&key));
        let parts = parts.cloned().unwrap_or_default();
        let (name, stored) = match (name, self.elsewhere) {
            (Some(name), None) => (name, self.name),
            (None, None) => (self.name.clone(), self.name),
            (name, Some(path)) => (name.unwrap_or(self.name), path.into_os_string()),
        };
        let thing = match self.kind {
            FoundKind::Directory(below) => Thing::Directory(vec![below]),
            FoundKind::Link => Thing::Link,
            FoundKind::File(Interest::Nothing, _) => Thing::File(None),
            FoundKind::File(interest, known) => {
                let extra = Extra::of_parts(beside(parts, &stored, &known.probe()));
                Thing::File(Some(Candidate {
                    interest,
                    known,
                    extra,
                }))
            }
            // A stored name is left to files that are shown as stored, and to those with no room for another.
            FoundKind::OneOf(_) if name == stored => Thing::File(None),
            FoundKind::OneOf(one) => Thing::File(one.candidate(place.path(), &stored, text)),
            FoundKind::Several(_) => unreachable!("they were taken apart"),
        };
        Line {
            name,
            stored,
            folder: Arc::clone(place),
            thing,
        }
    }
}
