//! `samara bench` through the real binary: programs are judged in the cage, counts are repeatable, files are written.

mod common;

use std::fs;
use std::path::Path;

use common::{fails, ok};
use serde_json::Value;

/// Runs the comparison and returns what it printed as JSON, without what no two runs share.
fn measure(folder: &Path, args: &[&str]) -> Value {
    let all = [&["bench", "bugs", "--json"], args].concat();
    let mut result: Value = serde_json::from_str(&ok(folder, &all)).unwrap();
    for row in result["results"].as_array_mut().unwrap() {
        row["cost"]["seconds"] = Value::Null;
    }
    result
}

fn row<'a>(result: &'a Value, task: &str, operator: &str, bugs: u64) -> &'a Value {
    let rows = result["results"].as_array().unwrap();
    rows.iter()
        .find(|r| r["task"] == task && r["operator"] == operator && r["bugs"] == bugs)
        .unwrap_or_else(|| panic!("no {task}, {operator}, {bugs}: {result}"))
}

#[test]
fn both_tasks_with_both_kinds_of_genetic_programming() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let args = [
        "--operator",
        "gp",
        "--operator",
        "paper-gp",
        "--trials",
        "1500",
    ];
    let result = measure(f, &[&args[..], &["--threads", "1", "-o", "one"]].concat());
    assert_eq!(result["results"].as_array().unwrap().len(), 2 * (5 + 2));
    for row in result["results"].as_array().unwrap() {
        let n = |name: &str| row[name].as_u64().unwrap();
        assert_eq!((n("trials"), n("valid")), (1500, 1500), "{row}");
        assert!(
            n("success") <= n("runnable") && n("runnable") < n("valid"),
            "{row}"
        );
        let failures: u64 = row["failures"]
            .as_object()
            .unwrap()
            .values()
            .map(|v| v.as_u64().unwrap())
            .sum();
        assert_eq!(failures + n("runnable"), n("trials"), "{row}");
        assert!(n("distinct") > 10 && n("distinct") <= n("valid"), "{row}");
        let share = |name: &str| row[name].as_f64().unwrap();
        let percent = 100.0 * n("success") as f64 / 1500.0;
        assert!((share("success_percent") - percent).abs() < 1e-9, "{row}");
        assert!(share("low_percent") <= share("success_percent"));
        assert!(share("success_percent") < share("high_percent"));
    }
    // One wrong sign of one is mended in about 1 of 100, five bugs never.
    for operator in ["gp", "paper-gp"] {
        assert!(
            row(&result, "quadratic", operator, 1)["success"]
                .as_u64()
                .unwrap()
                > 2
        );
        assert!(
            row(&result, "parity", operator, 1)["success"]
                .as_u64()
                .unwrap()
                > 0
        );
        assert_eq!(row(&result, "parity", operator, 5)["success"], 0);
    }
    // A misspelt name that stays is an exception; a wrong sign only gives wrong numbers.
    let parity = row(&result, "parity", "paper-gp", 4);
    assert!(
        parity["failures"]["exception"].as_u64().unwrap() > 400,
        "{parity}"
    );
    assert!(
        row(&result, "quadratic", "paper-gp", 2)["runnable"]
            .as_u64()
            .unwrap()
            > 400
    );

    let again = measure(f, &[&args[..], &["--threads", "3", "-o", "two"]].concat());
    assert_eq!(result, again, "the number of threads shows");
    let args = [
        &args[..],
        &["--task", "quadratic", "--rng", "7", "-o", "two"],
    ]
    .concat();
    let other = measure(f, &args);
    let distinct = |result| row(result, "quadratic", "gp", 1)["distinct"].clone();
    assert_ne!(distinct(&result), distinct(&other));

    let written: Value =
        serde_json::from_slice(&fs::read(f.join("one/bugs.json")).unwrap()).unwrap();
    assert_eq!(
        written["results"][0]["success"],
        result["results"][0]["success"]
    );
    assert_eq!(written["paper"].as_array().unwrap().len(), 6);
    let svg = fs::read_to_string(f.join("one/bugs.svg")).unwrap();
    assert!(roxmltree::Document::parse(&svg).is_ok());
    for name in ["4-Parity", "Quadratic", "paper-gp", "diff model, 300M"] {
        assert!(svg.contains(name), "{name}");
    }
    assert!(
        fs::read(f.join("one/bugs.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
}

/// CPython and the interpreter in Rust judge alike.
#[test]
fn one_task_as_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let args = [
        "bench",
        "bugs",
        "--task",
        "quadratic",
        "--operator",
        "paper-gp",
        "--trials",
        "100",
    ];
    let table = ok(f, &args);
    for words in [
        "quadratic: success, %",
        "paper-gp",
        "paper: genetic programming",
        "0.05",
        "figures/bugs/bugs.svg",
    ] {
        assert!(table.contains(words), "{words}: {table}");
    }
    assert!(!table.contains("parity"), "{table}");
    let in_python = ok(f, &[&args[..], &["--python", "cpython"]].concat());
    assert_eq!(table, in_python);
}

#[test]
fn what_was_typed_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    fails(
        f,
        &["bench", "bugs", "--task", "cubic"],
        2,
        &["cubic", "quadratic"],
    );
    fails(
        f,
        &["bench", "bugs", "--operator", "magic"],
        2,
        &["magic", "gp, ", "paper-gp"],
    );
    fails(
        f,
        &["bench", "bugs", "--trials", "0"],
        2,
        &["--trials", "1"],
    );
    fails(
        f,
        &["bench", "bugs", "--threads", "5000"],
        2,
        &["threads", "1024"],
    );
    fs::write(f.join("file"), "").unwrap();
    let args = [
        "bench",
        "bugs",
        "--operator",
        "gp",
        "--trials",
        "10",
        "-o",
        "file",
    ];
    fails(f, &args, 1, &["file", "--output"]);
}

