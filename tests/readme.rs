//! The README says what the registry says.

use plainiso::format::FORMATS;

#[test]
fn the_formats_table_is_the_registry() {
    let table: String = FORMATS
        .iter()
        .map(|format| {
            let extensions: Vec<_> = format.extensions.iter().map(|e| format!(".{e}")).collect();
            let extensions = extensions.join(" ");
            format!("| {} | {extensions} | {} |\n", format.name, format.title)
        })
        .collect();
    let readme = include_str!("../README.md");
    assert!(
        readme.contains(&table),
        "the formats table of README.md must hold these lines:\n{table}"
    );
}
