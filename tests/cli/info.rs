//! `plainiso info`: what it says of images, and the map that it draws.

use std::{ffi::OsStr, fs, path::Path};

use crate::{Place, run};

#[test]
fn info_tells_people_and_programs() {
    let place = Place::new();
    let good = place.path("lib/good.iso");
    let people = run(&[OsStr::new("info"), good.as_os_str()]);
    assert_eq!((people.code, people.stderr.as_str()), (0, ""));
    assert!(
        people
            .text()
            .contains("plain size:  100000 bytes (97.7 KiB)\n"),
        "{}",
        people.text()
    );
    assert!(
        people.text().contains("label:       GOOD_DISC\n")
            || people.text().trim_end().ends_with("GOOD_DISC")
    );

    let programs = run(&[OsStr::new("info"), OsStr::new("--json"), good.as_os_str()]);
    let json: serde_json::Value = serde_json::from_slice(&programs.stdout).unwrap();
    let expected = serde_json::json!([{
        "file": good, "format": "iso", "variant": "plain", "size": 100_000, "stored_size": 100_000, "ratio": 1.0,
        "block_size": 65536, "blocks": 2, "codecs": {"stored": 2}, "label": "GOOD_DISC", "parts": [],
        "files": [],
        "encryption": null, "checksums": [], "notes": [],
    }]);
    assert_eq!(json, expected);
}

#[test]
fn info_shows_the_good_and_names_the_bad() {
    let place = Place::new();
    let (good, bad, missing) = (
        place.path("lib/good.iso"),
        place.path("lib/bad.iso"),
        place.path("x"),
    );
    let info = |files: &[&Path]| {
        let mut arguments = vec![Path::new("info"), Path::new("--json")];
        arguments.extend(files);
        run(&arguments
            .iter()
            .map(|path| path.as_os_str())
            .collect::<Vec<_>>())
    };
    let one = info(&[&bad, &good]);
    assert_eq!(one.code, 3);
    assert!(
        one.stderr.starts_with("plainiso: ")
            && one.stderr.contains("bad.iso: this is no disc image")
    );
    let json: serde_json::Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 1);
    let two = info(&[&bad, &missing]);
    assert_eq!(
        (two.code, two.stderr.lines().count()),
        (1, 2),
        "{}",
        two.stderr
    );
    assert_eq!(two.text(), "[]\n");
}

#[test]
fn a_map_is_drawn_as_text_and_as_a_new_svg_file() {
    let place = Place::new();
    let (image, svg) = (place.path("lib/good.iso"), place.path("map.svg"));
    let arguments = [
        "info".as_ref(),
        "--map".as_ref(),
        "--svg".as_ref(),
        svg.as_os_str(),
        image.as_os_str(),
    ];
    let first = run(&arguments);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(
        first
            .text()
            .contains("label:       GOOD_DISC\n        0  ██\n")
    );
    assert!(fs::read_to_string(&svg).unwrap().ends_with("</svg>\n"));
    let second = run(&arguments);
    assert_eq!(second.code, 1);
    assert!(second.stderr.contains("map.svg: it is there already"));
    let both = [
        "info".as_ref(),
        "--map".as_ref(),
        "--json".as_ref(),
        image.as_os_str(),
    ];
    assert_eq!(run(&both).code, 2);
    let two = [&arguments[2..], &[image.as_os_str()]].concat();
    assert_eq!(run(&[&["info".as_ref()], &two[..]].concat()).code, 2);
}
