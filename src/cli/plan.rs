//! What a mount needs, checked before anything is mounted.

use std::{
    fs, io,
    path::{self, Path, PathBuf},
    sync::Arc,
};

use super::{
    allocator, log::Verbosity, named::check_readable, options::Settings, parents::Parents, password,
};
use crate::{
    Error, ErrorKind, Result,
    cache::BlockCache,
    format::{self, PartOf, Password},
    fs as filesystem,
    fuse::session::{MountOptions, clear_dead_mount},
    source::FileSource,
    unfold,
};

/// A mount as the arguments ask for it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) sources: Vec<PathBuf>,
    pub(super) mountpoint: PathBuf,
    pub(super) settings: Settings,
    pub(super) mode: Mode,
    pub(super) verbosity: Verbosity,
    pub(super) log_file: Option<PathBuf>,
    pub(super) ready_fd: Option<u32>,
}

/// How far to go, and where to stay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    /// Return when the mount answers, and leave it to a process in the background.
    Background,
    /// Return when it is unmounted.
    Foreground,
    /// Check everything, mount nothing.
    Fake,
}

/// A mount that nothing visible stands against. All paths are absolute.
#[derive(Debug)]
pub(super) struct Plan {
    sources: Vec<PathBuf>,
    parents: Parents,
    mountpoint: PathBuf,
    shape: Shape,
    settings: Settings,
    /// What decodes encrypted images, if it was given.
    pub(super) password: Option<Password>,
}

/// What the mount's root is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Shape {
    Directory,
    File,
}

impl Plan {
    /// Checks sources and mountpoint against each other.
    ///
    /// # Errors
    /// `Io` for a source that is not there, what opening says of an only image, `Mountpoint` for the rest.
    pub(super) fn new(request: &Request, password: Option<Password>) -> Result<Self> {
        let sources = request
            .sources
            .iter()
            .map(|it| check_readable("source", it));
        let sources: Vec<PathBuf> = sources.collect::<Result<_>>()?;
        let parents = Parents::new(&request.settings.parents)?;
        let is_apart = |mountpoint: &Path| {
            let mut sources = sources.iter();
            sources.try_for_each(|source| check_apart("source", source, mountpoint))?;
            let mut parents = parents.paths().iter();
            parents.try_for_each(|parent| check_apart("parent", parent, mountpoint))
        };
        let (mountpoint, shape) = check_mountpoint(request, &sources, &is_apart)?;
        is_apart(&mountpoint)?;
        let password = match &sources[..] {
            [image] if image.is_file() => check_image(image, &parents, password, request.mode)?,
            _ => password,
        };
        Ok(Self {
            sources,
            parents,
            mountpoint,
            shape,
            settings: request.settings.clone(),
            password,
        })
    }

    /// What the filesystem and the session need.
    pub(super) fn into_parts(self) -> (filesystem::Options, MountOptions) {
        let settings = self.settings;
        let source_name = self.sources[0].to_string_lossy().into_owned();
        let confined_to = match (settings.unconfined, settings.follow_links) {
            (true, _) => None,
            (false, true) => Some(vec!["/".into()]),
            (false, false) => {
                let read = self.sources.iter().chain(self.parents.paths());
                Some(read.map(|it| around(it)).collect())
            }
        };
        let session = MountOptions {
            mountpoint: self.mountpoint,
            source_name: settings.fsname.unwrap_or(source_name),
            allow_other: settings.allow_other,
            allow_root: settings.allow_root,
            default_permissions: settings.default_permissions,
            auto_unmount: settings.auto_unmount,
            nonempty: settings.nonempty,
            flags: settings.flags,
            threads: settings.threads,
            readahead: settings.readahead,
            direct_io: settings.direct_io,
            idle: settings.idle,
            confined_to,
            keeps_in: unfold::kept_in(),
            at_rest: Some(allocator::give_back),
        };
        let filesystem = filesystem::Options {
            sources: self.sources,
            root_is_file: self.shape == Shape::File,
            naming: settings.naming,
            images_only: settings.images_only,
            follow_links: settings.follow_links,
            nfs_export: settings.nfs_export,
            tracks: settings.tracks,
            parents: self.parents.paths().to_vec(),
            uid: settings.uid,
            gid: settings.gid,
            umask: settings.umask,
            cache: Arc::new(BlockCache::new(settings.cache)),
            password: self.password,
        };
        (filesystem, session)
    }
}

