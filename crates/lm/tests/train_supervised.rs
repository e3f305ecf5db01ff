//! Supervised learning: what it climbs, that it goes on to the same bits, and what it refuses.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use lm::train::checkpoint::Keep;
use lm::train::supervised::{Data, Ended, Example, Progress, Settings, Trained, train};
use lm::train::{
    Branch, Climbed, Learns, Lora, Options, Scores, Step, Text, Trainer, Tree, cpu, init,
};
use lm::{Config, Error, Llama, Tensor};

const WORDS: usize = 7;

/// A table of log-odds of each token after each: the smallest model there is.
struct Bigrams {
    config: Config,
    table: Vec<f32>,
    gathered: Vec<f32>,
    arithmetic: &'static str,
    calls: usize,
}

impl Bigrams {
    fn new() -> Self {
        Self {
            config: Config::preset("0.1m").unwrap(),
            table: vec![0.0; WORDS * WORDS],
            gathered: vec![0.0; WORDS * WORDS],
            arithmetic: "toy",
            calls: 0,
        }
    }

    /// Each chosen token with the one before it.
    fn pairs(tree: &Tree) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        let mut add = |text: &Text, mut last: Option<u32>| {
            for (token, chosen) in text.tokens.iter().zip(&text.chosen) {
                if *chosen {
                    pairs.push((last.unwrap() as usize, *token as usize));
                }
                last = Some(*token);
            }
        };
        add(&tree.trunk, None);
        for branch in &tree.branches {
            add(&branch.text, Some(tree.trunk.tokens[branch.seen - 1]));
        }
        pairs
    }

    fn shares(&self, row: usize) -> Vec<f32> {
        let row = &self.table[row * WORDS..][..WORDS];
        let sum: f32 = row.iter().map(|x| x.exp()).sum();
        row.iter().map(|x| x.exp() / sum).collect()
    }
}

impl Trainer for Bigrams {
    fn config(&self) -> &Config {
        &self.config
    }

    fn score(&mut self, trees: &[Tree]) -> Result<Vec<Scores>, Error> {
        let score = |tree| Scores {
            log_probs: (Self::pairs(tree).into_iter())
                .map(|(row, column)| self.shares(row)[column].ln())
                .collect(),
            values: Vec::new(),
        };
        Ok(trees.iter().map(score).collect())
    }

    fn gradient(
        &mut self,
        trees: &[Tree],
        weigh: &mut dyn FnMut(usize, &Scores) -> Scores,
    ) -> Result<Vec<Climbed>, Error> {
        self.calls += 1;
        let scores = self.score(trees)?;
        for (number, tree) in trees.iter().enumerate() {
            let weights = weigh(number, &scores[number]).log_probs;
            for ((row, column), weight) in Self::pairs(tree).into_iter().zip(weights) {
                for (other, share) in self.shares(row).into_iter().enumerate() {
                    let hit = f32::from(u8::from(other == column));
                    self.gathered[row * WORDS + other] += weight * (hit - share);
                }
            }
        }
        let climbed = scores.into_iter().map(|scores| Climbed {
            scores,
            prefix: Vec::new(),
        });
        Ok(climbed.collect())
    }

    fn update(&mut self, step: Step) -> Result<f32, Error> {
        let norm = self.gathered.iter().map(|x| x * x).sum::<f32>().sqrt();
        for (x, g) in self.table.iter_mut().zip(&mut self.gathered) {
            *x += step.rate * std::mem::take(g);
        }
        Ok(norm)
    }

    fn weights(&self) -> Result<Llama<Tensor>, Error> {
        unimplemented!()
    }

    fn adapter(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }

    fn parameters(&self) -> u64 {
        49
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let shape = vec![WORDS, WORDS];
        let data = self.table.clone();
        vec![("table".to_owned(), Tensor { shape, data })]
    }

    fn restore(&mut self, state: Vec<(String, Tensor)>) -> Result<(), Error> {
        self.table = state.into_iter().next().unwrap().1.data;
        self.gathered.fill(0.0);
        Ok(())
    }

    fn arithmetic(&self) -> String {
        self.arithmetic.to_owned()
    }
}

