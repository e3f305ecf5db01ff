use super::*;

const PARENT: &str = "import math\n\n\ndef f(x):\n    return x\n";
const CHILD: &str = "import math\n\n\ndef f(x):\n    return x + 1\n";

fn of_chat(text: &str, cut: bool, form: Answer, parent: &str) -> Result<String, Reason> {
    let parent = Parent {
        program: parent,
        entry: "f",
    };
    super::of_chat(&Reply::of(text, cut), form, parent)
}

fn of_completion(opening: &str, text: &str, cut: bool, parent: &str) -> Result<String, Reason> {
    let parent = Parent {
        program: parent,
        entry: "f",
    };
    super::of_completion(opening, &Reply::of(text, cut), parent)
}

fn chat(text: &str) -> Result<String, String> {
    of_chat(text, false, Answer::Program, PARENT).map_err(|e| e.code)
}

fn cut(text: &str) -> Result<String, String> {
    of_chat(text, true, Answer::Program, PARENT).map_err(|e| e.code)
}

#[test]
fn programs_are_found_in_all_kinds_of_chatter() {
    let child = CHILD.trim_end();
    for text in [
        CHILD.to_owned(),
        format!("```python\n{CHILD}```"),
        format!("```\n{CHILD}```\nThat was easy."),
        format!("~~~py\n{CHILD}~~~\n"),
        format!(
            "Sure! Here it is:\n\n```python\n{CHILD}```\n\nUse it so:\n```python\nprint(f(1))\n```"
        ),
        format!("Before:\n```python\n{PARENT}```\nAfter:\n```python\n{CHILD}```"),
        format!("Before:\n```python\n{PARENT}```\nAfter:\n```python\n{child}"),
        format!("Sure! Here it is:\n\n{CHILD}\n\nIt adds one to what was there."),
        format!("<think>def f(x): no...\n```python\ndef g(): pass\n```</think>\n{CHILD}"),
        format!("````python\n{CHILD}````"),
        CHILD.replace('\n', "\r\n"),
        format!(
            "1. So:\n   ```python\n{}   ```",
            CHILD
                .lines()
                .map(|l| format!("   {l}\n"))
                .collect::<String>()
        ),
    ] {
        assert_eq!(chat(&text).as_deref(), Ok(CHILD), "{text}");
    }
}

/// Each line behind a margin.
fn behind(margin: &str, text: &str) -> String {
    text.lines()
        .map(|line| format!("{margin}{line}\n"))
        .collect()
}

#[test]
fn the_program_comes_out_whatever_surrounds_it() {
    let child = CHILD.trim_end();
    let html = CHILD.replace("x + 1", "x if x &lt; 1 else x + 1");
    assert_eq!(chat(&html).unwrap(), html.replace("&lt;", "<"));
    let html = CHILD.replace("x + 1", "x &lt; 1");
    assert_eq!(
        chat(&format!("```\n{html}```")).unwrap(),
        html.replace("&lt;", "<")
    );
    for text in [
            // A closing fence glued to the last line.
            format!("```python\n{child}```"),
            format!("```python\n{child}```\nDone."),
            format!("```python\n{child} ```\n\nAnd:\n```\nls\n```\n"),
            format!("~~~python\n{child}~~~"),
            // An opening fence glued to prose, or to the program.
            format!("Here it is: ```python\n{CHILD}```"),
            format!("```{CHILD}```"),
            format!("```python {CHILD}```"),
            format!("python\n{CHILD}"),
        // Other fences.
            format!("~~~~\n{CHILD}~~~~"),
            format!("``````python\n{CHILD}``````\n"),
            format!("```{{python}}\n{CHILD}```"),
            format!("``` python title=\"f.py\"\n{CHILD}```"),
            format!("```python\n{CHILD}"),
            format!("````markdown\n```python\n{CHILD}```\n````"),
            // Within a list, a quotation, HTML, indented.
            format!("- Here:\n\n  ```python\n{}  ```\n", behind("  ", CHILD)),
            format!("* ```python\n{}  ```\n", behind("  ", CHILD)),
            format!("> ```python\n{}> ```\n", behind("> ", CHILD)),
            format!("Here:\n\n{}\nDone.", behind("    ", CHILD)),
            format!("\t```python\n{}\t```\n", behind("\t", CHILD)),
            format!("<answer>\n{CHILD}</answer>"),
            format!("<code>\n{CHILD}</code>"),
            // A session.
            "```pycon\n>>> import math\n>>>\n>>>\n>>> def f(x):\n...     return x + 1\n>>> f(1)\n2\n```"
                .replace(">>> f(1)\n2\n", ""),
            // Thoughts and marks.
            format!("<thinking>\n```python\n{PARENT}```\n</thinking>\n```python\n{CHILD}```"),
            format!("so it is.</think>\n\n```python\n{CHILD}```"),
            format!("[THINK]def f(x): no[/THINK]{CHILD}"),
            format!("<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{CHILD}<|return|>"),
            format!("{child}<|im_end|>"),
            format!("```python\n{CHILD}```<|eot_id|>\n"),
            format!("{CHILD}</s>"),
            // Several blocks.
            format!("```\npip install x\n```\n```python\n{CHILD}```\n```python\ndef test():\n    assert f(1)\n```"),
            format!("```python\n{CHILD}```\n```python\ndef g():\n    pass\n\n\ndef h():\n    pass\n```"),
            // Line ends.
            format!("\u{feff}{}", CHILD.replace('\n', "\r")),
            format!("```python\r\n{}```\r\n", CHILD.replace('\n', "\r\n")),
        ] {
            assert_eq!(chat(&text).as_deref(), Ok(CHILD), "{text}");
        }
}

