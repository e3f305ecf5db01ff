use super::*;

fn between(old: &str, new: &str) -> String {
    Diff::between(old, new, 3).to_string()
}

fn apply(diff: &str, text: &str) -> Result<String, String> {
    Diff::parse(diff)
        .map_err(|e| e.to_string())?
        .apply(text)
        .map_err(|e| e.to_string())
}

const LETTERS: &str = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\nn\n";

#[test]
fn canonical_form() {
    let new = LETTERS.replace("b\n", "B\n").replace("m\n", "");
    let diff = Diff::between(LETTERS, &new, 1).named("my file.py");
    let want = "--- a/my file.py\t\n+++ b/my file.py\t\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n@@ -12,3 +12,2 @@\n l\n-m\n n\n";
    assert_eq!(diff.to_string(), want);
    assert_eq!(Diff::parse(want).unwrap(), diff);
    assert_eq!(between("", "x\n"), "@@ -0,0 +1 @@\n+x\n");
    assert_eq!(between("x\n", ""), "@@ -1 +0,0 @@\n-x\n");
    assert_eq!(between("x\n", "x\n"), "");
    let end = "\\ No newline at end of file\n";
    assert_eq!(between("x", "x\n"), format!("@@ -1 +1 @@\n-x\n{end}+x\n"));
    assert_eq!(between("x\r\n", "x\n"), "@@ -1 +1 @@\n-x\r\n+x\n");
    let none = Diff::between(LETTERS, &LETTERS.replace("c\n", "c\nC\n"), 0);
    assert_eq!(none.to_string(), "@@ -3,0 +4 @@\n+C\n");
}

#[test]
fn what_models_write() {
    let want = LETTERS.replace("e\n", "E\n");
    for diff in [
        "@@\n d\n-e\n+E\n f\n",
        "@@ def f(): @@\n d\n-e\n+E\n f",
        "@@ -5,9 +5,1 @@\n d\n-e\n+E\n f\n",
        "@@ -1,1 +1,1 @@\n-e\n+E\n\n\n",
        "Here it is:\n```diff\n--- a/x.py\n+++ b/x.py\n@@ -4,3 +4,3 @@\n d\n-e\n+E\n f\n```\nEnjoy\n",
        "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -4,3 +4,3 @@ class\n d\n-e\n+E\n f\n",
    ] {
        assert_eq!(apply(diff, LETTERS).as_ref(), Ok(&want), "{diff}");
    }
    // An empty line is an empty line of context, within a hunk.
    assert_eq!(apply("@@\n a\n\n-b\n+c", "a\n\nb\n").unwrap(), "a\n\nc\n");
    // With right counts a removed line may look like a header.
    assert_eq!(
        apply("@@ -1,2 +1,2 @@\n--- x\n+++ y\n z\n", "-- x\nz\n").unwrap(),
        "++ y\nz\n"
    );
}

#[test]
fn bare_hunks_stand_after_the_last_one() {
    let text = "x\ny\nx\ny\nx\ny\n";
    assert_eq!(
        apply("@@\n x\n-y\n@@\n x\n-y\n+z\n", text).unwrap(),
        "x\nx\nz\nx\ny\n"
    );
    assert_eq!(
        apply("@@ -3,2 +3,9 @@\n x\n-y\n@@\n-y\n+z\n", text).unwrap(),
        "x\ny\nx\nx\nz\n"
    );
    assert!(apply("@@\n-c\n@@\n-b\n", LETTERS).is_err());
}

#[test]
fn nearest_place_and_least_fuzz() {
    let text = "x\n1\nx\n2\nx\n3\nx\n4\n";
    let place = |diff: &str| Diff::parse(diff).unwrap().place(text).unwrap().places[0];
    assert_eq!(
        place("@@ -4,1 +4,1 @@\n-x\n+X\n"),
        Place {
            line: 5,
            offset: 1,
            fuzz: 0
        }
    );
    assert_eq!(
        place("@@ -6,3 +6,3 @@\n 0\n-x\n+X\n 9\n"),
        Place {
            line: 6,
            offset: 0,
            fuzz: 1
        }
    );
}