/// Trees of a language in which 1 follows 0, 2 follows 1, ...; the trunk counts a tenth.
fn examples(count: usize, words: u32, seed: u32) -> Vec<Example> {
    let tree = |number: u32| {
        let first = (number * 5 + seed) % words;
        let follow = |from: u32, length: u32| (0..length).map(|i| (from + i) % words).collect();
        let mut trunk = Text::target(follow(first, 4 + number % 3));
        trunk.chosen[0] = false;
        let end = trunk.tokens[trunk.tokens.len() - 1];
        let branch = |length| Branch {
            seen: trunk.tokens.len(),
            text: Text::target(follow((end + 1) % words, length)),
        };
        Tree {
            branches: vec![branch(3), branch(2 + number % 4)],
            trunk,
            ..Tree::default()
        }
    };
    (0..count as u32)
        .map(|number| {
            let tree = tree(number);
            let trunk = tree.trunk.tokens.len() - 1;
            let weights = (0..tree.chosen()).map(|i| if i < trunk { 0.1 } else { 1.0 });
            Example {
                weights: weights.collect(),
                tree,
            }
        })
        .collect()
}

fn settings() -> Settings {
    Settings {
        epochs: 4,
        batch_tokens: 60,
        rate: 0.9,
        decay: 0.0,
        ..Settings::default()
    }
}

fn run(
    trainer: &mut dyn Trainer,
    settings: &Settings,
    keep: Option<&Keep>,
    stop_after: u64,
) -> (Trained, Vec<Progress>) {
    let (learned, held_out) = (examples(30, 7, 0), examples(5, 7, 3));
    let data = Data {
        examples: &learned,
        held_out: &held_out,
    };
    let stop = AtomicBool::new(false);
    let mut seen = Vec::new();
    let trained = train(trainer, data, settings, keep, &stop, &mut |progress| {
        seen.push(progress.clone());
        stop.store(progress.place.updates >= stop_after, Relaxed);
    });
    (trained.unwrap(), seen)
}

fn keep(folder: &Path) -> Keep {
    Keep {
        folder: folder.join("training"),
        every: Duration::ZERO,
        model: "toy".to_owned(),
    }
}

#[test]
fn the_loss_falls_and_is_told() {
    let mut trainer = Bigrams::new();
    let (trained, seen) = run(&mut trainer, &settings(), None, u64::MAX);
    assert_eq!(trained.ended, Ended::Done);
    // Nothing is known at first.
    let first = trained.place.first.unwrap();
    assert!((first - (WORDS as f64).ln()).abs() < 1e-6, "{first}");
    assert!((seen[0].loss - (WORDS as f64).ln()).abs() < 1e-6);
    assert!(trained.place.best.unwrap() < 0.6 * first);
    assert_eq!(trained.place.updates, seen.len() as u64);
    assert!(seen.iter().filter(|p| p.held_out.is_some()).count() == 10);
    let last = seen.last().unwrap();
    assert!(last.place.tokens >= last.total && last.epoch == 3);
    assert!(seen.iter().all(|p| p.norm > 0.0 && p.rate > 0.0));
}

#[test]
fn how_trees_are_spread_over_calls_does_not_count() {
    let run = |side_by_side| {
        let mut trainer = Bigrams::new();
        let settings = Settings {
            side_by_side,
            ..settings()
        };
        run(&mut trainer, &settings, None, u64::MAX);
        (trainer.table, trainer.calls)
    };
    let (one, many) = (run(10_000), run(1));
    assert_eq!(one.0, many.0);
    assert!(many.1 > one.1);
}

#[test]
fn weights_are_normalised_over_the_whole_batch() {
    let text = |tokens: &[u32]| {
        let mut text = Text::target(tokens.to_vec());
        text.chosen[0] = false;
        text
    };
    let example = |tokens: &[u32], weights: &[f32]| Example {
        tree: Tree::sequence(text(tokens)),
        weights: weights.to_vec(),
    };
    // 0 -> 1 weighs 3 of 4, 0 -> 2 one, 2 -> 3 nothing: the gradient is shares minus 1/7 each.
    let learned = [example(&[0, 1], &[3.0]), example(&[0, 2, 3], &[1.0, 0.0])];
    let data = Data {
        examples: &learned,
        held_out: &[],
    };
    let settings = Settings {
        epochs: 1,
        batch_tokens: 100,
        rate: 1.0,
        ..Settings::default()
    };
    let mut trainer = Bigrams::new();
    let stop = AtomicBool::new(false);
    let trained = train(&mut trainer, data, &settings, None, &stop, &mut |_| {}).unwrap();
    assert_eq!((trained.place.updates, trained.place.best), (1, None));
    let expected = [-1.0 / 7.0, 0.75 - 1.0 / 7.0, 0.25 - 1.0 / 7.0];
    for (x, expected) in trainer.table.iter().zip(expected) {
        assert!((x - expected).abs() < 1e-6, "{:?}", trainer.table);
    }
    assert!(trainer.table[WORDS..].iter().all(|x| *x == 0.0));
}

