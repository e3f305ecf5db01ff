//! Random walks under the guides: whatever is drawn, the edit applies and the file is Python.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use edit::diff::Diff;
use edit::guide::{DiffGuide, DiffOptions, Guide, LineGuide, LineOptions, Rules};

/// A stream of numbers (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

const TOKENS: &[&str] = &[
    "\n",
    "\n",
    "\n",
    "\n",
    "\n+",
    "\n-",
    "\n ",
    "\n@@\n",
    "@@\n",
    " ",
    "-",
    "+",
    "+    ",
    "-    ",
    "     ",
    "    ",
    "        ",
    " = ",
    "x",
    "wc",
    "walker",
    "1",
    "2.5",
    "0",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ", ",
    ": ",
    ":\n",
    ".",
    "'",
    "\"",
    "\"\"\"",
    "for ",
    " in ",
    "range(",
    "if ",
    "else:",
    "elif ",
    "while ",
    "def ",
    "f(",
    "return ",
    "pass",
    "import ",
    "from ",
    "class ",
    "try:",
    "except:",
    "with ",
    " as ",
    "lambda ",
    "not ",
    " and ",
    " * ",
    " + ",
    " == ",
    "# ",
    "\\\n",
    "f'{",
    "é",
    "add_joint(",
    "add_muscle(",
    "True",
    "None",
    "\t",
    "\r\n",
    "@",
    "async ",
    "await ",
    "yield ",
    "match ",
];

/// What ends things; drawn often, or nothing that is begun would be ended.
const ENDS: &[&str] = &[
    "\n", "\n", ")", "]", "}", "'\n", "\"\n", "\"\"\"\n", "')\n", "pass\n", ":\n", "x\n",
    ": pass\n",
];

/// Draws under a guide until it ends, is stuck or has taken `steps` tokens; says whether it ended.
fn walk(guide: &mut dyn Guide, source: &str, draw: &mut Draw, steps: usize) -> bool {
    let lines: Vec<&str> = source.split_inclusive('\n').collect();
    for _ in 0..steps {
        let forced = guide.forced();
        assert!(
            guide.admits(&forced),
            "forced and not admitted: {:?}",
            String::from_utf8_lossy(&forced)
        );
        guide.advance(&forced);
        if guide.must_end() || (guide.may_end() && draw.below(3) == 0) {
            assert!(guide.may_end());
            return true;
        }
        let from = draw.below(4);
        let drawn = (0..100).map(|_| match from {
            0 | 1 => ENDS[draw.below(ENDS.len())].as_bytes().to_vec(),
            2 => TOKENS[draw.below(TOKENS.len())].as_bytes().to_vec(),
            _ => lines
                .get(draw.below(lines.len() + 1))
                .map_or(vec![b'x'], |l| l.as_bytes().to_vec()),
        });
        let drawn: Vec<Vec<u8>> = drawn.collect();
        // At last every printing byte, so that stuck is stuck. (Which other characters are letters, no prefix knows.)
        let byte = draw.below(95) as u8;
        let bytes = (0..95).map(|i| vec![b' ' + (byte + i) % 95]);
        match drawn
            .into_iter()
            .chain(bytes)
            .find(|token| guide.admits(token))
        {
            Some(token) => guide.advance(&token),
            None => return false,
        }
    }
    false
}

fn sources() -> Vec<String> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../seeds");
    let mut paths: Vec<PathBuf> = fs::read_dir(seeds)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.sort();
    let mut sources: Vec<String> = paths
        .iter()
        .filter(|p| p.extension().is_some_and(|e| e == "py"))
        .map(|p| fs::read_to_string(p).unwrap())
        .collect();
    assert!(sources.len() >= 4);
    sources.push(
        "def f(a):\n    if a:\n        return 1\n    if a:\n        return 1\n    return 1".into(),
    );
    sources.push("x = 1\r\nif x:\r\n    x = [\r\n        2,\r\n    ]\r\n".into());
    sources.push("s = '''\n-- a\n++ b\n'''\n\n\nt = s\n".into());
    sources.push("x = 1\n".into());
    sources.push(String::new());
    sources
}

/// Python, but not with a backslash at its end, which a prefix may take.
fn rules() -> Rules {
    Rules::default().with(Arc::new(|file| !file.trim_end().ends_with('\\')))
}

