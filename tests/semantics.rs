//! Each promise of `docs/SEMANTICS.md` names the test that keeps it: those tests must exist.

use std::{fs, path::Path};

/// Every `.rs` file below a folder, joined.
fn code(folder: &Path) -> String {
    let mut joined = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            joined += &code(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            joined += &fs::read_to_string(&path).unwrap();
        }
    }
    joined
}

#[test]
fn every_test_that_the_semantics_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let promises = fs::read_to_string(root.join("docs/SEMANTICS.md")).unwrap();
    let code = code(&root.join("src")) + &code(&root.join("tests"));
    let quoted = promises.split('`').skip(1).step_by(2);
    let names = quoted.map(|name| name.rsplit("::").next().unwrap());
    let tests: Vec<&str> = names
        .filter(|name| name.matches('_').count() >= 3)
        .collect();
    assert!(tests.len() > 40, "only {} tests are named", tests.len());
    for test in tests {
        assert!(
            code.contains(&format!("fn {test}()")) || code.contains(&format!("fn {test}(")),
            "{test}"
        );
    }
}
