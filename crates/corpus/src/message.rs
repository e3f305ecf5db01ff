//! Commit messages that ask for a change.

use crate::why::Why;

/// Words that a subject in the imperative begins with.
const VERBS: &str = "abort accept access account activate adapt add address adjust align allow alter always amend append apply assert assign \
    assume attach avoid base batch be break bring build cache calculate call cancel capture cast catch change check clarify clean cleanup clear close \
    collapse collect combine compare compile complete compute conform connect consider construct convert copy correct count cover create \
    cut deal debug declare decode decouple decrease default defer define delay delete deprecate derive describe detect determine disable disallow \
    discard display distinguish do document don't downgrade drop dump emit employ enable encode enforce enhance ensure escape evaluate exclude \
    execute exit expand expect explain explicitly expose extend extract factor fail fall fetch filter find finish fix flatten flip flush fold follow \
    force format forward generate get give grant group guard guarantee guess handle hide hook ignore implement import improve include increase infer \
    inherit inline insert inspect install instantiate introduce invalidate invert issue iterate join keep kill let limit lint load log look loosen \
    lower lowercase make manage mark mask match maybe measure merge migrate mock modernize modify monkeypatch move mute name never normalise \
    normalize note notify obey offer omit only open optimise optimize order output overhaul overload override parametrize parse pass patch perform permit pick \
    pin pop populate port prefer prefix prepare preserve prevent print process prohibit promote propagate protect provide prune pull push put quote raise \
    re-add re-enable re-order re-raise reactivate read readd recognise recognize record recover reduce reenable refactor refer reference refine \
    refuse register reject relax release reload remove rename render reorder reorganize replace report repair request require reset resolve \
    respect restore restrict restructure retain retry return reuse revamp review revise rework rewrite round run sanitize save scale scan search select \
    send separate set setup shorten show shrink silence simplify skip sort specify speed split start stop store strip stub subclass suppress support \
    swap switch sync synchronize take teach tell terminate test throw tidy tighten time tolerate track transform translate treat trigger trim truncate try tune tweak \
    turn unify unpack unskip unwrap update upgrade use utilize validate verify wait warn work wrap write yield zero";

/// Words at a subject's beginning that say nothing of a program, and marks of programs that commit.
const CHORES: [&str; 13] = [
    "bump",
    "release",
    "revert",
    "merge",
    "wip",
    "fixup!",
    "squash!",
    "amend!",
    "version",
    "prepare release",
    "update version",
    "initial commit",
    "apply suggestions",
];
const ROBOTS: [&str; 8] = [
    "[bot]",
    "dependabot",
    "renovate",
    "pre-commit-ci",
    "pyup",
    "github-actions",
    "greenkeeper",
    "weblate",
];

/// Whether the author's name and address are a program's.
pub fn is_robot(author: &str) -> bool {
    let author = author.to_lowercase();
    ROBOTS.iter().any(|robot| author.contains(robot))
}