/// Asks CPython to compile all the files; every one must.
fn compile(what: &str, files: &[String]) {
    let dir = tempdir(what);
    for (i, file) in files.iter().enumerate() {
        fs::write(dir.join(format!("{i}.py")), file).unwrap();
    }
    let script = "import glob, sys, warnings\nwarnings.simplefilter('ignore')\nbad = 0\nfor f in sorted(glob.glob(sys.argv[1] + '/*.py')):\n    \
                  try: compile(open(f, 'rb').read(), f, 'exec')\n    except Exception as e: bad += 1; print(f, repr(e))\nsys.exit(bad > 0)\n";
    match Command::new("python3")
        .args(["-c", script])
        .arg(&dir)
        .output()
    {
        Ok(out) => assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stdout)
        ),
        Err(_) => eprintln!(
            "SKIPPED: no `python3` on this machine to compile {} files",
            files.len()
        ),
    }
    fs::remove_dir_all(dir).unwrap();
}

fn tempdir(what: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("edit-{what}-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Applies a diff with GNU patch; `true` also where there is none.
fn patch_agrees(dir: &Path, source: &str, diff: &str, new: &str) -> bool {
    let (file, patch) = (dir.join("f"), dir.join("p"));
    fs::write(&file, source).unwrap();
    fs::write(&patch, diff).unwrap();
    // --posix: a file that becomes empty stays.
    let status = Command::new("patch")
        .args(["--force", "--silent", "--binary", "--posix", "--fuzz=0"])
        .args([&file, &patch])
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) => status.success() && fs::read_to_string(&file).unwrap() == new,
        Err(_) => true,
    }
}

/// 25 walks on each source.
#[test]
fn diffs_apply_and_compile() {
    let dir = tempdir("walk");
    let mut draw = Draw(1);
    let (mut files, mut walks, mut ended) = (Vec::new(), 0, 0);
    for source in sources() {
        for _ in 0..25 {
            let max_added = 1 + draw.below(6);
            let options = DiffOptions {
                max_added,
                rules: rules(),
                max_line: 60,
                ..DiffOptions::default()
            };
            let mut guide = DiffGuide::new("a/walker.py", &source, options);
            let whole = walk(&mut guide, &source, &mut draw, 300);
            (walks, ended) = (walks + 1, ended + usize::from(whole));
            if whole {
                assert_eq!(guide.result(), guide.closed());
            }
            let Some((diff, new)) = guide.closed() else {
                continue;
            };
            let text = String::from_utf8_lossy(guide.text());
            assert_ne!(new, source);
            assert_eq!(
                Diff::parse(&diff).unwrap().apply(&source).as_ref(),
                Ok(&new),
                "{text}\n{diff}"
            );
            assert!(
                patch_agrees(&dir, &source, &diff, &new),
                "{source:?}\n{text}\n{diff}\n{new:?}"
            );
            // As it was written, with bare hunks, it applies too, if perhaps in an earlier place.
            if whole
                && source.ends_with('\n')
                && let Ok(bare) = Diff::parse(&text)
            {
                assert!(bare.apply(&source).is_ok(), "{text}");
            }
            files.push(new);
        }
    }
    eprintln!("{walks} walks: {ended} ended, {} left an edit", files.len());
    assert!(ended * 2 > walks && files.len() >= ended);
    compile("diffs", &files);
    fs::remove_dir_all(dir).unwrap();
}

/// 25 walks on each source.
#[test]
fn lines_compile() {
    let mut draw = Draw(2);
    let (mut files, mut closed, mut walks) = (Vec::new(), Vec::new(), 0);
    for source in sources().iter().filter(|s| !s.is_empty()) {
        let lines = source.split_inclusive('\n').count();
        for _ in 0..25 {
            let count = 1 + draw.below(lines.min(3));
            let first = draw.below(lines - count + 1);
            let options = LineOptions {
                rules: rules(),
                max_line: 60,
                ..LineOptions::default()
            };
            let mut guide = LineGuide::new(source, first, count, options).unwrap();
            walks += 1;
            if walk(&mut guide, source, &mut draw, 200) {
                let new = guide.result().unwrap();
                assert_ne!(&new, source);
                let text = String::from_utf8_lossy(guide.text());
                assert!(new.contains(text.trim_end_matches('\n')));
                files.push(new);
            } else {
                assert_eq!(guide.result(), None);
                if let Some(new) = guide.closed() {
                    assert_ne!(&new, source);
                    closed.push(new);
                }
            }
        }
    }
    let (ended, left) = (files.len(), closed.len());
    eprintln!("{walks} walks: {ended} ended, {left} more were closed");
    assert!(ended * 2 > walks && left * 2 > walks - ended);
    compile("lines", &files);
    compile("closed lines", &closed);
}

