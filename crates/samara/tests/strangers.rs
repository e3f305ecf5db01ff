//! What strangers bring, through the real binary: folders they may not write, outputs that take nothing, texts that
//! terminals obey, programs of any depth, runs of other versions.

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{SAMARA, fails, ok, samara};
use rusqlite::Connection;

/// A small run.
fn run(folder: &Path, out: &str) {
    let text = "pictures = false\n[sodarace]\nseconds = 1\n";
    fs::write(folder.join("c.toml"), text).unwrap();
    let evolve = [
        "evolve",
        "--config",
        "c.toml",
        "--evaluations",
        "60",
        "--out",
        out,
    ];
    ok(folder, &evolve);
}

fn count(folder: &Path, run: &str) -> String {
    let table = ok(folder, &["sql", run, "SELECT count(*) FROM child", "--csv"]);
    table.lines().nth(1).unwrap().to_owned()
}

#[cfg(unix)]
mod folders {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The binary as somebody who may write nothing in `folder`; `None` where there is no way to be that.
    fn reader(folder: &Path) -> Option<impl Fn(&[&str]) -> Output> {
        let own = folder.join("samara");
        fs::copy(SAMARA, &own).unwrap();
        mode(folder, 0o755);
        mode(&own, 0o755);
        let probe = folder.join("probe");
        fs::create_dir(&probe).unwrap();
        mode(&probe, 0o555);
        // The rights of files do not hold for root.
        let is_root = File::create(probe.join("file")).is_ok();
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        if is_root {
            let may = Command::new("setpriv")
                .args(nobody)
                .arg(&own)
                .arg("--version")
                .output();
            if !may.is_ok_and(|output| output.status.success()) {
                eprintln!(
                    "NOT TESTED: this is root, and `setpriv` (util-linux) is missing or may not run the binary"
                );
                return None;
            }
        }
        let folder = folder.to_owned();
        Some(move |args: &[&str]| {
            let mut command = match is_root {
                true => Command::new("setpriv"),
                false => Command::new(&own),
            };
            if is_root {
                command.args(nobody).arg(&own);
            }
            command.args(args).current_dir(&folder).output().unwrap()
        })
    }

    fn said(output: &Output) -> String {
        let all = [&output.stdout[..], &output.stderr[..]].concat();
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn a_run_in_a_folder_that_may_not_be_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let f = folder.path();
        run(f, "run");
        fs::create_dir(f.join("free")).unwrap();
        mode(&f.join("free"), 0o777);
        let Some(reader) = reader(f) else { return };
        mode(&f.join("run"), 0o555);
        for args in [
            &["stats", "run"][..],
            &["stats", "run", "--json"],
            &[
                "sql",
                "run",
                "SELECT id, program, diff FROM children ORDER BY fitness",
            ],
            &["export", "run", "-o", "free/export"],
            &["report", "run", "-o", "free/report.html"],
            &["plot", "run", "-o", "free/figures"],
            &["walker", "run:best"],
            &["simulate", "run:1"],
            &["render", "run:best", "-o", "free/best.png"],
        ] {
            let output = reader(args);
            assert!(output.status.success(), "{args:?}: {}", said(&output));
        }
        for command in ["export", "report", "plot"] {
            let output = reader(&[command, "run"]);
            assert_eq!(output.status.code(), Some(1));
            assert!(said(&output).contains("-o"), "{}", said(&output));
        }
        assert_eq!(reader(&["resume", "run"]).status.code(), Some(1));
        mode(&f.join("run"), 0o755);
    }

