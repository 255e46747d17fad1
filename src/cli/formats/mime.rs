//! The registry as a package of the shared MIME database: which names stand for which types, for file managers.
//!
//! Source: the "Shared MIME-info Database" specification 0.21 of freedesktop.org, section 2.

use crate::format::FORMATS;

/// Extensions that have a type of their own everywhere. A package that gave them another would take them away from
/// the programs that they belong to.
const KNOWN: &[(&str, &str)] = &[
    ("iso", "application/x-cd-image"),
    ("img", "application/x-raw-disk-image"),
    ("bin", "application/octet-stream"),
    ("cue", "application/x-cue"),
    ("gz", "application/gzip"),
    ("xz", "application/x-xz"),
    ("zst", "application/zstd"),
    ("bz2", "application/x-bzip2"),
    ("lz4", "application/x-lz4"),
    ("zip", "application/zip"),
    ("7z", "application/x-7z-compressed"),
    ("rar", "application/vnd.rar"),
    ("wad", "application/x-doom-wad"),
    ("dmg", "application/x-apple-diskimage"),
];

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <mime-info xmlns=\"http://www.freedesktop.org/standards/shared-mime-info\">\n";

/// One type for each extension of each format.
pub(super) fn package() -> String {
    let mut package = HEAD.to_owned();
    for format in FORMATS {
        for extension in format.extensions {
            package += &entry(extension, format.title);
        }
    }
    package + "</mime-info>\n"
}

fn entry(extension: &str, title: &str) -> String {
    let glob = format!("    <glob pattern=\"*.{}\"/>\n", escaped(extension));
    let last = extension.rsplit('.').next().unwrap_or(extension);
    let known = KNOWN.iter().find(|(name, _)| *name == last);
    match known {
        Some((_, kind)) if last == extension => {
            format!("  <mime-type type=\"{kind}\">\n{glob}  </mime-type>\n")
        }
        _ => {
            let outer = known.map(|(_, kind)| format!("    <sub-class-of type=\"{kind}\"/>\n"));
            format!(
                "  <mime-type type=\"application/x-plainiso-{}\">\n    <comment>{}</comment>\n{}{glob}  </mime-type>\n",
                extension.replace('.', "-"),
                escaped(title),
                outer.unwrap_or_default(),
            )
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_of_the_registry_has_a_type() {
        let package = package();
        for extension in FORMATS.iter().flat_map(|format| format.extensions) {
            let glob = format!("<glob pattern=\"*.{extension}\"/>");
            assert_eq!(package.matches(&glob).count(), 1, "{extension}");
        }
        let mut reader = quick_xml::Reader::from_str(&package);
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
    }

    #[test]
    fn a_common_extension_keeps_its_type_and_one_behind_another_is_a_kind_of_it() {
        assert!(entry("zip", "x").contains("type=\"application/zip\""));
        let both = entry("iso.gz", "a & b");
        assert!(both.contains("type=\"application/x-plainiso-iso-gz\""));
        assert!(both.contains("<sub-class-of type=\"application/gzip\"/>"));
        assert!(both.contains("<comment>a &amp; b</comment>"));
    }
}
