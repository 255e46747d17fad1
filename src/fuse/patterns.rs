//! Patterns for names in the mount, as a shell has them.

use std::path::Path;

use glob::MatchOptions;

/// A pattern for files of the mount. `?`, `*` and `[...]` stand for characters of one name, `**/` for any folders.
/// With a `/` in it, it is for the path below the mountpoint, else for the file's name alone. Letter case counts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    glob: glob::Pattern,
    is_for_paths: bool,
}

/// A star does not reach into another folder; names that begin with a dot are names like all others.
const RULES: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

impl Pattern {
    /// Understands a pattern.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let glob = glob::Pattern::new(text.trim_start_matches('/'));
        Ok(Self {
            glob: glob.map_err(|_| "a pattern of ?, *, **/ and [...]")?,
            is_for_paths: text.contains('/'),
        })
    }

    /// Whether it is for the file at a path below the mountpoint. What is no UTF-8 in a name counts as U+FFFD.
    pub(super) fn matches(&self, shown: &Path) -> bool {
        let subject = if self.is_for_paths {
            shown.as_os_str()
        } else {
            shown.file_name().unwrap_or_default()
        };
        self.glob.matches_with(&subject.to_string_lossy(), RULES)
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use super::*;

    fn is_for(pattern: &str, shown: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(Path::new(shown))
    }

    #[test]
    fn a_pattern_without_a_slash_is_for_names_and_one_with_a_slash_for_paths() {
        for shown in ["a.bin", "deep/er/a.bin", ".bin"] {
            assert!(is_for("*.bin", shown) && is_for("*", shown), "{shown}");
            assert!(is_for("**/*.bin", shown), "{shown}");
        }
        assert!(is_for("/*.bin", "a.bin") && !is_for("/*.bin", "deep/a.bin"));
        assert!(is_for("deep/*/[ab].bin", "deep/er/a.bin"));
        assert!(!is_for("deep/*.bin", "deep/er/a.bin"));
        assert!(!is_for("*.bin", "a.BIN") && !is_for("*.bin", "a.bin/b"));
    }

    #[test]
    fn a_star_is_for_names_of_any_bytes() {
        let name = Path::new(OsStr::from_bytes(b"\xff\n"));
        assert!(Pattern::new("*").unwrap().matches(name));
        assert!(Pattern::new("??").unwrap().matches(name));
    }

    /// Whoever writes names must not be able to keep a reader waiting.
    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(60) + "b";
        assert!(!is_for(&pattern, &"a".repeat(255)));
    }

    #[test]
    fn rejects_what_is_no_pattern() {
        for text in ["[a", "a**", "***"] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
    }
}