    #[test]
    fn what_a_killed_run_had_in_its_log_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let f = folder.path();
        run(f, "run");
        let Some(reader) = reader(f) else { return };
        // As a killed process leaves it: a writer that does not close.
        let db = Connection::open(f.join("run/run.sqlite")).unwrap();
        db.pragma_update(None, "journal_mode", "WAL").unwrap();
        db.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        db.execute("DELETE FROM child WHERE id > 40", []).unwrap();
        for (copy, files) in [
            (
                "whole",
                &["run.sqlite", "run.sqlite-wal", "run.sqlite-shm"][..],
            ),
            ("without-shm", &["run.sqlite", "run.sqlite-wal"]),
            ("without-wal", &["run.sqlite"]),
        ] {
            fs::create_dir(f.join(copy)).unwrap();
            for file in files {
                fs::copy(f.join("run").join(file), f.join(copy).join(file)).unwrap();
                mode(&f.join(copy).join(file), 0o444);
            }
            mode(&f.join(copy), 0o555);
            let output = reader(&["sql", copy, "SELECT count(*) AS n FROM child", "--csv"]);
            let expected = if copy == "without-wal" {
                "n\n61\n"
            } else {
                "n\n41\n"
            };
            assert_eq!(said(&output), expected, "{copy}");
            let output = reader(&["stats", copy]);
            assert!(output.status.success(), "{copy}: {}", said(&output));
            assert_eq!(
                fs::read_dir(f.join(copy)).unwrap().count(),
                files.len(),
                "{copy}"
            );
            mode(&f.join(copy), 0o755);
        }
        drop(db);
    }
}

/// Where the system has such a thing: a file that takes nothing.
fn full() -> Option<File> {
    File::options().write(true).open("/dev/full").ok()
}

#[test]
fn outputs_that_take_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    run(f, "run");
    let Some(_) = full() else {
        eprintln!("NOT TESTED: there is no /dev/full here");
        return;
    };
    let with = |args: &[&str], out: Option<File>, err: Option<File>| {
        let pipe = |file: Option<File>| file.map_or_else(Stdio::piped, Stdio::from);
        let mut command = Command::new(SAMARA);
        let command = command
            .args(args)
            .current_dir(f)
            .stdout(pipe(out))
            .stderr(pipe(err));
        command.output().unwrap()
    };
    // Standard error: the exit code is what it would be.
    for (args, code) in [
        (&["stats", "nowhere"][..], 1),
        (&["frobnicate"], 2),
        (&["evolve", "--operator", "magic"], 2),
        (&["-v", "stats", "run"], 0),
        (
            &[
                "-vv",
                "evolve",
                "--config",
                "c.toml",
                "--evaluations",
                "20",
                "--out",
                "other",
            ],
            0,
        ),
        (
            &[
                "bench",
                "bugs",
                "--task",
                "quadratic",
                "--operator",
                "gp",
                "--trials",
                "20",
                "-o",
                "b",
            ],
            0,
        ),
        (&["export", "run"], 0),
    ] {
        let output = with(args, None, full());
        assert_eq!(output.status.code(), Some(code), "{args:?}");
    }
    // Standard output: a code of its own, and a sentence.
    for args in [
        &["--help"][..],
        &["--version"],
        &["stats", "--help"],
        &["config"],
        &["stats", "run"],
        &["stats", "run", "--json"],
        &["sql", "run", "SELECT * FROM child"],
        &["sql", "run", "SELECT * FROM child", "--csv"],
        &["sql", "run", "SELECT * FROM child", "--json"],
        &["walker", "square"],
        &["simulate", "square", "--json"],
        &["export", "run"],
        &["report", "run"],
        &["model", "list"],
    ] {
        let output = with(args, full(), None);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(74), "{args:?}: {said}");
        assert!(
            said.contains("standard output cannot be written"),
            "{args:?}: {said}"
        );
        assert_eq!(
            with(args, full(), full()).status.code(),
            Some(74),
            "{args:?}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        &["config"][..],
        &["--help"],
        &["model", "list"],
        &["simulate", "square", "--json"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(SAMARA);
        let output = command
            .args(args)
            .current_dir(folder.path())
            .stdout(writer)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
    }
}

/// What a terminal or a page would obey.
const EVIL: &str = "\u{1b}[2J\u{9b}31m\u{202e}\u{2066}\u{8}";

