//! What a model's text amounts to: the changed program, or why it is none.

use edit::diff::Diff;
use edit::replace::Blocks;
use ruff_python_ast::{Mod, Stmt};
use ruff_python_parser::{Mode, ParseOptions, parse_module, parse_unchecked};
use ruff_text_size::Ranged;

use super::ask::ended;
use super::settings::Answer;
use crate::reason::{
    ANSWER_EMPTY, ANSWER_NO_PROGRAM, ANSWER_TOO_LONG, ANSWER_UNCHANGED, Code, EDIT_DOES_NOT_APPLY,
    Reason,
};

/// Places in a text without fences at which a program is looked for.
const PLACES: usize = 8;
/// Bytes of a text in which a program without a fence is looked for. The parser bounds the nesting, but not the
/// length of chains (`1+1+...`, `f()()...`), whose syntax tree takes stack in proportion when it is dropped.
const LONGEST: usize = 64 * 1024;
/// Bytes of stack for a thread that reads answers: four times what such chains take in an unoptimised build.
pub(super) const STACK: usize = 32 << 20;

/// The changed program in a chat model's text; `cut` tells that the text ends at the limit of tokens.
///
/// # Errors
/// `answer-empty`, `answer-too-long`, `answer-no-program`, `edit-does-not-apply` or `answer-unchanged`.
pub(super) fn of_chat(text: &str, cut: bool, form: Answer, parent: &str) -> Result<String, Reason> {
    let text = text.replace("\r\n", "\n");
    let text = without_thoughts(&text);
    if text.trim().is_empty() {
        return Err(none(cut, &ANSWER_EMPTY, "the model answered nothing"));
    }
    let misfit = |e: &dyn std::fmt::Display| none(cut, &EDIT_DOES_NOT_APPLY, &e.to_string());
    let program = match form {
        Answer::Program => program(text, cut).ok_or_else(|| no_program(cut))?,
        // The end of a cut edit is missing, also where what is there applies.
        Answer::Diff | Answer::Replace if cut => return Err(no_program(cut)),
        Answer::Diff | Answer::Replace if text.len() > LONGEST => {
            return Err(Reason::new(
                &ANSWER_TOO_LONG,
                "the edit has more than 64 KB",
            ));
        }
        Answer::Diff => Diff::parse(text)
            .map_err(|e| misfit(&e))?
            .apply(parent)
            .map_err(|e| misfit(&e))?,
        Answer::Replace => Blocks::parse(text)
            .map_err(|e| misfit(&e))?
            .apply(parent)
            .map_err(|e| misfit(&e))?,
    };
    changed(&program, parent)
}

/// The changed program that `opening` and the text which goes on from it make.
///
/// # Errors
/// As [`of_chat`].
pub(super) fn of_completion(
    opening: &str,
    text: &str,
    cut: bool,
    parent: &str,
) -> Result<String, Reason> {
    if text.trim().is_empty() {
        return Err(none(cut, &ANSWER_EMPTY, "the model wrote nothing"));
    }
    let text = format!("{opening}{}", text.replace("\r\n", "\n"));
    let program = statements(&text, cut).ok_or_else(|| no_program(cut))?;
    changed(program, parent)
}

fn no_program(cut: bool) -> Reason {
    none(
        cut,
        &ANSWER_NO_PROGRAM,
        "the answer holds no program that defines something",
    )
}

fn none(cut: bool, code: &'static Code, message: &str) -> Reason {
    if cut {
        Reason::new(
            &ANSWER_TOO_LONG,
            "the answer was cut at the limit of tokens; raise max_tokens, or the server's context",
        )
    } else {
        Reason::new(code, message)
    }
}

fn changed(program: &str, parent: &str) -> Result<String, Reason> {
    let program = ended(program.trim_start_matches('\n'));
    if program.trim() == parent.trim() {
        Err(Reason::new(
            &ANSWER_UNCHANGED,
            "the answer is the program as it was",
        ))
    } else {
        Ok(program)
    }
}

