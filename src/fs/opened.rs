//! An open file: an image, or a file that is passed through.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use super::{Attributes, Bearer, Options, Seek, stats::Counters};
use crate::{
    Error, ErrorKind, Result,
    catalog::{Probe, Seen, StableHash, password_files},
    format::Password,
    image::{Ahead, Image, Plain, Reader},
    source::Folder,
};

/// An open file, shared by all who opened it in the same state.
#[derive(Debug)]
pub(super) struct OpenedFile {
    path: PathBuf,
    content: Content,
    opening: Opening,
    counters: Counters,
    reported: Mutex<HashSet<u64>>,
    /// Somebody has read, so the kernel has heard that this state is open.
    is_in_use: AtomicBool,
    /// How many have it open.
    readers: AtomicUsize,
}

#[derive(Debug)]
enum Content {
    Image(Arc<Image>),
    PassThrough(File),
}

/// One reader's open file.
#[derive(Debug)]
pub(super) struct OpenHandle {
    file: Arc<OpenedFile>,
    /// Of an image: what is decoded ahead of this reader.
    reader: Option<Reader>,
}

impl OpenHandle {
    pub(super) fn new(file: Arc<OpenedFile>, ahead: &Arc<Ahead>) -> Self {
        let reader = match &file.content {
            Content::Image(image) => Some(Reader::new(Arc::clone(image), Arc::clone(ahead))),
            Content::PassThrough(_) => None,
        };
        file.counters.count_open();
        file.readers.fetch_add(1, Relaxed);
        Self { file, reader }
    }

    pub(super) fn file(&self) -> &Arc<OpenedFile> {
        &self.file
    }

    pub(super) fn read<'o>(&self, out: &'o mut [u8], at: u64) -> Result<Plain<'o>> {
        if !self.file.is_in_use() {
            self.file.is_in_use.store(true, Relaxed);
        }
        self.file.counted(match (&self.reader, &self.file.content) {
            (Some(reader), _) => reader.read(out, at),
            (None, Content::Image(image)) => image.view(out, at),
            (None, Content::PassThrough(file)) => read_fully(file, out, at),
        })
    }
}

impl Drop for OpenHandle {
    fn drop(&mut self) {
        self.file.readers.fetch_sub(1, Relaxed);
    }
}

/// What is known about a file before it is opened.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) bearer: Bearer,
    pub(super) attributes: Attributes,
    /// Where its counters are added when it is closed.
    pub(super) sums: [Arc<Counters>; 2],
}

impl Opening {
    pub(super) fn open(
        self,
        path: &Path,
        seen: &Seen,
        folder: &Folder,
        options: &Options,
    ) -> Result<OpenedFile> {
        let content = match &seen.probe {
            Probe::PassThrough => Content::PassThrough(open_plain(path)?),
            probe => {
                let password = || password_of(path, options.password.as_ref());
                let image = probe.open(path, folder, Arc::clone(&options.cache), &password)?;
                Content::Image(Arc::new(image))
            }
        };
        let counters = Counters::default();
        let opened = OpenedFile {
            path: path.to_path_buf(),
            content,
            opening: self,
            counters,
            reported: Mutex::default(),
            is_in_use: AtomicBool::new(false),
            readers: AtomicUsize::new(0),
        };
        opened.report_notes();
        Ok(opened)
    }
}

impl OpenedFile {
    pub(super) fn fingerprint(&self) -> u64 {
        self.opening.bearer.fingerprint
    }

    pub(super) fn bearer(&self) -> Bearer {
        self.opening.bearer
    }

    /// Whether anybody has it open.
    pub(super) fn has_readers(&self) -> bool {
        self.readers.load(Relaxed) > 0
    }

    /// Whether somebody has read since it was opened.
    pub(super) fn is_in_use(&self) -> bool {
        self.is_in_use.load(Relaxed)
    }

    pub(super) fn attributes(&self) -> &Attributes {
        &self.opening.attributes
    }

    pub(super) fn image(&self) -> Option<&Image> {
        match &self.content {
            Content::Image(image) => Some(image),
            Content::PassThrough(_) => None,
        }
    }

    pub(super) fn plain(&self) -> Option<&File> {
        match &self.content {
            Content::Image(_) => None,
            Content::PassThrough(file) => Some(file),
        }
    }

    /// What was done with it since it was opened.
    pub(super) fn work(&self) -> Counters {
        let work = Counters::default();
        work.add(&self.counters);
        if let Content::Image(image) = &self.content {
            let (bytes, time) = image.work();
            work.count_work(bytes, time);
        }
        work
    }

