//! The operator *diff*, trained: lessons in, weights out.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use edit::hash;
use lm::train::checkpoint::Keep;
use lm::train::supervised::{self, Data, Example, Progress, Schedule, Trained};
use lm::train::{Learns, Lora, Options, Trainer, cpu, init_copying};
use lm::{Checkpoint, Config, Error, Tokenizer};
use mutate::Lesson;
use mutate::diff::Frame;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::left::{Left, Why};
use crate::text::{self, Texts};

/// Of how many parents one is held out.
const HELD_OUT: u64 = 20;
/// Parents held out on which the loss is measured, at most.
const MEASURED: usize = 48;
/// Lessons of one parent that the map did not take, at most.
const REJECTED: usize = 16;
/// Parents whose lessons a new tokenizer is made from, at most.
const SPELLED: usize = 2000;
/// Lessons of one tree at most: more would hardly save work, and make updates few.
const BRANCHES: usize = 8;
/// Trees whose lessons are put into words at a time.
const AT_ONCE: usize = 128;

/// Lessons to learn from, and those of other parents to measure on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// Learned.
    pub learned: Vec<Lesson>,
    /// Held out: about a twentieth of the parents, one at least where there are several.
    pub held_out: Vec<Lesson>,
}

impl Split {
    /// Splits by parent, by chance; the same lessons and seed give the same split.
    pub fn new(lessons: Vec<Lesson>, seed: u64) -> Self {
        let parents: BTreeSet<&str> = lessons.iter().map(|lesson| &*lesson.parent).collect();
        let number = |parent: &str| hash::both(seed, hash::of([parent]));
        let first = parents.iter().copied().min_by_key(|parent| number(parent));
        let first = first.filter(|_| parents.len() > 1).map(str::to_owned);
        let is_held = |lesson: &Lesson| {
            first.as_ref().is_some_and(|first| {
                number(&lesson.parent) % HELD_OUT == 0 || *first == lesson.parent
            })
        };
        let (held_out, learned) = lessons.into_iter().partition(is_held);
        Self { learned, held_out }
    }

    /// Parents for a trial, so many at most: those held out, where there are such. Files of others are none: the domain cannot run them.
    pub fn parents(&self, most: usize) -> Vec<&str> {
        let from = match self.held_out.is_empty() {
            true => &self.learned,
            false => &self.held_out,
        };
        let parents: BTreeSet<(u64, &str)> = from
            .iter()
            .filter(|lesson| lesson.file.is_none())
            .map(|lesson| (hash::of([&*lesson.parent]), &*lesson.parent))
            .collect();
        let parents = parents.into_iter().map(|(_, parent)| parent);
        parents.take(most).collect()
    }
}

/// How an operator is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Without a base: the model's size, one of [`Config::PRESETS`].
    pub preset: String,
    /// Without a base: tokens of its own tokenizer at most.
    pub vocabulary: usize,
    /// With a base: the rank of its low-rank changes; 0 to train all of it.
    pub rank: usize,
    /// How often every lesson is read.
    pub epochs: u32,
    /// Tokens to read in all at most; 0 for no bound.
    pub tokens: u64,
    /// The highest learning rate; 0 for the one that suits.
    pub rate: f32,
    /// How much a change counts that the map did not take, beside 1 for one that it took.
    pub rejected: f32,
    /// How much a token counts that the guide leaves no choice about, for a model that is to write without one.
    #[serde(default)]
    pub free: f32,
    /// The seed of every draw.
    pub seed: u64,
}

/// A training before its first update: what is read, by which model, and how.
pub struct Course<'a> {
    base: Option<&'a Checkpoint>,
    /// The model's shape.
    pub config: Config,
    /// Its tokenizer: the base's, or one made from the lessons.
    pub tokenizer: Arc<Tokenizer>,
    /// What of the model learns, and in which numbers.
    pub options: Options,
    /// How.
    pub training: supervised::Settings,
    /// Lessons that are read.
    pub lessons: u64,
    /// Tokens that one reading of all of them takes.
    pub epoch_tokens: u64,
    /// Lessons that cannot be read.
    pub left: Left,
    examples: Vec<Example>,
    held_out: Vec<Example>,
    seed: u64,
}