#[test]
fn errors_name_line_and_mend() {
    use ParseError::*;
    let error = |diff: &str| Diff::parse(diff).unwrap_err();
    assert_eq!(error(""), NoHunk);
    assert_eq!(error("--- a\n+++ b\n"), NoHunk);
    assert_eq!(
        error("@@\n-a\nb\n"),
        Sign {
            line: 3,
            found: 'b'
        }
    );
    assert_eq!(error("@@\n-a\n@@\n a\n"), NoChange { line: 3 });
    assert_eq!(error("@@\n+a\n"), NoPlace { line: 1 });
    assert_eq!(
        error("@@ -1,2 +1,0 @@\n-a\n\\ No\n-b\n"),
        Marker { line: 4 }
    );
    let one = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";
    assert_eq!(error(&format!("{one}{one}")), SecondFile { line: 6 });
    assert_eq!(
        error(&format!("diff a\n{one}diff b\n{one}")),
        SecondFile { line: 7 }
    );
    let missing = apply("@@ -1 +1 @@\n-q\n+b\n", LETTERS).unwrap_err();
    assert!(
        missing.contains("hunk 1") && missing.contains("\"q\""),
        "{missing}"
    );
    let overlap = apply("@@ -5,0 +5 @@\n+x\n@@ -2,0 +2 @@\n+x\n", LETTERS).unwrap_err();
    assert!(overlap.contains("hunk 2"), "{overlap}");
}

fn all(answer: &str, counts: Counts, text: &str) -> Result<String, String> {
    Diffs::parse(answer, counts)
        .map_err(|e| e.to_string())?
        .apply(text)
        .map_err(|e| e.to_string())
}

#[test]
fn an_answer_is_applied_whole_or_refused() {
    let block = |hunk: &str| format!("```diff\n{hunk}```\n");
    let b = "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n";
    let m = "@@ -12,3 +12,3 @@\n l\n-m\n+M\n n\n";
    let want = Ok(LETTERS.replace("b\n", "B\n").replace("m\n", "M\n"));
    let head = "--- a/x.py\n+++ b/x.py\n";
    let indented = m.replace('\n', "\n  ");
    for answer in [
        format!("First:\n{}Then:\n{}Done.\n", block(b), block(m)),
        format!("{}{}", block(m), block(b)),
        format!("{head}{b}{head}{m}"),
        format!("diff --git a/x.py b/x.py\n{head}{b}diff --git a/x.py b/x.py\n{head}{m}"),
        format!("{}and\n\n{m}", block(b)),
        format!("~~~~diff\n{b}~~~~\n- So:\n  ```\n  {indented}```\n"),
        format!(
            "{}1. ```diff\n   {}```\n",
            block(b),
            m.replace('\n', "\n   ")
        ),
    ] {
        assert_eq!(all(&answer, Counts::Doubted, LETTERS), want, "{answer}");
    }
    let q = "@@ -1,3 +1,3 @@\n a\n-q\n+Q\n c\n";
    let other = format!("--- a/y.py\n+++ b/y.py\n{m}");
    for answer in [
        format!("{}{}", block(b), block(q)),
        format!("{}{}", block(b), block(b)),
        format!("{}{}", block(b), block("@@ ...\n")),
        format!("{head}{b}{other}"),
        format!("{}{}", block(&format!("{head}{b}")), block(&other)),
        format!("{head}{b}diff --git a/y b/z\nrename from y\nrename to z\n"),
        "--- /dev/null\n+++ b/x.py\n@@ -0,0 +1 @@\n+x\n".to_owned(),
        format!("--- a/x.py\n+++ /dev/null\n{b}"),
    ] {
        let made = all(&answer, Counts::Doubted, LETTERS);
        assert!(made.is_err(), "{answer} gives {made:?}");
    }
}

