//! Commit messages that ask for a change.

use crate::why::Why;

/// Words that a subject in the imperative begins with.
const VERBS: &str = "\
    abbreviate abort absorb abstract accept access account activate adapt add address adjust align allow alter always amend append \
    apply archive arrange assert assign assume attach attempt avoid await balance base batch be bind block bound break bring buffer \
    build cache calculate call cancel cap capture cast catch center centralize change check clamp clarify clean cleanup clear clip \
    clone close collapse collect colorize combine compare compile complain complete compute concatenate conform connect conserve \
    consider consolidate construct convert cope copy correct count cover create cut deactivate deal debug declare decode decouple \
    decrease deduplicate default defer define delay delegate delete demote deprecate derive describe deserialize detach detect \
    determine differentiate disable disallow discard dispatch display distinguish divide do document don't double downgrade draw \
    drop dump edit elide eliminate embed emit employ emulate enable encapsulate encode encourage enforce enhance enlarge enqueue \
    ensure enumerate erase escape evaluate exclude execute exit expand expect expire explain explicitly export expose extend extract \
    factor fail fake fall feed fetch fill filter finalize find finish fire fix flatten flip flush focus fold follow force fork \
    format forward gather generalize generate get give grant group guarantee guard guess halve handle harden hash hide hint hook \
    ignore implement import improve include incorporate increase indent index infer inherit initialize inject inline insert inspect \
    install instantiate insulate integrate intercept interpolate introduce invalidate invert isolate issue iterate join keep kill \
    label launch leave let limit link lint list load localize lock log look loop loosen lower lowercase make manage map mark mask \
    match maybe measure memoize mention merge migrate minimize mirror mock modernize modify modularize monkeypatch move multiply \
    mutate mute name narrow negate nest neutralize never normalise normalize note notice notify number obey offer omit only open \
    optimise optimize order output overhaul overload override parametrize parse pass patch perform permit pick pin ping place plot \
    point polish pop populate port post postpone prefer prefix prepare prepend present preserve pretend prevent print privatize \
    probe process prohibit promote propagate protect provide proxy prune publish pull purge push put query queue quote raise rank \
    rate re-add re-enable re-order re-raise reach reactivate read readd rebuild recalculate reclaim recognise recognize recommend \
    reconnect record recover rectify redirect redo reduce reenable refactor refer reference refine reflect refresh refuse regenerate \
    register reinstate reject relax release reload relocate rely remember remove rename render reorder reorganize repair repeat \
    replace replicate report reposition request require reraise rescale reset resize resolve respect restore restrict restructure \
    resume retain retrieve retry return reuse revamp reverse review revise rework rewrite rotate round route run sanitize save scale \
    scan schedule search seed select send separate serialize set setup share shift ship shorten show shrink shut sign silence \
    simplify simulate skip slice solve sort specialize specify speed spell split square stabilize standardize start step stop store \
    streamline strengthen stretch strip stub style subclass submit substitute subtract suggest sum supply support suppress surround \
    suspend swallow swap switch sync synchronize tag take target teach tell terminate test throw tidy tighten time toggle tolerate \
    touch track transform translate trap traverse treat trigger trim truncate try tune turn tweak unblock uncomment undo unify \
    unpack unset unskip unwrap update upgrade upload use utilize validate vary vectorize verify view visit wait warn weaken \
    whitelist widen wire work wrap write yield zero";

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
