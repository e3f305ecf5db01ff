//! Trainings as they are prepared, and what they write.

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use common::{SEEDS, frame, lessons};
use learn::course::Course;
use learn::operator::{self, Settings, Split};
use learn::{Why, trial};
use lm::Checkpoint;
use lm::train::Trainer;
use mutate::{Judge, Lesson, Operator, Verdict};

fn settings() -> Settings {
    Settings {
        preset: "0.1m".to_owned(),
        vocabulary: 400,
        rank: 0,
        epochs: 1,
        tokens: 0,
        rate: 0.0,
        rejected: 1.0,
        free: 0.0,
        seed: 3,
    }
}

fn course<'a>(
    split: &Split,
    weigh: &(dyn Fn(&Lesson) -> f32 + Sync),
    own: &Settings,
) -> Course<'a> {
    operator::course(None, &frame(), split, weigh, own).unwrap()
}

#[test]
fn parents_are_held_out_whole_and_always_the_same() {
    let all = lessons(SEEDS[0], 60, 3);
    let split = Split::new(all.clone(), 5);
    let parents = |lessons: &[Lesson]| -> BTreeSet<String> {
        lessons.iter().map(|lesson| lesson.parent.clone()).collect()
    };
    let (learned, held_out) = (parents(&split.learned), parents(&split.held_out));
    assert!(!held_out.is_empty() && held_out.len() < learned.len());
    assert!(learned.is_disjoint(&held_out));
    assert_eq!(split.learned.len() + split.held_out.len(), all.len());
    assert_eq!(split, Split::new(all.clone(), 5));
    assert_ne!(split, Split::new(all, 6));
    assert!(
        split
            .parents(1000)
            .iter()
            .all(|parent| held_out.contains(*parent))
    );
    assert_eq!(split.parents(1).len(), 1);
    // One parent is learned, and the trial's too.
    let one = Split::new(lessons(SEEDS[0], 1, 3), 5);
    assert!(one.held_out.is_empty());
    assert_eq!(one.parents(9), [SEEDS[0]]);
}

#[test]
fn changes_that_were_not_taken_fill_up_what_is_read() {
    let mut all = lessons(SEEDS[0], 30, 12);
    for (i, lesson) in all.iter_mut().enumerate() {
        lesson.accepted = i % 12 < 2;
    }
    let split = Split::new(all, 0);
    let accepted = split
        .learned
        .iter()
        .filter(|lesson| lesson.accepted)
        .count() as u64;
    let one = |_: &Lesson| 1.0;
    let few = Settings {
        tokens: 2_000,
        ..settings()
    };
    let course_of_few = course(&split, &one, &few);
    assert!(course_of_few.texts <= accepted);
    assert!(course_of_few.left.of(Why::Crowded) > 0);
    assert_eq!(course_of_few.tokens(), 2_000);
    let all = course(&split, &one, &settings());
    assert!(all.texts > 2 * course_of_few.texts, "{}", all.texts);
    assert_eq!(all.tokens(), all.epoch_tokens);
}

#[test]
fn a_lessons_weight_is_its_tokens_weight() {
    let split = Split {
        learned: lessons(SEEDS[1], 12, 2),
        held_out: Vec::new(),
    };
    let stop = AtomicBool::new(false);
    // One of two halves weighs nothing: as if it were not there, but for its programs.
    let first = |lesson: &Lesson| f32::from(u8::from(lesson.id < 12));
    let train = |weigh: &(dyn Fn(&Lesson) -> f32 + Sync)| {
        let course = course(&split, weigh, &settings());
        let mut trainer = course.trainer().unwrap();
        let trained = course
            .train(&mut trainer, None, &stop, &mut |_| {})
            .unwrap();
        (trained.loss.unwrap(), trainer.weights().unwrap())
    };
    let (one, two, half) = (train(&|_| 1.0), train(&|_| 2.0), train(&first));
    assert!(
        (one.0 - two.0).abs() < 1e-4,
        "a mean does not know the scale"
    );
    assert_ne!(one.1, half.1);
}

/// Takes every program that is not the one it knows.
struct Novelty(&'static str);

impl Judge for Novelty {
    fn judge(&mut self, programs: &[&str], _: &AtomicBool) -> Result<Vec<Verdict>, mutate::Error> {
        let verdict = |program: &&str| Verdict {
            runnable: true,
            accepted: *program != self.0,
            ..Verdict::default()
        };
        Ok(programs.iter().map(verdict).collect())
    }
}

#[test]
fn low_rank_changes_of_a_base_are_an_adapter_that_is_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let split = Split::new(lessons(SEEDS[0], 12, 3), 1);
    let stop = AtomicBool::new(false);
    let base = folder.path().join("base");
    let course = course(&split, &|_| 1.0, &settings());
    course.save(&course.trainer().unwrap(), &base, "").unwrap();

    let base_model = Checkpoint::open(&base).unwrap();
    let own = Settings {
        rank: 4,
        ..settings()
    };
    let low = operator::course(Some(&base_model), &frame(), &split, &|_| 1.0, &own).unwrap();
    assert!(low.bytes() > 0 && low.disk() < course.disk());
    let mut trainer = low.trainer().unwrap();
    low.train(&mut trainer, None, &stop, &mut |_| {}).unwrap();
    let adapter = folder.path().join("adapter");
    low.save(&trainer, &adapter, base.to_str().unwrap())
        .unwrap();
    let there = Checkpoint::open(&adapter).unwrap();
    assert_ne!(there.sha256(), base_model.sha256());
    let (own, read) = (trainer.weights().unwrap(), there.weights().unwrap());
    let (own, read) = (&own.layers[0].query.weight, &read.layers[0].query.weight);
    let read = lm::Weight::values(read).unwrap();
    let far = own.data.iter().zip(read.iter()).map(|(a, b)| (a - b).abs());
    assert!(far.fold(0.0, f32::max) < 1e-5);

    // It writes, and what it writes is counted.
    let mut operator: Box<dyn Operator> = Box::new(open(&adapter));
    let mut judge = Novelty(SEEDS[0]);
    let parents = split.parents(4);
    let shares = trial::of(&mut *operator, &parents, 10, 0, &mut judge, &stop);
    let shares = shares.unwrap().unwrap();
    assert_eq!(shares.children, 10);
    assert!(shares.valid <= 10 && shares.runnable == shares.valid && shares.unique <= shares.valid);
    assert!(trial::told(shares).starts_with("of 10 children"));
}

fn open(model: &Path) -> mutate::diff::Diff {
    let settings = mutate::model::SETTINGS;
    let settings: toml::Table = toml::from_str(settings).unwrap();
    let settings = mutate::settings::section(&settings, "model").unwrap();
    mutate::diff::Diff::open(model, &settings, frame().settings(), &common::brief(), 0).unwrap()
}