#[test]
fn lines_without_an_end_are_closed() {
    let source = "def f(a):\n    b = [a, 1]\n    c = b\n    return g(c, 2)\n";
    let names = edit::python::Names::of(source, "def g(x, y=0): ...\n");
    let options = LineOptions {
        rules: Rules {
            start: Some(edit::python::Prefix::with_names(Arc::new(names))),
            ..Rules::default()
        },
        ..LineOptions::default()
    };
    for (first, count, text, line) in [
        (
            1,
            1,
            "    b = [a, (2, [3",
            Some("    b = [a, (2, [3])]\n    c = b\n"),
        ),
        (
            1,
            1,
            "    b = [a, 2 * (3 + ",
            Some("    b = [a, 2 * (3)]\n    c = b\n"),
        ),
        (
            1,
            2,
            "    b = 3\n    c = b +",
            Some("    b = 3\n    c = b\n    return"),
        ),
        (
            1,
            2,
            "    b = 3\n    c",
            Some("    b = 3\n    c = b\n    return"),
        ),
        (
            1,
            1,
            "    d = g(a, ",
            Some("    d = g(a,)\n    b = [a, 1]\n    c = b\n"),
        ),
        (3, 1, "    return g(b, 'open", Some("    return g(b,)\n")),
        (2, 1, "    c = b", Some("    c = b\n    c = b\n")),
        (2, 1, "    c = ", None),
    ] {
        let mut guide = LineGuide::new(source, first, count, options.clone()).unwrap();
        assert!(guide.admits(text.as_bytes()), "{text}");
        guide.advance(text.as_bytes());
        assert!(!guide.may_end());
        match (guide.closed(), line) {
            (Some(new), Some(line)) => assert!(new.contains(line), "{text}\n{new}"),
            (new, line) => assert_eq!(new.as_deref(), line, "{text}"),
        }
    }
}

#[test]
fn without_rules_any_text_is_added() {
    let options = DiffOptions {
        rules: Rules::any(),
        ..DiffOptions::default()
    };
    let mut guide = DiffGuide::new("t", "one\ntwo\n", options);
    guide.advance(b"--- a/t\n+++ b/t\n@@\n one\n");
    assert!(guide.admits("+( é\n".as_bytes()) && !guide.admits(b"+\xff") && !guide.admits(b"+\0"));
    guide.advance(b"-two\n+)(");
    assert!(!guide.may_end());
    guide.advance(b"\n");
    assert_eq!(guide.result().unwrap().1, "one\n)(\n");
    let none: Arc<dyn Fn(&str) -> bool + Send + Sync> = Arc::new(|_| false);
    let options = DiffOptions {
        rules: Rules::default().with(none),
        ..DiffOptions::default()
    };
    let mut guide = DiffGuide::new("t", "x = 1\n", options);
    guide.advance(b"--- a/t\n+++ b/t\n@@\n-x = 1\n+x = 2\n");
    assert!(!guide.may_end() && guide.result().is_none() && !guide.admits(b"@"));
}

#[test]
fn a_diff_may_be_held_to_a_place() {
    let source = "a = 1\nb = 2\na = 1\nc = 3\n";
    let options = |first| DiffOptions {
        first: Some(first),
        ..DiffOptions::default()
    };
    let mut guide = DiffGuide::new("a.py", source, options(2));
    guide.advance(b"--- a/a.py\n+++ b/a.py\n@@\n");
    assert!(!guide.admits(b"+") && guide.admits(b"-a") && !guide.admits(b"-b"));
    guide.advance(b"-");
    assert_eq!(guide.forced(), b"a = 1\n");
    guide.advance(b"a = 1\n+a = 4\n");
    assert_eq!(guide.result().unwrap().1, "a = 1\nb = 2\na = 4\nc = 3\n");
    guide.advance(b"@@\n");
    assert!(!guide.admits(b"+") && guide.admits(b"-c = 3\n"));
    let past = DiffGuide::new("a.py", source, options(4));
    assert!(!past.admits(b"--- a/a.py\n+++ b/a.py\n@@\n-"));
}