#[test]
fn what_stands_below_a_full_hunk() {
    let hunk = "@@ -4,3 +4,3 @@\n d\n-e\n+E\n f\n";
    let want = Ok(LETTERS.replace("e\n", "E\n"));
    for below in [
        "-- \n2.39.2\n\n",
        "--\n2.39.2.windows.1\n",
        "It is better.\n",
        "\nSee above.\n",
        "diff of a kind\n",
    ] {
        for counts in [Counts::Doubted, Counts::Trusted] {
            let diff = format!("{hunk}{below}");
            assert_eq!(all(&diff, counts, LETTERS), want, "{below}");
        }
    }
    // The signature is no line of a hunk with other counts either.
    let wrong = format!("{}-- \n2.39.2\n", hunk.replace(",3 ", ",9 "));
    assert_eq!(all(&wrong, Counts::Doubted, LETTERS), want);
    let list = format!("{hunk}- It is better.\n- It is new.\n");
    assert_eq!(all(&list, Counts::Trusted, LETTERS), want);
    assert!(all(&list, Counts::Doubted, LETTERS).is_err());
    // A forgotten line is the hunk's as long as the counts are doubted.
    let more = format!("{hunk}+F\n");
    let longer = LETTERS.replace("e\nf\n", "E\nf\nF\n");
    assert_eq!(all(&more, Counts::Doubted, LETTERS), Ok(longer));
}

#[test]
fn fences_of_the_program_are_lines_of_the_hunk() {
    let text = "'''\n```\nf(1)\n```\n'''\nx = 1\n";
    let diff = "@@ -1,6 +1,6 @@\n '''\n ```\n-f(1)\n+f(2)\n ```\n '''\n x = 1\n";
    let want = Ok(text.replace("f(1)", "f(2)"));
    for diff in [diff.to_owned(), diff.replace(" -1,6 +1,6 @@", "")] {
        assert_eq!(all(&diff, Counts::Doubted, text), want);
        let fenced = format!("```diff\n{diff}```\n");
        assert_eq!(all(&fenced, Counts::Doubted, text), want);
    }
}

#[test]
fn an_answer_cut_off_in_the_blanks_of_an_indented_fence_is_read() {
    for (hunk, cut) in [("@@", " "), ("@@ -1,2 +1 @@", " "), ("@@ -1 +0,0 @@", "")] {
        let answer = format!(" ```\n {hunk}\n -a\n{cut}");
        assert_eq!(apply(&answer, "a\n\nb\n"), Ok("\nb\n".into()), "{answer:?}");
    }
}

#[test]
fn blanks_that_an_editor_drops_do_not_count() {
    let diff = "@@ -1,3 +1,3 @@\n def f():\n\n-    return 1\n+    return 2\n";
    let text = "def f():  \n    \n    return 1\t\n";
    let want = "def f():  \n    \n    return 2\n";
    assert_eq!(apply(diff, text).unwrap(), want);
    assert!(apply(diff, "def f():\n\n   return 1\n").is_err());
    let end = "\\ No newline at end of file\n";
    let diff = format!("@@ -3 +3 @@\n-    return 1\n{end}+    return 2\n{end}");
    let diffs = Diffs::parse(&diff, Counts::Doubted).unwrap().with_ends();
    assert_eq!(diffs.apply(text).unwrap(), want);
}

#[test]
fn huge_numbers_do_no_harm() {
    assert!(apply("@@ -4294967295,4294967295 +4294967295 @@\n-q\n", LETTERS).is_err());
    assert_eq!(
        apply("@@ -4294967295 +4294967295 @@\n-n\n", LETTERS).unwrap(),
        LETTERS.replace("n\n", "")
    );
    assert_eq!(
        apply("@@ -99999999999999999999 +1 @@\n-a\n", LETTERS).unwrap(),
        &LETTERS[2..]
    );
}

mod text {
    use proptest::prelude::*;

    use crate::diff::unified;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

        /// Stored and exported diffs have always been written so.
        #[test]
        fn is_that_of_the_library_we_compare_with(old in "([a-d]?(\r\n|\n)){0,20}[a-c]?", new in "([a-d]?(\r\n|\n)){0,20}[a-c]?") {
            let theirs = similar::TextDiff::from_lines(&old, &new).unified_diff().to_string();
            prop_assert_eq!(unified(&old, &new), theirs);
        }
    }
}
