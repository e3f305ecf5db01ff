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
        said.contains("64 evaluations each, 1 run of 4 operators on 4 seeds"),
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

#[test]
fn stage2_is_made_whole_and_goes_on_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let args = [
        "reproduce",
        "stage2",
        "--scale",
        "0.0005",
        "--sizes",
        "0.1m",
        "--tokens",
        "20000",
        "--samples",
        "12",
        "-o",
        "out",
    ];
    let mut running = Command::new(SAMARA)
        .args(args)
        .current_dir(path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(3));
    running.kill().unwrap();
    running.wait().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let said = ok(path, &args);
    assert!(
        said.contains("4 runs of 512 evaluations, 4 trainings of 20000 tokens"),
        "{said}"
    );
    let read = || std::fs::read_to_string(path.join("out/stage2.json")).unwrap();
    let numbers: Value = serde_json::from_str(&read()).unwrap();
    let rows = numbers["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["dataset", "0.1m", "compact", "compact-anew"]);
    // What was trained before knows more after as little.
    let loss = |at: usize| rows[at]["loss"].as_f64().unwrap();
    assert!(loss(2) < 0.7 * loss(3), "{} {}", loss(2), loss(3));
    assert_eq!(rows[0]["runnable"], 100.0);
    assert!(rows[0]["niches"].as_f64().unwrap() > 0.0 && rows[1]["loss"].as_f64().unwrap() < 7.0);
    assert_eq!(rows[1]["completed"].as_array().unwrap().len(), 3);
    let probes = numbers["probes"].as_array().unwrap();
    let within = probes.iter().filter(|row| row["within"] == true);
    assert_eq!((probes.len(), within.count()), (8, 4));
    for original in numbers["originals"].as_array().unwrap() {
        assert!(original[1].as_f64().unwrap() > 30.0, "{original}");
    }
    let page = std::fs::read_to_string(path.join("out/stage2.html")).unwrap();
    assert!(page.contains("galloper") && page.matches("<svg").count() == 1);
    // What is there is not made again; another size is added.
    let before = read();
    ok(path, &args);
    assert_eq!(read(), before);
    // From runs that are there.
    let from = [
        "reproduce",
        "stage2",
        "--from",
        "out/runs/square-0",
        "--sizes",
        "0.1m",
        "--bases",
        "",
        "--tokens",
        "5000",
        "--samples",
        "8",
        "-o",
        "given",
    ];
    assert!(ok(path, &from).contains("0 runs"));
    fails(
        path,
        &["reproduce", "stage2", "--scale", "0.1", "-o", "out"],
        2,
        &["this was begun with"],
    );
    fails(
        path,
        &["reproduce", "stage2", "--from", "nothing", "-o", "new"],
        2,
        &["nothing"],
    );
    fails(
        path,
        &["reproduce", "stage2", "--bases", "nothing", "-o", "new"],
        2,
        &["nothing", "is no file and no known name"],
    );
    fails(
        path,
        &["reproduce", "stage2", "--quality", "200", "-o", "new"],
        2,
        &["--quality 200"],
    );
    assert!(!path.join("new").exists());
}

#[test]
fn stage3_is_made_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let args = [
        "reproduce",
        "stage3",
        "--scale",
        "0.001",
        "--size",
        "0.1m",
        "--tokens",
        "30000",
        "--sets",
        "bumpy",
        "--iterations",
        "2",
        "--iteration-samples",
        "6",
        "--samples",
        "8",
        "--heights",
        "50,90",
        "-o",
        "out",
    ];
    let said = ok(path, &args);
    assert!(
        said.contains("1 model of the domain and 3 inventors of 2 iterations"),
        "{said}"
    );
    let read = || std::fs::read_to_string(path.join("out/stage3.json")).unwrap();
    let numbers: Value = serde_json::from_str(&read()).unwrap();
    let rows = numbers["rows"].as_array().unwrap();
    let stages: Vec<_> = rows
        .iter()
        .map(|row| row["stage"].as_str().unwrap())
        .collect();
    assert_eq!(
        stages,
        ["dataset", "domain", "codes", "codes", "vision", "vision"]
    );
    for row in rows {
        assert_eq!(row["distances"].as_array().unwrap().len(), 3, "{row}");
    }
    assert_eq!(rows[0]["paper"], 2040.0);
    let page = std::fs::read_to_string(path.join("out/stage3.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 3);
    let heights = numbers["heights"].as_array().unwrap();
    let learned = |row: &Value| {
        (
            row["tunnel"].as_f64().unwrap(),
            row["is_learned"].as_bool().unwrap(),
        )
    };
    let tunnels: Vec<(f64, bool)> = heights.iter().map(learned).collect();
    assert_eq!(tunnels, [(50.0, true), (70.0, false), (90.0, true)]);
    assert!(heights[0]["taught"].as_f64().unwrap() > 10.0);
    let before = read();
    ok(path, &args);
    assert_eq!(read(), before);
    fails(
        path,
        &["reproduce", "stage3", "--quality", "80,101", "-o", "new"],
        2,
        &["--quality 101"],
    );
    for (heights, why) in [
        ("50", "two heights"),
        ("2,50", "from 5"),
        ("a,50", "no number"),
    ] {
        let args = ["reproduce", "stage3", "--heights", heights, "-o", "new"];
        fails(path, &args, 2, &["--heights", why]);
    }
    fails(
        path,
        &["reproduce", "stage3", "--sets", "moon", "-o", "new"],
        2,
        &["moon", "bumpy"],
    );
    assert!(!path.join("new").exists());
}