#[test]
fn hunks_that_undo_each_other_are_no_diff() {
    let mut guide = DiffGuide::new("a.py", "a = 1\nb = 2\n", DiffOptions::default());
    guide.advance(b"--- a/a.py\n+++ b/a.py\n@@\n-a = 1\n@@\n-b = 2\n+a = 1\n+b = 2\n");
    assert!(!guide.may_end() && guide.result().is_none());
    assert_eq!(guide.closed().unwrap().1, "a = 1\nb\n");
}

#[test]
fn what_is_kept_is_what_the_rules_take() {
    for source in ["x = 1  # foo\n", "x  = 1\n", "x = 'a  b'\n"] {
        let options = LineOptions {
            keep: source.len() - 2,
            rules: Rules {
                comments: false,
                ..Rules::default()
            },
            ..LineOptions::default()
        };
        let guide = LineGuide::new(source, 0, 1, options).unwrap();
        assert!(!guide.forced().is_empty() && guide.admits(&guide.forced()));
    }
}

#[test]
fn what_a_diff_may_say() {
    let source = "def f(a):\n    b = a\n    return b\n\n\ndef g(a):\n    b = a\n    return b + 1\n";
    let mut guide = DiffGuide::new("f.py", source, DiffOptions::default());
    assert_eq!(guide.forced(), b"--- a/f.py\n+++ b/f.py\n@@\n");
    guide.advance(&guide.forced());
    assert!(guide.forced().is_empty() && !guide.may_end());
    assert!(guide.admits(b"+import math\n def f") && !guide.admits(b"+import math\n     b"));
    assert!(guide.admits(b"     b = a\n") && !guide.admits(b"     b = b") && !guide.admits(b"@"));
    guide.advance(b"     ");
    assert!(guide.admits(b"r") && guide.admits(b"b"));
    guide.advance(b"b");
    assert_eq!(guide.forced(), b" = a\n");
    guide.advance(b" = a\n-");
    // Two places are left, and they differ after `b`.
    assert_eq!(guide.forced(), b"    return b");
    assert!(guide.admits(b"    return b\n") && guide.admits(b"    return b + 1\n"));
    guide.advance(b"    return b + 1\n");
    assert!(guide.may_end(), "g without its return is Python");
    assert!(!guide.admits(b"+    return b + 1\n") && guide.admits(b"+    return b + 12\n"));
    assert!(!guide.admits(b"+    return )"));
    guide.advance(b"+    return (b +\n");
    assert!(!guide.may_end() && !guide.must_end());
    guide.advance(b"+        2)\n");
    let (diff, new) = guide.result().unwrap();
    assert_eq!(
        new,
        source.replace("return b + 1", "return (b +\n        2)")
    );
    assert!(
        diff.starts_with("--- a/f.py\n+++ b/f.py\n@@ -5,4 +5,5 @@\n \n def g"),
        "{diff}"
    );
    assert!(!guide.admits(b"@@\n"), "nothing is left for another hunk");
    assert!(!guide.admits(b"-") && guide.admits(b"+"));
}

#[test]
fn hunks_stand_in_order_and_each_changes_something() {
    let source = "a = 1\nb = 2\nc = 3\nd = 4\n";
    let mut guide = DiffGuide::new("f.py", source, DiffOptions::default());
    guide.advance(&guide.forced());
    guide.advance(b" b = 2\n-c = 3\n");
    assert!(
        guide.may_end()
            && guide.admits(b"@@\n d = 4\n")
            && !guide.admits(b"@@\n a")
            && !guide.admits(b"@@\n+")
    );
    guide.advance(b"@@\n");
    assert!(!guide.may_end() && guide.closed().is_some());
    guide.advance(b" d = 4\n");
    assert!(!guide.may_end(), "the second hunk changes nothing yet");
    assert_eq!(guide.forced(), b"+", "there is no other line");
    guide.advance(b"+\n");
    assert!(!guide.may_end(), "a blank line is no change");
    guide.advance(b"+e = 5\n");
    assert_eq!(guide.result().unwrap().1, "a = 1\nb = 2\nd = 4\n\ne = 5\n");
}

