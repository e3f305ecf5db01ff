//! Every prefix admitted can be carried on to a valid file.

mod python_common;

use python_common::{Rng, mutate, oracle, pieces, programs, share};

use std::sync::Arc;

use edit::python::{Names, Prefix};

/// Takes a token only if it is admitted.
fn take(prefix: &mut Prefix, text: &mut Vec<u8>, token: &str) -> bool {
    let mut tried = prefix.clone();
    let admitted = tried.push_all(token.as_bytes());
    if admitted {
        *prefix = tried;
        text.extend_from_slice(token.as_bytes());
    }
    admitted
}

/// What ends things.
const CLOSERS: &[&str] = &[")", "]", "}", "\n", ":"];
const QUOTES: &[&str] = &["'", "\"", "'''", "\"\"\""];

/// What must come before something can end.
#[rustfmt::skip]
const MIDDLES: &[&str] = &[
    "(", "[0", ".x", "z9", " z9", "0", ".", ">", "=", " in ", " else ", " for ", " import ", "pass\n", "except:", "except x:", "finally:", "def ",
    "case ", "    ", "p", ",", "r",
];

/// Carries a prefix on to a complete program, at random.
fn complete(prefix: &Prefix, text: &[u8], words: &[&str], rng: &mut Rng) -> Option<Vec<u8>> {
    let newline = text.iter().filter(|b| **b == b'\n').count();
    let lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    let width = |line: &[u8]| line.iter().take_while(|b| **b == b' ').count();
    for _ in 0..300 {
        let (mut now, mut text) = (prefix.clone(), text.to_vec());
        for _ in 0..400 {
            if now.is_complete() {
                return Some(text);
            }
            let taken = if rng.below(6) == 0 {
                // an indentation that was there before, or a deeper one
                let columns = width(lines[rng.below(newline + 1)]) + 2 * rng.below(2);
                let line = format!(
                    "\n{}{}",
                    " ".repeat(columns),
                    ["", "pass\n", "finally:", "case x:", "def f(): pass\n"][rng.below(5)]
                );
                take(&mut now, &mut text, &line)
            } else {
                let tokens =
                    [CLOSERS, CLOSERS, CLOSERS, CLOSERS, MIDDLES, MIDDLES, QUOTES][rng.below(7)];
                take(&mut now, &mut text, tokens[rng.below(tokens.len())])
            };
            if !taken {
                // a word that must go on, to any letter or as one of the words does
                let at = text
                    .iter()
                    .rposition(|b| !b.is_ascii_alphanumeric() && *b != b'_')
                    .map_or(0, |i| i + 1);
                let word = String::from_utf8_lossy(&text[at..]).into_owned();
                let rest: Vec<&str> = words
                    .iter()
                    .filter_map(|w| w.strip_prefix(&*word))
                    .collect();
                let begun = !word.is_empty() || text.last() == Some(&b'.');
                if begun && !rest.is_empty() && rng.below(2) == 0 {
                    take(&mut now, &mut text, rest[rng.below(rest.len())]);
                    continue;
                }
                let letter = char::from(b'a' + rng.below(26) as u8).to_string();
                // only where a word must go on: letters elsewhere lead away from the end
                let word = text.last().is_some_and(u8::is_ascii_alphanumeric);
                let any = |t: &&str| now.clone().push_all(t.as_bytes());
                if word || !CLOSERS.iter().chain(MIDDLES).any(any) {
                    take(&mut now, &mut text, &letter);
                }
            }
        }
    }
    None
}

