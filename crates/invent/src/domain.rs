//! The model of a domain: next-token prediction on the programs that maps took (Lehman et al. 2022, section 3.2; table 3 for the sizes).

use std::collections::BTreeMap;
use std::sync::Arc;

use edit::hash;
use learn::course::{Course, Reading, Start, preset, tokenizer_of, tokens};
use learn::{Left, Why};
use lm::train::supervised::Example;
use lm::train::{Text, Tree};
use lm::{Checkpoint, Config, Error, Tokenizer};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::Entry;

/// What the card of a model of a domain has as its `task`.
pub const TASK: &str = "domain";

/// Programs held out on which the loss is measured, at most.
const MEASURED: usize = 512;
/// Programs that a new tokenizer is made from, at most.
const SPELLED: usize = 20_000;

/// How a model of a domain is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Without a base: the model's size, one of [`Config::PRESETS`].
    pub preset: String,
    /// Without a base: tokens of its own tokenizer at most.
    pub vocabulary: usize,
    /// With a base: begin from weights drawn by chance in place of its own, as a control.
    pub from_scratch: bool,
    /// With a base: the rank of its low-rank changes; 0 to train all of it.
    pub rank: usize,
    /// How often every program is read.
    pub epochs: u32,
    /// Tokens to read in all at most; 0 for no bound.
    pub tokens: u64,
    /// The highest learning rate; 0 for the one that suits.
    pub rate: f32,
    /// The seed of every draw.
    pub seed: u64,
}

/// How a model reads programs: what stands before one and what ends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// What it is used to see before a text, or else its end: one token at least.
    pub start: Vec<u32>,
    /// What ends a text.
    pub end: u32,
}

impl Frame {
    /// That of a model with this tokenizer and configuration.
    ///
    /// # Errors
    /// `Error::Tokenizer` for a model without a token that ends a text.
    pub fn of(tokenizer: &Tokenizer, config: &Config) -> Result<Self, Error> {
        let end = config.end()?;
        let start = match tokenizer.start() {
            [] => vec![end],
            start => start.to_vec(),
        };
        Ok(Self { start, end })
    }

    /// A program as the model sees it: every token counts but those before it.
    pub fn text(&self, tokenizer: &Tokenizer, program: &str) -> Text {
        let mut tokens = self.start.clone();
        tokens.extend(tokenizer.encode_within(program));
        tokens.push(self.end);
        let given = self.start.len();
        Text {
            chosen: (0..tokens.len()).map(|at| at >= given).collect(),
            tokens,
        }
    }
}

/// Prepares a training on programs of a base, or from scratch. The course may have nothing to read.
///
/// # Errors
/// A preset that is not known, a vocabulary that is too small, a base without an end of text.
pub fn course<'a>(
    base: Option<&'a Checkpoint>,
    programs: &[Entry],
    settings: &Settings,
) -> Result<Course<'a>, Error> {
    let mut unique: BTreeMap<&str, &Entry> = BTreeMap::new();
    let mut left = Left::default();
    for entry in programs {
        // The same program on two terrains is one to a model of programs.
        if unique.insert(&entry.program, entry).is_some() {
            left.add(Why::Duplicate);
        }
    }
    let mut all: Vec<&Entry> = unique.into_values().collect();
    all.sort_by_cached_key(|entry| hash::both(settings.seed, hash::of([&*entry.program])));
    let (held_out, learned): (Vec<&Entry>, Vec<&Entry>) =
        all.into_iter().partition(|entry| entry.held_out);
    let (config, tokenizer) = model(base, &learned, settings)?;
    let frame = Frame::of(&tokenizer, &config)?;
    let mut read = |programs: &[&Entry]| examples(&frame, &tokenizer, &config, programs, &mut left);
    let examples = read(&learned);
    let mut held_out = read(&held_out);
    held_out.truncate(MEASURED);
    let epoch_tokens = tokens(&examples);
    let start = match (base, settings.from_scratch) {
        (Some(base), false) => Start::Base(base),
        _ => Start::Random,
    };
    let known = base.filter(|_| !settings.from_scratch);
    let reading = Reading {
        rank: settings.rank,
        epochs: settings.epochs,
        tokens: settings.tokens,
        rate: settings.rate,
        seed: settings.seed,
    };
    Ok(Course {
        start,
        options: reading.options(known),
        training: reading.training(known, epoch_tokens),
        texts: examples.len() as u64,
        epoch_tokens,
        left,
        examples,
        held_out,
        seed: settings.seed,
        config,
        tokenizer,
    })
}

fn model(
    base: Option<&Checkpoint>,
    programs: &[&Entry],
    settings: &Settings,
) -> Result<(Config, Arc<Tokenizer>), Error> {
    if let Some(base) = base {
        return Ok((base.config.clone(), tokenizer_of(base)?));
    }
    let texts = programs.iter().take(SPELLED).map(|entry| &*entry.program);
    let tokenizer = Tokenizer::train(texts, settings.vocabulary)?;
    let config = preset(&settings.preset, &tokenizer)?;
    Ok((config, Arc::new(tokenizer)))
}

/// Programs as a trainer reads them, those that the model can read.
fn examples(
    frame: &Frame,
    tokenizer: &Tokenizer,
    config: &Config,
    programs: &[&Entry],
    left: &mut Left,
) -> Vec<Example> {
    let made: Vec<Result<Example, Why>> = programs
        .par_iter()
        .map(|entry| {
            let text = frame.text(tokenizer, &entry.program);
            if text.tokens.len() > config.max_position_embeddings {
                return Err(Why::TooLong);
            }
            let spelled = tokenizer.decode(&text.tokens[frame.start.len()..text.tokens.len() - 1]);
            let known = |token: &u32| (*token as usize) < config.vocab_size;
            if spelled != entry.program || !text.tokens.iter().all(known) {
                return Err(Why::Tokens);
            }
            let chosen = text.tokens.len() - frame.start.len();
            Ok(Example {
                weights: vec![1.0; chosen],
                tree: Tree::sequence(text),
            })
        })
        .collect();
    let mut examples = Vec::new();
    for example in made {
        match example {
            Ok(example) => examples.push(example),
            Err(why) => left.add(why),
        }
    }
    examples
}
