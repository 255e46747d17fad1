//! `open`: what a double click does.

use std::{
    env,
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::{self, Path, PathBuf},
    process::{Command, Stdio},
};

use clap::Args;

use super::{Exit, background};
use crate::{
    Error, ErrorKind, Result,
    fuse::session::{clear_dead_mount, mounts},
};

/// Images of one name that are open at the same time. More are a mistake.
const MOST_OF_A_NAME: u32 = 100;

/// What `open` is asked for.
#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    /// An image file.
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Unmount when nothing was open for so long: seconds, or m or h behind a number.
    #[arg(long, value_name = "TIME", default_value = "10m")]
    idle: String,
}

/// Mounts an image below `$XDG_RUNTIME_DIR`, unless it is there already, and opens the folder that it is in.
///
/// # Errors
/// `Usage` without a session, `Io` when the folder or the file manager refuse.
pub(in crate::cli) fn run(arguments: &Arguments) -> Result<Exit> {
    let image = path::absolute(&arguments.image)
        .map_err(|err| Error::io(err, "cannot open the source").in_file(&arguments.image))?;
    let folder = session_folder()?;
    let place = Place::of(&image, &folder)?;
    if !place.is_mounted {
        let exit = mount(&image, &place.path, &arguments.idle)?;
        if exit != Exit::SUCCESS {
            // What was made for the mount goes with it.
            let _ = fs::remove_dir(&place.path);
            return Ok(exit);
        }
    }
    show(&place.path)
}

/// `$XDG_RUNTIME_DIR/plainiso`, without the mountpoints that earlier calls left there.
fn session_folder() -> Result<PathBuf> {
    let Some(runtime) = env::var_os("XDG_RUNTIME_DIR").filter(|dir| Path::new(dir).is_absolute())
    else {
        let message =
            "XDG_RUNTIME_DIR is not set, so there is no place for a mount: use plainiso mount";
        return Err(Error::new(ErrorKind::Usage, message));
    };
    let folder = Path::new(&runtime).join("plainiso");
    let made = DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(&folder);
    let cannot = |err| Error::io(err, "cannot make the folder for mounts").in_file(&folder);
    made.map_err(cannot)?;
    let folder = folder.canonicalize().map_err(cannot)?;
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        // What is mounted or filled stays.
        if clear_dead_mount(&entry.path()).is_ok() {
            let _ = fs::remove_dir(entry.path());
        }
    }
    Ok(folder)
}

/// Where an image is shown.
struct Place {
    path: PathBuf,
    is_mounted: bool,
}

impl Place {
    /// The image's name, with a number behind it where another image of this name is open.
    fn of(image: &Path, folder: &Path) -> Result<Self> {
        let name = image.file_name().unwrap_or_default().to_string_lossy();
        let mounts = mounts()?;
        for number in 1..=MOST_OF_A_NAME {
            let path = match number {
                1 => folder.join(&*name),
                _ => folder.join(format!("{name} ({number})")),
            };
            match mounts.iter().find(|(mountpoint, _)| *mountpoint == path) {
                None => {
                    return Ok(Self {
                        path,
                        is_mounted: false,
                    });
                }
                Some((_, source)) if source.to_string_lossy() == image.to_string_lossy() => {
                    return Ok(Self {
                        path,
                        is_mounted: true,
                    });
                }
                Some(_) => {}
            }
        }
        let message = format!("{MOST_OF_A_NAME} images of this name are open");
        Err(Error::new(ErrorKind::Mountpoint, message).in_file(image))
    }
}

/// A mount of its own, as `plainiso mount` makes it.
fn mount(image: &Path, place: &Path, idle: &str) -> Result<Exit> {
    let status = Command::new(background::program())
        .args(["mount", "--mkdir", "--idle", idle, "--"])
        .args([image, place])
        .status()
        .map_err(|err| Error::io(err, "cannot start plainiso mount"))?;
    if status.success() {
        return Ok(Exit::SUCCESS);
    }
    background::exit_of(status)
}

const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else {
    "xdg-open"
};

fn show(place: &Path) -> Result<Exit> {
    let mut command = Command::new(OPENER);
    command.arg(place).stdin(Stdio::null());
    let status = command.status().map_err(|err| {
        let message = format!("mounted, but {OPENER} cannot be started");
        Error::io(err, message).in_file(place)
    })?;
    if status.success() {
        return Ok(Exit::SUCCESS);
    }
    let message = format!("mounted, but {OPENER} ended with {status}");
    Err(Error::new(ErrorKind::Io, message).in_file(place))
}
