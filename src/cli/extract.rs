//! `extract`.

use std::{
    collections::HashSet,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    Exit, Tally, cat,
    found::{Found, images_at},
    parents::{ParentPaths, Parents},
    password,
    progress::Progress,
};
use crate::{
    Error, ErrorKind, Result, cache::BlockCache, extract::to_file, format::Password,
    output::Existing,
};

/// What `extract` is asked for.
#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    /// Image files, of a split set the first file; with --recursive also folders.
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
    /// The file to write, or the folder to write to; `-` is stdout. Without it, files are written beside their
    /// images, as .iso.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Replace files that are there.
    #[arg(short, long)]
    force: bool,
    /// Extract all compressed images of folders and of the folders in them.
    #[arg(short, long)]
    recursive: bool,
    /// Read the password of encrypted images from this file.
    #[arg(long, value_name = "PATH")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    parents: ParentPaths,
}

/// Where files go.
enum Target<'a> {
    Stdout,
    File(&'a Path),
    Folder(&'a Path),
    Beside,
}

/// Writes each image's plain bytes to a file. One that does not work is reported, and the others still written.
///
/// # Errors
/// `Usage` when the arguments do not fit each other; what a password file or stdout reports.
pub(in crate::cli) fn run(arguments: &Arguments) -> Result<Exit> {
    let given = password::given(arguments.password_file.as_deref())?;
    let parents = arguments.parents.checked()?;
    let target = arguments.target()?;
    if matches!(target, Target::Stdout) {
        return cat::to_stdout(&arguments.images[0], &parents, given.as_ref());
    }
    let mut run = Run {
        arguments,
        target,
        parents,
        given,
        tally: Tally::default(),
        written: HashSet::new(),
    };
    for path in &arguments.images {
        if let Err(err) = run.extract_all(path) {
            run.tally.failed(&err.in_file(path));
        }
    }
    Ok(run.tally.exit())
}

impl Arguments {
    fn target(&self) -> Result<Target<'_>> {
        let Some(output) = self.output.as_deref() else {
            return Ok(Target::Beside);
        };
        let has_one_file = matches!(&self.images[..], [image] if !image.is_dir());
        if output == Path::new("-") {
            if !has_one_file {
                let message = "-o - writes one image to stdout, and no folder";
                return Err(Error::new(ErrorKind::Usage, message));
            }
            return Ok(Target::Stdout);
        }
        let is_folder = output.is_dir() || output.as_os_str().as_bytes().ends_with(b"/");
        if has_one_file && !is_folder {
            return Ok(Target::File(output));
        }
        Ok(Target::Folder(output))
    }
}

/// One run over all arguments.
struct Run<'a> {
    arguments: &'a Arguments,
    target: Target<'a>,
    parents: Parents,
    given: Option<Password>,
    tally: Tally,
    written: HashSet<PathBuf>,
}

impl Run<'_> {
    fn extract_all(&mut self, path: &Path) -> Result<()> {
        let is_folder = path.is_dir();
        if is_folder && !self.arguments.recursive {
            let message = "this is a folder; use --recursive to extract its images";
            return Err(Error::new(ErrorKind::IsADirectory, message));
        }
        let all = images_at(path, &self.parents, &mut self.tally)?;
        if all.len() > 1 && matches!(self.target, Target::File(_)) {
            let message =
                "this is a disc of several files; name a folder with -o, ending in a slash";
            return Err(Error::new(ErrorKind::Usage, message));
        }
        for found in all {
            // A plain image in a library is what the others are to become.
            if is_folder && found.is_plain {
                continue;
            }
            if let Err(err) = self.extract(path, &found, is_folder) {
                self.tally.failed(&err.in_file(&found.path));
            }
        }
        Ok(())
    }

    fn extract(&mut self, argument: &Path, found: &Found, is_in_folder: bool) -> Result<()> {
        let password = password::ForImage::new(&found.path, self.given.as_ref());
        let image = found.open(BlockCache::new(0), &|| password.find())?;
        let out = match self.target {
            Target::File(file) => file.to_path_buf(),
            Target::Folder(folder) => folder.join(&found.plain),
            Target::Beside if is_in_folder => argument.join(&found.plain),
            Target::Beside | Target::Stdout => argument.with_file_name(&found.plain),
        };
        self.make_room_for(&out)?;
        let existing = if self.arguments.force {
            Existing::Replace
        } else {
            Existing::Refuse
        };
        let progress = Progress::new(&out, image.size());
        to_file(&image, &found.path, &out, existing, &mut |done| {
            progress.at(done);
        })?;
        Ok(())
    }

    /// Makes the folders of a file, and sees that no two images get one name.
    fn make_room_for(&mut self, out: &Path) -> Result<()> {
        if !self.written.insert(out.to_path_buf()) {
            let message = "another image of this run has this name; extract it with -o";
            return Err(Error::new(ErrorKind::Usage, message).in_file(out));
        }
        let folder = out
            .parent()
            .filter(|_| matches!(self.target, Target::Folder(_)));
        match folder.map(fs::create_dir_all) {
            Some(Err(err)) => {
                Err(Error::io(err, "cannot make the folder of this file").in_file(out))
            }
            _ => Ok(()),
        }
    }
}