#[test]
fn the_last_line_must_leave_a_valid_file() {
    let options = DiffOptions {
        max_added: 1,
        ..DiffOptions::default()
    };
    let mut guide = DiffGuide::new("f.py", "a = 1\n", options);
    guide.advance(&guide.forced());
    assert!(!guide.admits(b" a = 1\n+if a:\n") && guide.admits(b" a = 1\n+if a: pass\n"));
    guide.advance(b" a = 1\n+if a: pass\n");
    assert!(guide.must_end());
}

#[test]
fn places_for_new_lines() {
    let source = "def f(a):\n    if a:\n        b = [\n            1,\n        ]\n    return b\n";
    assert_eq!(LineGuide::places(source, 1, &Rules::default()), [3, 5]);
    assert_eq!(LineGuide::places(source, 3, &Rules::default()), [2]);
    assert_eq!(LineGuide::places(source, 7, &Rules::default()), []);
    assert_eq!(LineGuide::places(")\nx\n", 1, &Rules::default()), [0]);
}

#[test]
fn what_new_lines_may_be() {
    let source = "def f(a):\n    if a:\n        b = 1\n    return b";
    let guide = |first, count| LineGuide::new(source, first, count, LineOptions::default());
    let mut one = guide(2, 1).unwrap();
    assert_eq!(one.forced(), b"        ");
    assert!(!one.admits(b"       x") && !one.admits(b"         x"));
    one.advance(&one.forced());
    assert!(one.forced().is_empty());
    assert!(!one.admits(b")") && one.admits(b"x = (\n"));
    one.advance(b"b = 1");
    assert!(!one.may_end());
    one.advance(b"1\n");
    assert!(one.may_end() && one.must_end() && !one.admits(b"x"));
    assert_eq!(one.result().unwrap(), source.replace("b = 1", "b = 11"));
    // The last line of a file without a final line feed, and a block that needs more lines than it had.
    let mut last = guide(3, 1).unwrap();
    last.advance(b"    while a:\n");
    assert!(!last.may_end());
    last.advance(b"        a = 0\n");
    assert_eq!(
        last.result().unwrap(),
        "def f(a):\n    if a:\n        b = 1\n    while a:\n        a = 0"
    );
    assert!(guide(4, 1).is_err() && guide(2, 0).is_err() && guide(usize::MAX, 2).is_err());
    assert!(LineGuide::new(")\nx\n", 1, 1, LineOptions::default()).is_err());
}

#[test]
fn what_is_kept_of_a_line_is_forced_and_then_something_else_comes() {
    let source = "def f(x):\n    return x + 1\n\nf(2)\n";
    let options = LineOptions {
        keep: "    return ".len(),
        ..LineOptions::default()
    };
    let mut guide = LineGuide::new(source, 1, 1, options).unwrap();
    assert_eq!(guide.forced(), b"    return ");
    assert!(!guide.admits(b"    pass"));
    guide.advance(b"    return");
    // The token with the blank that is still to come: not what stood there, nor a part of it, nor more than it.
    assert!(!guide.admits(b" x") && !guide.admits(b" x + 1\n") && guide.admits(b" y"));
    guide.advance(b" y");
    // What follows the line's end within a token is not part of it.
    assert!(guide.admits(b"\n\n") && guide.admits(b"\n    ") && !guide.admits(b"\n\nx"));
    guide.advance(b"\n\n");
    assert!(guide.must_end());
    assert_eq!(guide.result().unwrap(), "def f(x):\n    return y\n\nf(2)\n");
}

#[test]
fn without_comments_none_is_begun() {
    let rules = Rules {
        comments: false,
        ..Rules::default()
    };
    let options = LineOptions {
        rules: rules.clone(),
        ..LineOptions::default()
    };
    let mut guide = LineGuide::new("if x:\n    y = 1\n", 1, 1, options).unwrap();
    guide.advance(b"    y = 2");
    assert!(!guide.admits(b"#") && !guide.admits(b"  ") && guide.admits(b" + 3"));
    let options = DiffOptions {
        rules,
        ..DiffOptions::default()
    };
    let mut guide = DiffGuide::new("t", "x = 1\n", options);
    guide.advance(b"--- a/t\n+++ b/t\n@@\n-x = 1\n+x = 2");
    assert!(!guide.admits(b" # two") && guide.admits(b" + 2\n"));
}