fn obeyed(text: &str) -> Option<char> {
    let bidi = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .find(|c| c.is_control() && !"\n\t".contains(*c) || bidi(*c))
}

#[test]
fn what_terminals_obey_is_shown_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let quoted: String = EVIL
        .chars()
        .map(|c| format!("\\u{:04x}", u32::from(c)))
        .collect();
    let square = ok(f, &["sql", "--help"]); // any text that is there
    assert_eq!(obeyed(&square), None);
    fs::write(
        f.join("raises.py"),
        format!("def make_walker():\n    raise ValueError('{quoted}')\n"),
    )
    .unwrap();
    fs::write(f.join(format!("{EVIL}.py")), "x = 1\n").unwrap();
    fs::write(
        f.join("bad.toml"),
        format!("seed = '{quoted}' x\n# {EVIL}\n"),
    )
    .unwrap();
    fs::write(f.join("key.toml"), format!("\"{quoted}\" = 3\n")).unwrap();
    fs::write(
        f.join("t.json"),
        format!("{{\"name\": \"{quoted}\", \"ground\": [[0, 0]]}}"),
    )
    .unwrap();
    let evil_file = format!("{EVIL}.py");
    for args in [
        &["walker", "raises.py"][..],
        &["walker", "raises.py", "--json"],
        &["walker", "raises.py", "--python", "cpython"],
        &["walker", &evil_file],
        &["walker", EVIL],
        &["stats", EVIL],
        &[EVIL],
        &["stats", "run", EVIL],
        &["evolve", "--terrain", EVIL],
        &["evolve", "--terrain", "t.json"],
        &["evolve", "--operator", EVIL],
        &["evolve", "--python", EVIL],
        &["evolve", "--config", "bad.toml"],
        &["evolve", "--config", "key.toml"],
        &["evolve", "--seed", "raises.py", "--out", "run"],
        &["evolve", "--operator", "line", "--model", EVIL],
        &["model", "info", EVIL],
        &["render", "square", "-o", EVIL],
    ] {
        let output = samara(f, args);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(
            matches!(output.status.code(), Some(1 | 2)),
            "{args:?}: {said}"
        );
        assert_eq!(obeyed(&said), None, "{args:?}: {}", said.escape_debug());
    }
    let output = samara(f, &["walker", "raises.py"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("\\u001b[2J\\u009b31m\\u202e\\u2066\\u0008"),
        "{said}"
    );

    // A run with such texts in it: its figures, its report, its log.
    let seed = include_str!("../../../seeds/square.py");
    let seed = format!("# {}\n{seed}", EVIL.replace('\u{8}', ""));
    fs::write(f.join("seed.py"), seed).unwrap();
    let out = "run\u{1b}\u{202e}";
    fs::write(f.join("c.toml"), "[sodarace]\nseconds = 1\n").unwrap();
    let told = ok(
        f,
        &[
            "evolve",
            "--config",
            "c.toml",
            "--seed",
            "seed.py",
            "--evaluations",
            "40",
            "--out",
            out,
        ],
    );
    assert_eq!(obeyed(&told), None);
    let page = fs::read_to_string(f.join(out).join("report.html")).unwrap();
    assert!(page.contains("\\u202e"));
    assert_eq!(obeyed(&page), None);
    let log = fs::read_to_string(f.join(out).join("run.log")).unwrap();
    assert!(log.contains("run\\u001b\\u202e"), "{log}");
    assert_eq!(obeyed(&log), None);
    for args in [
        &["plot", out][..],
        &["sql", out, "SELECT program FROM children"],
        &["sql", out, "SELECT program FROM children", "--json"],
    ] {
        assert_eq!(obeyed(&ok(f, args)), None, "{args:?}");
    }
    // CSV for a file is the text itself.
    let csv = ok(
        f,
        &[
            "sql",
            out,
            "SELECT program FROM children WHERE id = 0",
            "--csv",
        ],
    );
    assert!(csv.contains('\u{202e}'));
}

