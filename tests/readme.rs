//! The README says what the registry says.

use plainiso::format::{FORMATS, Format};

#[test]
fn the_formats_table_is_the_registry() {
    let line = |format: &&Format| {
        let extensions = format.extensions.join(" .");
        format!("| {} | .{extensions} | {} |\n", format.name, format.title)
    };
    let table = FORMATS.iter().map(line).collect::<Vec<_>>().concat();
    let readme = include_str!("../README.md");
    assert!(
        readme.contains(&table),
        "the formats table of README.md must hold these lines:\n{table}"
    );
}
