//! One commit: whether a model may learn from it, and what.

use std::ops::Range;

use edit::source::decode;
use gix::{ObjectId, Repository};
use mutate::syntax;
use ruff_python_ast::ModModule;
use ruff_python_ast::comparable::ComparableStmt;

use crate::message;
use crate::near::signature;
use crate::read::Settings;
use crate::tree;
use crate::why::Why;
use crate::window::{Window, window};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 200_000;
/// Bytes of a line of a change at most.
const LINE: usize = 200;
/// Characters by which a change must differ, as CommitPackFT asks for.
const LEAST: usize = 10;

/// A change that may be learned from.
pub struct Change {
    pub path: String,
    pub subject: String,
    pub window: Window,
    pub lines: u64,
    pub signature: [u64; 8],
}

/// The change that a commit makes, or why it is none to learn from. What costs least is asked first.
pub fn change(
    repository: &Repository,
    commit: ObjectId,
    settings: &Settings,
) -> Result<Change, Why> {
    let found = repository.find_commit(commit).map_err(|_| Why::Missing)?;
    let read = found.decode().map_err(|_| Why::Missing)?;
    let mut parents = read.parents();
    let (Some(parent), None) = (parents.next(), parents.next()) else {
        return Err(Why::Parents);
    };
    if message::is_robot(&String::from_utf8_lossy(read.author)) {
        return Err(Why::Robot);
    }
    let subject = message::subject(&String::from_utf8_lossy(read.message))?;
    let parent = repository.find_commit(parent).map_err(|_| Why::Missing)?;
    let parent = parent.tree_id().map_err(|_| Why::Missing)?;
    let differs = tree::only(repository, parent.detach(), read.tree())?;
    if !differs.path.ends_with(".py") {
        return Err(Why::Python);
    }
    if is_foreign(&differs.path) {
        return Err(Why::Foreign);
    }
    let before = text(repository, differs.before)?;
    let after = text(repository, differs.after)?;
    if before.lines().take(10).any(is_generated) {
        return Err(Why::Foreign);
    }
    let (window, signature) = learnable(&before, &after, settings)?;
    Ok(Change {
        path: differs.path,
        subject,
        window,
        lines: before.lines().count() as u64,
        signature,
    })
}

fn text(repository: &Repository, id: ObjectId) -> Result<String, Why> {
    let size = repository.find_header(id).map_err(|_| Why::Missing)?.size();
    if size > LARGEST {
        return Err(Why::Large);
    }
    let blob = repository.find_blob(id).map_err(|_| Why::Missing)?;
    decode(&blob.data).map_err(|_| Why::Text)
}

/// The part of both versions that a model learns from.
fn learnable(before: &str, after: &str, settings: &Settings) -> Result<(Window, [u64; 8]), Why> {
    let (old, new) = (edit::lines(before), edit::lines(after));
    let changes = edit::diff::changes(&old, &new);
    let sum =
        |side: fn(&(Range<usize>, Range<usize>)) -> usize| changes.iter().map(side).sum::<usize>();
    if sum(|(old, _)| old.len()).max(sum(|(_, new)| new.len())) > settings.max_lines {
        return Err(Why::Lines);
    }
    let removed = || {
        changes
            .iter()
            .flat_map(|(range, _)| &old[range.clone()])
            .copied()
    };
    let added = || {
        changes
            .iter()
            .flat_map(|(_, range)| &new[range.clone()])
            .copied()
    };
    if removed().chain(added()).any(|line| line.len() > LINE) {
        return Err(Why::Lines);
    }
    let distance =
        strsim::levenshtein(&removed().collect::<String>(), &added().collect::<String>());
    if distance < LEAST {
        return Err(Why::Small);
    }
    let both = syntax::with(before, |one| {
        let part = window(before, after, one.syntax(), &changes, settings.window);
        syntax::with(after, |other| (same(one.syntax(), other.syntax()), part))
    });
    let (is_same, part) = both.flatten().map_err(|_| Why::Syntax)?;
    if is_same {
        return Err(Why::Same);
    }
    if added().any(is_secret) {
        return Err(Why::Secret);
    }
    let part = part.ok_or(Why::Window)?;
    // The whole file parses.
    if part.before != before {
        for text in [&part.before, &part.after] {
            syntax::with(text, |_| ()).map_err(|_| Why::Window)?;
        }
    }
    let lines = removed()
        .map(|line| ('-', line))
        .chain(added().map(|line| ('+', line)));
    Ok((part, signature(lines)))
}

/// Whether two programs differ in comments and layout alone.
fn same(one: &ModModule, other: &ModModule) -> bool {
    let one = one.body.iter().map(ComparableStmt::from);
    one.eq(other.body.iter().map(ComparableStmt::from))
}

/// Whether files of this path are copies of others', or written by programs.
fn is_foreign(path: &str) -> bool {
    let path = path.to_lowercase();
    let mut parts: Vec<&str> = path.split('/').collect();
    let file = parts.pop().unwrap_or_default();
    let folders = [
        "vendor",
        "_vendor",
        "vendored",
        "third_party",
        "thirdparty",
        "extern",
        "external",
        "node_modules",
        "site-packages",
        "migrations",
        "generated",
    ];
    let files = [
        "_version.py",
        "versioneer.py",
        "__version__.py",
        "version.py",
        "ez_setup.py",
        "distribute_setup.py",
        "__about__.py",
    ];
    parts.iter().any(|part| folders.contains(part))
        || files.contains(&file)
        || file.ends_with("_pb2.py")
        || file.ends_with("_pb2_grpc.py")
}