#[test]
fn a_fence_within_the_program_does_not_end_it() {
    for program in [
        "def f(x):\n  \"\"\"Of x:\n\n  ```\n  f(1)\n  ```\n  \"\"\"\n  return x + 1\n",
        "'''Doc.\n```python\nf(1)\n```\n'''\n\n\ndef f(x):\n    return x + 1\n",
        "'''\n~~~\n'''\n\n\ndef f(x):\n    return x + 1\n",
        "def f(x):\n    # ```\n    return '```' + x\n",
    ] {
        for text in [
            program.to_owned(),
            format!("```python\n{program}```"),
            format!("Here:\n\n```python\n{program}```\n\nIt is `f`.\n"),
            format!("```python\n{program}"),
            format!("```python\n{}```", program.trim_end()),
            format!("Before:\n```python\n{PARENT}```\nAfter:\n```python\n{program}```\n"),
        ] {
            assert_eq!(chat(&text).as_deref(), Ok(program), "{text}");
        }
    }
    // Where it ends is not known.
    assert_eq!(
        chat("```python\ndef f(x:\n    return 1```\nprose").as_deref(),
        Err(&"answer-no-program".to_owned())
    );
}

#[test]
fn what_editors_change_is_unchanged() {
    for text in [
        PARENT.replace('\n', "\r\n"),
        PARENT.replace('\n', "\r"),
        format!("\u{feff}{}", PARENT.trim_end()),
        format!("```python\n{}```", PARENT.replace("x\n", "x  \n")),
        format!("{PARENT}\n\n"),
    ] {
        assert_eq!(chat(&text), Err("answer-unchanged".into()), "{text:?}");
        if text.starts_with("```") {
            continue;
        }
        let other = of_chat(
            &format!("```\n{PARENT}```"),
            false,
            Answer::Program,
            &canonical(&text),
        );
        assert_eq!(other.unwrap_err().code, "answer-unchanged");
    }
    let end = "\\ No newline at end of file\n";
    for diff in [
        format!("@@ -5 +5 @@\n-    return x\n{end}+    return x\n"),
        "@@ -5 +5 @@\n-    return x\n+    return x  \n".to_owned(),
    ] {
        let same = of_chat(&diff, false, Answer::Diff, PARENT.trim_end());
        assert_eq!(same.unwrap_err().code, "answer-unchanged");
    }
    let diff = format!("@@ -4,2 +4,2 @@\n def f(x):\n-    return x\n{end}+    return x + 1\n{end}");
    for parent in [
        PARENT,
        PARENT.trim_end(),
        &PARENT.replace("f(x):", "f(x):  "),
    ] {
        for diff in [
            diff.clone(),
            diff.replace('\n', "\r\n"),
            format!("```diff\n{diff}```"),
        ] {
            let made = of_chat(&diff, false, Answer::Diff, parent).unwrap();
            assert_eq!(made.replace("  \n", "\n"), CHILD);
        }
    }
}

