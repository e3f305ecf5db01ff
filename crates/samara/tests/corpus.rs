//! `samara corpus`, beside git itself.

mod common;

use std::path::Path;
use std::process::Command;

use common::{fails, ok};
use serde_json::Value;

const MIT: &str = "Permission is hereby granted, free of charge, to any person ...\nTHE SOFTWARE IS PROVIDED \"AS IS\"\n";

fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(args).current_dir(folder);
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.org"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.org"),
    ] {
        command.env(name, value);
    }
    let output = command.output().expect("git is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// A commit of these files, a minute after the last.
fn commit(folder: &Path, minute: u32, subject: &str, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    git(folder, &["add", "-A"]);
    let date = format!("2026-01-01T10:{minute:02}:00+0000");
    let dated = [&*format!("--date={date}"), "-m", subject];
    let mut command = Command::new("git");
    command.args([
        "-c",
        "user.name=Ada",
        "-c",
        "user.email=ada@example.org",
        "-c",
        "commit.gpgsign=false",
        "commit",
        "-q",
        "--allow-empty",
    ]);
    let done = command
        .args(dated)
        .env("GIT_COMMITTER_DATE", date)
        .current_dir(folder)
        .status();
    assert!(done.unwrap().success());
}

fn version(extra: &str) -> String {
    format!(
        "import os\n\n\ndef first(x):\n    return x\n\n\ndef second(x, y):\n    value = x * y\n{extra}    return value\n"
    )
}

/// A repository with a commit of each kind.
fn repository(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    git(folder, &["init", "-q", "-b", "main"]);
    let file = |extra: &str| version(extra).into_bytes();
    commit(
        folder,
        0,
        "Add the first files of it",
        &[("a/walk.py", &file("")), ("LICENSE", MIT.as_bytes())],
    );
    commit(
        folder,
        1,
        "fix: check the value before it is used (#12)",
        &[(
            "a/walk.py",
            &file("    if value < 0:\n        value = -value\n"),
        )],
    );
    commit(
        folder,
        2,
        "Bump version to 1.0",
        &[("a/walk.py", &file("    value += 1000000000\n"))],
    );
    commit(
        folder,
        3,
        "Add a note on the value",
        &[(
            "a/walk.py",
            &file("    # what they get\n    value += 1000000000\n"),
        )],
    );
    commit(
        folder,
        4,
        "Change two files at once",
        &[
            ("a/walk.py", &file("    value -= second(x - 1, y)\n")),
            ("b.py", b"x = 1\n"),
        ],
    );
    commit(
        folder,
        5,
        "Make the numbers larger than that",
        &[("b.py", b"x = 1\nnumbers = [first(x) for x in range(100)]\n")],
    );
    commit(
        folder,
        6,
        "Write it as Latin-1 does",
        &[(
            "b.py",
            b"x = '\xe9'\nnumbers = [first(x) for x in range(100)]\n",
        )],
    );
    commit(
        folder,
        7,
        "Write a broken line of it",
        &[("b.py", b"x = (1\n")],
    );
    commit(folder, 8, "Do nothing at all here", &[]);
}

fn rows(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn changes_come_out_of_a_history_as_git_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    repository(&path.join("owner/name"));
    ok(
        path,
        &["corpus", "owner/name", "-o", "corpus", "--window", "8"],
    );
    let rows = rows(&path.join("corpus/commits.jsonl"));
    let told: Vec<&str> = rows
        .iter()
        .map(|row| row["told"].as_str().unwrap())
        .collect();
    // The newest first.
    assert_eq!(
        told,
        [
            "Make the numbers larger than that",
            "Check the value before it is used"
        ]
    );
    for row in &rows {
        let commit = row["commit"].as_str().unwrap();
        let file = row["file"].as_str().unwrap();
        let name = path.join("owner/name");
        assert_eq!(row["source"], "owner/name");
        assert_eq!(row["licence"], "MIT");
        let time = git(&name, &["show", "-s", "--format=%ct", commit]);
        assert_eq!(row["time"].as_i64().unwrap().to_string(), time.trim());
        // Every line of the part stands in git's file, and the part changes as git's does.
        for (side, of) in [
            ("parent", format!("{commit}^:{file}")),
            ("child", format!("{commit}:{file}")),
        ] {
            let whole = git(&name, &["show", &of]);
            for line in row[side].as_str().unwrap().lines() {
                assert!(whole.lines().any(|other| other == line), "{line}");
            }
        }
        let diff = git(&name, &["show", "--format=", "-U0", commit]);
        let signs = |text: &str| -> Vec<String> {
            let changed = text.lines().filter(|line| {
                line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---")
            });
            changed.map(str::to_owned).collect()
        };
        assert_eq!(signs(row["completion"].as_str().unwrap()), signs(&diff));
        assert!(
            row["prompt"]
                .as_str()
                .unwrap()
                .starts_with(&format!("# File {file}:"))
        );
    }
    let described: Value =
        serde_json::from_str(&std::fs::read_to_string(path.join("corpus/corpus.json")).unwrap())
            .unwrap();
    let left = &described["left_out"];
    for (why, count) in [
        ("first of all, or a merge", 1),
        ("a release, a revert or the like", 1),
        ("the same program", 1),
        ("not exactly one file changed", 2),
        // The commit that writes it so, and the next, which begins there.
        ("not a text", 2),
    ] {
        assert_eq!(left[why], count, "{why}: {left}");
    }
    assert_eq!(
        described["repositories"][0]["head"],
        git(&path.join("owner/name"), &["rev-parse", "HEAD"]).trim()
    );
    let page = std::fs::read_to_string(path.join("corpus/corpus.html")).unwrap();
    assert!(page.contains("Check the value before it is used"));
}

#[test]
fn the_same_on_one_thread_and_on_four_and_from_a_bare_clone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    repository(&path.join("one"));
    git(path, &["clone", "-q", "--bare", "one", "bare.git"]);
    ok(path, &["corpus", "one", "-o", "a", "--threads", "1"]);
    ok(path, &["corpus", "one", "-o", "b", "--threads", "4"]);
    let read = |name: &str| std::fs::read(path.join(name)).unwrap();
    assert_eq!(read("a/commits.jsonl"), read("b/commits.jsonl"));
    assert_eq!(read("a/commits.parquet"), read("b/commits.parquet"));
    assert_eq!(read("a/corpus.html"), read("b/corpus.html"));
    ok(path, &["corpus", "bare.git", "-o", "c"]);
    assert_eq!(rows(&path.join("c/commits.jsonl")).len(), 2);
    // A second repository with the same history brings nothing new.
    ok(path, &["corpus", "one", "bare.git", "-o", "d"]);
    assert_eq!(read("a/commits.jsonl"), read("d/commits.jsonl"));
}

