//! The operators with a language model of our own, through the real binary. The model is tiny and its weights are
//! random: what is tested is that whatever a model draws becomes a change that applies and parses.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{SAMARA, content, fails, ok, same};
use rusqlite::{Connection, OpenFlags};

const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../lm/tests/tiny/llama");

fn config(folder: &Path, more: &str) {
    let text = format!(
        "pictures = false\n[search]\nreplicas = 2\nbatch = 8\n[sodarace]\nseconds = 0.5\n\
         [model]\npath = {TINY:?}\n{more}"
    );
    std::fs::write(folder.join("tiny.toml"), text).unwrap();
}

/// Runs from the short program in `short.py`, with what `config` wrote.
fn evolve(folder: &Path, operators: &[&str], evaluations: u64, out: &str) {
    let evaluations = evaluations.to_string();
    let mut arguments = vec!["evolve", "--config", "tiny.toml", "--seed", "short.py"];
    arguments.extend(
        operators
            .iter()
            .flat_map(|operator| ["--operator", operator]),
    );
    arguments.extend(["--evaluations", &evaluations, "--out", out]);
    ok(folder, &arguments);
}

/// A program short enough for the tiny model to read twice.
const SHORT: &str = "def make_walker():
    w = walker_creator()
    a, b, c = [w.add_joint(x, x * x) for x in (0, 3, 4)]
    for p, q in ((a, b), (b, c), (c, a)):
        w.add_muscle(p, q)
    return w.get_walker()
";

#[test]
fn whatever_a_model_draws_parses_and_does_not_depend_on_threads() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("short.py"), SHORT).unwrap();
    for (operator, most) in [("line", 20), ("diff", 48)] {
        config(
            f,
            &format!("threads = 1\n[{operator}]\nmax_tokens = {most}\n"),
        );
        let run = |out: &str| {
            evolve(f, &[operator], 48, out);
            content(&f.join(out))
        };
        let one = format!("{operator}-1");
        let first = run(&one);
        config(
            f,
            &format!("threads = 3\nbatch = 5\n[{operator}]\nmax_tokens = {most}\n"),
        );
        same(
            &first,
            &run(&format!("{operator}-3")),
            "the model's threads and batch",
        );

        let db = Connection::open(f.join(one).join("run.sqlite")).unwrap();
        let count = |query: &str| db.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM child WHERE id > 0"), 48);
        assert_eq!(
            count("SELECT count(*) FROM child WHERE reason IN ('syntax', 'prompt-too-long')"),
            0,
            "{operator}"
        );
        assert!(count("SELECT sum(tokens) FROM child") > 48, "{operator}");
        assert!(
            count("SELECT sum(prompt_tokens) FROM child") > 48,
            "{operator}"
        );
    }
}

#[test]
fn what_operators_are_told_is_a_setting_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("short.py"), SHORT).unwrap();
    let brief = "[brief]\nentry = \"make_walker\"\nmessages = [{ message = \"Doubled {entry}.\", weight = 1 }]\n";
    config(f, &format!("[diff]\nmax_tokens = 24\n{brief}"));
    evolve(f, &["diff", "gp"], 32, "run");
    let ask = |query: &str| ok(f, &["sql", "run", query, "--csv"]);
    let told = ask("SELECT DISTINCT operator, told, weights FROM children ORDER BY operator");
    let lines: Vec<&str> = told.lines().skip(1).collect();
    assert_eq!(lines, ["diff,Doubled make_walker.,0", "gp,,", "seed,,"]);
    let made = ask("SELECT name, value FROM provenance ORDER BY name");
    for word in ["device,cpu", "precision,int8", "model,", "samara,"] {
        assert!(made.contains(word), "{made}");
    }

    // Another model at the same place is told, the same model at another place is not.
    ok(
        f,
        &["resume", "run", "--evaluations", "40", "--model", TINY],
    );
    let other = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../lm/tests/tiny/llama-q8_0.gguf"
    );
    let resume = ["resume", "run", "--evaluations", "48", "--model", other];
    fails(f, &resume, 2, &["model was", "--force"]);
    // A run that is complete does not ask for its model.
    std::fs::rename(f.join("tiny.toml"), f.join("gone.toml")).unwrap();
    ok(f, &["resume", "run", "--model", "nowhere.gguf"]);
}

#[test]
fn operators_that_share_a_model_do_not_wait_for_each_other_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("short.py"), SHORT).unwrap();
    let run = |out: &str, threads: usize| {
        let sections = "[line]\nmax_tokens = 20\n[diff]\nmax_tokens = 24\n";
        config(f, &format!("threads = {threads}\n{sections}"));
        evolve(f, &["line", "diff"], 160, out);
        content(&f.join(out))
    };
    same(&run("two", 2), &run("three", 3), "the model's threads");
}

/// Children in a run's store by now.
fn stored(run: &Path) -> i64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let count = Connection::open_with_flags(run.join("run.sqlite"), flags)
        .and_then(|db| db.query_row("SELECT count(*) FROM child", [], |row| row.get(0)));
    count.unwrap_or(0)
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_with_a_model_ends_as_if_it_had_not_been() {
    const WANTED: i64 = 320;
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("short.py"), SHORT).unwrap();
    config(f, "[line]\nmax_tokens = 20\n");
    evolve(f, &["line", "gp"], WANTED as u64, "whole");
    let whole = content(&f.join("whole"));
    for (out, signal, code) in [
        ("interrupted", "-INT", Some(130)),
        ("killed", "-KILL", None),
    ] {
        let mut child = Command::new(SAMARA)
            .args([
                "evolve",
                "--config",
                "tiny.toml",
                "--seed",
                "short.py",
                "--out",
                out,
            ])
            .args([
                "--operator",
                "line",
                "--operator",
                "gp",
                "--evaluations",
                &WANTED.to_string(),
            ])
            .current_dir(f)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // In the midst of it: some are there, and most are not.
        while stored(&f.join(out)) < 10 {
            assert!(
                child.try_wait().unwrap().is_none(),
                "{out}: it ended too soon"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let sent = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), code, "{out}");
        let there = stored(&f.join(out));
        assert!((10..=WANTED).contains(&there), "{out}: {there} children");
        ok(f, &["resume", out]);
        same(&whole, &content(&f.join(out)), out);
    }
}

#[test]
fn a_model_that_cannot_be_loaded_is_named_before_the_run_starts() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let evolve = ["evolve", "--operator", "line", "--out", "run", "--model"];
    fails(
        f,
        &[&evolve[..], &["nowhere.gguf"]].concat(),
        2,
        &["nowhere.gguf"],
    );
    std::fs::write(f.join("cut.gguf"), b"GGUF\x03\0\0\0").unwrap();
    fails(f, &[&evolve[..], &["cut.gguf"]].concat(), 2, &["cut.gguf"]);
    fails(
        f,
        &[&evolve[..], &[TINY, "--device", "abacus"]].concat(),
        2,
        &["model.device", "abacus", "cpu"],
    );
    let endpoint = [
        "evolve",
        "--operator",
        "prompt",
        "--out",
        "run",
        "--model",
        "m",
        "--endpoint",
    ];
    fails(
        f,
        &[&endpoint[..], &["http://127.0.0.1:1"]].concat(),
        2,
        &["127.0.0.1:1"],
    );
    assert!(!f.join("run").exists());
}
