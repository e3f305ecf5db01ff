//! The trainer on Burn, on the processor, against the one that is all ours: two backward passes with nothing in common.
#![cfg(feature = "flex")]

use std::path::Path;

use lm::train::{Branch, Learns, Lora, Options, Scores, Step, Text, Trainer, Tree, cpu, gpu, open};
use lm::{Checkpoint, Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const MODELS: [&str; 4] = ["llama", "qwen2", "llama3", "qwen3"];

const STEP: Step = Step {
    rate: 1e-3,
    decay: 0.1,
    clip: 1.0,
};

fn options(low_rank: bool, values: bool) -> Options {
    let lora = Lora {
        rank: 4,
        alpha: 8.0,
        seed: 3,
    };
    Options {
        learns: if low_rank {
            Learns::Lora(lora)
        } else {
            Learns::All
        },
        values,
        ..Options::default()
    }
}

fn trainers(model: &str, options: Options) -> (cpu::Trainer, gpu::Trainer) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tiny")
        .join(model);
    let checkpoint = Checkpoint::open(&path).unwrap();
    let (config, weights) = (&checkpoint.config, checkpoint.weights().unwrap());
    let ours = cpu::Trainer::new(config, &weights, options.clone()).unwrap();
    let burn = gpu::Trainer::new(config, &weights, Device::Flex, options).unwrap();
    (ours, burn)
}

fn text(rng: &mut ChaCha8Rng, least: usize, first: bool) -> Text {
    let count = least + rng.random_range(0..12);
    Text {
        tokens: (0..count).map(|_| rng.random_range(0..512)).collect(),
        chosen: (0..count)
            .map(|at| (at > 0 || first) && rng.random::<bool>())
            .collect(),
    }
}

/// Trees of every shape: with a prefix and without, with branches that see all of the trunk, part of it or the prefix alone.
fn trees(seed: u64) -> Vec<Tree> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let tree = |number: usize| {
        let vectors = [0, 3, 0][number % 3];
        let prefix = (0..vectors * 64).map(|_| rng.random::<f32>() - 0.5);
        let prefix: Vec<f32> = prefix.collect();
        let trunk = text(rng, 1, vectors > 0);
        let length = trunk.tokens.len();
        let branches = (0..number % 4).map(|_| Branch {
            seen: rng.random_range(usize::from(vectors == 0)..=length),
            text: text(rng, 1, true),
        });
        Tree {
            branches: branches.collect(),
            prefix,
            trunk,
        }
    };
    (0..7).map(tree).collect()
}

/// Weights of either sign.
fn weigh(tree: usize, scores: &Scores) -> Scores {
    let weight = |at: usize| ((7 * tree + 3 * at) % 11) as f32 / 5.0 - 0.9;
    Scores {
        log_probs: (0..scores.log_probs.len()).map(weight).collect(),
        values: (0..scores.values.len()).map(|at| weight(at + 5)).collect(),
    }
}

/// The largest difference, as a share of the largest value.
fn off(got: &[f32], right: &[f32]) -> f32 {
    assert_eq!(got.len(), right.len());
    let largest = right.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    let pairs = got.iter().zip(right);
    let most = pairs.fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(got.iter().all(|x| x.is_finite()));
    most / largest.max(f32::MIN_POSITIVE)
}

fn near(got: &[(String, Tensor)], right: &[(String, Tensor)], case: &str) {
    assert_eq!(got.len(), right.len());
    let mut right: Vec<_> = right.iter().collect();
    let mut got: Vec<_> = got.iter().collect();
    right.sort_by(|a, b| a.0.cmp(&b.0));
    got.sort_by(|a, b| a.0.cmp(&b.0));
    for ((name, got), (other, right)) in got.into_iter().zip(right) {
        assert_eq!((name, &got.shape), (other, &right.shape));
        let off = off(&got.data, &right.data);
        assert!(off < 1e-4, "{case}: {name}: {off:e}");
    }
}

