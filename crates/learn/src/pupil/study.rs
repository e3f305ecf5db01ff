//! One round's training: which lessons, which examples, which weights.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use lm::train::checkpoint::Keep;
use lm::train::supervised::{self, Data, Ended, Example, Schedule};
use lm::train::{Learns, Lora, Options, Trainer, cpu, init};
use lm::{Config, Tokenizer};
use mutate::diff::Frame;
use mutate::{Error, Learned, Lesson, Round};

use super::record::{Files, Record};
use super::{Made, nothing, unlearned};
use crate::hash;
use crate::left::Left;
use crate::select::{self, Selection};
use crate::text::{self, Texts};

/// Of how many parents one is held out.
const HELD_OUT: u64 = 20;
/// Parents held out on which the loss is measured, and for which children are written, at most.
const MEASURED: usize = 64;
const TRIED: usize = 16;
/// Time between two checkpoints of a training.
const EVERY: Duration = Duration::from_secs(60);

/// The lessons of a round.
pub(super) struct Chosen {
    lessons: Vec<Lesson>,
    /// Whether a lesson's parent is held out, by the lesson's place.
    held_out: Vec<bool>,
    left: Left,
    /// Of what the round is a function.
    pub fingerprint: String,
}

impl Chosen {
    /// Chooses; `None` once `stop` is set.
    pub fn of(
        made: &Made,
        round: &Round<'_>,
        seed: u64,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, Error> {
        let settings = select::Settings {
            max_lines: made.diff.max_lines,
            per_niche: made.own.per_niche,
            ..select::Settings::default()
        };
        let mut selection = Selection::new(settings, seed);
        round.lessons.each(true, &mut |lesson| {
            selection.push(lesson);
            !stop.load(Relaxed)
        })?;
        if stop.load(Relaxed) {
            return Ok(None);
        }
        let select::Selected { lessons, left } = selection.done();
        let parents: BTreeSet<&str> = lessons.iter().map(|lesson| &*lesson.parent).collect();
        let number = |parent: &&str| hash::both(seed, hash::of([*parent]));
        // By chance, but always one where there are several.
        let first = parents.iter().min_by_key(|parent| number(parent));
        let is_held = |parent: &str| {
            let by_chance = number(&parent) % HELD_OUT == 0;
            parents.len() > 1 && (by_chance || first.is_some_and(|first| *first == parent))
        };
        let held_out = lessons
            .iter()
            .map(|lesson| is_held(&lesson.parent))
            .collect();
        let texts = lessons.iter().flat_map(|lesson| {
            let told = lesson.told.as_deref().unwrap_or("");
            [&*lesson.parent, &*lesson.child, told]
        });
        let lessons_sum = hash::of(texts);
        let settings = serde_json::to_string(&(&made.own, &made.diff)).expect("plain data");
        let rest = [&*made.origin, &*settings, env!("CARGO_PKG_VERSION")];
        let rest = hash::both(seed, hash::of(rest));
        Ok(Some(Self {
            fingerprint: format!("{lessons_sum:016x}{rest:016x}"),
            held_out,
            lessons,
            left,
        }))
    }

    /// The lessons whose parents are held out, or the others.
    fn part(&self, held_out: bool) -> Vec<Lesson> {
        let all = self.lessons.iter().zip(&self.held_out);
        all.filter(|(_, held)| **held == held_out)
            .map(|(lesson, _)| lesson.clone())
            .collect()
    }

    /// Parents for which a trial's children are written: held out, where there are such.
    pub fn trial_parents(&self) -> Vec<&str> {
        let any = self.held_out.contains(&true);
        let all = self.lessons.iter().zip(&self.held_out);
        let parents: BTreeSet<(u64, &str)> = all
            .filter(|(_, held)| !any || **held)
            .map(|(lesson, _)| (hash::of([&*lesson.parent]), &*lesson.parent))
            .collect();
        parents
            .into_iter()
            .map(|(_, parent)| parent)
            .take(TRIED)
            .collect()
    }
}

/// What a round's training is made of.
pub(super) struct Study<'a> {
    pub made: &'a Made,
    pub seed: u64,
    pub files: &'a Files,
    pub tell: &'a (dyn Fn(&str) + Sync),
}