#[test]
fn it_ends_early_with_the_best_weights() {
    // What is held out runs backwards: the more is learned, the worse it gets.
    let learned = examples(30, 7, 0);
    let mut held_out = examples(5, 7, 0);
    for example in &mut held_out {
        example.tree.branches.clear();
        example.tree.trunk.tokens.reverse();
        example.weights = vec![1.0; example.tree.chosen()];
    }
    let data = Data {
        examples: &learned,
        held_out: &held_out,
    };
    let mut trainer = Bigrams::new();
    let stop = AtomicBool::new(false);
    let mut after_first = None;
    let settings = settings();
    let trained = train(
        &mut trainer,
        data,
        &settings,
        None,
        &stop,
        &mut |progress| {
            if progress.held_out.is_some() && after_first.is_none() {
                after_first = progress.held_out;
            }
        },
    );
    let trained = trained.unwrap();
    assert_eq!((trained.ended, trained.place.measures), (Ended::Early, 4));
    assert_eq!(trained.place.best, after_first);
    let now = lm::train::supervised::measure(&mut trainer, &held_out, &settings, &stop).unwrap();
    assert_eq!(now, after_first);
}

#[test]
fn a_token_budget_ends_within_an_epoch() {
    let settings = Settings {
        tokens: Some(200),
        ..settings()
    };
    let (trained, _) = run(&mut Bigrams::new(), &settings, None, u64::MAX);
    assert!((200..260).contains(&trained.place.tokens), "{trained:?}");
    // A batch larger than all there is reads no more than the budget.
    let settings = Settings {
        batch_tokens: 1_000_000,
        ..settings
    };
    let (trained, _) = run(&mut Bigrams::new(), &settings, None, u64::MAX);
    assert!(trained.place.tokens < 260 && trained.place.updates == 1);
}

#[test]
fn a_killed_training_goes_on_to_the_same_bits() {
    let mut whole = Bigrams::new();
    let (done, seen) = run(&mut whole, &settings(), None, u64::MAX);
    for at in [1, 3, seen.len() as u64 - 1] {
        let folder = tempfile::tempdir().unwrap();
        let keep = keep(folder.path());
        let mut trainer = Bigrams::new();
        let (stopped, before) = run(&mut trainer, &settings(), Some(&keep), at);
        assert_eq!((stopped.ended, stopped.place.updates), (Ended::Stopped, at));
        assert!(keep.exists());
        let mut trainer = Bigrams::new();
        let (resumed, after) = run(&mut trainer, &settings(), Some(&keep), u64::MAX);
        assert_eq!(trainer.table, whole.table);
        assert_eq!(resumed.place.best, done.place.best);
        assert_eq!(resumed.place.tokens, done.place.tokens);
        let losses = |seen: &[Progress]| seen.iter().map(|p| p.loss).collect::<Vec<_>>();
        assert_eq!([losses(&before), losses(&after)].concat(), losses(&seen));
        // Once more: it is done already.
        let (again, none) = run(&mut Bigrams::new(), &settings(), Some(&keep), u64::MAX);
        assert_eq!((again.ended, none.len()), (Ended::Done, 0));
        keep.remove().unwrap();
        assert!(!keep.folder.exists());
    }
}