impl<'a> Course<'a> {
    /// Prepares a training of a base, or of a model from scratch; `weigh` says how much each lesson counts for where
    /// it comes from. The loss is measured on accepted changes alone. `lessons` may come to 0.
    ///
    /// # Errors
    /// A preset that is not known, a vocabulary that is too small, a base without an end of text.
    pub fn new(
        base: Option<&'a Checkpoint>,
        frame: &Frame,
        split: &Split,
        weigh: &(dyn Fn(&Lesson) -> f32 + Sync),
        settings: &Settings,
    ) -> Result<Self, Error> {
        let groups = groups(&split.learned, settings.seed);
        let (config, tokenizer) = model(base, frame, &groups, settings)?;
        let text = text::Settings {
            program_weight: if base.is_some() { 0.0 } else { 0.5 },
            free_weight: settings.free,
            seed: settings.seed,
        };
        let texts = Texts::new(frame.clone(), tokenizer.clone(), &config, text)?;
        let enough = match settings.tokens {
            0 => u64::MAX,
            tokens => tokens,
        };
        let weigh = |lesson: &Lesson| {
            let of_kind = if lesson.accepted {
                1.0
            } else {
                settings.rejected
            };
            of_kind * weigh(lesson)
        };
        let read = |rejected| {
            let mut left = Left::default();
            let groups = parts(with_rejected(&groups, rejected, &mut left), settings.seed);
            (examples(&texts, &groups, enough, &weigh, &mut left), left)
        };
        // Accepted changes teach more: the others fill up what the training would read.
        let accepted = (settings.tokens > 0).then(|| read(0));
        let is_enough = |(examples, _): &(Vec<Example>, Left)| {
            tokens(examples).saturating_mul(settings.epochs.into()) >= enough
        };
        let (examples, left) = accepted.filter(is_enough).unwrap_or_else(|| read(REJECTED));
        let lessons = examples.iter().map(|x| x.tree.branches.len() as u64).sum();
        let epoch_tokens = tokens(&examples);
        Ok(Self {
            base,
            options: options(base, settings),
            training: training(base, settings, epoch_tokens),
            held_out: measured(&texts.of_choices(), &split.held_out, settings.seed),
            seed: settings.seed,
            config,
            tokenizer,
            examples,
            lessons,
            epoch_tokens,
            left,
        })
    }

    /// Tokens that the training reads.
    pub fn tokens(&self) -> u64 {
        self.training.tokens.unwrap_or_default()
    }

    /// Bytes that the trainer needs at most, beside the lessons.
    pub fn bytes(&self) -> u64 {
        let longest = self.examples.iter().map(|x| x.tree.len()).max();
        let side_by_side = self.training.side_by_side + longest.unwrap_or_default();
        cpu::Trainer::bytes(&self.config, &self.options, side_by_side)
    }

    /// Bytes of disk that it needs at most: what is written at the end, and the state of a training that is not at its end, while
    /// the next is being written.
    pub fn disk(&self) -> u64 {
        let learned = match &self.options.learns {
            Learns::All => self.config.parameters(),
            Learns::Lora(lora) => lora.parameters(&self.config),
        };
        // What is written, and what it replaces; weights, two means and the best weights, twice.
        4 * (2 + 8) * learned
    }

    /// The model in the state in which the training begins.
    ///
    /// # Errors
    /// The base's weights cannot be read.
    pub fn trainer(&self) -> Result<cpu::Trainer, Error> {
        let options = self.options.clone();
        match self.base {
            Some(base) => cpu::Trainer::new(&self.config, &base.weights()?, options),
            None => cpu::Trainer::new(
                &self.config,
                &init_copying(&self.config, self.seed)?,
                options,
            ),
        }
    }

    /// Seconds that the training takes, about: by a first reading, of which an update takes three times the time, and a measure
    /// of the held-out loss as long.
    ///
    /// # Errors
    /// The trainer's.
    pub fn seconds(&self, trainer: &mut dyn Trainer) -> Result<f64, Error> {
        let mut tokens = 0;
        let some = self.examples.iter().take_while(|example| {
            let goes_on = tokens < self.training.side_by_side;
            tokens += example.tree.len();
            goes_on
        });
        let trees: Vec<_> = some.map(|example| example.tree.clone()).collect();
        let tokens: usize = trees.iter().map(lm::train::Tree::len).sum();
        // The first time memory is fetched.
        trainer.score(&trees)?;
        let began = std::time::Instant::now();
        trainer.score(&trees)?;
        let per_token = began.elapsed().as_secs_f64() / tokens.max(1) as f64;
        let measured = self::tokens(&self.held_out) * u64::from(self.training.measures + 1);
        Ok(per_token * (3 * self.tokens() + measured) as f64)
    }