/// The folder that a source stands in. A source that is replaced, or a disk that is mounted there again, is another one
/// for the kernel, and only what stands around it is still the same.
fn around(source: &Path) -> PathBuf {
    let real = source.canonicalize().unwrap_or_else(|_| source.into());
    real.parent()
        .map_or_else(|| real.clone(), Path::to_path_buf)
}

/// The mountpoint without links, and whether it is a directory or a file. One that is to be made is made where
/// `is_apart` allows it.
fn check_mountpoint(
    request: &Request,
    sources: &[PathBuf],
    is_apart: &dyn Fn(&Path) -> Result<()>,
) -> Result<(PathBuf, Shape)> {
    let wanted = &request.mountpoint;
    if request.mode != Mode::Fake {
        clear_dead_mount(wanted)?;
    }
    let refuse = |message: &str| Err(mountpoint_error(wanted, message));
    if request.settings.mkdir && !wanted.exists() {
        let missing = path::absolute(wanted).map_err(|err| unreachable(wanted, &err))?;
        if request.mode == Mode::Fake {
            return Ok((missing, Shape::Directory));
        }
        is_apart(&missing)?;
        fs::create_dir_all(wanted).map_err(|err| unreachable(wanted, &err))?;
    }
    let metadata = fs::metadata(wanted).map_err(|err| unreachable(wanted, &err))?;
    let mountpoint = fs::canonicalize(wanted).map_err(|err| unreachable(wanted, &err))?;
    if metadata.is_dir() {
        return Ok((mountpoint, Shape::Directory));
    }
    if !metadata.is_file() {
        return refuse("the mountpoint is neither a directory nor a regular file");
    }
    match sources {
        [image] if image.is_file() => Ok((mountpoint, Shape::File)),
        _ => refuse("the mountpoint is a file, where only a single image can be mounted"),
    }
}

fn mountpoint_error(mountpoint: &Path, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Mountpoint, message).in_file(mountpoint)
}

fn unreachable(mountpoint: &Path, err: &io::Error) -> Error {
    let hint = match err.raw_os_error() {
        Some(libc::ENOENT) => ": create it, or mount with -o mkdir",
        Some(libc::ENOTCONN) => ": a mount whose process is gone is in the way, unmount it first",
        _ => "",
    };
    mountpoint_error(
        mountpoint,
        format!("cannot use the mountpoint: {err}{hint}"),
    )
}

/// A source that the mount covers, or that holds the mount, would be read through the mount itself: every reader
/// would wait for its own answer.
fn check_apart(what: &str, source: &Path, mountpoint: &Path) -> Result<()> {
    let source = fs::canonicalize(source)
        .map_err(|e| Error::io(e, format!("cannot open the {what}")).in_file(source))?;
    let source_name = source.display().to_string();
    let source_name = source_name.escape_debug();
    let message = match () {
        () if source == mountpoint => format!("the mountpoint is the {what} itself"),
        () if source.starts_with(mountpoint) => {
            format!("the {what} {source_name} lies below the mountpoint, which would hide it")
        }
        () if mountpoint.starts_with(&source) => {
            format!(
                "the mountpoint lies inside the {what} {source_name}, which would contain itself"
            )
        }
        () => return Ok(()),
    };
    let message = format!("{message}; choose a mountpoint beside it");
    Err(mountpoint_error(mountpoint, message))
}

/// Looks at an only image, so that what is none is no empty mount: at its header alone where no password is needed,
/// because the process that serves the mount opens it anyway. Returns the password to mount with.
fn check_image(
    image: &Path,
    parents: &Parents,
    given: Option<Password>,
    mode: Mode,
) -> Result<Option<Password>> {
    let source = FileSource::open(image)?;
    let name = image.file_name().unwrap_or_default();
    let in_file = |err: Error| err.in_file(image);
    let format = format::detect(&source, name).map_err(in_file)?;
    match (format.probe)(&source) {
        Ok(summary) if summary.part == PartOf::Whole && !summary.encrypted => {
            if mode != Mode::Fake {
                return Ok(given);
            }
        }
        Ok(_) => {}
        // A sheet alone does not tell, the files that it names do.
        Err(_) if format.files.is_some() => {}
        Err(err) => return Err(in_file(err)),
    }
    let password = password::ForImage::new(image, given.as_ref());
    parents.open(image, BlockCache::new(0), &|| password.find())?;
    let typed = password.into_typed();
    Ok(given.or(typed))
}

#[cfg(test)]
mod tests;
