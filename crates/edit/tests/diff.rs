//! Diffs: round trips, moved line numbers, and agreement with GNU patch and git.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use edit::diff::{At, Counts, Diff, Diffs, Tag, unified};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// A text of few different lines, so that places are often not unique; sometimes without a final line feed.
fn text(kinds: u8, len: usize) -> impl Strategy<Value = String> {
    let line = (0..kinds).prop_map(|k| match k {
        0 => "\n".to_owned(),
        1 => "-- x\n".to_owned(),
        2 => "cr\r\n".to_owned(),
        k => format!("line {k}\n"),
    });
    (prop::collection::vec(line, 0..len), 0..5u8).prop_map(|(lines, end)| {
        let text = lines.concat();
        if end == 0 {
            text.trim_end_matches('\n').to_owned()
        } else {
            text
        }
    })
}

/// A text and what a few edits of its lines make of it.
fn edited(kinds: u8, len: usize) -> impl Strategy<Value = (String, String)> {
    let edit = (any::<prop::sample::Index>(), 0..3u8, 0..kinds + 2);
    (text(kinds, len), prop::collection::vec(edit, 0..4)).prop_map(|(old, edits)| {
        let mut lines: Vec<String> = old.split_inclusive('\n').map(str::to_owned).collect();
        for (at, what, kind) in edits {
            let at = at.index(lines.len() + 1);
            if what > 0 && at < lines.len() {
                lines.remove(at);
            }
            if what < 2 && (at == 0 || lines[at - 1].ends_with('\n')) {
                lines.insert(at, format!("line {kind}\n"));
            }
        }
        (old, lines.concat())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn round_trip((old, new) in edited(9, 40), context in 0..5usize) {
        let diff = Diff::between(&old, &new, context).named("x.py");
        prop_assert_eq!(diff.apply(&old), Ok(new));
        if !diff.is_empty() {
            prop_assert_eq!(Diff::parse(&diff.to_string()), Ok(diff));
        }
    }

    #[test]
    fn round_trip_of_unrelated_texts(old in text(12, 20), new in text(12, 20), context in 0..5usize) {
        let diff = Diff::between(&old, &new, context);
        prop_assert_eq!(diff.apply(&old), Ok(new));
    }

    #[test]
    fn what_people_read_gives_the_new_text((old, new) in edited(9, 40), other in text(12, 20)) {
        for new in [new, other, String::new()] {
            let shown = unified(&old, &new);
            prop_assert_eq!(shown.is_empty(), old == new);
            if !shown.is_empty() {
                prop_assert_eq!(Diff::parse(&shown).unwrap().apply(&old), Ok(new));
            }
        }
    }

    /// Where every line is its own, wrong numbers or none change nothing.
    #[test]
    fn line_numbers_may_be_wrong(len in 8..60usize, at in any::<prop::sample::Index>(), by in -30..30isize, bare: bool) {
        let old: String = (0..len).map(|i| format!("line {i}\n")).collect();
        let at = 3 + at.index(len - 6);
        let new = old.replace(&format!("line {at}\n"), "other\n");
        let mut diff = Diff::between(&old, &new, 3);
        let line = diff.hunks[0].at.unwrap().line.saturating_add_signed(by).max(1);
        diff.hunks[0].at = (!bare).then_some(At { line, exact: true });
        prop_assert_eq!(Diff::parse(&diff.to_string()).unwrap().apply(&old), Ok(new));
    }
}

/// A text and a diff of one like it: shifted, and some lines other.
fn damaged() -> impl Strategy<Value = (String, Diff)> {
    let change = (any::<prop::sample::Index>(), 0..4u8, 0..12u8);
    let damage = prop::collection::vec(change, 0..3);
    let shifts = prop::collection::vec(-3..4isize, 8);
    (
        edited(12, 24),
        damage,
        prop::bool::weighted(0.3),
        shifts,
        0..4usize,
    )
        .prop_map(|((old, new), damage, jitter, shifts, context)| {
            let mut diff = Diff::between(&old, &new, context);
            for (hunk, by) in diff.hunks.iter_mut().zip(shifts) {
                if let Some(at) = hunk.at.as_mut().filter(|at| jitter && at.line > 3) {
                    at.line = at.line.saturating_add_signed(by).max(1);
                }
            }
            let mut lines: Vec<String> = old.split_inclusive('\n').map(str::to_owned).collect();
            for (at, what, kind) in damage {
                let at = at.index(lines.len() + 1);
                if what > 1 && at < lines.len() {
                    lines.remove(at);
                }
                if what != 2 && (at == 0 || lines[at - 1].ends_with('\n')) {
                    lines.insert(at, format!("line {kind}\n"));
                }
            }
            (lines.concat(), diff)
        })
}

/// Whether the headers' lines follow each other. Where they do not, GNU patch also tries lines before the last change
/// and gives up when they match.
fn is_in_order(diff: &Diff) -> bool {
    diff.hunks.windows(2).all(|pair| {
        let line = |i: usize| pair[i].at.map_or(0, |at| at.line);
        line(0) + pair[0].old_lines().count().max(1) <= line(1)
    })
}

/// What GNU patch makes of it; `None`: it refuses.
fn gnu_patch(dir: &Path, text: &str, diff: &str) -> Option<String> {
    let (file, patch, out) = (dir.join("f"), dir.join("p"), dir.join("out"));
    fs::write(&file, text).unwrap();
    fs::write(&patch, diff).unwrap();
    let _ = fs::remove_file(&out);
    let status = Command::new("patch")
        .args([
            "--force",
            "--silent",
            "--binary",
            "--no-backup-if-mismatch",
            "--reject-file=-",
            "--posix",
            "-o",
        ])
        .args([&out, &file, &patch])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    status
        .success()
        .then(|| fs::read_to_string(&out).unwrap_or_default())
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok();
    if !found {
        eprintln!(
            "SKIPPED: no `{program}` on this machine; install it (apt-get install {program})"
        );
    }
    found
}

/// 800 texts and diffs of which most need an offset or fuzz or are to be refused.
#[test]
fn agrees_with_gnu_patch() {
    if !is_there("patch") {
        return;
    }
    let dir = tempdir("patch");
    let mut runner = TestRunner::deterministic();
    let (mut applied, mut fuzzy, mut refused) = (0, 0, 0);
    while applied + refused < 800 {
        let (text, diff) = damaged().new_tree(&mut runner).unwrap().current();
        if diff.is_empty() || !is_in_order(&diff) {
            continue;
        }
        let shown = diff.to_string();
        let theirs = gnu_patch(&dir, &text, &shown);
        let ours = Diff::parse(&shown).unwrap().place(&text);
        // Where fuzz drops a last line without line feed, GNU patch joins it with what is added behind.
        let joined = !text.ends_with('\n')
            && ours
                .as_ref()
                .is_ok_and(|a| a.places.iter().any(|p| p.fuzz > 0));
        let theirs = theirs.map(|t| {
            if joined {
                ours.as_ref().map_or(t, |a| a.text.clone())
            } else {
                t
            }
        });
        assert_eq!(
            ours.as_ref().ok().map(|a| &a.text),
            theirs.as_ref(),
            "{text:?}\n{shown}\n{ours:?}"
        );
        match ours {
            Ok(a) if a.places.iter().any(|p| p.offset != 0 || p.fuzz != 0) => {
                (applied, fuzzy) = (applied + 1, fuzzy + 1)
            }
            Ok(_) => applied += 1,
            Err(_) => refused += 1,
        }
    }
    eprintln!("{applied} applied, {fuzzy} of them with an offset or fuzz; {refused} refused");
    assert!(fuzzy > 150 && refused > 50, "{applied} {fuzzy} {refused}");
    fs::remove_dir_all(dir).unwrap();
}

/// 300 pairs of texts: our diff and that of GNU diff lead to the same text, by our hand and by GNU patch's.
#[test]
fn leads_where_gnu_diff_leads() {
    if !(is_there("patch") && is_there("diff")) {
        return;
    }
    let dir = tempdir("diff");
    let mut runner = TestRunner::deterministic();
    for case in 0..300 {
        let (old, mut new) = edited(9, 30).new_tree(&mut runner).unwrap().current();
        if case % 10 == 0 {
            new = text(12, 20).new_tree(&mut runner).unwrap().current();
        }
        let ours = unified(&old, &new);
        fs::write(dir.join("old"), &old).unwrap();
        fs::write(dir.join("new"), &new).unwrap();
        let theirs = Command::new("diff")
            .args(["--text", "-U3", "old", "new"])
            .current_dir(&dir)
            .output()
            .unwrap();
        let theirs = String::from_utf8(theirs.stdout).unwrap();
        assert_eq!(ours.is_empty(), theirs.is_empty(), "{old:?} {new:?}");
        if old == new {
            continue;
        }
        assert_eq!(Diff::parse(&theirs).unwrap().apply(&old), Ok(new.clone()));
        let patched = gnu_patch(&dir, &old, &format!("--- old\n+++ new\n{ours}"));
        assert_eq!(patched, Some(new), "{old:?}\n{ours}");
    }
    fs::remove_dir_all(dir).unwrap();
}

/// 300 canonical diffs, with their headers, taken by git as they stand.
#[test]
fn git_takes_what_is_shown() {
    if !is_there("git") {
        return;
    }
    let dir = tempdir("git");
    let mut runner = TestRunner::deterministic();
    let mut cases = 0;
    while cases < 300 {
        let (old, new) = edited(9, 30).new_tree(&mut runner).unwrap().current();
        let diff = Diff::between(&old, &new, 3).named("a file.py");
        if diff.is_empty() {
            continue;
        }
        assert!(
            diff.hunks
                .iter()
                .any(|h| h.lines.iter().any(|l| l.tag != Tag::Context))
        );
        fs::write(dir.join("a file.py"), &old).unwrap();
        fs::write(dir.join("p"), diff.to_string()).unwrap();
        let out = Command::new("git")
            .args(["apply", "--whitespace=nowarn", "p"])
            .env("GIT_CEILING_DIRECTORIES", dir.parent().unwrap())
            .current_dir(&dir)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{old:?}\n{diff}\n{}",
            String::from_utf8_lossy(&out.stderr)
        );
        assert_eq!(fs::read_to_string(dir.join("a file.py")).unwrap(), new);
        cases += 1;
    }
    fs::remove_dir_all(dir).unwrap();
}

/// What `git format-patch`, `git show` and `git diff` print of a file that is renamed and gets another mode too is taken
/// whole, with git's own result.
#[test]
fn takes_what_git_prints() {
    if !is_there("git") {
        return;
    }
    let dir = tempdir("mail");
    let git = |args: &[&str]| {
        let out = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@localhost"])
            .args(args)
            .env("GIT_CEILING_DIRECTORIES", dir.parent().unwrap())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .current_dir(&dir)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap()
    };
    let old: String = (0..40).map(|i| format!("line {i}\n")).collect();
    let new = old
        .replace("line 3\n", "-- \n")
        .replace("line 39\n", "line 39\nlast");
    git(&["init", "-q"]);
    fs::write(dir.join("f.py"), &old).unwrap();
    git(&["add", "."]);
    git(&["commit", "-qm", "Old"]);
    git(&["mv", "f.py", "g.py"]);
    git(&["update-index", "--chmod=+x", "g.py"]);
    fs::write(dir.join("g.py"), &new).unwrap();
    git(&["update-index", "g.py"]);
    git(&["commit", "-qm", "New\n\n- one\n- two\n\nNot a diff."]);
    for patch in [
        git(&["format-patch", "-1", "--stdout"]),
        git(&["show", "-M"]),
        git(&["diff", "HEAD~", "-M"]),
    ] {
        for counts in [Counts::Doubted, Counts::Trusted] {
            for patch in [
                patch.clone(),
                format!("Here:\n\n```diff\n{patch}```\nDone.\n"),
            ] {
                let diffs = Diffs::parse(&patch, counts).unwrap();
                assert_eq!(diffs.apply(&old).as_ref(), Ok(&new), "{patch}");
            }
        }
    }
    fs::remove_dir_all(dir).unwrap();
}

fn tempdir(what: &str) -> std::path::PathBuf {
    let dir = std::env::temp_dir().join(format!("edit-{what}-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    dir
}