    /// Trains, as [`supervised::train`].
    ///
    /// # Errors
    /// As that.
    pub fn train(
        &self,
        trainer: &mut dyn Trainer,
        keep: Option<&Keep>,
        stop: &AtomicBool,
        observe: &mut dyn FnMut(&Progress),
    ) -> Result<Trained, Error> {
        let data = Data {
            examples: &self.examples,
            held_out: &self.held_out,
        };
        supervised::train(trainer, data, &self.training, keep, stop, observe)
    }

    /// Writes what was trained into a folder of its own: a model, or low-rank changes of a base of this name.
    ///
    /// # Errors
    /// As [`lm::save`] and [`lm::save_adapter`].
    pub fn save(&self, trainer: &dyn Trainer, folder: &Path, base: &str) -> Result<(), Error> {
        if let Learns::Lora(lora) = &self.options.learns {
            return lm::save_adapter(folder, base, lora, &trainer.adapter());
        }
        let weights = trainer.weights()?.into_iter();
        let tensors = weights.map(|(name, tensor)| (name, tensor.shape, tensor.data));
        lm::save(folder, &self.config, &self.tokenizer, tensors)
    }
}

/// The configuration and the tokenizer: the base's, or those of a compact model for these lessons.
fn model(
    base: Option<&Checkpoint>,
    frame: &Frame,
    groups: &[Group<'_>],
    settings: &Settings,
) -> Result<(Config, Arc<Tokenizer>), Error> {
    if let Some(base) = base {
        let text = base.tokenizer.to_json();
        let tokenizer = Tokenizer::from_json(base.path(), &text)?;
        return Ok((base.config.clone(), Arc::new(tokenizer)));
    }
    let spelled = groups.iter().take(SPELLED).collect::<Vec<_>>();
    let texts: Vec<Vec<String>> = (spelled.par_iter())
        .map(|group| {
            let words = group.iter().take(2).enumerate();
            let words = words.filter_map(|(i, lesson)| {
                let words = text::words(frame, lesson, settings.seed).ok()?;
                let prompt = (i == 0).then_some(words.prompt);
                Some(prompt.into_iter().chain([words.completion]))
            });
            words.flatten().collect()
        })
        .collect();
    let texts = texts.into_iter().flatten();
    let tokenizer = Tokenizer::train(texts, settings.vocabulary)?;
    let preset = Config::preset(&settings.preset).ok_or_else(|| {
        let field = format!("{:?}", settings.preset);
        Error::Config(lm::error::Fault::new(
            Path::new("the new model"),
            field,
            "is no size",
            format!("choose from: {}", Config::PRESETS.join(", ")),
        ))
    })?;
    let config = Config {
        vocab_size: tokenizer.vocab_size(),
        ..preset
    };
    Ok((config, Arc::new(tokenizer)))
}

/// Whether a base is so small that all of it learns, and quickly.
pub(crate) fn is_compact(config: &Config) -> bool {
    config.parameters() <= 30_000_000
}

fn options(base: Option<&Checkpoint>, settings: &Settings) -> Options {
    let rank = if base.is_some() { settings.rank } else { 0 };
    let lora = Lora {
        rank,
        alpha: 2.0 * rank as f32,
        seed: settings.seed,
    };
    Options {
        learns: match rank {
            0 => Learns::All,
            _ => Learns::Lora(lora),
        },
        bf16: true,
        ..Options::default()
    }
}

fn training(
    base: Option<&Checkpoint>,
    settings: &Settings,
    epoch_tokens: u64,
) -> supervised::Settings {
    let all = epoch_tokens * u64::from(settings.epochs);
    let defaults = supervised::Settings::default();
    // Low-rank changes want about ten times the rate of full tuning.
    let (rate, schedule, floor) = match (base, settings.rank) {
        (None, _) => (defaults.rate, defaults.schedule, defaults.floor),
        (Some(base), 0) if is_compact(&base.config) => (1e-3, defaults.schedule, defaults.floor),
        (Some(_), 0) => (3e-4, defaults.schedule, defaults.floor),
        (Some(_), _) => (1.5e-3, Schedule::Linear, 0.0),
    };
    supervised::Settings {
        epochs: settings.epochs,
        tokens: Some(match settings.tokens {
            0 => all,
            most => all.min(most),
        }),
        // A large model is looked after more often, so that it can be stopped.
        side_by_side: if base.is_some_and(|base| !is_compact(&base.config)) {
            256
        } else {
            defaults.side_by_side
        },
        rate: if settings.rate > 0.0 {
            settings.rate
        } else {
            rate
        },
        schedule,
        floor,
        seed: settings.seed,
        ..defaults
    }
}

fn tokens(examples: &[Example]) -> u64 {
    examples.iter().map(|x| x.tree.len() as u64).sum()
}

/// A group of lessons of one parent.
type Group<'a> = Vec<&'a Lesson>;

/// Lessons by parent, the parents in an order drawn by chance.
fn groups(lessons: &[Lesson], seed: u64) -> Vec<Group<'_>> {
    let mut groups = text::by_parent(lessons);
    groups.sort_by_cached_key(|group| hash::both(seed, hash::of([&*group[0].parent])));
    groups
}

