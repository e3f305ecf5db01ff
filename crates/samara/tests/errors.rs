//! Bad input through the real binary: each says what is wrong and what to do, and nothing is lost.

mod common;

use std::fs;

use common::{content, fails, ok, samara};

#[test]
fn what_was_typed_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    fails(f, &["evolve", "--operator", "magic"], 2, &["magic", "gp"]);
    fails(
        f,
        &["evolve", "--operator", "gp=-1"],
        2,
        &["-1", "0 or more"],
    );
    fails(
        f,
        &["evolve", "--operator", "gp=0"],
        2,
        &["operators", "above 0"],
    );
    fails(
        f,
        &["evolve", "--seed", "nothing.py"],
        2,
        &["nothing.py", "square"],
    );
    fails(f, &["evolve", "--terrain", "moon"], 2, &["moon", "flat"]);
    fails(f, &["evolve", "--terrain", "moon.toml"], 2, &["moon.toml"]);
    fails(f, &["evolve", "--python", "jython"], 2, &["cpython"]);
    fails(f, &["evolve", "--config", "none.toml"], 2, &["none.toml"]);
    fs::write(f.join("bad.toml"), "[search]\nreplica = 3\n").unwrap();
    fails(
        f,
        &["evolve", "--config", "bad.toml"],
        2,
        &["bad.toml", "search.replica"],
    );
    fs::write(f.join("bad.toml"), "[search]\nreplicas = 0\n").unwrap();
    fails(
        f,
        &["evolve", "--config", "bad.toml"],
        2,
        &["search.replicas", "1 to"],
    );
    fails(
        f,
        &["render", "square", "-o", "out.bmp"],
        2,
        &["out.bmp", ".gif"],
    );
    fails(
        f,
        &["simulate", "square", "--seconds", "-3"],
        2,
        &["seconds"],
    );
    fails(f, &["frobnicate"], 2, &["frobnicate"]);
    assert_eq!(
        fs::read_dir(f).unwrap().count(),
        1,
        "nothing was made but bad.toml"
    );
}

#[test]
fn programs_that_make_no_walker() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let program = |text: &str| fs::write(f.join("p.py"), text).unwrap();
    program("def make_walker():\n    return 1 / 0\n");
    fails(
        f,
        &["walker", "p.py"],
        1,
        &["p.py", "exception", "ZeroDivisionError", "line 2"],
    );
    program("def make_walker(:\n");
    fails(f, &["walker", "p.py"], 1, &["syntax", "line 1"]);
    program("x = 3\n");
    fails(f, &["walker", "p.py"], 1, &["no-entry"]);
    program("def make_walker():\n    return walker_creator().get_walker()\n");
    fails(f, &["walker", "p.py"], 1, &["too-few-joints"]);
    let output = samara(f, &["walker", "p.py", "--json"]);
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["ok"], false);
    assert_eq!(line["reason"], "too-few-joints");
    // A search cannot start from it, and says so.
    fails(
        f,
        &["evolve", "--seed", "p.py", "--out", "run"],
        1,
        &["p.py", "too-few-joints"],
    );
    fs::write(f.join("w.json"), r#"{"joints": [[0, "x"]], "muscles": []}"#).unwrap();
    fails(f, &["simulate", "w.json"], 1, &["w.json"]);
}

#[test]
fn folders_and_files_that_are_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    for command in ["stats", "report", "plot", "export", "resume"] {
        fails(f, &[command, "nowhere"], 1, &["nowhere", "samara evolve"]);
    }
    fails(f, &["sql", "nowhere", "SELECT 1"], 1, &["nowhere"]);
    fs::create_dir(f.join("foreign")).unwrap();
    fs::write(
        f.join("foreign/run.sqlite"),
        "not a database at all".repeat(100),
    )
    .unwrap();
    fails(
        f,
        &["stats", "foreign"],
        1,
        &["foreign/run.sqlite", "not a database"],
    );
    fails(
        f,
        &["resume", "foreign"],
        1,
        &["foreign/run.sqlite", "not a database"],
    );
    fs::remove_file(f.join("foreign/run.sqlite")).unwrap();
    rusqlite::Connection::open(f.join("foreign/run.sqlite"))
        .unwrap()
        .execute_batch("CREATE TABLE x (y)")
        .unwrap();
    fails(f, &["stats", "foreign"], 1, &["not a run of samara"]);
    fails(
        f,
        &["evolve", "--out", "foreign"],
        1,
        &["foreign", "not empty"],
    );
}

#[test]
fn a_damaged_run_is_reported_and_not_made_worse() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    fs::write(
        f.join("c.toml"),
        "pictures = false\n[sodarace]\nseconds = 1\n",
    )
    .unwrap();
    let evolve = [
        "evolve",
        "--config",
        "c.toml",
        "--evaluations",
        "200",
        "--out",
        "run",
    ];
    ok(f, &evolve);
    fails(f, &evolve, 1, &["not empty", "samara resume run"]);
    let expected = content(&f.join("run"));

    let path = f.join("run/run.sqlite");
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    for byte in &mut damaged[8192..40_000] {
        *byte = 0x5a;
    }
    fs::write(&path, &damaged).unwrap();
    fails(f, &["resume", "run"], 1, &["run/run.sqlite", "recover"]);
    assert_eq!(fs::read(&path).unwrap(), damaged);
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    fails(f, &["resume", "run"], 1, &["run/run.sqlite", "recover"]);
    fs::write(&path, &whole).unwrap();
    ok(f, &["resume", "run"]);
    assert_eq!(content(&f.join("run")), expected);
}

#[test]
fn numbers_that_cannot_be_do_not_get_into_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    fails(f, &["evolve", "--rng", "9223372036854775808"], 2, &["rng"]);
    std::fs::write(f.join("cpu.toml"), "[python]\ncpu_seconds = -1.0\n").unwrap();
    for command in ["walker", "simulate"] {
        let arguments = [command, "square", "--config", "cpu.toml"];
        fails(f, &arguments, 2, &["python.cpu_seconds"]);
    }
    let start = ["evolve", "--evaluations", "40", "--out", "run"];
    std::fs::write(f.join("small.toml"), "pictures = false\n").unwrap();
    ok(f, &[&start[..], &["--config", "small.toml"]].concat());
    let before = content(&f.join("run"));
    let settings = std::fs::read(f.join("run/settings.toml")).unwrap();
    for (flag, number) in [
        ("--evaluations", "18446744073709551615"),
        ("--threads", "100000"),
    ] {
        let name = flag.trim_start_matches('-');
        fails(f, &["resume", "run", flag, number], 2, &[name]);
    }
    assert_eq!(
        std::fs::read(f.join("run/settings.toml")).unwrap(),
        settings
    );
    assert_eq!(content(&f.join("run")), before);
    ok(f, &["stats", "run"]);

    // A child that a repair of the file lost.
    let db = rusqlite::Connection::open(f.join("run/run.sqlite")).unwrap();
    db.execute("DELETE FROM child WHERE id = 17", []).unwrap();
    drop(db);
    let arguments = ["resume", "run", "--evaluations", "80"];
    fails(f, &arguments, 1, &["run.sqlite", "child 17 is missing"]);
}

#[test]
fn two_processes_do_not_write_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    ok(f, &["evolve", "--evaluations", "10", "--out", "run"]);
    let held = fs::File::options()
        .append(true)
        .open(f.join("run/settings.toml"))
        .unwrap();
    held.lock().unwrap();
    fails(f, &["resume", "run"], 1, &["another samara"]);
    // Looking is allowed.
    ok(f, &["stats", "run"]);
}
