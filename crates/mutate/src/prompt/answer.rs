//! What a model's text amounts to: the changed program, or why it is none.

mod program;

use edit::diff::{Counts, Diffs};
use edit::replace::Blocks;
use edit::source::{canonical, is_same};
use ruff_python_parser::parse_module;

use super::ask::ended;
use super::settings::Answer;
use super::wire::Reply;
use crate::reason::{
    ANSWER_EMPTY, ANSWER_NO_PROGRAM, ANSWER_TOO_LONG, ANSWER_UNCHANGED, Code, EDIT_DOES_NOT_APPLY,
    Reason,
};
use program::{binds_entry, program, statements};

/// Bytes of a text in which a program without a fence is looked for. The parser bounds the nesting, but not the
/// length of chains (`1+1+...`, `f()()...`), whose syntax tree takes stack in proportion when it is dropped.
const LONGEST: usize = 64 * 1024;
/// Bytes of stack for a thread that reads answers: four times what such chains take in an unoptimised build.
pub(super) const STACK: usize = 32 << 20;

/// What is changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parent<'a> {
    /// The program that was shown.
    pub program: &'a str,
    /// The function that the host calls; empty where none is known.
    pub entry: &'a str,
}

/// The changed program in a chat model's answer.
///
/// # Errors
/// `answer-empty`, `answer-too-long`, `answer-no-program`, `edit-does-not-apply` or `answer-unchanged`.
pub(super) fn of_chat(reply: &Reply, form: Answer, parent: Parent<'_>) -> Result<String, Reason> {
    let cut = reply.cut;
    let text = canonical(&reply.text);
    let text = without_marks(without_thoughts(&text));
    if text.trim().is_empty() {
        return Err(empty(reply));
    }
    let program = match form {
        Answer::Program => program(text, cut, parent).ok_or_else(|| no_program(cut))?,
        // The end of a cut edit is missing, also where what is there applies.
        Answer::Diff | Answer::Replace if cut => return Err(no_program(cut)),
        Answer::Diff | Answer::Replace if text.len() > LONGEST => {
            return Err(Reason::new(
                &ANSWER_TOO_LONG,
                "the edit has more than 64 KB",
            ));
        }
        Answer::Diff => of_diffs(text, parent.program)?,
        Answer::Replace => Blocks::parse(text)
            .and_then(|blocks| blocks.apply(&ended(parent.program)))
            .map_err(|e| Reason::new(&EDIT_DOES_NOT_APPLY, e.to_string()))?,
    };
    changed(&program, cut, parent)
}

/// The changed program that `opening` and the answer which goes on from it make.
///
/// # Errors
/// As [`of_chat`].
pub(super) fn of_completion(
    opening: &str,
    reply: &Reply,
    parent: Parent<'_>,
) -> Result<String, Reason> {
    if reply.text.trim().is_empty() {
        return Err(empty(reply));
    }
    let text = format!("{opening}{}", canonical(without_marks(&reply.text)));
    let program = statements(&text, reply.cut).ok_or_else(|| no_program(reply.cut))?;
    changed(program, reply.cut, parent)
}

/// The program that all diffs of an answer make, whole. Whether lines below a hunk whose counts are full are its own,
/// Python says.
fn of_diffs(text: &str, parent: &str) -> Result<String, Reason> {
    let parent = ended(parent);
    let made = [Counts::Doubted, Counts::Trusted].map(|counts| {
        let diffs = Diffs::parse(text, counts).map_err(|e| e.to_string())?;
        diffs.with_ends().apply(&parent).map_err(|e| e.to_string())
    });
    let parses = |made: &&Result<String, String>| {
        made.as_ref()
            .is_ok_and(|x| x.len() <= LONGEST && parse_module(x).is_ok())
    };
    let good = made
        .iter()
        .find(parses)
        .or_else(|| made.iter().find(|x| x.is_ok()));
    let made = good.unwrap_or(&made[0]).clone();
    made.map_err(|why| Reason::new(&EDIT_DOES_NOT_APPLY, why))
}

fn no_program(cut: bool) -> Reason {
    none(
        cut,
        &ANSWER_NO_PROGRAM,
        "the answer holds no program that defines something",
    )
}

/// Of an answer without a text, or with thoughts alone.
fn empty(reply: &Reply) -> Reason {
    let why = match &reply.instead {
        Some(instead) => format!("the model answered nothing but {instead}"),
        None if reply.text.trim().is_empty() => "the model answered nothing".to_owned(),
        None => "the model answered nothing but its thoughts".to_owned(),
    };
    none(reply.cut, &ANSWER_EMPTY, &why)
}

fn none(cut: bool, code: &'static Code, message: &str) -> Reason {
    if cut {
        let why = match code.name == ANSWER_EMPTY.name {
            true => format!("{message}, and "),
            false => String::new(),
        };
        Reason::new(
            &ANSWER_TOO_LONG,
            format!(
                "{why}the answer was cut at the limit of tokens; raise max_tokens, or the server's context"
            ),
        )
    } else {
        Reason::new(code, message)
    }
}

fn changed(program: &str, cut: bool, parent: Parent<'_>) -> Result<String, Reason> {
    let program = ended(program.trim_start_matches('\n'));
    if is_same(&program, parent.program) {
        return Err(Reason::new(
            &ANSWER_UNCHANGED,
            "the answer is the program as it was",
        ));
    }
    let Parent {
        program: old,
        entry,
    } = parent;
    let lost = cut && !entry.is_empty() && !binds_entry(&program, entry) && binds_entry(old, entry);
    match lost {
        true => Err(no_program(cut)),
        false => Ok(program),
    }
}

/// The marks around a reasoning model's thoughts.
const THOUGHTS: [(&str, &str); 9] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("\u{25c1}think\u{25b7}", "\u{25c1}/think\u{25b7}"),
    ("<|channel|>analysis", "<|channel|>final<|message|>"),
];

/// What follows a reasoning model's thoughts; nothing where they do not end.
fn without_thoughts(text: &str) -> &str {
    for (open, close) in THOUGHTS {
        let begins = text.trim_start().starts_with(open);
        match text.rfind(close) {
            // A server may take away the first mark.
            Some(end) if begins || close == "</think>" => return &text[end + close.len()..],
            None if begins => return "",
            _ => {}
        }
    }
    text
}

/// A text without the marks with which models end (`<|im_end|>`, `</s>`), where a server lets them through.
fn without_marks(text: &str) -> &str {
    let mut text = text;
    loop {
        let end = text.trim_end();
        let mark = end.rfind('<').map_or("", |at| &end[at..]);
        let is_special = |mark: &str| {
            ["<|", "<\u{ff5c}"]
                .iter()
                .any(|start| mark.starts_with(start))
                && !mark.contains(char::is_whitespace)
                && ["|>", "\u{ff5c}>"].iter().any(|last| mark.ends_with(last))
        };
        if !is_special(mark) && !["</s>", "<end_of_turn>", "<eos>"].contains(&mark) {
            return text;
        }
        text = &end[..end.len() - mark.len()];
    }
}

#[cfg(test)]
mod tests;
