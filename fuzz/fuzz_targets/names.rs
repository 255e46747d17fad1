//! Any folder of compressed images: each gets a name of its own that a folder can hold, whatever the order.

#![no_main]

use std::{collections::BTreeSet, ffi::OsStr, os::unix::ffi::OsStrExt};

use libfuzzer_sys::fuzz_target;
use plainiso::{catalog::plain_names, format::PartOf};

/// The longest name that Linux and macOS allow, in bytes.
const LONGEST: usize = 255;

fuzz_target!(|bytes: &[u8]| {
    let named = bytes.split(|byte| matches!(byte, 0 | b'/'));
    let named = named.filter(|name| !name.is_empty() && name.len() <= LONGEST);
    // A folder has each name once.
    let folder: BTreeSet<&OsStr> = named.take(64).map(OsStr::from_bytes).collect();
    let part = |name: &OsStr| match name.len() % 3 {
        0 => PartOf::First,
        _ => PartOf::Whole,
    };
    let mut stored: Vec<_> = folder.iter().map(|name| (*name, part(name))).collect();
    let names = plain_names(&stored);
    assert_eq!(names.len(), stored.len());
    let all: BTreeSet<_> = names.iter().collect();
    assert_eq!(all.len(), names.len(), "two files have one name");
    for name in &names {
        let name = name.as_bytes();
        assert!(!name.is_empty() && name.len() <= LONGEST && !name.contains(&b'/'));
    }
    stored.reverse();
    let mut again = plain_names(&stored);
    again.reverse();
    assert_eq!(again, names, "the order of a folder changes names");
});
