//! Trees and states that cannot be are refused, and nothing has happened then.

use lm::train::cpu::Trainer;
use lm::train::{Branch, Scores, Step, Text, Trainer as _, Tree};
use lm::{Error, Tensor};

use crate::{CASES, Way};

fn all_ones(_: usize, scores: &Scores) -> Scores {
    Scores {
        log_probs: vec![1.0; scores.log_probs.len()],
        values: vec![1.0; scores.values.len()],
    }
}

fn tree(trunk: &[u32], branches: &[(usize, &[u32])]) -> Tree {
    let branches = branches.iter().map(|(seen, tokens)| Branch {
        seen: *seen,
        text: Text::target(tokens.to_vec()),
    });
    Tree {
        trunk: Text::context(trunk.to_vec()),
        branches: branches.collect(),
        ..Tree::default()
    }
}

/// Trees that cannot be, and what the message must have.
fn wrong() -> Vec<(Tree, &'static [&'static str])> {
    let long = |n: u32| (0..n).collect::<Vec<u32>>();
    let mut first = tree(&[1, 2], &[]);
    first.trunk.chosen[0] = true;
    let mut lacking = tree(&[1, 2], &[]);
    lacking.trunk.chosen.pop();
    let mut uneven = tree(&[1, 2], &[]);
    uneven.prefix = vec![0.0; 65];
    let mut infinite = tree(&[1, 2], &[]);
    infinite.prefix = vec![f32::INFINITY; 64];
    let mut front = tree(&long(250), &[]);
    front.prefix = vec![0.0; 7 * 64];
    vec![
        (tree(&[1, 512], &[]), &["512"]),
        (
            tree(&[1, 2], &[(2, &[3]), (1, &[4, u32::MAX])]),
            &["4294967295"],
        ),
        (tree(&long(257), &[]), &["256"]),
        (tree(&long(250), &[(2, &[3]), (249, &[5; 8])]), &["256"]),
        (front, &["256"]),
        (first, &["first"]),
        (lacking, &["chosen"]),
        (uneven, &["prefix", "64"]),
        (infinite, &["prefix"]),
        (tree(&[], &[]), &["trunk"]),
        (tree(&[], &[(0, &[1])]), &["trunk"]),
        (tree(&[1, 2], &[(3, &[3])]), &["seen"]),
        (tree(&[1, 2], &[(0, &[3])]), &["seen"]),
        (tree(&[1, 2], &[(1, &[3]), (1, &[])]), &["branch"]),
    ]
}