    /// Counts a read, and reports what stood against it.
    fn counted<'o>(&self, read: Result<Plain<'o>>) -> Result<Plain<'o>> {
        match read {
            Ok(plain) => {
                self.counters.count_read(plain.len());
                if matches!(self.content, Content::PassThrough(_)) {
                    self.counters
                        .count_work(plain.len() as u64, std::time::Duration::ZERO);
                }
                Ok(plain)
            }
            Err(err) => {
                let err = err.in_file(&self.path);
                self.counters.count_error();
                self.report(&err);
                Err(err)
            }
        }
    }

    pub(super) fn seek(&self, at: u64, to: Seek) -> Result<u64> {
        let behind = || {
            Error::new(
                ErrorKind::OutOfRange,
                "there is nothing behind this position",
            )
        };
        match &self.content {
            Content::Image(image) if at < image.size() => match to {
                Seek::Hole => Ok(image.next_hole(at)),
                Seek::Data => Some(image.next_data(at))
                    .filter(|&data| data < image.size())
                    .ok_or_else(behind),
            },
            Content::Image(_) => Err(behind()),
            Content::PassThrough(_) if i64::try_from(at).is_err() => Err(behind()),
            Content::PassThrough(file) => {
                let to = match to {
                    Seek::Data => rustix::fs::SeekFrom::Data(at),
                    Seek::Hole => rustix::fs::SeekFrom::Hole(at),
                };
                // The cursor that this moves is used by nobody: reads give their position.
                rustix::fs::seek(file, to).map_err(|err| match err {
                    rustix::io::Errno::NXIO => behind(),
                    err => Error::io(err.into(), "cannot seek").in_file(&self.path),
                })
            }
        }
    }

    /// Logs a sentence about damage once, and at the limit that there is more.
    fn report(&self, err: &Error) {
        let sentence = err.sentence();
        let hash = StableHash::new().bytes(sentence.as_bytes()).finish();
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.len() > MOST_REPORTED || !reported.insert(hash) {
            return;
        }
        if reported.len() <= MOST_REPORTED {
            log::warn!("{sentence}");
        } else {
            let path = self.path.display().to_string();
            log::warn!("{}: further damage is not logged", path.escape_debug());
        }
    }

    fn report_notes(&self) {
        let notes = self.image().map(|image| &image.details().notes);
        for note in notes.into_iter().flatten() {
            let path = self.path.display().to_string();
            log::info!("{}: {note}", path.escape_debug());
        }
    }
}

impl Drop for OpenedFile {
    fn drop(&mut self) {
        let work = self.work();
        for sum in &self.opening.sums {
            sum.add(&work);
        }
    }
}

/// So many damaged blocks of one open image are logged, each once.
const MOST_REPORTED: usize = 64;

fn open_plain(path: &Path) -> Result<File> {
    let cannot = |e| Error::io(e, "cannot open the file").in_file(path);
    // A pipe that took the file's place must not hang us.
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path).map_err(cannot)?;
    if file.metadata().map_err(cannot)?.is_file() {
        return Ok(file);
    }
    Err(cannot(io::ErrorKind::InvalidInput.into()))
}

fn read_fully<'o>(file: &File, out: &'o mut [u8], at: u64) -> Result<Plain<'o>> {
    // Positions are signed for the operating system; no file reaches that far.
    if i64::try_from(at.saturating_add(out.len() as u64)).is_err() {
        return Ok(Plain::Own(&[]));
    }
    let mut done = 0;
    while done < out.len() {
        match file.read_at(&mut out[done..], at + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => {
                return Err(Error::io(
                    err,
                    format!("cannot read {} bytes at {at}", out.len()),
                ));
            }
        }
    }
    Ok(Plain::Own(&out[..done]))
}

/// A password is shorter.
const LONGEST_PASSWORD: u64 = 4096;

/// The password for the image at `path`: that of the file beside it, or else the given one.
fn password_of(path: &Path, given: Option<&Password>) -> Result<Option<Password>> {
    let name = path.file_name().unwrap_or(OsStr::new(""));
    for file in password_files(name) {
        let file = path.with_file_name(file);
        let cannot = |e| Error::io(e, "cannot read the password").in_file(&file);
        match fs::metadata(&file) {
            Ok(metadata) if metadata.is_file() => {}
            _ => continue,
        }
        let mut bytes = Vec::new();
        let opened = File::open(&file).map_err(cannot)?;
        opened
            .take(LONGEST_PASSWORD)
            .read_to_end(&mut bytes)
            .map_err(cannot)?;
        let newline = bytes
            .strip_suffix(b"\r\n")
            .or_else(|| bytes.strip_suffix(b"\n"));
        let len = newline.unwrap_or(&bytes).len();
        bytes.truncate(len);
        return Ok(Some(Password::new(bytes)));
    }
    Ok(given.map(|password| Password::new(password.bytes().to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_beside_the_image_comes_before_the_given_password() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("Game.part01.isz");
        let given = Password::new(b"given".to_vec());
        let password = || {
            let found = password_of(&image, Some(&given)).unwrap();
            String::from_utf8(found.unwrap().bytes().to_vec()).unwrap()
        };
        assert_eq!(password(), "given");
        let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        put("Game.pwd", b"of the set\r\n");
        assert_eq!(password(), "of the set");
        put("Game.part01.pwd", b"of the stem");
        assert_eq!(password(), "of the stem");
        put("Game.part01.isz.pwd", b"of the file\n\n");
        assert_eq!(password(), "of the file\n");
    }
}
