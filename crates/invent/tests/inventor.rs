//! An inventor on a toy domain: texts of zeros and ones, of which one context likes the ones and the other the zeros.

mod common;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use common::{Toy, model};
use evolve::domain::Outcome;
use invent::author;
use invent::dataset::Entry;
use invent::domain::{Settings as DomainSettings, course};
use invent::inventor::{About, Inventor, Progress, School, Settings, TASK, Trained, save_ten};
use invent::ten::{Context, HEIGHT, Kind, WIDTH};
use lm::{Checkpoint, Tensor};
use mutate::Reason;

mutate::codes! {
    /// Why a text has no fitness.
    CODES: "unrunnable";
    EMPTY "empty" "no letter",
}

/// Fitness: how many of the letter that the condition names stand in the text, fewer those of the other.
const LETTERS: Toy = Toy {
    axis: "length",
    judge: |case| {
        let count = |letter: &str| case.program.matches(letter).count() as f64;
        let other = if case.condition == "1" { "0" } else { "1" };
        // As a program that makes no walker: ending at once is no way to neither win nor lose.
        match case.program.contains(['0', '1']) {
            false => Outcome::Unrunnable(Reason::new(&EMPTY, "")),
            true => Outcome::Scored {
                measures: vec![case.program.len() as f64],
                fitness: count(case.condition) - count(other),
            },
        }
    },
};

fn contexts() -> Vec<Context> {
    [("zeros", "0", 0.0), ("ones", "1", 1.0)]
        .map(|(name, condition, shade)| Context {
            name: name.to_owned(),
            condition: condition.to_owned(),
            picture: (0..WIDTH * HEIGHT)
                .map(|at| if at % WIDTH < WIDTH / 2 { shade } else { 0.5 })
                .collect(),
        })
        .to_vec()
}

fn entries() -> Vec<Entry> {
    (0..512_u64)
        .map(|at| {
            let bits = edit::hash::mix(at);
            let program: String = (0..8)
                .map(|bit| if bits >> bit & 1 == 1 { "1\n" } else { "0\n" })
                .collect();
            let ones = program.matches('1').count();
            Entry {
                terrain: if ones > 4 { "ones" } else { "zeros" }.to_owned(),
                fitness: ones.abs_diff(4) as f64,
                program: format!("{program}{}\n", at % 2),
                ..Entry::default()
            }
        })
        .collect()
}

/// A model of such texts, without contexts.
fn base(folder: &Path) -> PathBuf {
    let path = folder.join("base");
    let settings = DomainSettings {
        preset: "0.1m".to_owned(),
        vocabulary: 258,
        from_scratch: false,
        rank: 0,
        epochs: 8,
        tokens: 80_000,
        rate: 3e-3,
        seed: 1,
    };
    let mut course = course(None, &entries(), &settings).unwrap();
    course.training.batch_tokens = 160;
    let mut trainer = course.trainer().unwrap();
    let stop = AtomicBool::new(false);
    let trained = course
        .train(&mut trainer, None, &stop, &mut |_| {})
        .unwrap();
    assert!(trained.loss.unwrap() < 1.0, "{trained:?}");
    course.save(&trainer, &path, "").unwrap();
    path
}

fn settings() -> Settings {
    let defaults = Settings::default();
    Settings {
        samples: 64,
        iterations: 10,
        warm_up: 1,
        max_tokens: 40,
        unit: 10.0,
        vectors: 2,
        ppo: invent::ppo::Settings {
            rate: 2e-3,
            value_rate: 2e-3,
            ten_rate: 2e-2,
            kl: 0.01,
            epochs: 2,
            minibatches: 4,
            seed: 4,
            ..defaults.ppo.clone()
        },
        ..defaults
    }
}

fn train(
    base: &Checkpoint,
    settings: &Settings,
    pairs: &[Entry],
    keep: Option<&Path>,
    stop_after: u32,
) -> (Trained, Vec<Progress>) {
    let school = School {
        settings: settings.clone(),
        contexts: contexts(),
        base,
        model: model(),
        domain: &LETTERS,
        threads: 2,
    };
    let stop = AtomicBool::new(false);
    let mut all = Vec::new();
    let trained = school.train(pairs, keep, &stop, &mut |progress| {
        stop.store(progress.iteration >= stop_after, Relaxed);
        all.push(progress.clone());
    });
    (trained.unwrap(), all)
}

fn bits(trained: &Trained) -> Vec<u32> {
    let weights = trained.weights.clone().into_iter();
    let tensors: Vec<(String, Tensor)> = weights.chain(trained.ten.state()).collect();
    let values = tensors.iter().flat_map(|(_, tensor)| &tensor.data);
    values.map(|x| x.to_bits()).collect()
}

fn means(progress: &Progress) -> Vec<f64> {
    progress.contexts.iter().map(|earned| earned.mean).collect()
}