#[test]
fn deep_programs_end_in_a_walker_or_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let text = "pictures = false\n[sodarace]\nseconds = 0.5\n[search]\nreplicas = 2\nbatch = 2\n[python]\ntier = \"cpython\"\nrecursion = 2000\n";
    fs::write(f.join("c.toml"), text).unwrap();
    fs::write(f.join("gp.toml"), format!("{text}[gp]\nrate = 0.0001\n")).unwrap();
    let n = 5_000;
    let shapes = [
        ("sum", format!("0{}", " + 0".repeat(n))),
        ("difference", format!("0{}", " - 0".repeat(n))),
        ("attributes", format!("[1{}]", ".real".repeat(n))),
        ("calls", format!("[f{}]", "()".repeat(n))),
        ("subscripts", format!("[s{}]", "[0]".repeat(n))),
        (
            "parentheses",
            format!("{}0{}", "(".repeat(n), ")".repeat(n)),
        ),
        ("lists", format!("len({}{})", "[".repeat(n), "]".repeat(n))),
        ("signs", format!("{}0", "-".repeat(n))),
        ("not", format!("{}0", "not ".repeat(n))),
        ("lambdas", format!("[{}0]", "lambda: ".repeat(n))),
        ("conditionals", format!("{}0", "0 if 0 else ".repeat(n))),
        ("comparisons", format!("0{}", " < 1".repeat(n))),
        ("strings", format!("len('a'{})", " + 'b'".repeat(n))),
        ("f-strings", format!("len(f'a'{})", " f'{1 + 1}'".repeat(n))),
    ];
    let seed = include_str!("../../../seeds/square.py");
    let mut started = Vec::new();
    for (name, deep) in shapes {
        let deep = format!("f = lambda: f\ns = '0'\n{seed}\nif False:\n    x = {deep}\n");
        fs::write(f.join("deep.py"), deep).unwrap();
        for tier in ["monty", "cpython"] {
            let output = samara(f, &["walker", "deep.py", "--python", tier]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                matches!(output.status.code(), Some(0 | 1)),
                "{name}, {tier}: {:?} {said}",
                output.status
            );
        }
        let evolve = [
            "evolve",
            "--config",
            "gp.toml",
            "--seed",
            "deep.py",
            "--evaluations",
            "4",
            "--operator",
            "gp",
            "--operator",
            "paper-gp",
        ];
        let output = samara(f, &[&evolve[..], &["--out", name]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{name}: {:?} {said}",
            output.status
        );
        if output.status.success() {
            started.push(name);
            ok(f, &["report", name]);
        }
    }
    assert!(started.contains(&"sum"), "{started:?}");
    // Long is not deep.
    let long = format!("{seed}\nif False:\n{}", "    x = 1\n".repeat(100_000));
    fs::write(f.join("long.py"), long).unwrap();
    for tier in ["monty", "cpython"] {
        let output = samara(f, &["walker", "long.py", "--python", tier]);
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{tier}: {output:?}"
        );
    }
}

