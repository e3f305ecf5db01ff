//! Gradients against central differences of the objective.

use lm::Tensor;
use lm::train::cpu::Trainer;
use lm::train::{Scores, Trainer as _, Tree};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::CASES;

fn objective(trainer: &mut Trainer, trees: &[Tree], weights: &[Scores]) -> f64 {
    let mut sum = 0.0;
    for (scores, weights) in trainer.score(trees).unwrap().iter().zip(weights) {
        let log_probs = scores.log_probs.iter().zip(&weights.log_probs);
        let values = scores.values.iter().zip(&weights.values);
        for (score, weight) in log_probs.chain(values) {
            sum += f64::from(*score) * f64::from(*weight);
        }
    }
    sum
}

fn length(x: &[f32]) -> f64 {
    x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
}

/// -1 or 1 for every number.
fn direction(rng: &mut ChaCha8Rng, n: usize) -> Vec<f32> {
    (0..n)
        .map(|_| if rng.random() { 1.0 } else { -1.0 })
        .collect()
}

/// How far to go: so far that rounding (some 1e-4 of the objective) is little, and bends are too.
fn stride(gradient: &[f32]) -> f32 {
    (0.1 / length(gradient)) as f32
}

fn check(what: &str, [less, more]: [f64; 2], stride: f32, gradient: &[f32], direction: &[f32]) {
    let got: f64 = (gradient.iter().zip(direction))
        .map(|(g, d)| f64::from(*g) * f64::from(*d))
        .sum();
    let right = (more - less) / (2.0 * f64::from(stride));
    // A random direction's slope is about the gradient's length.
    let off = (got - right).abs() / length(gradient);
    assert!(off < 0.02, "{what}: {got}, not {right}: {off}");
}

#[test]
fn differences_of_the_weights_agree() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for case in CASES {
        let mut trainer = case.trainer(false);
        let (trees, weights) = case.lessons();
        trainer
            .gradient(&trees, &mut |tree, _| weights[tree].clone())
            .unwrap();
        let (gradients, state) = (trainer.gradients(), trainer.state());
        for (name, Tensor { data, .. }) in gradients {
            let direction = direction(&mut rng, data.len());
            let stride = stride(&data);
            let ends = [-stride, stride].map(|stride| {
                let mut moved = state.clone();
                let place = moved.iter_mut().find(|(other, _)| *other == name);
                let (_, tensor) = place.unwrap_or_else(|| panic!("{name} is not in the state"));
                for (x, d) in tensor.data.iter_mut().zip(&direction) {
                    *x += stride * d;
                }
                trainer.restore(moved).unwrap();
                objective(&mut trainer, &trees, &weights)
            });
            check(&format!("{case:?} {name}"), ends, stride, &data, &direction);
        }
    }
}

#[test]
fn differences_of_the_prefixes_agree() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for case in CASES {
        let mut trainer = case.trainer(false);
        let (trees, weights) = case.lessons();
        let climbed = trainer
            .gradient(&trees, &mut |tree, _| weights[tree].clone())
            .unwrap();
        for ((tree, climbed), weights) in trees.iter().zip(climbed).zip(weights) {
            let gradient = climbed.prefix;
            assert_eq!(gradient.len(), tree.prefix.len());
            if gradient.is_empty() {
                continue;
            }
            let direction = direction(&mut rng, gradient.len());
            let stride = stride(&gradient);
            let ends = [-stride, stride].map(|stride| {
                let mut moved = tree.clone();
                for (x, d) in moved.prefix.iter_mut().zip(&direction) {
                    *x += stride * d;
                }
                objective(&mut trainer, &[moved], std::slice::from_ref(&weights))
            });
            check(&format!("{case:?}"), ends, stride, &gradient, &direction);
        }
    }
}