#[test]
fn it_invents_for_what_it_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = base(folder.path());
    let base = Checkpoint::open(&path).unwrap();
    for (ten, ten_rate, gain) in [(Kind::Codes, 2e-2, 3.0), (Kind::Vision, 1e-3, 1.0)] {
        // A rate and a penalty at which seeds 1 to 6 learn it, not this one alone.
        let settings = Settings {
            ten,
            samples: 128,
            iterations: 60,
            ppo: invent::ppo::Settings {
                rate: 1e-3,
                ten_rate,
                kl: 0.05,
                ..settings().ppo
            },
            ..settings()
        };
        let (trained, all) = train(&base, &settings, &[], None, 99);
        assert!(trained.is_done);
        let first = &all[0];
        // The model that has learned to write behind vectors is still near the one without.
        assert!(first.report.kl < 4.0, "{:?}", first.report);
        for progress in &all[1..] {
            assert!(progress.report.first_ratio < 1e-3, "{:?}", progress.report);
        }
        let last = all.last().unwrap();
        for (before, after) in means(first).into_iter().zip(means(last)) {
            assert!(after > before + gain, "{ten:?} {before} {after}");
        }
        // What was trained writes so too.
        let output = folder.path().join(format!("{ten:?}"));
        let weights = trained.weights.into_iter();
        let tensors = weights.map(|(name, tensor)| (name, tensor.shape, tensor.data));
        lm::save(&output, &base.config, &base.tokenizer, tensors).unwrap();
        save_ten(&output, &trained.ten).unwrap();
        let about = About {
            ten,
            vectors: 2,
            contexts: vec!["zeros".to_owned(), "ones".to_owned()],
        };
        let card = serde_json::json!({"task": TASK, "inventor": about});
        lm::write_card(&output, "", &card.to_string()).unwrap();
        let writing = author::Settings {
            temperature: 1.0,
            min_p: 0.0,
            max_tokens: 40,
            constrained: false,
            seed: 0,
        };
        let mut inventor = Inventor::open(&output, &model(), writing, "").unwrap();
        let stop = AtomicBool::new(false);
        for (context, letter) in contexts().iter().zip(['0', '1']) {
            let pieces = inventor.write(context, 5, 0, 32, &stop).unwrap();
            let texts: String = pieces
                .iter()
                .flatten()
                .filter_map(|piece| piece.program.clone().ok())
                .collect();
            let own = texts.matches(letter).count();
            let all = texts.matches(['0', '1']).count();
            assert!(own * 10 > all * 7, "{ten:?} {letter}: {own} of {all}");
        }
        // A part is as the whole.
        let whole = inventor.write(&contexts()[0], 5, 0, 8, &stop).unwrap();
        let part = inventor.write(&contexts()[0], 5, 3, 2, &stop).unwrap();
        let programs = |pieces: &[Option<author::Piece>]| -> Vec<_> {
            let pieces = pieces.iter().flatten();
            pieces.map(|piece| piece.program.clone()).collect()
        };
        assert_eq!(programs(&whole)[3..5], programs(&part));
        let unknown = Context {
            name: "twos".to_owned(),
            ..contexts().remove(0)
        };
        let known = inventor.write(&unknown, 5, 0, 1, &stop);
        assert_eq!(known.is_ok(), ten == Kind::Vision);
    }
    assert!(Inventor::open(&path, &model(), author_settings(), "").is_err());
}

fn author_settings() -> author::Settings {
    author::Settings {
        temperature: 1.0,
        min_p: 0.0,
        max_tokens: 40,
        constrained: false,
        seed: 0,
    }
}

#[test]
fn a_stopped_training_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = base(folder.path());
    let base = Checkpoint::open(&path).unwrap();
    let settings = Settings {
        iterations: 4,
        ..settings()
    };
    let (whole, all) = train(&base, &settings, &[], None, 99);
    let keep = folder.path().join("keep");
    let (part, some) = train(&base, &settings, &[], Some(&keep), 2);
    assert!(!part.is_done && some.len() == 2);
    let (rest, others) = train(&base, &settings, &[], Some(&keep), 99);
    assert!(rest.is_done && others.len() == 2);
    assert_eq!(bits(&whole), bits(&rest));
    let reports = |all: &[Progress]| all.iter().map(|p| p.report).collect::<Vec<_>>();
    assert_eq!(reports(&all)[2..], reports(&others));
    // Another training does not go on there.
    let other = School {
        settings: Settings {
            unit: 5.0,
            ..settings
        },
        contexts: contexts(),
        base: &base,
        model: model(),
        domain: &LETTERS,
        threads: 1,
    };
    let stop = AtomicBool::new(false);
    let error = other
        .train(&[], Some(&keep), &stop, &mut |_| {})
        .err()
        .unwrap();
    assert!(error.to_string().contains("other settings"), "{error}");
}

#[test]
fn pairs_teach_before_reinforcement_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = base(folder.path());
    let base = Checkpoint::open(&path).unwrap();
    let settings = Settings {
        pairs: 100,
        pair_epochs: 12,
        iterations: 1,
        warm_up: 1,
        ..settings()
    };
    let (_, without) = train(
        &base,
        &Settings {
            pairs: 0,
            ..settings.clone()
        },
        &[],
        None,
        99,
    );
    let (_, with) = train(&base, &settings, &entries(), None, 99);
    for (before, after) in means(&without[0]).into_iter().zip(means(&with[0])) {
        assert!(after > before + 1.0, "{before} {after}");
    }
    let school = School {
        settings,
        contexts: contexts(),
        base: &base,
        model: model(),
        domain: &LETTERS,
        threads: 1,
    };
    let ones: Vec<Entry> = entries()
        .into_iter()
        .filter(|e| e.terrain == "ones")
        .collect();
    let stop = AtomicBool::new(false);
    let error = school.train(&ones, None, &stop, &mut |_| {}).err().unwrap();
    assert!(error.to_string().contains("zeros"), "{error}");
}
