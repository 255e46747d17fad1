//! The filesystem without a kernel: what the mount promises, called as plain functions.

#[path = "filesystem/formats.rs"]
mod formats;
#[path = "filesystem/library.rs"]
mod library;

#[path = "filesystem/attributes.rs"]
mod attributes;
#[path = "filesystem/changes.rs"]
mod changes;
#[path = "filesystem/counting.rs"]
mod counting;
#[path = "filesystem/damage.rs"]
mod damage;
#[path = "filesystem/links.rs"]
mod links;
#[path = "filesystem/names.rs"]
mod names;
#[path = "filesystem/numbers.rs"]
mod numbers;
#[path = "filesystem/playlists.rs"]
mod playlists;
#[path = "filesystem/reading.rs"]
mod reading;