#[test]
fn runs_of_other_versions_are_read_and_not_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    run(f, "run");
    let database = f.join("run/run.sqlite");
    let db = Connection::open(&database).unwrap();
    let whole: String = db
        .query_row("SELECT settings FROM run", [], |row| row.get(0))
        .unwrap();
    let line = |key: &str, new: &str| {
        let mut lines: Vec<&str> = whole.lines().collect();
        let at = lines
            .iter()
            .position(|line| line.starts_with(&format!("{key} =")))
            .unwrap();
        lines[at] = new;
        lines.join("\n")
    };
    // The settings, and the name that going on is refused for; none where nothing is amiss.
    let cases = [
        (format!("{whole}\n[later]\nx = 1\n"), Some("later")),
        (format!("future = 3\n{whole}"), Some("future")),
        (
            whole.replace("[gp]\n", "[gp]\nnovelty = 1\n"),
            Some("gp.novelty"),
        ),
        (
            whole.replace("[search]\n", "[search]\nmore = 1\n"),
            Some("search.more"),
        ),
        (
            whole.replace("[operators]\n", "[operators]\nmagic = 0.5\n"),
            Some("operators.magic"),
        ),
        (
            line("max_tries", "max_tries = 'many'"),
            Some("gp.max_tries"),
        ),
        (
            line("evaluations", "evaluations = 'many'"),
            Some("evaluations"),
        ),
        (line("batch", "batch = [1, 2]"), Some("search.batch")),
        (line("seed", "seed = ['square', 'radial']"), Some("seed")),
        (
            line("terrain", "terrain = { name = 'flat' }"),
            Some("sodarace.terrain"),
        ),
        (line("max_tries", ""), None),
        (line("evaluations", ""), None),
    ];
    for (settings, name) in cases {
        assert_ne!(settings, whole);
        db.execute("UPDATE run SET settings = ?", [&settings])
            .unwrap();
        for args in [
            &["stats", "run"][..],
            &["report", "run"],
            &["export", "run"],
            &["simulate", "run:best"],
            &["sql", "run", "SELECT count(*) FROM children"],
        ] {
            let output = samara(f, args);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name:?}: {args:?}: {said}");
        }
        if let Some(name) = name {
            let resume = ["resume", "run", "--evaluations", "70"];
            fails(f, &resume, 2, &[&format!("the setting {name},"), "--force"]);
            let said = samara(f, &resume).stderr;
            assert!(!String::from_utf8_lossy(&said).contains("damaged"));
        }
        assert_eq!(count(f, "run"), "61");
    }
    let later = format!("{whole}\n[later]\nx = 1\n");
    db.execute("UPDATE run SET settings = ?", [&later]).unwrap();
    ok(f, &["resume", "run", "--evaluations", "70", "--force"]);
    assert_eq!(count(f, "run"), "71");
    // A format of the future is refused by its number.
    db.pragma_update(None, "user_version", 99).unwrap();
    for args in [
        &["stats", "run"][..],
        &["export", "run"],
        &["resume", "run"],
    ] {
        fails(f, args, 1, &["format 99", "use the samara that made it"]);
    }
}

#[test]
fn a_file_is_no_run_and_id() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    run(f, "q");
    let seed = include_str!("../../../seeds/radial.py");
    assert!(ok(f, &["walker", "q:5"]).contains("joints"));
    fs::write(f.join("q:5.py"), seed).unwrap();
    fs::write(f.join("q:6"), seed).unwrap();
    let radial = ok(f, &["walker", "radial"]);
    assert_eq!(ok(f, &["walker", "q:5.py"]), radial);
    assert_eq!(ok(f, &["walker", "q:6"]), radial);
    fails(f, &["walker", "q:7.py"], 2, &["q:7.py", "a child's number"]);
}

#[test]
fn how_much_to_tell_may_stand_before_the_command_or_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    run(f, "run");
    let evolve = [
        "evolve",
        "--config",
        "c.toml",
        "--evaluations",
        "4",
        "--out",
    ];
    for (i, (before, after)) in [
        (&["-v"][..], &[][..]),
        (&[], &["-v"]),
        (&["--verbose", "-v"], &[]),
    ]
    .into_iter()
    .enumerate()
    {
        let out = format!("v{i}");
        let output = samara(f, &[before, &evolve, &[&out], after].concat());
        assert!(output.status.success(), "{output:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("INFO"),
            "{output:?}"
        );
    }
    ok(f, &["-v", "stats", "run"]);
    // What belongs to a search does not.
    fails(f, &["--rng", "3", "stats", "run"], 2, &["--rng", "stats"]);
    fails(f, &["--rng", "3", "evolve"], 2, &["--rng", "evolve"]);
}
