//! What was learnt is what is decoded and what others' files have.

use lm::Config;
use lm::cpu::{Decoder, Precision};
use lm::engine::{Engine, Feed};
use lm::train::cpu::Trainer;
use lm::train::{Scores, Step, Text, Trainer as _, Tree};

use crate::{CASES, Way};

const STEP: Step = Step {
    rate: 1e-2,
    decay: 0.1,
    clip: 1.0,
};

fn learn(trainer: &mut Trainer, trees: &[Tree], weights: &[Scores], updates: usize) {
    for _ in 0..updates {
        trainer
            .gradient(trees, &mut |tree, _| weights[tree].clone())
            .unwrap();
        trainer.update(STEP).unwrap();
    }
}

/// Log-probabilities of all but the first token, by a decoder.
fn decoded(trainer: &Trainer, tokens: &[u32]) -> Vec<f32> {
    let config: &Config = trainer.config();
    let mut decoder = Decoder::new(config, &trainer.weights().unwrap(), Precision::F32).unwrap();
    let mut own = decoder.cache();
    let logits = decoder.forward(&mut [Feed {
        vectors: &[],
        tokens,
        shared: None,
        own: &mut own,
        logits: tokens.len(),
    }]);
    let next = logits.iter().zip(&tokens[1..]);
    next.map(|(logits, token)| {
        let most = logits.iter().fold(f32::MIN, |most, x| most.max(*x));
        let sum: f32 = logits.iter().map(|x| (x - most).exp()).sum();
        logits[*token as usize] - most - sum.ln()
    })
    .collect()
}

#[test]
fn the_decoder_gives_the_trainer_s_numbers() {
    for case in CASES {
        let (trees, weights) = case.lessons();
        let mut trainer = case.trainer(false);
        learn(&mut trainer, &trees, &weights, 2);
        let tokens = trees[7].trunk.tokens.clone();
        let mut text = Text::target(tokens.clone());
        text.chosen[0] = false;
        let scores = trainer.score(&[Tree::sequence(text)]).unwrap();
        let decoded = decoded(&trainer, &tokens);
        assert_eq!(scores[0].log_probs.len(), decoded.len());
        for (got, right) in scores[0].log_probs.iter().zip(&decoded) {
            assert!((got - right).abs() < 1e-3, "{case:?}: {got}, not {right}");
        }
    }
}

/// All that learns changes; with LoRA nothing else does, and a layer's change is alpha / rank x B A.
#[test]
fn weights_are_the_base_s_and_what_was_learnt() {
    for case in CASES {
        let (trees, weights) = case.lessons();
        let mut trainer = case.trainer(false);
        let base: Vec<_> = case.fresh(false).weights().unwrap().into_iter().collect();
        learn(&mut trainer, &trees, &weights, 2);
        let (adapter, state) = (trainer.adapter(), trainer.state());
        assert_eq!(adapter.is_empty(), case.way == Way::Full);
        for (name, tensor) in &adapter {
            assert!(
                state.iter().any(|(n, t)| n == name && t == tensor),
                "{name}"
            );
        }
        for ((name, weight), (_, base)) in trainer.weights().unwrap().into_iter().zip(base) {
            if case.way == Way::Full {
                assert!(state.iter().any(|(n, t)| *n == name && *t == weight));
                assert!(weight.data != base.data, "{case:?}: {name} does not learn");
                continue;
            }
            let stem = name.strip_suffix(".weight").unwrap_or(&name);
            let part = |which: &str| {
                let name = format!("base_model.model.{stem}.lora_{which}.weight");
                let found = adapter.iter().find(|(other, _)| *other == name);
                found.map(|(_, tensor)| tensor)
            };
            let (Some(a), Some(b)) = (part("A"), part("B")) else {
                assert!(!name.contains("_proj.weight"), "{name}");
                assert!(weight == base, "{case:?}: {name} changed");
                continue;
            };
            let (rows, columns, rank) = (weight.shape[0], weight.shape[1], 4);
            assert_eq!(
                (&*a.shape, &*b.shape),
                (&[rank, columns][..], &[rows, rank][..])
            );
            for row in 0..rows {
                for column in 0..columns {
                    let products =
                        (0..rank).map(|k| b.data[row * rank + k] * a.data[k * columns + column]);
                    let at = row * columns + column;
                    let right = base.data[at] + 8.0 / 4.0 * products.sum::<f32>();
                    let off = (weight.data[at] - right).abs();
                    assert!(off < 1e-5, "{case:?}: {name}: {off}");
                }
            }
        }
    }
}

/// A head that is told how far off it is comes nearer, whatever the model: the objective is -(value - 1)^2.
#[test]
fn a_value_head_learns() {
    for case in CASES.into_iter().filter(|case| case.values) {
        let (trees, _) = case.lessons();
        let mut trainer = case.fresh(false);
        let mut errors = Vec::new();
        for _ in 0..20 {
            let mut error = 0.0;
            trainer
                .gradient(&trees, &mut |_, scores| {
                    let off = scores.values.iter().map(|value| value - 1.0);
                    error += off.clone().map(|off| off * off).sum::<f32>();
                    Scores {
                        log_probs: vec![0.0; scores.log_probs.len()],
                        values: off.map(|off| -2.0 * off).collect(),
                    }
                })
                .unwrap();
            errors.push(error);
            trainer.update(STEP).unwrap();
        }
        let count: usize = trees.iter().map(Tree::chosen).sum();
        assert_eq!(errors[0], count as f32, "{case:?}: a head begins as 0");
        assert!(errors[19] < 0.2 * errors[0], "{case:?}: {errors:?}");
    }
}
