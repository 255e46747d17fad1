//! How far a long command is, on a terminal.

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

const TEMPLATE: &str =
    "{wide_msg} {bar:24} {percent:>3} %  {bytes}/{total_bytes}  {bytes_per_sec}  {eta}";

/// A bar on stderr while it lives; nothing where stderr is no terminal.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// For `len` plain bytes of a file.
    pub(super) fn new(file: &Path, len: u64) -> Self {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is tested");
        let bar = ProgressBar::new(len).with_style(style);
        bar.set_message(super::log::one_line(&name));
        Self(bar)
    }

    /// So many bytes are done.
    pub(super) fn at(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_one_that_the_bar_knows() {
        let progress = Progress::new(Path::new("a\nb"), 100);
        progress.at(50);
        assert_eq!(progress.0.position(), 50);
    }
}