#[test]
fn gradients_are_those_of_the_other_trainer() {
    for (number, model) in MODELS.into_iter().enumerate() {
        for low_rank in [false, true] {
            let case = format!("{model}, low rank {low_rank}");
            let (mut ours, mut burn) = trainers(model, options(low_rank, true));
            // The same adapters are drawn; an update makes B and the value head something.
            let trees = trees(number as u64);
            for trainer in [&mut ours as &mut dyn Trainer, &mut burn] {
                trainer.gradient(&trees, &mut weigh).unwrap();
                trainer.update(STEP).unwrap();
            }
            burn.restore(ours.state()).unwrap();
            assert!(burn.state() == ours.state());
            // Gathered over calls.
            let (mut right, mut got) = (Vec::new(), Vec::new());
            for trees in [&trees[..5], &trees[5..]] {
                right.extend(ours.gradient(trees, &mut weigh).unwrap());
                got.extend(burn.gradient(trees, &mut weigh).unwrap());
            }
            for (got, right) in got.iter().zip(&right) {
                assert!(
                    off(&got.scores.log_probs, &right.scores.log_probs) < 1e-4,
                    "{case}"
                );
                assert!(
                    off(&got.scores.values, &right.scores.values) < 1e-4,
                    "{case}"
                );
                assert!(off(&got.prefix, &right.prefix) < 1e-4, "{case}");
            }
            near(&burn.gradients().unwrap(), &ours.gradients(), &case);
            near(&burn.adapter(), &ours.adapter(), &case);
            let weights = |trainer: &dyn Trainer| -> Vec<_> {
                trainer.weights().unwrap().into_iter().collect()
            };
            near(&weights(&burn), &weights(&ours), &case);
            assert_eq!(burn.parameters(), ours.parameters());
        }
    }
}

#[test]
fn ten_updates_agree() {
    for model in MODELS {
        for low_rank in [false, true] {
            let (mut ours, mut burn) = trainers(model, options(low_rank, false));
            for update in 0..10 {
                let trees = trees(update % 3);
                let chosen: usize = trees.iter().map(Tree::chosen).sum();
                let [right, got] = [&mut ours as &mut dyn Trainer, &mut burn].map(|trainer| {
                    let climbed = trainer.gradient(&trees, &mut |_, scores| Scores {
                        log_probs: vec![1.0 / chosen as f32; scores.log_probs.len()],
                        values: Vec::new(),
                    });
                    let all = climbed.unwrap();
                    let sum: f32 = all.iter().flat_map(|c| &c.scores.log_probs).sum();
                    trainer.update(STEP).unwrap();
                    -sum / chosen as f32
                });
                let off = (got - right).abs() / right;
                assert!(
                    off < 1e-4,
                    "{model} {low_rank} {update}: {got}, not {right}"
                );
            }
        }
    }
}

#[test]
fn a_trainer_is_opened_by_its_device() {
    let (_, burn) = trainers("llama", options(false, false));
    let weights = burn.weights().unwrap();
    for (device, name) in [(Device::Cpu, "cpu f32"), (Device::Flex, "flex")] {
        let opened = open(device, burn.config(), &weights, options(false, false));
        assert_eq!(opened.unwrap().arithmetic(), name);
    }
    let missing = Device::ALL
        .into_iter()
        .find(|device| device.check().is_err());
    if let Some(device) = missing {
        let opened = open(device, burn.config(), &weights, options(false, false));
        assert!(opened.err().unwrap().to_string().contains("--features"));
    }
}

#[test]
fn what_does_not_go_with_it_is_refused() {
    let (_, mut burn) = trainers("llama", options(true, false));
    let unknown = Tree::sequence(Text::context(vec![1, 512]));
    let error = burn.score(&[unknown]).unwrap_err().to_string();
    assert!(error.contains("512"), "{error}");
    let before = burn.state();
    let (_, other) = trainers("llama", options(false, false));
    assert!(burn.restore(other.state()).is_err());
    assert!(burn.state() == before);
}