fn training(error: &Error, words: &[&str]) {
    let text = error.to_string();
    assert!(matches!(error, Error::Training(_)), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

#[test]
fn trees_that_cannot_be_are_refused() {
    for case in &CASES[..2] {
        let (good, _) = case.lessons();
        let mut trainer = case.trainer(false);
        trainer.gradient(&good, &mut all_ones).unwrap();
        let gathered = trainer.gradients();
        for (bad, words) in wrong() {
            let trees = [good[0].clone(), bad.clone(), good[1].clone()];
            training(&trainer.score(&trees).unwrap_err(), words);
            let weighed = trainer.gradient(&trees, &mut |_, _| panic!("weighed"));
            training(&weighed.unwrap_err(), words);
            assert!(trainer.gradients() == gathered, "{bad:?}");
        }
    }
}

/// As long as the model reads, and no longer, is read.
#[test]
fn the_longest_trees_are_read() {
    let mut trainer = CASES[0].trainer(false);
    let trunk: Vec<u32> = (0..250).collect();
    let own: &[u32] = &[7; 6];
    let mut trees = vec![
        tree(&(0..256).collect::<Vec<u32>>(), &[]),
        tree(&trunk, &[(250, own), (250, own), (1, &[7; 255])]),
    ];
    trees[0].trunk.chosen[255] = true;
    let scores = trainer.score(&trees).unwrap();
    assert_eq!(scores[0].log_probs.len(), 1);
    assert_eq!(scores[1].log_probs.len(), 267);
    assert_eq!(scores[1].log_probs[..6], scores[1].log_probs[6..12]);
}

/// Nothing to read is nothing gathered.
#[test]
fn no_trees_are_nothing() {
    for case in CASES {
        let mut trainer = case.trainer(false);
        assert!(trainer.score(&[]).unwrap().is_empty());
        assert!(trainer.gradient(&[], &mut all_ones).unwrap().is_empty());
        // Nor is a tree of which nothing is chosen.
        let none = tree(&[1, 2, 3], &[]);
        let climbed = trainer.gradient(&[none], &mut all_ones).unwrap();
        assert_eq!(climbed[0].scores, Scores::default());
        let all = trainer.gradients();
        assert!(all.iter().all(|(_, t)| t.data.iter().all(|g| *g == 0.0)));
    }
}

type State = Vec<(String, Tensor)>;

fn refused(trainer: &mut Trainer, state: State, words: &[&str]) {
    let before = trainer.state();
    training(&trainer.restore(state).unwrap_err(), words);
    assert!(before == trainer.state(), "{words:?}");
}

#[test]
fn states_that_cannot_be_are_refused() {
    for case in CASES {
        let mut trainer = case.trainer(false);
        let state = trainer.state();
        for lacking in 0..state.len() {
            let mut state = state.clone();
            let (name, _) = state.remove(lacking);
            refused(&mut trainer, state, &[&name]);
        }
        let shaped = |change: fn(&mut Tensor)| {
            let mut state = state.clone();
            change(&mut state[0].1);
            state
        };
        let name = state[0].0.as_str();
        refused(
            &mut trainer,
            shaped(|t| {
                t.shape.reverse();
                t.shape.push(1);
            }),
            &[name],
        );
        refused(&mut trainer, shaped(|t| _ = t.data.pop()), &[name]);
        let mut more = state.clone();
        more.push(("more".to_owned(), state[0].1.clone()));
        refused(&mut trainer, more, &["more"]);
        let mut twice = state.clone();
        twice.push(state[0].clone());
        refused(&mut trainer, twice, &[name]);
        refused(&mut trainer, Vec::new(), &[]);
    }
}

#[test]
fn states_of_others_are_refused() {
    for case in CASES {
        let mut trainer = case.trainer(false);
        let shapes = |state: &State| -> Vec<(String, Vec<usize>)> {
            let all = state.iter();
            all.map(|(name, tensor)| (name.clone(), tensor.shape.clone()))
                .collect()
        };
        let own = shapes(&trainer.state());
        for other in CASES {
            let state = other.fresh(false).state();
            if shapes(&state) != own {
                refused(&mut trainer, state, &[]);
            }
        }
        let headless = case.plain().fresh(false).state();
        if case.values {
            refused(&mut trainer, headless, &["value_head"]);
        }
        let mut other = case;
        other.way = match case.way {
            Way::Full => Way::Lora,
            Way::Lora => Way::Full,
        };
        refused(&mut trainer, other.fresh(false).state(), &[]);
    }
}

/// A gradient that is no number changes nothing, and the next update is as if it had not been.
#[test]
fn gradients_that_are_no_numbers_are_refused() {
    let step = Step {
        rate: 1e-3,
        decay: 0.1,
        clip: 1.0,
    };
    for case in CASES {
        let (trees, weights) = case.lessons();
        let mut trainer = case.trainer(false);
        let before = trainer.state();
        let nan = trainer.gradient(&trees, &mut |tree, scores| {
            let mut weights = all_ones(tree, scores);
            if let Some(last) = weights.log_probs.last_mut() {
                *last = f32::NAN;
            }
            weights
        });
        // It may be found out at once or by the update.
        let error = nan.and_then(|_| trainer.update(step)).unwrap_err();
        assert!(matches!(error, Error::Numbers(_)), "{error}");
        assert!(before == trainer.state(), "{case:?}");
        let after = [&mut trainer, &mut case.trainer(false)].map(|trainer| {
            trainer
                .gradient(&trees, &mut |tree, _| weights[tree].clone())
                .unwrap();
            (trainer.update(step).unwrap(), trainer.state())
        });
        assert!(after[0] == after[1], "{case:?}");
    }
}