/// What the message asks for: its subject, without marks of issues and of what kind of change it is, in capital and without a full stop.
pub fn subject(message: &str) -> Result<String, Why> {
    let line = message.lines().map(str::trim).find(|line| !line.is_empty());
    let mut line = line.ok_or(Why::Subject)?.to_owned();
    let small = line.to_lowercase();
    if CHORES.iter().any(|chore| small.starts_with(chore)) {
        return Err(Why::Chore);
    }
    // "[tests] ", "fix(parser): ", "parser.py: "
    if let Some(rest) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        line = rest.1.trim_start_matches([':', ' ']).to_owned();
    }
    if let Some((kind, rest)) = line.split_once(": ")
        && kind.len() <= 40
        && !kind.contains(' ')
    {
        line = rest.trim().to_owned();
    }
    // "(#123)", "#123", "GH-123", "closes #12"
    let is_issue = |word: &str| {
        let word = word.trim_matches(['(', ')', '[', ']', '.', ',', ':']);
        let number = word
            .strip_prefix('#')
            .or_else(|| word.strip_prefix("GH-"))
            .or_else(|| word.strip_prefix("gh-"));
        number
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut words: Vec<&str> = line.split_whitespace().collect();
    while words.first().is_some_and(|word| is_issue(word)) {
        words.remove(0);
    }
    while words.last().is_some_and(|word| is_issue(word)) {
        words.pop();
    }
    let (Some(first), rest) = (words.first(), words.get(1..).unwrap_or_default()) else {
        return Err(Why::Subject);
    };
    let verb = imperative(first, rest.first().copied()).ok_or(Why::Subject)?;
    let line = format!("{verb} {}", rest.join(" "));
    let line = line.trim_end_matches(['.', ' ', ';', ':', ',']);
    let is_text = line.bytes().all(|b| (b' '..0x7f).contains(&b));
    if !(3..=20).contains(&words.len()) || line.len() > 120 || !is_text || line.contains("://") {
        return Err(Why::Subject);
    }
    if CHORES
        .iter()
        .any(|chore| line.to_lowercase().starts_with(chore))
    {
        return Err(Why::Chore);
    }
    Ok(line[..1].to_uppercase() + &line[1..])
}

/// The verb that a subject begins with, in the imperative: "Fixed" and "Fixes" say to fix. None for a word that is no verb; one that ends in s may be a
/// noun, as before "for".
fn imperative(word: &str, next: Option<&str>) -> Option<String> {
    let word = word.to_lowercase();
    let is_verb = |word: &str| VERBS.split_whitespace().any(|verb| verb == word);
    if is_verb(&word) {
        return Some(word);
    }
    let is_noun = next.is_some_and(|next| {
        [
            "for", "to", "in", "of", "on", "from", "and", "with", "by", "are",
        ]
        .contains(&next)
    });
    let endings: &[&str] = if is_noun {
        &["ied", "ed", "d"]
    } else {
        &["ied", "ed", "d", "ing", "ies", "es", "s"]
    };
    for ending in endings {
        let Some(stem) = word.strip_suffix(ending) else {
            continue;
        };
        // "applied", "changing", "dropped"
        let doubled =
            stem.len() > 2 && stem.as_bytes()[stem.len() - 1] == stem.as_bytes()[stem.len() - 2];
        let shorter = if doubled {
            &stem[..stem.len() - 1]
        } else {
            stem
        };
        for verb in [stem, shorter, &format!("{stem}e"), &format!("{stem}y")] {
            if is_verb(verb) {
                return Some(verb.to_owned());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_what_it_asks_for() {
        for (message, subject_) in [
            (
                "Fix the bug in the parser.\n\nLong text",
                "Fix the bug in the parser",
            ),
            (
                "fix(parser): handle empty lines (#1234)",
                "Handle empty lines",
            ),
            ("[tests] Add one for walls", "Add one for walls"),
            ("utils.py: use a set, not a list. ", "Use a set, not a list"),
            ("#12 remove dead code GH-4", "Remove dead code"),
            ("Fixed the bug there", "Fix the bug there"),
            ("Applies changes of names", "Apply changes of names"),
            ("Dropping old Pythons today", "Drop old Pythons today"),
        ] {
            assert_eq!(subject(message).as_deref(), Ok(subject_), "{message}");
        }
    }

    #[test]
    fn what_asks_for_nothing_is_left_out() {
        for message in [
            "Bump version to 1.2",
            "Merge branch 'x' of y",
            "Revert \"Add that\"",
            "WIP on the parser",
            "chore: release 1.2.3 of it",
        ] {
            assert_eq!(subject(message), Err(Why::Chore), "{message}");
        }
        for message in [
            "",
            "\n\n",
            "typo",
            "Tests for the parser",
            "Fix it",
            "The parser was wrong",
            "Add caf\u{e9} to menu",
        ] {
            assert_eq!(subject(message), Err(Why::Subject), "{message}");
        }
        assert!(is_robot("dependabot[bot] <x@y>") && !is_robot("Ada <ada@example.org>"));
    }
}