fn is_generated(line: &str) -> bool {
    let line = line.to_lowercase();
    [
        "@generated",
        "do not edit",
        "autogenerated",
        "auto-generated",
        "automatically generated",
        "generated by",
    ]
    .iter()
    .any(|mark| line.contains(mark))
}

/// Whether a line holds what looks like a key.
fn is_secret(line: &str) -> bool {
    const MARKS: [&str; 8] = [
        "-----BEGIN",
        "AKIA",
        "ghp_",
        "github_pat_",
        "xoxb-",
        "xoxp-",
        "sk_live_",
        "AIza",
    ];
    if MARKS.iter().any(|mark| line.contains(mark)) {
        return true;
    }
    // A long word of letters and digits in quotes, as keys are.
    let mut inside = line.split(['"', '\'']).skip(1).step_by(2);
    inside.any(|text| {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
        text.len() >= 32
            && digits >= 6
            && letters >= 6
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+/=_-".contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        max_lines: 8,
        window: 12,
        per_repository: 100,
        threads: 1,
    };

    fn try_(before: &str, after: &str) -> Result<Window, Why> {
        learnable(before, after, &SETTINGS).map(|(window, _)| window)
    }

    #[test]
    fn a_short_file_is_its_own_window() {
        let (before, after) = ("a = 1\nb = a\n", "a = 1\nb = sorted(a, key=None)\n");
        let window = try_(before, after).unwrap();
        assert_eq!((&*window.before, &*window.after), (before, after));
    }

    #[test]
    fn a_window_has_the_definitions_around_the_change() {
        let filler: String = (0..20)
            .map(|i| format!("        self.x{i} = {i}\n"))
            .collect();
        let file = |line: &str| {
            format!(
                "import os\n\n\nclass A(B):\n    \"\"\"Text.\"\"\"\n\n    def first(self):\n{filler}\n    @property\n    def second(self):\n        value = 1\n{line}        return value\n\n\nx = A()\n"
            )
        };
        let window = try_(
            &file("        value += 1\n"),
            &file("        value += self.third(value)\n"),
        )
        .unwrap();
        let head = "class A(B):\n    @property\n    def second(self):\n        value = 1\n";
        // The class's own text is no part of it.
        assert_eq!(
            window.before.replace("    \"\"\"Text.\"\"\"\n\n", ""),
            format!("{head}        value += 1\n        return value\n")
        );
        assert_eq!(
            window.after.replace("    \"\"\"Text.\"\"\"\n\n", ""),
            format!("{head}        value += self.third(value)\n        return value\n")
        );
    }

    #[test]
    fn of_a_long_statement_heads_and_first_lines_stay() {
        let filler: String = (0..20).map(|i| format!("        y{i} = {i}\n")).collect();
        let file = |line: &str| {
            format!(
                "def f(x):\n    if x:\n{filler}    elif x > 1:\n        x = 2\n{line}    else:\n{filler}    return x\n"
            )
        };
        let window = try_(&file(""), &file("        x = compute(x, 3)\n")).unwrap();
        assert_eq!(
            window.before,
            "def f(x):\n    if x:\n        y0 = 0\n    elif x > 1:\n        x = 2\n    else:\n        y0 = 0\n"
        );
        assert_eq!(
            window.after,
            window
                .before
                .replace("x = 2\n", "x = 2\n        x = compute(x, 3)\n")
        );
    }

    #[test]
    fn what_teaches_nothing_is_left_out() {
        for (before, after, why) in [
            ("a = 1\n", "a = 12\n", Why::Small),
            ("a = 1\n", "a = 1  # the number of all things\n", Why::Same),
            (
                "a = [1,2,3,4,5,6,7,8]\n",
                "a = [\n    1, 2, 3, 4,\n    5, 6, 7, 8,\n]\n",
                Why::Same,
            ),
            (
                "print 'a b c'\n",
                "print('a b c', 'd e f g h')\n",
                Why::Syntax,
            ),
            ("a = 1\n", "a = 'AKIAIOSFODNN7EXAMPLE'\n", Why::Secret),
            (
                "a = 1\n",
                "a = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c'\n",
                Why::Secret,
            ),
            (
                "a = 1\n",
                "b = 1\nc = 2\nd = 3\ne = 4\nf = 5\ng = 6\nh = 7\ni = 8\nj = 9\n",
                Why::Lines,
            ),
        ] {
            assert_eq!(try_(before, after).err(), Some(why), "{before}{after}");
        }
    }

    #[test]
    fn files_of_others_are_told_apart() {
        for path in [
            "src/pip/_vendor/six.py",
            "a/foo_pb2.py",
            "app/migrations/0001_initial.py",
            "pkg/_version.py",
        ] {
            assert!(is_foreign(path), "{path}");
        }
        assert!(!is_foreign("src/external_tools.py"));
        assert!(is_generated(
            "# This file is Automatically Generated; DO NOT EDIT"
        ));
    }
}
