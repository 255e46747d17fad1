//! Which plain files a stored one is shown as, for formats where that is not simply one `.iso`.

use std::ffi::OsString;

/// The plain files of a stored one.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The files, in the order in which they are listed. Never empty.
    pub files: Vec<PlainFile>,
    /// The names of further stored files that their bytes come from: they change with these.
    pub beside: Vec<OsString>,
}

/// One plain file of a stored one.
#[derive(Clone, Debug)]
pub struct PlainFile {
    /// How its name is made.
    pub name: PlainName,
    /// What is in it.
    pub content: Content,
}

/// How the name of a plain file is made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PlainName {
    /// These characters behind the stem of the stored name, such as `.bin` or ` (Track 2).bin`. A stem that ends in
    /// them already stays as it is: `Game.iso.gz` is `Game.iso`.
    Behind(String),
    /// A name of its own, as a member of an archive has. It is one name and no path.
    Own(OsString),
    /// The stored file's own name.
    Stored,
}

/// What a plain file holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// Plain bytes: the file that [`crate::format::OpenOptions::file`] gives this number.
    Blocks {
        /// Number of plain bytes.
        size: u64,
        /// The file's number.
        number: u32,
    },
    /// A text that is made here.
    Text(Vec<Piece>),
    /// The stored bytes as they are.
    Stored,
}

/// A piece of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// These characters.
    Text(String),
    /// The shown name of the file at this position of [`Listed::files`].
    NameOf(usize),
}

impl PlainFile {
    /// A plain file of decoded blocks, named by what stands behind the stem.
    #[must_use]
    pub fn blocks(behind: impl Into<String>, size: u64, number: u32) -> Self {
        Self {
            name: PlainName::Behind(behind.into()),
            content: Content::Blocks { size, number },
        }
    }

    /// The stored file as it is.
    #[must_use]
    pub fn stored() -> Self {
        Self {
            name: PlainName::Stored,
            content: Content::Stored,
        }
    }
}

impl Listed {
    /// Files that come from the stored one alone.
    #[must_use]
    pub fn alone(files: Vec<PlainFile>) -> Self {
        Self {
            files,
            beside: Vec::new(),
        }
    }

    /// The stored file as it is, and beside it an image of so many bytes, which come from the files beside.
    #[must_use]
    pub fn with_image(size: u64, beside: Vec<OsString>) -> Self {
        Self {
            files: vec![PlainFile::stored(), PlainFile::blocks(".iso", size, 0)],
            beside,
        }
    }

    /// Plain bytes of all files that are decoded.
    #[must_use]
    pub fn plain_bytes(&self) -> u64 {
        let sizes = self.files.iter().map(|file| match file.content {
            Content::Blocks { size, .. } => size,
            Content::Text(_) | Content::Stored => 0,
        });
        sizes.fold(0, u64::saturating_add)
    }
}

/// Which files a disc of one data track is shown as.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Tracks {
    /// The tracks with their sheet, and the plain `.iso` where there is one.
    #[default]
    Both,
    /// The tracks with their sheet only.
    Bin,
    /// The plain `.iso` only, where there is one.
    Iso,
}
