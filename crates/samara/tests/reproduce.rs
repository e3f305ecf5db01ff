//! `samara reproduce`, at the smallest scale.

mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use common::{SAMARA, fails, ok};
use serde_json::Value;

#[test]
fn stage1_is_made_whole_and_goes_on_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let args = [
        "reproduce",
        "stage1",
        "--scale",
        "0.00001",
        "--runs",
        "1",
        "--tokens",
        "3000",
        "-o",
        "out",
    ];
    let mut running = Command::new(SAMARA)
        .args(args)
        .current_dir(path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Somewhere among the first runs.
    std::thread::sleep(Duration::from_secs(5));
    running.kill().unwrap();
    running.wait().unwrap();
    // The run that it had begun ends with it.
    std::thread::sleep(Duration::from_secs(1));
    let said = ok(path, &args);
    assert!(
        said.contains("64 evaluations each, 1 runs of 4 operators on 4 seeds"),
        "{said}"
    );
    let read = || std::fs::read_to_string(path.join("out/stage1.json")).unwrap();
    let numbers: Value = serde_json::from_str(&read()).unwrap();
    let rows = numbers["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 16);
    for row in rows {
        assert!(row["niches"].as_f64().unwrap() > 0.0, "{row}");
        assert_eq!(
            row["paper"].is_null(),
            row["operator"] == "gp" || row["operator"] == "tuned-on-gp"
        );
    }
    let lessons = |name: &str| {
        std::fs::read_to_string(path.join(format!("out/lessons/{name}.jsonl")))
            .unwrap()
            .lines()
            .count()
    };
    assert_eq!(lessons("base"), lessons("gp"));
    let page = std::fs::read_to_string(path.join("out/stage1.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 12);
    // What is there is not made again, and comes to the same.
    let before = read();
    ok(path, &args);
    assert_eq!(read(), before);
    let other = ["reproduce", "stage1", "--scale", "0.1", "-o", "out"];
    fails(path, &other, 2, &["this was begun with", "another folder"]);
    fails(
        path,
        &["reproduce", "stage1", "--scale", "0", "-o", "new"],
        2,
        &["--scale 0: give a number above 0"],
    );
    let nowhere = ["reproduce", "stage1", "--base", "nowhere", "-o", "new"];
    fails(
        path,
        &nowhere,
        2,
        &["nowhere", "is no file and no known name"],
    );
    assert!(!path.join("new").exists());
}
