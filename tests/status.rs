//! `plainiso status`: what a mount says about itself, for people, for programs and on a terminal.

mod library;

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Command, Stdio},
};

use library::{Mount, PLAINISO, fuse_is_there, succeed};
use serde_json::Value;

fn status(arguments: &[&str]) -> Command {
    let mut command = Command::new(PLAINISO);
    command
        .args(["status", "--interval", "0.05"])
        .args(arguments);
    command
}

fn json(mountpoint: &Path) -> Value {
    let output = succeed(status(&["--json"]).arg(mountpoint));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()[0].take()
}

#[test]
fn status_tells_open_images_and_their_work() {
    if !fuse_is_there() {
        return;
    }
    let mount = Mount::of(&library::folder());
    let mut open = File::open(mount.path().join("Racer.iso")).unwrap();
    open.read_exact(&mut vec![0; 100_000]).unwrap();
    let told = json(mount.path());
    assert_eq!(told["mountpoint"], mount.path().to_str().unwrap());
    assert_eq!(told["source"], library::folder().to_str().unwrap());
    let image = &told["stats"]["open"][0];
    assert_eq!(
        (&image["path"], &image["readers"]),
        (&"Racer.iso".into(), &1.into())
    );
    assert!(image["bytes_out"].as_u64().unwrap() >= 100_000);
    assert!(told["rates"]["seconds"].as_f64().unwrap() > 0.0);
    let text = succeed(status(&[]).arg(mount.path())).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("1 reader   Racer.iso"), "{text}");
    assert!(text.contains("0 errors"), "{text}");
    drop(open);
    let open = || {
        json(mount.path())["stats"]["open"]
            .as_array()
            .unwrap()
            .len()
    };
    while open() > 0 {}
}

fn metrics(mountpoint: &Path) -> String {
    let mut command = Command::new(PLAINISO);
    command.args(["status", "--prometheus"]).arg(mountpoint);
    String::from_utf8(succeed(&mut command).stdout).unwrap()
}

#[test]
fn metrics_tell_the_same_numbers_as_json() {
    if !fuse_is_there() {
        return;
    }
    let mount = Mount::of(&library::folder());
    let mut open = File::open(mount.path().join("Racer.iso")).unwrap();
    open.read_exact(&mut vec![0; 100_000]).unwrap();
    // The kernel may still be reading ahead.
    let (told, text) = loop {
        let (before, text, after) = (
            json(mount.path()),
            metrics(mount.path()),
            json(mount.path()),
        );
        let counted = ["reads", "bytes_out"].map(|name| &before["stats"][name]);
        if counted == ["reads", "bytes_out"].map(|name| &after["stats"][name]) {
            break (after, text);
        }
    };
    let at = mount.path().to_str().unwrap();
    let stats = &told["stats"];
    for line in [
        format!("plainiso_up{{mountpoint=\"{at}\"}} 1"),
        format!("plainiso_errors_total{{mountpoint=\"{at}\"}} 0"),
        format!(
            "plainiso_reads_total{{mountpoint=\"{at}\"}} {}",
            stats["reads"]
        ),
        format!(
            "plainiso_read_bytes_total{{mountpoint=\"{at}\"}} {}",
            stats["bytes_out"]
        ),
        format!("plainiso_image_readers{{mountpoint=\"{at}\",image=\"Racer.iso\"}} 1"),
    ] {
        assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
    }
    drop(open);
}

#[test]
fn every_metric_is_described_before_its_first_value_and_no_series_is_told_twice() {
    if !fuse_is_there() {
        return;
    }
    let mount = Mount::of(&library::folder());
    let _open = File::open(mount.path().join("Racer.iso")).unwrap();
    let (mut series, mut metric) = (std::collections::HashSet::new(), "");
    let text = metrics(mount.path());
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            metric = described.split(' ').next().unwrap();
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').unwrap();
            assert_eq!(name, metric, "{text}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        } else {
            let (labelled, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(labelled.split('{').next(), Some(metric), "{text}");
            assert!(value.parse::<f64>().unwrap() >= 0.0, "{line}");
            assert!(series.insert(labelled), "told twice: {line}");
        }
    }
    assert!(series.len() >= 14, "{text}");
}

#[test]
fn a_mount_that_is_not_there_is_a_metric_of_0_and_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let text = metrics(&path);
    let line = format!("plainiso_up{{mountpoint=\"{}\"}} 0\n", path.display());
    assert!(text.ends_with(&line) && text.lines().count() == 3, "{text}");
}

#[test]
fn status_without_a_mountpoint_tells_all_mounts() {
    if !fuse_is_there() {
        return;
    }
    let mounts = [Mount::of(&library::folder()), Mount::of(&library::folder())];
    // Other tests' mounts may be dead or go away meanwhile, which is told by the exit code.
    let output = status(&["--json"]).output().unwrap();
    let told: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    for mount in mounts {
        let path = mount.path().to_str().unwrap();
        assert!(told.iter().any(|it| it["mountpoint"] == path), "{told:?}");
    }
}

#[test]
fn status_refuses_a_folder_where_nothing_of_ours_is_mounted() {
    let output = status(&["/"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("nothing of plainiso is mounted here"),
        "{stderr}"
    );
    let output = status(&["--interval", "0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn watching_without_a_terminal_prints_lines_until_the_reader_goes() {
    if !fuse_is_there() {
        return;
    }
    let mount = Mount::of(&library::folder());
    let mut command = status(&["--watch", "--json"]);
    let mut child = command
        .arg(mount.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        let line = lines.next().unwrap().unwrap();
        let told: Vec<Value> = serde_json::from_str(&line).unwrap();
        assert_eq!(told.len(), 1);
    }
    drop(lines);
    assert!(child.wait().unwrap().success());
}

/// `script` gives the program a terminal.
#[test]
fn watching_on_a_terminal_is_a_screen_that_q_leaves() {
    if !fuse_is_there() {
        return;
    }
    if !Path::new("/usr/bin/script").exists() {
        eprintln!("left out: script(1) is not installed");
        return;
    }
    let mount = Mount::of(&library::folder());
    let line = format!(
        "{PLAINISO} status --watch --interval 0.1 {}",
        mount.path().display()
    );
    let mut child = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("q leaves") {
        let mut bytes = [0; 4096];
        let n = screen.read(&mut bytes).unwrap();
        assert!(n > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend(&bytes[..n]);
    }
    keys.write_all(b"q").unwrap();
    screen.read_to_end(&mut seen).unwrap();
    assert!(child.wait().unwrap().success());
    let seen = String::from_utf8_lossy(&seen);
    assert!(
        seen.contains("\x1b[?1049h") && seen.ends_with("\x1b[?1049l"),
        "{seen:?}"
    );
}
