//! The output: written in a folder of its own beside its place, and moved there when it is complete.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    Error, ErrorKind, Result,
    output::{self, Existing, folder_of},
    pack::Output,
};

/// Bytes that are written at once.
const BUFFER: usize = 1 << 20;

/// The files being written. Dropped, they are gone.
#[derive(Debug)]
pub(super) struct Files {
    folder: TempDir,
    output: PathBuf,
    all: Vec<Writing>,
}

#[derive(Debug)]
struct Writing {
    path: PathBuf,
    file: BufWriter<File>,
    len: u64,
}

impl Writing {
    fn create(path: PathBuf) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path);
        let file = file.map_err(|e| Error::io(e, "cannot create the output").in_file(&path))?;
        let file = BufWriter::with_capacity(BUFFER, file);
        Ok(Self { path, file, len: 0 })
    }
}

fn sync_file(writing: &mut Writing) -> io::Result<()> {
    writing.file.flush()?;
    let file = writing.file.get_ref();
    file.set_len(writing.len)?;
    file.sync_all()?;
    forget_pages(file);
    Ok(())
}

fn cannot_write(e: io::Error, output: &Path) -> Error {
    let message = "cannot write the output; it was removed, and the source left as it was";
    Error::io(e, message).in_file(output)
}

impl Files {
    /// Begins a file that is to stand at `output`.
    ///
    /// # Errors
    /// `Io` when nothing can be written beside `output`, `Usage` when it has no file name.
    pub(super) fn create(output: &Path) -> Result<Self> {
        let name = output.file_name().ok_or_else(|| {
            Error::new(ErrorKind::Usage, "the output has no file name").in_file(output)
        })?;
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(".part-");
        let beside = folder_of(output);
        let folder = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(beside)
            .map_err(|e| Error::io(e, "cannot write into the folder").in_file(beside))?;
        let first = Writing::create(folder.path().join(name))?;
        Ok(Self {
            folder,
            output: output.to_path_buf(),
            all: vec![first],
        })
    }

    fn last(&mut self) -> &mut Writing {
        self.all.last_mut().expect("it starts with one")
    }

    /// Sends everything to the disk.
    ///
    /// # Errors
    /// `Io` when that fails, as it does on a full disk.
    pub(super) fn sync(self) -> Result<Written> {
        let (mut paths, mut len) = (Vec::new(), 0);
        for mut writing in self.all {
            sync_file(&mut writing).map_err(|e| cannot_write(e, &self.output))?;
            len += writing.len;
            paths.push(writing.path);
        }
        Ok(Written {
            _folder: self.folder,
            output: self.output,
            paths,
            len,
        })
    }
}

/// Lets the system forget what it holds of a synced file, so that what is read back comes from the disk.
fn forget_pages(file: &File) {
    #[cfg(target_os = "linux")]
    {
        // Advice that is not taken leaves everything as it was.
        let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

impl Output for Files {
    fn len(&self) -> u64 {
        self.all.last().map_or(0, |writing| writing.len)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let writing = self.last();
        writing.len += bytes.len() as u64;
        let written = writing.file.write_all(bytes);
        written.map_err(|e| cannot_write(e, &self.output))
    }

    fn skip(&mut self, bytes: u64) -> Result<()> {
        const ZEROES: [u8; 4096] = [0; 4096];
        if bytes <= ZEROES.len() as u64 {
            return self.append(&ZEROES[..usize::try_from(bytes).expect("it is at most 4096")]);
        }
        let writing = self.last();
        writing.len += bytes;
        let moved = writing.file.seek(SeekFrom::Start(writing.len));
        moved.map(drop).map_err(|e| cannot_write(e, &self.output))
    }

    fn write_at(&mut self, file: usize, at: u64, bytes: &[u8]) -> Result<()> {
        let writing = &mut self.all[file];
        // What is overwritten must not come out of the buffer later.
        let on_disk = writing.len - writing.file.buffer().len() as u64;
        let flushed = if at + bytes.len() as u64 > on_disk {
            writing.file.flush()
        } else {
            Ok(())
        };
        let written = flushed.and_then(|()| writing.file.get_ref().write_all_at(bytes, at));
        written.map_err(|e| cannot_write(e, &self.output))
    }

    fn next_file(&mut self, extension: &str) -> Result<()> {
        let path = self.all[0].path.with_extension(extension);
        self.all.push(Writing::create(path)?);
        Ok(())
    }
}

/// Files that are complete and on the disk, but not yet in their places. Dropped, they are gone.
#[derive(Debug)]
pub(super) struct Written {
    _folder: TempDir,
    output: PathBuf,
    paths: Vec<PathBuf>,
    len: u64,
}

impl Written {
    /// The file to open.
    pub(super) fn first(&self) -> &Path {
        &self.paths[0]
    }

    /// Bytes of all files together.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Where the files are to stand.
    pub(super) fn places(&self) -> Vec<PathBuf> {
        let folder = folder_of(&self.output);
        let names = self
            .paths
            .iter()
            .map(|path| path.file_name().expect("each has a name"));
        names.map(|name| folder.join(name)).collect()
    }

    /// Gives the files their final names, the first one last: it stands for the whole set.
    ///
    /// # Errors
    /// `Io` when a file came to stand in the way, or they cannot be moved.
    pub(super) fn move_into_place(self, existing: Existing) -> Result<Vec<PathBuf>> {
        let places = self.places();
        let pairs = self.paths.iter().zip(&places).rev();
        for (number, (from, to)) in pairs.enumerate() {
            if let Err(err) = rename(from, to, existing) {
                // The later files of a set mean nothing without the first.
                let done = places.iter().rev().take(number);
                done.for_each(|path| drop(fs::remove_file(path)));
                return Err(err);
            }
        }
        sync_folder(folder_of(&self.output))?;
        Ok(places)
    }
}

fn rename(from: &Path, to: &Path, existing: Existing) -> Result<()> {
    output::rename(from, to, existing).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => {
            let message = "a file came to stand where the output goes; --force replaces it";
            Error::new(ErrorKind::Io, message).in_file(to)
        }
        _ => Error::io(e, "cannot move the output into its place").in_file(to),
    })
}

fn sync_folder(folder: &Path) -> Result<()> {
    output::sync_folder(folder).map_err(|e| Error::io(e, "cannot sync the folder").in_file(folder))
}