/// What follows a reasoning model's thoughts; nothing where they do not end.
fn without_thoughts(text: &str) -> &str {
    if let Some(end) = text.rfind("</think>") {
        &text[end + "</think>".len()..]
    } else if text.trim_start().starts_with("<think>") {
        ""
    } else {
        text
    }
}

/// The program in a text: of its fenced blocks the last of those that define most, or else its statements.
fn program(text: &str, cut: bool) -> Option<String> {
    let blocks = blocks(text);
    let best = blocks
        .iter()
        .filter(|block| block.defines > 0)
        .max_by_key(|block| block.defines);
    match best {
        // Whether a whole block is good Python is for its run to say.
        Some(block) if block.closed || !cut => Some(block.text.clone()),
        Some(block) => statements(&block.text, cut).map(str::to_owned),
        None => bare(text, cut).map(str::to_owned),
    }
}

/// A fenced block of Markdown.
struct Block {
    text: String,
    closed: bool,
    /// Definitions at its margin.
    defines: usize,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        let margin = line.len() - line.trim_start_matches(' ').len();
        let Some(fence) = fence(line) else { continue };
        let mut block = Block {
            text: String::new(),
            closed: false,
            defines: 0,
        };
        for line in lines.by_ref() {
            // Only a fence alone on its line, as long as the first, closes.
            if line.trim().starts_with(fence)
                && line.trim().bytes().all(|b| b == fence.as_bytes()[0])
            {
                block.closed = true;
                break;
            }
            let blanks = line.len() - line.trim_start_matches(' ').len();
            let line = &line[margin.min(blanks)..];
            block.defines += usize::from(
                ["def ", "class ", "async def "]
                    .iter()
                    .any(|word| line.starts_with(word)),
            );
            block.text.push_str(line);
        }
        blocks.push(block);
    }
    blocks
}

/// The run of backticks or tildes that begins a line, if it is a fence.
fn fence(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let sign = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = line.trim_start_matches(sign);
    let fence = &line[..line.len() - rest.len()];
    (fence.len() >= 3 && !rest.contains(sign)).then_some(fence)
}

/// The program in a text without fences: all of it, or from the first line from which there is one.
fn bare(text: &str, cut: bool) -> Option<&str> {
    let mut at = 0;
    let starts = text.split_inclusive('\n').filter_map(|line| {
        let start = at;
        at += line.len();
        ["import ", "from ", "def ", "class ", "async def ", "@"]
            .iter()
            .any(|word| line.starts_with(word))
            .then_some(start)
    });
    std::iter::once(0)
        .chain(starts)
        .take(PLACES)
        .find_map(|start| statements(&text[start..], cut))
}

/// The whole statements at a text's beginning, if one of them defines something.
/// Of a cut text the last is left out where the text ends in it, since more was to come.
fn statements(text: &str, cut: bool) -> Option<&str> {
    if text.len() > LONGEST {
        return None;
    }
    let parsed = parse_unchecked(text, ParseOptions::from(Mode::Module));
    let sound = parsed
        .errors()
        .iter()
        .map(|e| e.location.start().to_usize())
        .min()
        // Prose after the program often begins with a word that is a good statement: leave out the whole line.
        .map_or(text.len(), |error| {
            text[..error].rfind('\n').map_or(0, |feed| feed + 1)
        });
    let Mod::Module(module) = parsed.syntax() else {
        return None;
    };
    let close = if cut {
        text.trim_end().len()
    } else {
        usize::MAX
    };
    let mut defines = false;
    // Of each whole statement its end, and whether anything is defined up to there.
    let ends: Vec<(usize, bool)> = module
        .body
        .iter()
        .map_while(|stmt| {
            let end = stmt.range().end().to_usize();
            defines |= matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_));
            (end <= sound && end < close).then_some((end, defines))
        })
        .collect();
    // The parser may place an error after the statement that it is in; then that one goes too.
    let good = |end| parsed.errors().is_empty() || parse_module(&text[..end]).is_ok();
    let &(end, defines) = ends.iter().rev().take(2).find(|(end, _)| good(*end))?;
    defines.then(|| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "import math\n\n\ndef f(x):\n    return x\n";
    const CHILD: &str = "import math\n\n\ndef f(x):\n    return x + 1\n";

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
}