#[test]
fn lists_below_a_hunk_are_no_lines_of_it() {
    let hunk = "@@ -4,2 +4,2 @@\n def f(x):\n-    return x\n+    return x + 1\n";
    for below in [
        "- It adds one.\n",
        "+ It adds one to x.\n",
        "-- \n2.39.2\n",
        " So it is.\n",
        "So it is.\n",
    ] {
        let made = of_chat(&format!("{hunk}{below}"), false, Answer::Diff, PARENT);
        assert_eq!(made.as_deref(), Ok(CHILD), "{below}");
    }
    let two = format!(
        "```diff\n{hunk}```\n```diff\n{}```\n",
        hunk.replace("return x\n", "return q\n")
    );
    let made = of_chat(&two, false, Answer::Diff, PARENT).unwrap_err();
    assert_eq!(made.code, "edit-does-not-apply");
}

#[test]
fn a_cut_answer_without_its_entry_is_too_long() {
    let lost = "import math\n\n\ndef helper():\n    return 1\n\n\ndef f(x):\n    return hel";
    assert_eq!(cut(lost), Err("answer-too-long".into()));
    assert_eq!(
        cut(&format!("```python\n{lost}")),
        Err("answer-too-long".into())
    );
    let rest = " helper():\n    return 1\n\n\ndef f(x):\n    ret";
    let lost = of_completion("import math\n\n\ndef", rest, true, PARENT).unwrap_err();
    assert_eq!(lost.code, "answer-too-long");
    // Not cut: the host says that it has no entry.
    assert!(chat("def helper():\n    return 1\n").is_ok());
}

#[test]
fn what_stands_in_place_of_an_answer_is_said() {
    let told = |message: serde_json::Value, finish: &str| {
        let answer =
            serde_json::json!({"choices": [{"message": message, "finish_reason": finish}]});
        let prompt = crate::prompt::wire::Prompt::Text(String::new());
        let reply = Reply::read(&answer, crate::prompt::settings::Api::Chat, &prompt).unwrap();
        let parent = Parent {
            program: PARENT,
            entry: "f",
        };
        super::of_chat(&reply, Answer::Program, parent).unwrap_err()
    };
    for (message, says) in [
        (
            serde_json::json!({"content": "", "reasoning_content": "hmmm"}),
            "4 characters of reasoning_content",
        ),
        (
            serde_json::json!({"content": null, "reasoning": "hmmm"}),
            "4 characters of reasoning",
        ),
        (
            serde_json::json!({"content": null, "refusal": "I can\nnot."}),
            "a refusal: I can not.",
        ),
        (
            serde_json::json!({"content": null, "tool_calls": [{}]}),
            "tool_calls",
        ),
        (serde_json::json!({"content": "<think>hm"}), "its thoughts"),
    ] {
        let reason = told(message.clone(), "stop");
        assert_eq!(reason.code, "answer-empty");
        assert!(reason.message.contains(says), "{}", reason.message);
        let reason = told(message, "MAX_TOKENS");
        assert_eq!(reason.code, "answer-too-long");
        assert!(reason.message.contains(says) && reason.message.contains("max_tokens"));
    }
}

#[test]
fn what_is_no_program_is_told_apart() {
    for (text, code) in [
        ("", "answer-empty"),
        (" \n\t", "answer-empty"),
        ("<think>hm", "answer-empty"),
        ("I cannot do that.", "answer-no-program"),
        ("x = 1", "answer-no-program"),
        ("```\nls\n```", "answer-no-program"),
        ("def f(x: return", "answer-no-program"),
        (PARENT, "answer-unchanged"),
        (
            "```python\nimport math\n\n\ndef f(x):\n    return x\n\n\n```",
            "answer-unchanged",
        ),
        ("\u{0}\u{fffd}", "answer-no-program"),
    ] {
        assert_eq!(
            chat(text).as_ref().map_err(String::as_str),
            Err(code),
            "{text}"
        );
    }
    assert_eq!(
        chat("```python\ndef f(x: return\n```").as_deref(),
        Ok("def f(x: return\n"),
        "a block that does not parse fails when it runs"
    );
}