/// `held`: to the names of another program.
fn carry_on(count: usize, seed: u64, held: bool) {
    let pieces: Vec<Vec<u8>> = programs().iter().flat_map(|p| pieces(p)).collect();
    let mut rng = Rng(seed);
    let (mut done, mut stuck) = (Vec::new(), Vec::new());
    while done.len() + stuck.len() < count {
        // as far as a mutant is admitted, or a little less
        let mutant = mutate(&pieces[rng.below(pieces.len())], &mut rng);
        let other = String::from_utf8_lossy(&pieces[rng.below(pieces.len())]).into_owned();
        let names = Arc::new(Names::of(&other, "z9 = 0\nz9.z9\n"));
        // what a word under way may become: names given, names bound, keywords
        let own = Names::of(&String::from_utf8_lossy(&mutant), "");
        let words: Vec<&str> = if held {
            names
                .iter()
                .chain(own.iter())
                .chain(["and", "not", "or"])
                .collect()
        } else {
            Vec::new()
        };
        let start = || {
            if held {
                Prefix::with_names(names.clone())
            } else {
                Prefix::new()
            }
        };
        let mut prefix = start();
        let alive = mutant.iter().take_while(|b| prefix.push(**b)).count();
        let cut = if rng.below(2) == 0 {
            alive
        } else {
            rng.below(alive + 1)
        };
        let mut prefix = start();
        assert!(prefix.push_all(&mutant[..cut]));
        match complete(&prefix, &mutant[..cut], &words, &mut rng) {
            Some(text) => done.push(text),
            None => stuck.push(String::from_utf8_lossy(&mutant[..cut]).into_owned()),
        }
    }
    for text in stuck.iter().take(10) {
        println!("  stuck: {}", &text[text.len().saturating_sub(300)..]);
    }
    println!("{count} prefixes, {} not carried on", stuck.len());
    assert!(stuck.is_empty());
    if let Some(verdicts) = oracle(&done) {
        share("completions", &done, &verdicts);
    }
}

#[test]
fn prefixes_can_be_carried_on() {
    carry_on(300, 3, false);
    carry_on(200, 7, true);
}

/// Many: `cargo test --release -p edit --test python_walk -- --ignored --nocapture`.
#[test]
#[ignore = "minutes without optimisation"]
fn many_prefixes_can_be_carried_on() {
    carry_on(2_000, 4, false);
    carry_on(2_000, 8, true);
}

#[rustfmt::skip]
const TOKENS: &[&str] = &[
    "\n", "\n", "\n    ", "\n        ", "\n            ", "    ", " ", " ", " ", " = ", ", ", ": ", ":\n    ", ":\n        ", "(", ")",
    "()", "[", "]", "{", "}", ".", "self", "wc", "n", "x", "y", "range(", "len(", "print(", "def ", "class ", "return ", "if ",
    "else", "elif ", "for ", "in ", "while ", "not ", "and ", "or ", "is ", "import ", "from ", "as ", "try", "except ",
    "finally", "raise ", "with ", "lambda ", "None", "True", "0", "1", "2.5", "10", "-", "+", "*", "/", "**", "//", "%",
    " == ", " != ", " < ", " += ", " -= ", "'a'", "\"b\"", "f'{", "!r}'", "f\"{x:", "}\"", "pass", "break", "continue", "assert ",
    "async ", "await ", "yield ", "match ", "case ", "del ", "@", "->", ":=", "...", "~", ";", "#", "'''", "b'c'", "math",
    "_", "|", "&", "\\\n",
];

fn walk(count: usize, seed: u64) {
    let mut rng = Rng(seed);
    let (mut done, mut fresh) = (Vec::new(), 0);
    for _ in 0..count {
        let (mut prefix, mut text) = (Prefix::new(), Vec::new());
        // where few tokens fit, fewer are taken
        for _ in 0..100 {
            fresh += 1;
            let token = match rng.below(TOKENS.len() + 30) {
                // names that are new: one given twice to parameters is refused by CPython alone
                i if i >= TOKENS.len() => format!("v{fresh}"),
                i => TOKENS[i].to_owned(),
            };
            take(&mut prefix, &mut text, &token);
        }
        match complete(&prefix, &text, &[], &mut rng) {
            Some(text) => done.push(text),
            None => panic!("stuck: {}", String::from_utf8_lossy(&text)),
        }
    }
    if let Some(verdicts) = oracle(&done) {
        share("walks", &done, &verdicts);
    }
}

#[test]
fn walks_over_tokens_end_in_programs() {
    walk(300, 5);
}

/// Many: `cargo test --release -p edit --test python_walk -- --ignored --nocapture`.
#[test]
#[ignore = "minutes without optimisation"]
fn many_walks_over_tokens_end_in_programs() {
    walk(2_000, 6);
}

#[test]
fn real_programs_are_held_to_no_less_than_they_use() {
    for program in programs() {
        let source = String::from_utf8_lossy(&program);
        let mut free = Prefix::new();
        if !free.push_all(source.as_bytes()) {
            continue;
        }
        let mut held = Prefix::with_names(Arc::new(Names::of(&source, "")));
        let taken = source.bytes().take_while(|b| held.push(*b)).count();
        assert_eq!(
            taken,
            source.len(),
            "{}",
            &source[..taken.min(source.len())]
        );
        assert_eq!(held.is_complete(), free.is_complete());
    }
}
