//! The operator *diff*, trained: lessons in, weights out.

use std::collections::BTreeSet;
use std::sync::Arc;

use edit::hash;
use lm::train::supervised::Example;
use lm::{Checkpoint, Config, Error, Tokenizer};
use mutate::Lesson;
use mutate::diff::Frame;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::course::{Course, Reading, Start, preset, tokenizer_of, tokens};
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

/// Prepares a training of a base, or of a model from scratch; `weigh` says how much each lesson counts for where
/// it comes from. The loss is measured on accepted changes alone. The course may have nothing to read.
///
/// # Errors
/// A preset that is not known, a vocabulary that is too small, a base without an end of text.
pub fn course<'a>(
    base: Option<&'a Checkpoint>,
    frame: &Frame,
    split: &Split,
    weigh: &(dyn Fn(&Lesson) -> f32 + Sync),
    settings: &Settings,
) -> Result<Course<'a>, Error> {
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
    let reading = Reading {
        rank: settings.rank,
        epochs: settings.epochs,
        tokens: settings.tokens,
        rate: settings.rate,
        seed: settings.seed,
    };
    Ok(Course {
        start: base.map_or(Start::ReadyToCopy, Start::Base),
        options: reading.options(base),
        training: reading.training(base, epoch_tokens),
        held_out: measured(&texts.of_choices(), &split.held_out, settings.seed),
        seed: settings.seed,
        config,
        tokenizer,
        examples,
        texts: lessons,
        epoch_tokens,
        left,
    })
}

/// The configuration and the tokenizer: the base's, or those of a compact model for these lessons.
fn model(
    base: Option<&Checkpoint>,
    frame: &Frame,
    groups: &[Group<'_>],
    settings: &Settings,
) -> Result<(Config, Arc<Tokenizer>), Error> {
    if let Some(base) = base {
        return Ok((base.config.clone(), tokenizer_of(base)?));
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
    let config = preset(&settings.preset, &tokenizer)?;
    Ok((config, Arc::new(tokenizer)))
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
