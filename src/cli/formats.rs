//! `formats`.

use serde::Serialize;

use super::{Exit, answer, arguments::FormatsArguments};
use crate::{Error, Result, format::FORMATS};

mod mime;

/// One line of the answer; the names are fixed.
#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    title: &'static str,
    extensions: &'static [&'static str],
    reads: bool,
    writes: bool,
}

/// Lists the registry.
///
/// # Errors
/// `Io` when stdout refuses.
pub(super) fn run(arguments: &FormatsArguments) -> Result<Exit> {
    if arguments.mime {
        return answer(|out| out.write_all(mime::package().as_bytes()));
    }
    let lines: Vec<Line> = FORMATS
        .iter()
        .map(|format| Line {
            name: format.name,
            title: format.title,
            extensions: format.extensions,
            reads: true,
            writes: !format.targets.is_empty(),
        })
        .collect();
    let text = if arguments.json {
        serde_json::to_string_pretty(&lines)
            .map_err(|e| Error::io(e.into(), "cannot write JSON"))?
    } else {
        table(&lines)
    };
    answer(|out| writeln!(out, "{text}"))
}

/// For the manual.
pub(super) fn names_and_titles() -> impl Iterator<Item = (&'static str, &'static str)> {
    FORMATS.iter().map(|format| (format.name, format.title))
}

fn table(lines: &[Line]) -> String {
    let row = |name: &str, extensions: &str, reads: &str, writes: &str, title: &str| {
        format!("{name:<7} {extensions:<12} {reads:<6} {writes:<7} {title}")
    };
    let head = row("FORMAT", "EXTENSIONS", "READS", "WRITES", "WHAT");
    let yes = |flag| if flag { "yes" } else { "no" };
    let rows = lines.iter().map(|line| {
        let extensions: Vec<String> = line.extensions.iter().map(|e| format!(".{e}")).collect();
        row(
            line.name,
            &extensions.join(" "),
            yes(line.reads),
            yes(line.writes),
            line.title,
        )
    });
    std::iter::once(head)
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}