#[test]
fn cut_answers_are_too_long_unless_the_program_is_whole() {
    assert_eq!(
        cut(&format!("```python\n{CHILD}```\nThis chan")).as_deref(),
        Ok(CHILD)
    );
    let two = format!("{CHILD}\n\ndef g(x):\n    return f(x) +");
    assert_eq!(cut(&two).as_deref(), Ok(CHILD));
    assert_eq!(cut(&format!("```python\n{two}")).as_deref(), Ok(CHILD));
    for text in [
        "<think>so",
        "def f(x):\n    return x +",
        "def f(x):\n    return 7",
        "",
    ] {
        assert_eq!(cut(text), Err("answer-too-long".into()), "{text}");
    }
    let edit = of_chat("@@\n-    return x\n", true, Answer::Diff, PARENT);
    assert_eq!(edit.unwrap_err().code, "answer-too-long");
}

#[test]
fn edits_are_applied() {
    let diff =
        "Sure:\n```diff\n@@ -4,2 +4,2 @@\n def f(x):\n-    return x\n+    return x + 1\n```\n";
    let replace = "<<<<<<< SEARCH\n    return x\n=======\n    return x + 1\n>>>>>>> REPLACE\n";
    for (form, text) in [(Answer::Diff, diff), (Answer::Replace, replace)] {
        assert_eq!(of_chat(text, false, form, PARENT).unwrap(), CHILD);
        let strange = of_chat(text, false, form, "y = 2\n").unwrap_err();
        assert_eq!(strange.code, "edit-does-not-apply");
        let none = of_chat("No.", false, form, PARENT).unwrap_err();
        assert_eq!(none.code, "edit-does-not-apply");
    }
    let same = replace.replace(" + 1", "");
    let same = of_chat(&same, false, Answer::Replace, PARENT).unwrap_err();
    assert_eq!(same.code, "answer-unchanged");
}

#[test]
fn completions_end_where_the_program_does() {
    let rest = " f(x):\n    return x + 1\n\n\nThe program above adds one to its argument.\n";
    let opening = "import math\n\n\ndef";
    assert_eq!(of_completion(opening, rest, true, PARENT).unwrap(), CHILD);
    let empty = of_completion(opening, "\n", false, PARENT).unwrap_err();
    assert_eq!(empty.code, "answer-empty");
    let broken = of_completion(opening, " f(x:\n", false, PARENT).unwrap_err();
    assert_eq!(broken.code, "answer-no-program");
}

#[test]
fn hostile_texts_do_no_harm() {
    let long = LONGEST - 40;
    let chain = |unit: &str, tail: &str| {
        format!(
            "def f():\n    return {}{tail}\n",
            unit.repeat(long / unit.len())
        )
    };
    let texts = [
        chain("(", "1"),
        chain("1+", "1"),
        chain("f()", "1"),
        chain("f.", "f"),
        chain("not ", "1"),
        format!("def f():\n    return f{}", "()".repeat(long / 2)),
        format!("def f():\n    return f{}", ".f".repeat(long / 2)),
        format!("def f():\n    return f{}", "[0]".repeat(long / 3)),
        "```\n".repeat(50_000),
        "def \n".repeat(10_000),
        "<think>".repeat(50_000),
        format!("def f():\n    return {}1\n", "1+".repeat(1_000_000)),
    ];
    let read = move || {
        for text in texts {
            for (form, cut) in [
                (Answer::Program, false),
                (Answer::Program, true),
                (Answer::Diff, false),
                (Answer::Replace, false),
            ] {
                let _ = of_chat(&text, cut, form, PARENT);
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(read);
    thread.unwrap().join().unwrap();
}