/// A history of many commits, of which each but the first changes the one file, so that some are left out for one reason and some for another.
fn long_history(folder: &Path, commits: u32) {
    std::fs::create_dir_all(folder).unwrap();
    git(folder, &["init", "-q", "-b", "main"]);
    let mut stream = String::new();
    for at in 0..commits {
        let subject = if at % 3 == 0 {
            "Typo"
        } else {
            "Rename the value of it"
        };
        let word = format!("w{:08x}", at.wrapping_mul(2_654_435_761));
        let text = format!("{word}_value = {word}_compute({word}_x, {word}_y)\n");
        let time = 1_700_000_000 + at;
        stream += &format!(
            "commit refs/heads/main\ncommitter Ada <ada@example.org> {time} +0000\ndata {}\n{subject}\n",
            subject.len()
        );
        stream += &format!(
            "M 100644 inline a.py\ndata {}\n{text}\nM 100644 inline LICENSE\ndata {}\n{MIT}\n",
            text.len(),
            MIT.len()
        );
    }
    let mut import = Command::new("git");
    import.args(["fast-import", "--quiet"]).current_dir(folder);
    let mut import = import.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut import.stdin.take().unwrap(), stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
}

#[test]
fn the_counts_do_not_depend_on_threads_where_a_repository_is_capped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    long_history(&path.join("long"), 600);
    for (name, threads) in [("a", "1"), ("b", "3")] {
        ok(
            path,
            &[
                "corpus",
                "long",
                "-o",
                name,
                "--per-repository",
                "5",
                "--threads",
                threads,
            ],
        );
    }
    let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
    assert_eq!(read("a/corpus.json"), read("b/corpus.json"));
    assert_eq!(read("a/commits.jsonl"), read("b/commits.jsonl"));
    let described: Value = serde_json::from_str(&read("a/corpus.json")).unwrap();
    assert_eq!(described["changes"], 5);
    assert!(
        described["left_out"]["beyond the cap of its repository"]
            .as_u64()
            .unwrap()
            > 580
    );
}

