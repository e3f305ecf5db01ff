//! Lessons as the model sees them.

mod common;

use std::collections::BTreeMap;

use common::{SEEDS, frame, lessons, tiny};
use edit::guide::Guide;
use edit::source::is_same;
use learn::text::{Settings, Texts, by_parent};
use learn::{Left, Why};

#[test]
fn what_gp_changes_can_be_written() {
    let frame = frame();
    // Of 120 of each seed. The others ask a name for an attribute of which the program asks none (`wc2.add_muscle`), or change
    // more lines than a diff may.
    for (seed, least) in SEEDS.into_iter().zip([103, 102, 115, 100]) {
        let (mut whole, mut all, mut bytes) = (0, 0, 0);
        let mut not: BTreeMap<String, usize> = BTreeMap::new();
        for lesson in lessons(seed, 12, 10) {
            if is_same(&lesson.parent, &lesson.child) {
                continue;
            }
            all += 1;
            let mut guide = frame.guide(&lesson.parent, frame.options(&lesson.parent, None));
            match guide.short(&lesson.child) {
                Ok(diff) => {
                    whole += 1;
                    bytes += diff.len();
                    for byte in diff.bytes() {
                        assert!(guide.admits(&[byte]), "{diff}");
                        guide.advance(&[byte]);
                    }
                    assert!(guide.may_end(), "{diff}");
                    assert_eq!(guide.result().unwrap().1, lesson.child, "{diff}");
                }
                Err(why) => {
                    if std::env::var("SHOW").is_ok() {
                        println!(
                            "{why}\n{}",
                            edit::diff::unified(&lesson.parent, &lesson.child)
                        );
                    }
                    *not.entry(why.to_string()).or_default() += 1;
                }
            }
        }
        println!(
            "{whole} of {all}, {} bytes each, not {not:?}",
            bytes / whole.max(1)
        );
        assert!(whole >= least, "{whole} of {all}: {not:?}");
    }
}

#[test]
fn tokens_are_those_of_the_text() {
    let (tokenizer, config) = tiny();
    let settings = Settings {
        program_weight: 0.25,
        free_weight: 0.0,
        seed: 1,
    };
    let texts = Texts::new(frame(), tokenizer.clone(), &config, settings).unwrap();
    let lessons = lessons(SEEDS[0], 8, 6);
    let mut left = Left::default();
    let mut taught = 0;
    for group in by_parent(&lessons) {
        let Some((one, taken)) = texts.tree(&group, &mut left) else {
            continue;
        };
        assert_eq!(one.weights.len(), one.tree.chosen());
        let program = one.tree.trunk.chosen.iter().filter(|c| **c).count();
        assert_eq!(program, one.tree.trunk.tokens.len() - 1);
        assert!(one.weights[..program].iter().all(|w| *w == 0.25));
        assert!(one.weights[program..].iter().all(|w| *w == 1.0));
        for (branch, lesson) in one.tree.branches.iter().zip(taken) {
            taught += 1;
            let words = learn::text::words(&frame(), lesson, 1).unwrap();
            let text = [&*one.tree.trunk.tokens, &branch.text.tokens].concat();
            assert_eq!(
                tokenizer.decode(&text),
                words.prompt.clone() + &words.completion
            );
            let tokens = one.tree.trunk.tokens.len() + branch.text.tokens.len();
            assert_eq!(texts.tokens(lesson), Ok(tokens));
        }
    }
    println!("{taught} taught, left: {left}");
    assert_eq!(taught + left.total() as usize, lessons.len());
    assert!(taught > 0 && left.of(Why::Tokens) == 0);
}

#[test]
fn whoever_is_to_write_freely_learns_every_token_of_a_diff() {
    let (tokenizer, config) = tiny();
    let settings = Settings {
        program_weight: 0.0,
        free_weight: 0.2,
        seed: 1,
    };
    let texts = Texts::new(frame(), tokenizer.clone(), &config, settings).unwrap();
    let lessons = lessons(SEEDS[0], 8, 6);
    let mut left = Left::default();
    for group in by_parent(&lessons) {
        let Some((one, _)) = texts.tree(&group, &mut left) else {
            continue;
        };
        let (fewer, _) = texts.of_choices().tree(&group, &mut left).unwrap();
        assert_eq!(one.weights.len(), one.tree.chosen());
        let ones = one.weights.iter().filter(|w| **w == 1.0).count();
        assert_eq!(ones, fewer.weights.len());
        assert!(one.weights.iter().all(|w| *w == 1.0 || *w == 0.2));
        for (branch, other) in one.tree.branches.iter().zip(&fewer.tree.branches) {
            let text = &branch.text;
            assert_eq!(text.tokens[..other.text.tokens.len()], other.text.tokens);
            assert!(*text.chosen.last().unwrap());
            // What is not learned is the lead: the message up to the diff.
            let led = text.chosen.iter().take_while(|chosen| !**chosen).count();
            assert!(text.chosen[led..].iter().all(|chosen| *chosen));
            let lead = tokenizer.decode(&text.tokens[..led]);
            assert!(lead.ends_with("# Diff:\n\n"), "{lead:?}");
        }
    }
    assert!(left.of(Why::Tokens) == 0);
}