/// Changes asked of models again: of a run of gp, whose changes the model in the box has seen the like of.
#[test]
fn changes_are_asked_of_models() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    fs::write(f.join("c.toml"), "pictures = false\n").unwrap();
    let run = [
        "evolve",
        "--config",
        "c.toml",
        "--operator",
        "gp",
        "--evaluations",
        "8000",
        "--out",
        "run",
    ];
    ok(f, &run);
    ok(f, &["export", "run", "--lessons", "-o", "lessons"]);
    let measure = |more: &[&str]| -> Value {
        let args = [
            "bench",
            "commits",
            "lessons/lessons.jsonl",
            "-n",
            "20",
            "--json",
        ];
        let out = ok(f, &[&args[..], more].concat());
        let mut value: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        for model in value["models"].as_array_mut().unwrap() {
            for way in ["held", "free"] {
                model[way]["seconds"] = Value::Null;
            }
        }
        value
    };
    let result = measure(&["-o", "numbers.json"]);
    assert_eq!(result["changes"], 20);
    let model = &result["models"][0];
    let number = |way: &str, name: &str| model[way][name].as_f64().unwrap();
    assert!(
        number("loss", "token") > 0.1 && number("loss", "token") < 1.5,
        "{model}"
    );
    assert_eq!(
        (number("held", "asked"), number("free", "asked")),
        (20.0, 20.0)
    );
    assert!(number("held", "valid") >= 18.0, "{model}");
    assert!(number("held", "valid") > number("free", "valid"), "{model}");
    assert!(number("held", "exact") <= number("held", "valid"));
    assert!(
        (0.2..1.0).contains(&number("held", "similarity")),
        "{model}"
    );
    let written = fs::read_to_string(f.join("numbers.json")).unwrap();
    assert!(written.contains("similarity"));
    assert_eq!(result, measure(&[]), "the same again");
    // As people read it, for two models at once.
    let table = ok(
        f,
        &[
            "bench",
            "commits",
            "run",
            "-n",
            "4",
            "--model",
            "compact",
            "--model",
            "compact",
            "--temperature",
            "1",
        ],
    );
    assert_eq!(table.matches("held to the guide").count(), 2, "{table}");

    fs::write(f.join("empty.jsonl"), "").unwrap();
    fails(
        f,
        &["bench", "commits", "empty.jsonl"],
        2,
        &["samara corpus"],
    );
    fails(
        f,
        &[
            "bench",
            "commits",
            "lessons/lessons.jsonl",
            "--model",
            "none-such",
        ],
        2,
        &["none-such"],
    );
    fails(
        f,
        &[
            "bench",
            "commits",
            "lessons/lessons.jsonl",
            "-o",
            "no/such/x.json",
        ],
        1,
        &["no/such", "--output"],
    );
}
