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
