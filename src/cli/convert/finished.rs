//! Whether an output that is there already is what its source becomes: so that an interrupted batch goes on.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use super::plan::Job;
use crate::{
    Error, ErrorKind, Result,
    convert::{self, Existed, Phase, Watch},
    format::Password,
    image::Image,
    pack::{Encryption, Target},
};

/// How closely to look.
pub(super) struct Check<'a> {
    /// What the output must be.
    pub(super) format_of: &'static Target,
    /// Compare every byte, with so many threads.
    pub(super) compare: Option<NonZeroUsize>,
    /// Where the parents of CHDs may be.
    pub(super) parents: &'a [PathBuf],
}

impl Check<'_> {
    /// Looks at the output of a job.
    ///
    /// # Errors
    /// What opening both reports; `Io` when the output is not what the source becomes.
    pub(super) fn run(
        &self,
        job: &Job,
        encryption: Option<&Encryption>,
        watch: &dyn Watch,
    ) -> Result<Existed> {
        let source = convert::open(&job.source, self.parents, &|| watch.password(&job.source))?;
        let password = || Ok(encryption.map(|it| Password::new(it.password.to_vec())));
        let output = convert::open(&job.output, &[], &password)
            .map_err(|err| not_ours(&job.output, &err.to_string()))?;
        let targets = output.format().targets;
        if !targets
            .iter()
            .any(|target| target.name == self.format_of.name)
        {
            return Err(not_ours(
                &job.output,
                &format!("it is {}", output.format().name),
            ));
        }
        if output.size() != source.size() {
            let sizes = format!(
                "it holds {} bytes, the source {}",
                output.size(),
                source.size()
            );
            return Err(not_ours(&job.output, &sizes));
        }
        check_last_block(&output).map_err(|err| not_ours(&job.output, &err.to_string()))?;
        if let Some(jobs) = self.compare {
            watch.begin(Phase::Comparing, source.size());
            convert::compare(&source, &output, jobs, watch)
                .map_err(|err| err.in_file(&job.output))?;
        }
        Existed::new(&job.source, &source, self.compare.is_some())
    }
}

/// A file that was cut off lacks its end.
fn check_last_block(image: &Image) -> Result<()> {
    let last = image.geometry().span(image.geometry().blocks() - 1);
    image.read_at(&mut [0], last.start).map(|_| ())
}

fn not_ours(output: &Path, why: &str) -> Error {
    let message =
        format!("a file stands where the output goes, and is not it: {why}; --force replaces it");
    Error::new(ErrorKind::Io, message).in_file(output)
}
