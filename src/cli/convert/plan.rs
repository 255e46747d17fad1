//! Which image becomes which file.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::arguments::ConvertArguments;
use crate::{
    Error, ErrorKind, Result,
    format::{self, PartOf},
    pack::Target,
    source::FileSource,
};

/// One image to convert.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Job {
    pub(super) source: PathBuf,
    pub(super) output: PathBuf,
    /// Found in a folder, not named by the user: then an output that is there already may be this one, finished.
    pub(super) found: bool,
}

impl Job {
    /// The name of the plain image.
    pub(super) fn plain_name(&self) -> OsString {
        with_extension(&self.source, "iso")
            .file_name()
            .unwrap_or_default()
            .to_os_string()
    }
}

/// All jobs, in the order of their sources' names, and what stands in the way of others.
///
/// # Errors
/// `Usage` when inputs and output do not fit together.
pub(super) fn jobs(
    arguments: &ConvertArguments,
    target: &Target,
) -> Result<(Vec<Job>, Vec<Error>)> {
    let (mut jobs, mut failures) = (Vec::new(), Vec::new());
    for input in &arguments.inputs {
        if input.is_dir() && !arguments.recursive {
            let message = "this is a folder; --recursive converts the images in it";
            return Err(Error::new(ErrorKind::Usage, message).in_file(input));
        }
    }
    for input in &arguments.inputs {
        if input.is_dir() {
            let base = arguments.output.as_deref().unwrap_or(input);
            walk(input, base, target, &mut jobs, &mut failures);
            continue;
        }
        let output = output_of(input, arguments, target);
        let source = input.clone();
        jobs.push(Job {
            source,
            output,
            found: false,
        });
    }
    refuse_clashes(&mut jobs, &mut failures);
    Ok((jobs, failures))
}

/// Where an image goes that the user named.
fn output_of(input: &Path, arguments: &ConvertArguments, target: &Target) -> PathBuf {
    let Some(output) = &arguments.output else {
        return with_extension(input, target.extension);
    };
    let is_folder = output.is_dir()
        || arguments.inputs.len() > 1
        || output.as_os_str().as_encoded_bytes().ends_with(b"/");
    if is_folder {
        let name = input.file_name().unwrap_or_default();
        return with_extension(&output.join(name), target.extension);
    }
    output.clone()
}

/// Two images of one name cannot both become one file: the first one does.
fn refuse_clashes(jobs: &mut Vec<Job>, failures: &mut Vec<Error>) {
    let mut taken: HashMap<PathBuf, PathBuf> = HashMap::new();
    jobs.retain(|job| {
        if let Some(first) = taken.get(&job.output) {
            let (output, first) = (
                job.output.display().to_string(),
                first.display().to_string(),
            );
            let message = format!(
                "it would become {}, as {} does; give one of them another name",
                output.escape_debug(),
                first.escape_debug()
            );
            failures.push(Error::new(ErrorKind::Io, message).in_file(&job.source));
            return false;
        }
        taken.insert(job.output.clone(), job.source.clone());
        true
    });
}

/// Replaces the extension of an image's name, and appends to any other name.
fn with_extension(path: &Path, extension: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    if format::of_name(name).is_some() {
        return path.with_extension(extension);
    }
    let mut name = name.to_os_string();
    name.push(".");
    name.push(extension);
    path.with_file_name(name)
}

fn walk(
    folder: &Path,
    into: &Path,
    target: &Target,
    jobs: &mut Vec<Job>,
    failures: &mut Vec<Error>,
) {
    let cannot = |e| Error::io(e, "cannot list the folder").in_file(folder);
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(err) => return failures.push(cannot(err)),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (name, source) = (entry.file_name(), entry.path());
        // Hidden folders may be outputs that were never finished.
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        match entry.file_type() {
            // A link to a folder may lead back here.
            Ok(kind) if kind.is_dir() => {
                walk(&source, &into.join(&name), target, jobs, failures);
            }
            Ok(_) if is_image(&source) => {
                let output = with_extension(&into.join(&name), target.extension);
                if output != source {
                    jobs.push(Job {
                        source,
                        output,
                        found: true,
                    });
                }
            }
            _ => {}
        }
    }
}

/// Whether a file bears an image's name and is one; later files of a set are part of another.
fn is_image(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    if format::of_name(name).is_none() || !path.is_file() {
        return false;
    }
    let probed = FileSource::open(path).and_then(|source| format::probe(&source, name));
    // One that is damaged fails later, by name.
    !matches!(&probed, Ok((_, summary)) if matches!(summary.part, PartOf::Later(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_extensions_of_images_are_replaced() {
        let named = |path: &str| {
            with_extension(Path::new(path), "cso")
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(named("a/Game.iso"), "a/Game.cso");
        assert_eq!(named("GAME.ISO"), "GAME.cso");
        assert_eq!(named("Game v1.2"), "Game v1.2.cso");
        assert_eq!(named("disc.bin"), "disc.bin.cso");
    }

    #[test]
    fn two_images_that_would_become_one_file_are_told_apart() {
        let job = |source: &str| Job {
            source: source.into(),
            output: "a.zso".into(),
            found: true,
        };
        let (mut jobs, mut failures) = (vec![job("a.cso"), job("a.iso")], Vec::new());
        refuse_clashes(&mut jobs, &mut failures);
        assert_eq!(jobs, [job("a.cso")]);
        assert_eq!(
            failures[0].sentence(),
            "a.iso: it would become a.zso, as a.cso does; give one of them another name"
        );
    }
}
