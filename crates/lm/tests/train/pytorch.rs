//! Log-probabilities, values, every gradient and ten updates, as PyTorch computes them.

use lm::train::{Climbed, Scores, Step, Trainer as _};

use crate::golden::{log_probs, values};
use crate::{CASES, Case, Golden};

/// The largest difference, as a share of the largest value.
fn off(got: &[f32], right: &[f32]) -> f32 {
    assert_eq!(got.len(), right.len());
    let largest = right.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    let pairs = got.iter().zip(right);
    let most = pairs.map(|(got, right)| (got - right).abs());
    let most = most.fold(0.0f32, |most, x| if x <= most { most } else { x });
    most / largest.max(f32::MIN_POSITIVE)
}

fn cosine(got: &[f32], right: &[f32]) -> f64 {
    assert_eq!(got.len(), right.len());
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum()
    };
    dot(got, right) / (dot(got, got) * dot(right, right)).sqrt()
}

/// What a case computes, beside what PyTorch does, by name.
fn beside(case: Case, bf16: bool) -> Vec<(String, Vec<f32>, Vec<f32>)> {
    let golden = Golden::read(case.model);
    let right = |name: &str| golden.get(case.way, name).to_vec();
    let mut trainer = case.trainer(bf16);
    let (trees, weights) = case.lessons();
    let climbed = trainer
        .gradient(&trees, &mut |tree, scores| {
            assert_eq!(scores.log_probs.len(), weights[tree].log_probs.len());
            assert_eq!(scores.values.len(), weights[tree].values.len());
            weights[tree].clone()
        })
        .unwrap();
    let scores: Vec<Scores> = climbed.iter().map(|c| c.scores.clone()).collect();
    assert_eq!(trainer.score(&trees).unwrap(), scores, "{case:?}");
    let prefix = climbed
        .iter()
        .flat_map(|Climbed { prefix, .. }| prefix)
        .copied();
    let mut all = vec![
        (
            "log_probs".to_owned(),
            log_probs(&scores),
            right("log_probs"),
        ),
        ("prefix".to_owned(), prefix.collect(), right("prefix")),
    ];
    if case.values {
        all.push(("values".to_owned(), values(&scores), right("values")));
    }
    let mut gradients = trainer.gradients();
    gradients.sort_by(|a, b| a.0.cmp(&b.0));
    // Every one of PyTorch's, and no other.
    let start = format!("{}.gradient.", case.way.name());
    let names: Vec<&str> = (golden.0.keys())
        .filter_map(|name| name.strip_prefix(&start))
        .collect();
    let ours: Vec<&str> = gradients.iter().map(|(name, _)| &**name).collect();
    assert_eq!(ours, names, "{case:?}");
    for (name, tensor) in gradients {
        let right = right(&format!("gradient.{name}"));
        all.push((name, tensor.data, right));
    }
    all
}

/// PyTorch's two kernels for attention are 3e-5 apart in log-probabilities of up to 40.
#[test]
fn everything_agrees_in_f32() {
    for case in CASES {
        for (name, got, right) in beside(case, false) {
            let off = off(&got, &right);
            assert!(off < 2e-5, "{case:?}: {name}: {off:e}");
        }
    }
}

/// bf16 keeps 8 bits, and these models are a hard case: their weights are random and large, so that attention hangs on
/// near ties. PyTorch's own bf16 parts from its f32 by up to 0.7 in a log-probability, and in directions by a cosine of
/// 0.9966 at worst (`golden.py` prints it).
#[test]
fn bf16_points_the_same_way() {
    for case in CASES {
        for (name, got, right) in beside(case, true) {
            let cosine = cosine(&got, &right);
            assert!(cosine > 0.99, "{case:?}: {name}: {cosine}");
            if name == "log_probs" {
                let apart = got.iter().zip(&right).map(|(a, b)| (a - b).abs());
                let mean = apart.sum::<f32>() / got.len() as f32;
                assert!(mean < 0.1, "{case:?}: {mean}");
            }
        }
    }
}

/// Ten updates by AdamW: the mean negative log-probability before each, and the gradient's norm.
fn trajectory(case: Case, bf16: bool) -> (Vec<f32>, Vec<f32>) {
    let mut trainer = case.plain().trainer(bf16);
    let (trees, _) = case.lessons();
    let step = Step {
        rate: 1e-3,
        decay: 0.1,
        clip: 1.0,
    };
    let updates = (0..10).map(|update| {
        let batch: Vec<_> = trees.iter().skip(update % 2).step_by(2).cloned().collect();
        let chosen: usize = batch.iter().map(lm::train::Tree::chosen).sum();
        let climbed = trainer
            .gradient(&batch, &mut |_, scores| Scores {
                log_probs: vec![1.0 / chosen as f32; scores.log_probs.len()],
                values: Vec::new(),
            })
            .unwrap();
        let scores: Vec<Scores> = climbed.into_iter().map(|c| c.scores).collect();
        let sum: f32 = log_probs(&scores).iter().sum();
        (-sum / chosen as f32, trainer.update(step).unwrap())
    });
    updates.unzip()
}

#[test]
fn ten_updates_agree() {
    for case in CASES {
        let golden = Golden::read(case.model);
        for (bf16, most) in [(false, 2e-5), (true, 2e-2)] {
            let (losses, norms) = trajectory(case, bf16);
            for (name, got) in [("losses", losses), ("norms", norms)] {
                let right = golden.get(case.way, name);
                for (got, right) in got.iter().zip(right) {
                    let off = (got - right).abs() / right;
                    let most = if name == "norms" { 5.0 * most } else { most };
                    assert!(off < most, "{case:?} {bf16}: {name}: {got}, not {right}");
                }
            }
        }
    }
}
