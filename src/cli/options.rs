//! The words of `-o`: one table for the list, the flags, the help and the manual.

use std::{path::PathBuf, thread, time::Duration};

use super::words;
use crate::{
    Error, ErrorKind, Result,
    fs::{Naming, Tracks},
    fuse::session::Pattern,
};

mod flags;
mod table;

pub(super) use flags::OptionFlags;
pub(super) use table::WORDS;
use table::{IGNORED, PASSED_ON, Set, Taken, Word};

/// What the mount options ask for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[allow(clippy::struct_excessive_bools)]
pub(super) struct Settings {
    pub(super) allow_other: bool,
    pub(super) allow_root: bool,
    pub(super) default_permissions: bool,
    pub(super) auto_unmount: bool,
    pub(super) nonempty: bool,
    pub(super) images_only: bool,
    pub(super) follow_links: bool,
    pub(super) nfs_export: bool,
    pub(super) mkdir: bool,
    pub(super) unconfined: bool,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) umask: Option<u32>,
    pub(super) fsname: Option<String>,
    /// Bytes of decoded blocks, all images together.
    pub(super) cache: usize,
    pub(super) threads: usize,
    /// Bytes.
    pub(super) readahead: Option<u32>,
    /// What is read around the kernel's cache.
    pub(super) direct_io: Vec<Pattern>,
    pub(super) naming: Naming,
    pub(super) tracks: Tracks,
    pub(super) idle: Option<Duration>,
    pub(super) password_file: Option<PathBuf>,
    /// Where the parents of CHDs may be.
    pub(super) parents: Vec<PathBuf>,
    /// Words of mount(8) that the kernel acts on, in their order.
    pub(super) flags: Vec<String>,
    /// `rw` was the last word on writing.
    pub(super) wants_writing: bool,
}

/// Half of what an idle desktop does not notice; a thousand blocks of the usual 64 KiB.
const DEFAULT_CACHE: usize = 64 << 20;

impl Default for Settings {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(2, Into::into);
        Self {
            allow_other: false,
            allow_root: false,
            default_permissions: false,
            auto_unmount: false,
            nonempty: false,
            images_only: false,
            follow_links: false,
            nfs_export: false,
            mkdir: false,
            unconfined: false,
            uid: None,
            gid: None,
            umask: None,
            fsname: None,
            cache: DEFAULT_CACHE,
            threads: processors.clamp(2, 4),
            readahead: None,
            direct_io: Vec::new(),
            naming: Naming::default(),
            tracks: Tracks::default(),
            idle: None,
            password_file: None,
            parents: Vec::new(),
            flags: Vec::new(),
            wants_writing: false,
        }
    }
}

/// What to do with a word that is not known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sloppiness {
    Strict,
    IgnoreUnknown,
}

/// Reads the lists of all `-o` in their order, then the flags, so that these win.
///
/// # Errors
/// `Usage`, naming the word that is not known, or the value and the rule.
pub(super) fn read(
    lists: &[String],
    flags: &OptionFlags,
    sloppiness: Sloppiness,
) -> Result<Settings> {
    let mut settings = Settings::default();
    for item in lists.iter().flat_map(|list| split(list)) {
        read_word(&mut settings, &item, sloppiness)?;
    }
    for item in flags.words() {
        read_word(&mut settings, item, Sloppiness::Strict)?;
    }
    Ok(settings)
}

/// Cuts a list at its commas; a backslash takes the meaning from the character behind it. Empty words are left out.
fn split(list: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut characters = list.chars();
    while let Some(character) = characters.next() {
        let item = items.last_mut().expect("it starts with one");
        match character {
            ',' => items.push(String::new()),
            '\\' => item.push(characters.next().unwrap_or('\\')),
            other => item.push(other),
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

fn read_word(settings: &mut Settings, item: &str, sloppiness: Sloppiness) -> Result<()> {
    let (name, value) = match item.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (item, None),
    };
    if let Some(word) = WORDS.iter().find(|word| is_same_word(word.name, name)) {
        return set(settings, word, value);
    }
    match name {
        "rw" => settings.wants_writing = true,
        "remount" => {
            let message = "a mount cannot be changed with remount: unmount it, and mount it again";
            return Err(Error::new(ErrorKind::Usage, message));
        }
        _ if PASSED_ON.contains(&name) => settings.flags.push(name.into()),
        _ if IGNORED.contains(&name) || name == "comment" || item.starts_with("x-") => {}
        _ if sloppiness == Sloppiness::IgnoreUnknown => {}
        _ => return Err(unknown(name)),
    }
    Ok(())
}

/// `allow-other` is as good as `allow_other`.
fn is_same_word(ours: &str, theirs: &str) -> bool {
    ours == theirs || ours.replace('_', "-") == theirs.replace('_', "-")
}

fn set(settings: &mut Settings, word: &Word, value: Option<&str>) -> Result<()> {
    let name = word.name;
    let message = match (word.set, value) {
        (Set::Switch(set), None) => {
            set(settings);
            return Ok(());
        }
        (Set::Switch(_), Some(_)) => format!("mount option {name} takes no value"),
        (Set::Value(value, _) | Set::Each(value, _), None) => {
            format!("mount option {name} needs a value: {name}={value}")
        }
        (Set::Several(_, alone, set), None) => return take(settings, name, alone, set),
        (Set::Value(_, set) | Set::Each(_, set) | Set::Several(_, _, set), Some(text)) => {
            return take(settings, name, text, set);
        }
    };
    Err(Error::new(ErrorKind::Usage, message))
}

fn take(
    settings: &mut Settings,
    name: &str,
    text: &str,
    set: fn(&mut Settings, &str) -> Taken,
) -> Result<()> {
    set(settings, text).map_err(|rule| {
        let text = text.escape_debug();
        let message = format!("mount option {name} is '{text}', not {rule}");
        Error::new(ErrorKind::Usage, message)
    })
}

fn unknown(name: &str) -> Error {
    let known = WORDS.iter().map(|word| word.name);
    let known = known
        .chain(PASSED_ON.iter().copied())
        .chain(IGNORED.iter().copied());
    let hint = match words::closest(name, known) {
        Some(near) => format!("; did you mean {near}?"),
        None => String::new(),
    };
    let name = name.escape_debug();
    Error::new(
        ErrorKind::Usage,
        format!("mount option '{name}' is not known{hint}"),
    )
}

#[cfg(test)]
mod tests;