#[test]
fn a_model_learns_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let name = path.join("one");
    repository(&name);
    for minute in 10..40 {
        let text = format!("x = 1\nnumbers_{minute} = [first(x) for x in range(100, {minute})]\n");
        commit(
            &name,
            minute,
            &format!("Rename the numbers to {minute}"),
            &[("b.py", text.as_bytes())],
        );
    }
    ok(path, &["corpus", "one", "-o", "corpus"]);
    ok(
        path,
        &[
            "train",
            "operator",
            "corpus/commits.parquet",
            "-o",
            "model",
            "--preset",
            "0.1m",
            "--vocabulary",
            "300",
            "--tokens",
            "3000",
            "--trial",
            "0",
        ],
    );
    assert!(path.join("model/model.safetensors").exists());
}

#[test]
fn what_cannot_serve_is_said_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    repository(&path.join("good"));
    std::fs::create_dir(path.join("none")).unwrap();
    fails(
        path,
        &["corpus", "none", "-o", "c"],
        2,
        &["none: is no git repository", "give the folder of one"],
    );
    fails(
        path,
        &["corpus", "nowhere", "-o", "c"],
        2,
        &["nowhere: is no git repository"],
    );
    std::fs::create_dir(path.join("empty")).unwrap();
    git(&path.join("empty"), &["init", "-q"]);
    fails(
        path,
        &["corpus", "empty", "-o", "c"],
        2,
        &["empty: has no commits"],
    );
    git(
        path,
        &[
            "clone",
            "-q",
            "--depth",
            "2",
            &format!("file://{}", path.join("good").display()),
            "shallow",
        ],
    );
    fails(
        path,
        &["corpus", "shallow", "-o", "c"],
        2,
        &["shallow: is a shallow clone", "git fetch --unshallow"],
    );
    let bare = path.join("bare");
    std::fs::create_dir(&bare).unwrap();
    git(&bare, &["init", "-q"]);
    commit(&bare, 0, "Add a file to it", &[("a.py", b"x = 1\n")]);
    fails(
        path,
        &["corpus", "bare", "-o", "c"],
        2,
        &["bare: has no licence file", "--licence bare=MIT"],
    );
    fails(
        path,
        &["corpus", "good", "bare", "-o", "c"],
        2,
        &["bare: has no licence file", "--skip"],
    );
    commit(
        &bare,
        1,
        "Add a licence of it",
        &[("COPYING", b"GNU GENERAL PUBLIC LICENSE\nVersion 3\n")],
    );
    fails(
        path,
        &["corpus", "bare", "-o", "c"],
        2,
        &["COPYING is GPL, not a permissive licence", "--any-licence"],
    );
    // Nothing to learn from in it.
    fails(
        path,
        &["corpus", "bare", "-o", "c", "--any-licence"],
        1,
        &["no change to learn from in 2 commits"],
    );
    fails(
        path,
        &["corpus", "good", "good", "-o", "c"],
        2,
        &["good: is given twice"],
    );
    fails(
        path,
        &["corpus", "good", "--licence", "other=MIT", "-o", "c"],
        2,
        &["other: is none of the repositories"],
    );
    assert!(!path.join("c").exists() && !path.join("c.part").exists());
    ok(path, &["corpus", "good", "bare", "-o", "c", "--skip"]);
    fails(
        path,
        &["corpus", "good", "-o", "c"],
        2,
        &["c: is there already"],
    );
    let row = &rows(&path.join("c/commits.jsonl"))[0];
    assert_eq!(row["licence"], "MIT");
    // An object that is gone costs its commits alone.
    let blob = git(&path.join("good"), &["rev-parse", "HEAD~3:b.py"]);
    let (head, tail) = blob.trim().split_at(2);
    std::fs::remove_file(path.join(format!("good/.git/objects/{head}/{tail}"))).unwrap();
    ok(path, &["corpus", "good", "-o", "d"]);
    let described = std::fs::read_to_string(path.join("d/corpus.json")).unwrap();
    assert!(described.contains("not in the repository"), "{described}");
}
