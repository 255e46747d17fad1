//! Compressed disc images as the plain files they once were, decoded only where they are read.
//!
//! A format is a pure map from block numbers to stored bytes, checked completely when an image is opened. One
//! engine reads, decodes and caches; the filesystem on top knows no kernel; FUSE and the command line are thin.
//! `docs/ARCHITECTURE.md` is the map of the house.

#![cfg_attr(test, allow(clippy::cast_possible_truncation))]

pub mod cache;
pub mod catalog;
pub mod cli;
pub mod codec;
pub mod convert;
pub mod digest;
pub mod error;
pub mod extract;
pub mod files;
pub mod format;
pub mod fs;
pub mod fuse;
pub mod image;
pub mod map;
pub mod output;
pub mod pack;
pub mod sector;
pub mod source;
pub mod stream;
pub mod unfold;
pub mod verify;
pub mod volume;

pub use error::{Error, ErrorKind, Result};