#[test]
fn checkpoints_that_do_not_go_with_it_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let keep = keep(folder.path());
    run(&mut Bigrams::new(), &settings(), Some(&keep), 2);
    let (learned, held_out) = (examples(30, 7, 0), examples(5, 7, 3));
    let data = Data {
        examples: &learned,
        held_out: &held_out,
    };
    let stop = AtomicBool::new(true);
    let refused = |trainer: &mut Bigrams, data, settings: &Settings, keep: &Keep| {
        let done = train(trainer, data, settings, Some(keep), &stop, &mut |_| {});
        done.unwrap_err().to_string()
    };
    let said = |error: String, words: &[&str]| {
        for word in words {
            assert!(error.contains(word), "{error}");
        }
    };
    let mut other = Bigrams::new();
    other.arithmetic = "toy f64";
    let error = refused(&mut other, data, &settings(), &keep);
    said(
        error,
        &[
            "training.json",
            "arithmetic",
            "toy f64",
            "remove the folder",
        ],
    );
    let mut faster = settings();
    faster.rate = 0.5;
    let error = refused(&mut Bigrams::new(), data, &faster, &keep);
    said(error, &["settings", "0.5", "0.9"]);
    let fewer = Data {
        examples: &learned[1..],
        ..data
    };
    said(
        refused(&mut Bigrams::new(), fewer, &settings(), &keep),
        &["data", "not the same"],
    );
    let named = Keep {
        model: "another".to_owned(),
        ..keep.clone()
    };
    said(
        refused(&mut Bigrams::new(), data, &settings(), &named),
        &["model"],
    );

    let state = keep.folder.join("state.safetensors");
    let good = fs::read(&state).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    for bytes in [&good[..good.len() - 4], &bad, &[]] {
        fs::write(&state, bytes).unwrap();
        let error = refused(&mut Bigrams::new(), data, &settings(), &keep);
        said(error, &["state.safetensors", "remove the folder"]);
    }
    fs::remove_file(&state).unwrap();
    said(
        refused(&mut Bigrams::new(), data, &settings(), &keep),
        &["state.safetensors", "missing"],
    );
    fs::write(&state, good).unwrap();
    let about = keep.folder.join("training.json");
    let text = fs::read_to_string(&about).unwrap();
    for (text, word) in [
        (&text[..text.len() / 2], "no training's"),
        (&text.replace("\"format\": 1", "\"format\": 2"), "format"),
        ("{}", "no training's"),
    ] {
        fs::write(&about, text).unwrap();
        said(
            refused(&mut Bigrams::new(), data, &settings(), &keep),
            &["training.json", word],
        );
    }
    fs::write(&about, text).unwrap();
    let foreign = keep.folder.join("thesis.tex");
    fs::write(&foreign, "years of work").unwrap();
    said(
        refused(&mut Bigrams::new(), data, &settings(), &keep),
        &["thesis.tex", "would be lost"],
    );
    fs::remove_file(foreign).unwrap();

    // One that was about to be replaced when the machine stopped is found.
    fs::rename(&keep.folder, folder.path().join(".training.old")).unwrap();
    fs::create_dir(folder.path().join(".training.part")).unwrap();
    let (resumed, seen) = run(&mut Bigrams::new(), &settings(), Some(&keep), u64::MAX);
    assert_eq!(resumed.ended, Ended::Done);
    assert_eq!(seen[0].place.updates, 3);
}

#[test]
fn examples_that_cannot_be_are_refused() {
    let good = examples(1, 7, 0);
    let with = |change: &dyn Fn(&mut Example)| {
        let mut examples = good.clone();
        change(&mut examples[0]);
        let data = Data {
            examples: &examples,
            held_out: &[],
        };
        let stop = AtomicBool::new(false);
        let mut trainer = Bigrams::new();
        let done = train(&mut trainer, data, &settings(), None, &stop, &mut |_| {});
        done.unwrap_err().to_string()
    };
    assert!(with(&|x| x.weights.clear()).contains("0 weights for"));
    assert!(with(&|x| x.weights[0] = f32::NAN).contains("NaN"));
    assert!(with(&|x| x.weights[0] = -1.0).contains("-1"));
    assert!(with(&|x| *x = Example::default()).contains("no token"));
}

/// A small model, all of it or its adapter, trained and killed: the same bits.
#[test]
fn a_model_goes_on_to_the_same_bits() {
    let config = Config {
        vocab_size: 64,
        hidden_size: 32,
        intermediate_size: 64,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: 16,
        ..Config::preset("0.1m").unwrap()
    };
    let weights = init(&config, 1).unwrap();
    let learned = examples(20, 60, 0);
    let held_out = examples(4, 60, 7);
    let data = Data {
        examples: &learned,
        held_out: &held_out,
    };
    for learns in [Learns::All, Learns::Lora(Lora::default())] {
        let settings = Settings {
            epochs: 6,
            batch_tokens: 100,
            rate: 2e-2,
            ..Settings::default()
        };
        let go = |keep: Option<&Keep>, stop_after: u64| {
            let options = Options {
                learns: learns.clone(),
                ..Options::default()
            };
            let mut trainer = cpu::Trainer::new(&config, &weights, options).unwrap();
            let stop = AtomicBool::new(false);
            let trained = train(&mut trainer, data, &settings, keep, &stop, &mut |p| {
                stop.store(p.place.updates >= stop_after, Relaxed);
            });
            let state: BTreeMap<_, _> = (trainer.state().into_iter())
                .map(|(name, tensor)| (name, tensor.data))
                .collect();
            (trained.unwrap(), state)
        };
        let (done, whole) = go(None, u64::MAX);
        assert!(
            done.place.best.unwrap() < done.place.first.unwrap() - 0.1,
            "{done:?}"
        );
        let folder = tempfile::tempdir().unwrap();
        let keep = keep(folder.path());
        for stop_after in [5, 9] {
            assert_eq!(go(Some(&keep), stop_after).0.ended, Ended::Stopped);
        }
        let (resumed, state) = go(Some(&keep), u64::MAX);
        assert_eq!(resumed.place.best, done.place.best);
        assert!(state == whole);
    }
}