/// The places as they are defined, each read to the file's end.
fn places_one_by_one(source: &str, count: usize) -> Vec<usize> {
    let lines: Vec<&str> = source.split_inclusive('\n').collect();
    (0..lines.len().saturating_sub(count - 1))
        .filter(|first| {
            let old = lines[*first];
            let blanks = &old[..old.len() - old.trim_start_matches([' ', '\t']).len()];
            let rest = lines[first + count..].concat();
            let mut before = edit::python::Prefix::new();
            before.push_all(lines[..*first].concat().as_bytes())
                && ["pass", "0,"].iter().any(|line| {
                    let mut file = before.clone();
                    file.push_all(format!("{blanks}{line}\n{rest}").as_bytes())
                        && file.is_complete()
                })
        })
        .collect()
}

#[test]
fn places_are_those_found_one_by_one() {
    for source in [
        "def f(a):\n    if a:\n        b = [\n            1,\n        ]\n    elif b:\n        pass\n    else:\n        c\n    return b\n",
        "import x\n\n\n@d\ndef f(a, b=(1,\n    2)):\n    \"\"\"Doc.\n\n    More.\n    \"\"\"\n    try:\n        f'{a\n'\n    except E:\n        x = '''\n  y'''\n",
        "try:\n    x\nfinally:\n    y\nclass A:\n    z: int = 3\n\n    async def f(self):\n        await g\n        return 1",
        "for i in x:\n    while y:\n        break\n    else:\n        continue\nz = f(a,\n      b)\n",
        "match x:\n    case 1:\n        y\n    case _:\n        z\nwith (a as b,\n      c):\n    pass\n",
        "if x:\n\ty\n\x0c\nx = \\\n  1\n# end",
        "x\n)\ny\n",
        "",
    ] {
        for count in 1..4 {
            assert_eq!(
                LineGuide::places(source, count, &Rules::default()),
                places_one_by_one(source, count),
                "{count} in {source}"
            );
        }
    }
}

/// Minutes where every place is read to the end.
#[test]
fn places_of_a_long_file() {
    let source =
        "def f(a):\n    if a:\n        a = (a +\n            1)\n    return a\n\n".repeat(2000);
    assert_eq!(LineGuide::places(&source, 1, &Rules::default()).len(), 4000);
}

#[test]
fn a_line_that_is_no_change_may_be_taken_back() {
    let source = "a = 1\nb = 2\nreturn a\n";
    let options = DiffOptions {
        rules: Rules::any(),
        kept: vec!["return".to_owned()],
        ..DiffOptions::default()
    };
    let mut guide = DiffGuide::new("t", source, options);
    guide.advance(b"--- a/t\n+++ b/t\n@@\n");
    assert!(!guide.may_mark());
    assert!(
        !guide.admits(b"-r") && guide.admits(b"-a"),
        "what is kept stays"
    );
    guide.advance(b"-b = 2\n");
    assert!(guide.may_mark(), "after what was removed");
    guide.advance(b"+");
    assert!(guide.may_mark(), "and before what is added");
    guide.mark();
    guide.advance(b"b = 2");
    assert!(!guide.admits(b"\n") && guide.undoes(b"\n") && guide.undoes(b" \n+"));
    assert!(guide.admits(b"2") && !guide.undoes(b"2") && !guide.undoes(b"2\n"));
    guide.undo();
    assert_eq!(guide.text(), b"--- a/t\n+++ b/t\n@@\n-b = 2\n+");
    guide.advance(b"b = 3");
    assert!(guide.admits(b"\n") && !guide.undoes(b"\n"));
    guide.advance(b"\n+b = 2");
    assert!(
        guide.admits(b"\n"),
        "only the first line stands for the old one"
    );
    guide.advance(b"\n");
    assert!(!guide.admits(b"@"), "nothing is left that may change");
    assert_eq!(guide.result().unwrap().1, "a = 1\nb = 3\nb = 2\nreturn a\n");
}