impl Study<'_> {
    /// Trains, and writes the model and its record; `None` once `stop` is set: what was done until then is kept in the
    /// folder.
    pub fn train(&self, chosen: &Chosen, stop: &AtomicBool) -> Result<Option<Record>, Error> {
        let Self { made, files, .. } = self;
        files.make_folder()?;
        let frame = Frame::new(&made.diff, &made.brief);
        let (learned, held_out) = (chosen.part(false), chosen.part(true));
        let mut left = chosen.left.clone();
        if learned.is_empty() {
            return Ok(Some(nothing(&chosen.fingerprint, none(&left))));
        }
        let (config, tokenizer) = self.model(&frame, &learned)?;
        let settings = text::Settings {
            program_weight: if made.base.is_some() { 0.0 } else { 0.15 },
            seed: self.seed,
        };
        let texts = Texts::new(frame, tokenizer.clone(), &config, settings).map_err(unlearned)?;
        let examples = examples(&texts, &learned, usize::MAX, &mut left);
        let held_out = examples_of_few(&texts, &held_out);
        let lessons: u64 = examples.iter().map(|x| x.tree.branches.len() as u64).sum();
        if lessons == 0 {
            return Ok(Some(nothing(&chosen.fingerprint, none(&left))));
        }
        log::info!("{lessons} lessons; left out: {left}");
        let mut trainer = self.trainer(&config)?;
        let keep = Keep {
            folder: files.training.clone(),
            every: EVERY,
            model: format!("{} {}", made.origin, self.seed),
        };
        let data = Data {
            examples: &examples,
            held_out: &held_out,
        };
        let settings = self.settings(&examples);
        let trained =
            supervised::train(&mut trainer, data, &settings, Some(&keep), stop, &mut |p| {
                let share = 100.0 * p.place.tokens as f64 / p.total.max(1) as f64;
                (self.tell)(&format!(
                    "{:.0} % of {lessons} lessons, loss {:.2}, {:.0} tokens/s, {:.0} s left",
                    share.min(100.0),
                    p.held_out.or(p.place.best).unwrap_or(p.loss),
                    p.tokens_per_second,
                    p.seconds_left
                ));
            });
        let trained = trained.map_err(unlearned)?;
        if trained.ended == Ended::Stopped {
            return Ok(None);
        }
        let mut tensors = Vec::new();
        trainer.weights().map_err(unlearned)?.map(|name, tensor| {
            tensors.push((name.to_owned(), tensor.shape, tensor.data));
        });
        lm::save(&files.model, &config, &tokenizer, tensors.into_iter()).map_err(unlearned)?;
        let learned = Learned {
            lessons,
            tokens: trained.place.tokens,
            loss: trained.place.best.or(trained.loss),
            ..Learned::default()
        };
        let record = Record::of(&chosen.fingerprint, files, learned)?;
        files.write(&record)?;
        files.forget_training();
        Ok(Some(record))
    }

    /// The configuration and the tokenizer: the base's, or those of a compact model for these lessons.
    fn model(&self, frame: &Frame, lessons: &[Lesson]) -> Result<(Config, Arc<Tokenizer>), Error> {
        let own = &self.made.own;
        if let Some(base) = &self.made.base {
            let text = base.tokenizer.to_json();
            let tokenizer = Tokenizer::from_json(base.path(), &text).map_err(unlearned)?;
            return Ok((base.config.clone(), Arc::new(tokenizer)));
        }
        let mut texts = Vec::new();
        for group in text::by_parent(lessons) {
            for (i, lesson) in group.into_iter().enumerate() {
                if let Ok(words) = text::words(frame, lesson, self.seed) {
                    if i == 0 {
                        texts.push(words.prompt);
                    }
                    texts.push(words.completion);
                }
            }
        }
        let tokenizer = Tokenizer::train(&texts, own.vocabulary).map_err(unlearned)?;
        let preset = Config::preset(&own.preset).ok_or_else(|| {
            Error::Learning(format!("learned.preset: there is no size {:?}", own.preset))
        })?;
        let config = Config {
            vocab_size: tokenizer.vocab_size(),
            ..preset
        };
        Ok((config, Arc::new(tokenizer)))
    }

    fn trainer(&self, config: &Config) -> Result<cpu::Trainer, Error> {
        let lora = Lora {
            seed: self.seed,
            ..Lora::default()
        };
        let trainer = match &self.made.base {
            Some(base) => base.weights().and_then(|weights| {
                cpu::Trainer::new(config, &weights, options(Learns::Lora(lora)))
            }),
            None => init(config, self.seed)
                .and_then(|weights| cpu::Trainer::new(config, &weights, options(Learns::All))),
        };
        trainer.map_err(unlearned)
    }

    fn settings(&self, examples: &[Example]) -> supervised::Settings {
        let own = &self.made.own;
        let epoch: u64 = examples
            .iter()
            .map(|example| example.tree.len() as u64)
            .sum();
        let all = epoch * u64::from(own.epochs);
        let scratch = self.made.base.is_none();
        let defaults = supervised::Settings::default();
        supervised::Settings {
            epochs: own.epochs,
            tokens: Some(if own.tokens > 0 {
                all.min(own.tokens)
            } else {
                all
            }),
            // A large model is looked after more often, so that it can be stopped.
            side_by_side: if scratch { defaults.side_by_side } else { 256 },
            rate: match own.rate {
                0.0 if scratch => 2e-3,
                0.0 => 1.5e-3,
                rate => rate,
            },
            schedule: if scratch {
                Schedule::Cosine
            } else {
                Schedule::Linear
            },
            floor: if scratch { 0.05 } else { 0.0 },
            seed: self.seed,
            ..defaults
        }
    }
}

fn options(learns: Learns) -> Options {
    Options {
        learns,
        bf16: true,
        ..Options::default()
    }
}

/// What trainers compute with here.
///
/// # Errors
/// The trainer's.
pub(super) fn arithmetic() -> Result<String, lm::Error> {
    let config = Config {
        vocab_size: 257,
        num_hidden_layers: 1,
        ..Config::preset("0.1m").expect("a name of ours")
    };
    let weights = init(&config, 0)?;
    Ok(cpu::Trainer::new(&config, &weights, options(Learns::All))?.arithmetic())
}

/// Why there is nothing to learn from.
fn none(left: &Left) -> String {
    format!("no lessons; left out: {left}")
}

/// What the trainer reads of lessons: a tree for each parent, of so many parents at most.
fn examples(texts: &Texts, lessons: &[Lesson], most: usize, left: &mut Left) -> Vec<Example> {
    let groups = text::by_parent(lessons).into_iter().take(most);
    groups
        .filter_map(|group| texts.tree(&group, left))
        .map(|(taught, _)| Example {
            tree: taught.tree,
            weights: taught.weights,
        })
        .collect()
}

/// Examples that only measure: a program's own tokens do not count.
fn examples_of_few(texts: &Texts, lessons: &[Lesson]) -> Vec<Example> {
    let mut examples = examples(texts, lessons, MEASURED, &mut Left::default());
    for example in &mut examples {
        let of_program = example.tree.trunk.chosen.iter().filter(|chosen| **chosen);
        let of_program = of_program.count();
        example.tree.trunk.chosen.fill(false);
        example.weights.drain(..of_program);
    }
    examples
}
