//! The search through the real binary: repeatable, whatever the threads and whatever kills it.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{SAMARA, content, fails, ok, same};

const CONFIG: &str =
    "pictures = false\n[search]\nreplicas = 4\nbatch = 8\n[sodarace]\nseconds = 0.5\n";

/// Runs with what stands in `small.toml`.
fn evolve(folder: &Path, evaluations: &str, out: &str) {
    let config = ["evolve", "--config", "small.toml"];
    let rest = ["--evaluations", evaluations, "--out", out];
    ok(folder, &[&config[..], &rest].concat());
}

#[test]
fn one_seed_gives_one_store_whatever_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("small.toml"), CONFIG).unwrap();
    let evolve = |out: &str, threads: &str, rng: &str| {
        ok(
            f,
            &[
                "evolve",
                "--config",
                "small.toml",
                "--evaluations",
                "300",
                "--out",
                out,
                "--threads",
                threads,
                "--rng",
                rng,
                "--seed",
                "radial",
            ],
        );
        content(&f.join(out))
    };
    let one = evolve("one", "1", "7");
    assert_eq!(one.iter().filter(|row| row.contains("\"gp\"")).count(), 300);
    same(&one, &evolve("three", "3", "7"), "threads");
    assert_ne!(one, evolve("other", "2", "8"));
}

#[test]
fn a_run_killed_at_any_moment_ends_as_if_it_had_not_been() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("small.toml"), CONFIG).unwrap();
    let arguments = |out: &str| {
        [
            "evolve",
            "--config",
            "small.toml",
            "--evaluations",
            "500",
            "--threads",
            "2",
            "--out",
            out,
        ]
        .map(str::to_owned)
    };
    let began = Instant::now();
    let whole = arguments("whole");
    ok(f, &whole.each_ref().map(String::as_str));
    let length = began.elapsed();
    let expected = content(&f.join("whole"));

    // A fixed series of moments all over a run's length; it need not be random to be any.
    let mut chance = 0.5;
    for trial in 0..20 {
        let out = format!("killed-{trial}");
        let run = f.join(&out);
        let mut deaths = 0;
        let mut args = arguments(&out).to_vec();
        loop {
            chance = (chance + 0.618_033_988_749_895) % 1.0;
            let mut child = Command::new(SAMARA)
                .args(&args)
                .current_dir(f)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let deadline = Instant::now() + length.mul_f64(chance * 0.7);
            let ended = loop {
                if let Some(status) = child.try_wait().unwrap() {
                    break Some(status);
                }
                if deaths < 3 && Instant::now() > deadline {
                    break None;
                }
                std::thread::sleep(Duration::from_millis(2));
            };
            if let Some(status) = ended {
                let output = child.wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(status.success(), "trial {trial}: {said}");
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            deaths += 1;
            // Killed before there was a run to resume: start again where nothing is.
            if run.join("run.sqlite").exists() {
                let there = rusqlite::Connection::open(run.join("run.sqlite"))
                    .and_then(|db| db.query_row("SELECT count(*) FROM run", [], |r| r.get(0)));
                if there == Ok(1) {
                    args = ["resume", &out].map(str::to_owned).to_vec();
                    continue;
                }
            }
            let _ = std::fs::remove_dir_all(&run);
        }
        assert_eq!(
            content(&run),
            expected,
            "trial {trial}, killed {deaths} times"
        );
        std::fs::remove_dir_all(&run).unwrap();
    }
}

#[test]
fn a_run_made_longer_is_the_longer_run() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("small.toml"), CONFIG).unwrap();
    evolve(f, "150", "long");
    evolve(f, "70", "short");
    ok(f, &["resume", "short", "--evaluations", "150"]);
    same(
        &content(&f.join("short")),
        &content(&f.join("long")),
        "made longer",
    );
    fails(
        f,
        &["resume", "short", "--evaluations", "10"],
        2,
        &["150", "larger"],
    );
    // Nothing left to do is no failure.
    ok(f, &["resume", "short"]);
}

#[test]
fn what_differs_is_told_before_a_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("small.toml"), CONFIG).unwrap();
    evolve(f, "40", "run");
    let sql = |text: &str| {
        let db = rusqlite::Connection::open(f.join("run/run.sqlite")).unwrap();
        db.execute_batch(text).unwrap();
    };
    let made_with = || {
        let query = "SELECT since, value FROM provenance WHERE name = 'samara' ORDER BY since";
        ok(f, &["sql", "run", query, "--csv"])
    };
    assert!(made_with().contains("0,0."), "{}", made_with());
    sql("UPDATE provenance SET value = '0.0.9' WHERE name = 'samara'");
    let longer = ["resume", "run", "--evaluations", "80"];
    fails(f, &longer, 2, &["samara was 0.0.9", "--force"]);
    // A run that is complete needs nothing to be the same.
    ok(f, &["resume", "run"]);
    let forced = [&longer[..], &["--force"]].concat();
    ok(f, &forced);
    let noted = made_with();
    assert!(
        noted.contains("0,0.0.9") && noted.contains("41,0."),
        "{noted}"
    );

    // What a newer samara set is kept, passed over by who looks at the run, and told before it goes on.
    sql("UPDATE run SET settings = settings || char(10) || '[later]' || char(10) || 'x = 1'");
    ok(f, &["stats", "run"]);
    ok(f, &["report", "run"]);
    let longer = ["resume", "run", "--evaluations", "120"];
    fails(f, &longer, 2, &["later", "--force"]);
    ok(f, &[&longer[..], &["--force"]].concat());
    let settings = std::fs::read_to_string(f.join("run/settings.toml")).unwrap();
    assert!(settings.contains("[later]") && settings.contains("evaluations = 120"));
}

#[test]
fn a_run_keeps_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("small.toml"), CONFIG).unwrap();
    let arguments = [
        "evolve",
        "-v",
        "--config",
        "small.toml",
        "--evaluations",
        "40",
        "--out",
        "run",
    ];
    let output = common::samara(f, &arguments);
    let told = String::from_utf8(output.stderr).unwrap();
    let log = std::fs::read_to_string(f.join("run/run.log")).unwrap();
    for text in [&told, &log] {
        assert!(text.contains("operators: gp 1"), "{text}");
        assert!(text.contains("40 of 40 evaluations"), "{text}");
    }
    // It goes on where it ended; in detail where that is asked for.
    let resume = Command::new(SAMARA)
        .args(["resume", "run", "--evaluations", "80"])
        .env("SAMARA_LOG", "evolve=debug")
        .current_dir(f)
        .output()
        .unwrap();
    assert!(resume.status.success());
    assert!(
        String::from_utf8(resume.stderr)
            .unwrap()
            .contains("iteration 2")
    );
    let more = std::fs::read_to_string(f.join("run/run.log")).unwrap();
    assert!(
        more.starts_with(&log) && more.contains("iteration 2"),
        "{more}"
    );
}