/// The groups with their accepted lessons, and at most so many of the others each.
fn with_rejected<'a>(groups: &[Group<'a>], most: usize, left: &mut Left) -> Vec<Group<'a>> {
    let some = |group: &Group<'a>| {
        let mut rejected = 0;
        let stay = group.iter().copied().filter(|lesson| {
            rejected += usize::from(!lesson.accepted);
            lesson.accepted || rejected <= most
        });
        let stay: Group<'a> = stay.collect();
        (stay.len()..group.len()).for_each(|_| left.add(Why::Crowded));
        stay
    };
    let groups = groups.iter().map(some);
    groups.filter(|group| !group.is_empty()).collect()
}

/// The groups in parts of [`BRANCHES`] at most, in an order drawn by chance.
fn parts(groups: Vec<Group<'_>>, seed: u64) -> Vec<Group<'_>> {
    let mut parts: Vec<(u64, Group<'_>)> = Vec::new();
    for group in groups {
        let parent = hash::of([&*group[0].parent]);
        let own = group.chunks(BRANCHES).zip(0..);
        let number = |part| hash::both(hash::both(seed, part), parent);
        parts.extend(own.map(|(lessons, part)| (number(part), lessons.to_vec())));
    }
    parts.sort_by_key(|(number, _)| *number);
    parts.into_iter().map(|(_, part)| part).collect()
}

/// What the trainer reads of lessons, a tree for each group, until there are so many tokens.
fn examples(
    texts: &Texts,
    groups: &[Group<'_>],
    tokens: u64,
    weigh: &(dyn Fn(&Lesson) -> f32 + Sync),
    left: &mut Left,
) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut sum = 0;
    for some in groups.chunks(AT_ONCE) {
        if sum >= tokens {
            let more = some.iter().flatten();
            more.for_each(|_| left.add(Why::Enough));
            continue;
        }
        let made: Vec<_> = some
            .par_iter()
            .map(|group| {
                let mut left = Left::default();
                (example(texts, group, weigh, &mut left), left)
            })
            .collect();
        for (example, own) in made {
            *left += &own;
            sum += example.as_ref().map_or(0, |x| x.tree.len() as u64);
            examples.extend(example);
        }
    }
    examples
}

/// The tree of lessons of one parent; none where none of them can be read.
fn example(
    texts: &Texts,
    lessons: &[&Lesson],
    weigh: &dyn Fn(&Lesson) -> f32,
    left: &mut Left,
) -> Option<Example> {
    let (text::Taught { tree, mut weights }, lessons) = texts.tree(lessons, left)?;
    let each: Vec<f32> = lessons.iter().map(|lesson| weigh(lesson)).collect();
    let most = each.iter().copied().fold(0.0, f32::max);
    let mut rest = weights.as_mut_slice();
    for (text, weight) in tree.texts().zip([most].into_iter().chain(each)) {
        let chosen = text.chosen.iter().filter(|chosen| **chosen).count();
        let (own, others) = rest.split_at_mut(chosen);
        own.iter_mut().for_each(|x| *x *= weight);
        rest = others;
    }
    Some(Example { tree, weights })
}

/// Examples that only measure: of accepted changes, without what a program's own tokens cost.
fn measured(texts: &Texts, lessons: &[Lesson], seed: u64) -> Vec<Example> {
    let accepted: Vec<Lesson> = lessons.iter().filter(|x| x.accepted).cloned().collect();
    let left = &mut Left::default();
    let mut groups = groups(&accepted, seed);
    groups.truncate(MEASURED);
    let mut examples = examples(texts, &groups, u64::MAX, &|_| 1.0, left);
    for example in &mut examples {
        let of_program = example.tree.trunk.chosen.iter().filter(|chosen| **chosen);
        let of_program = of_program.count();
        example.tree.trunk.chosen.fill(false);
        example.weights.drain(..of_program);
    }
    examples
}
