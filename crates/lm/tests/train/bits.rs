//! The same bits for any number of threads, for trees spread over calls, and after a restore.

use lm::Tensor;
use lm::train::cpu::Trainer;
use lm::train::{Climbed, Scores, Step, Trainer as _, Tree};

use crate::{CASES, Case};

const STEP: Step = Step {
    rate: 1e-3,
    decay: 0.1,
    clip: 1.0,
};

type Bits = Vec<(String, Vec<usize>, Vec<u32>)>;

fn bits(tensors: Vec<(String, Tensor)>) -> Bits {
    let bits = |data: &[f32]| data.iter().map(|x| x.to_bits()).collect();
    tensors
        .into_iter()
        .map(|(name, tensor)| (name, tensor.shape, bits(&tensor.data)))
        .collect()
}

/// Updates, each after all trees, so many a call; everything seen on the way.
fn train(
    trainer: &mut Trainer,
    (trees, weights): &(Vec<Tree>, Vec<Scores>),
    updates: usize,
    at_once: usize,
) -> (Vec<Climbed>, Vec<f32>, Bits) {
    let (mut seen, mut norms) = (Vec::new(), Vec::new());
    for _ in 0..updates {
        for (call, trees) in trees.chunks(at_once).enumerate() {
            let climbed =
                trainer.gradient(trees, &mut |tree, _| weights[call * at_once + tree].clone());
            seen.extend(climbed.unwrap());
        }
        norms.push(trainer.update(STEP).unwrap());
    }
    (seen, norms, bits(trainer.state()))
}

/// Full and LoRA, with a value head and without, in both arithmetics.
fn each() -> impl Iterator<Item = (Case, bool)> {
    CASES
        .into_iter()
        .flat_map(|case| [(case, false), (case, true)])
}

#[test]
fn threads_and_calls_do_not_show() {
    for (case, bf16) in each() {
        let lessons = case.lessons();
        let mut first = None;
        for (threads, at_once) in [(1, 9), (2, 9), (3, 9), (1, 1), (2, 1), (2, 4)] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let got = pool.install(|| {
                let mut trainer = case.trainer(bf16);
                train(&mut trainer, &lessons, 2, at_once)
            });
            let first = first.get_or_insert_with(|| got.clone());
            assert!(*first == got, "{case:?} {bf16} {threads} {at_once}");
        }
    }
}

/// Looking does not change what is gathered, and a batch read again does not either.
#[test]
fn scores_between_gradients_do_not_show() {
    for (case, bf16) in each() {
        let (trees, weights) = case.lessons();
        let states = [false, true].map(|looks| {
            let mut trainer = case.trainer(bf16);
            for (tree, weights) in trees.iter().zip(&weights) {
                let one = std::slice::from_ref(tree);
                trainer.gradient(one, &mut |_, _| weights.clone()).unwrap();
                if looks {
                    trainer.score(&trees).unwrap();
                }
            }
            trainer.update(STEP).unwrap();
            bits(trainer.state())
        });
        assert!(states[0] == states[1], "{case:?} {bf16}");
    }
}

#[test]
fn a_restored_trainer_goes_on_as_if_nothing_had_been() {
    for (case, bf16) in each() {
        let lessons = case.lessons();
        let mut trainer = case.trainer(bf16);
        train(&mut trainer, &lessons, 2, 9);
        let state = trainer.state();
        let mut other = case.fresh(bf16);
        // What it learnt meanwhile, and what it gathered and did not use, is gone.
        train(&mut other, &lessons, 1, 9);
        other
            .gradient(&lessons.0, &mut |tree, _| lessons.1[tree].clone())
            .unwrap();
        other.restore(state.clone()).unwrap();
        assert!(bits(state) == bits(other.state()), "{case:?} {bf16}");
        let went_on = train(&mut trainer, &lessons, 2, 9);
        assert!(
            went_on == train(&mut other, &lessons, 2, 9),
            "{case:?} {bf16}"
        );
    }
}

#[test]
fn a_state_has_weights_means_and_a_count() {
    for case in CASES {
        let mut trainer = case.fresh(false);
        train(&mut trainer, &case.lessons(), 3, 9);
        let state = trainer.state();
        let find = |name: &str| {
            let found = state.iter().find(|(other, _)| other == name);
            &found.unwrap_or_else(|| panic!("no {name}")).1
        };
        assert_eq!(find("adam.updates").shape, [1]);
        assert_eq!(find("adam.updates").data, [3.0]);
        let trained: Vec<&(String, Tensor)> = (state.iter())
            .filter(|(name, _)| !name.starts_with("adam."))
            .collect();
        let mut count = 0;
        for (name, tensor) in &trained {
            count += tensor.data.len() as u64;
            for kind in ["mean", "square"] {
                let other = find(&format!("adam.{kind}.{name}"));
                assert_eq!(tensor.shape, other.shape, "{case:?} {kind} {name}");
            }
        }
        assert_eq!(state.len(), 3 * trained.len() + 1);
        assert_eq!(trainer.parameters(), count);
    }
}

#[test]
fn seeds_show() {
    let case = CASES[1];
    let fresh = || bits(case.fresh(false).adapter());
    assert!(fresh() == fresh());
    for (name, tensor) in case.fresh(false).adapter() {
        let zero = tensor.data.iter().all(|x| *x == 0.0);
        assert_eq!(zero, name.contains("lora_B"), "{name}");
        let most = 1.0 / (tensor.shape[1] as f32).sqrt();
        assert!(tensor.data.iter().all(|x| x.abs() <= most), "{name}");
    }
}
