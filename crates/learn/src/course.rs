//! A training before its first update.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lm::error::Fault;
use lm::train::checkpoint::Keep;
use lm::train::supervised::{self, Data, Example, Progress, Schedule, Trained};
use lm::train::{Learns, Lora, Options, Trainer, cpu, init, init_copying};
use lm::{Checkpoint, Config, Error, Tokenizer};

use crate::left::Left;

/// What weights a training begins with.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// A model's.
    Base(&'a Checkpoint),
    /// Weights drawn by chance.
    Random,
    /// The same with two heads that copy from context ([`init_copying`]), for models that write changes of what they read.
    ReadyToCopy,
}

/// A training before its first update: what is read, by which model, and how.
pub struct Course<'a> {
    /// Where it begins.
    pub start: Start<'a>,
    /// The model's shape.
    pub config: Config,
    /// Its tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// What of the model learns, and in which numbers.
    pub options: Options,
    /// How.
    pub training: supervised::Settings,
    /// Texts that are read: lessons, programs.
    pub texts: u64,
    /// Tokens that one reading of all of them takes.
    pub epoch_tokens: u64,
    /// Texts that cannot be read.
    pub left: Left,
    /// What is learned from.
    pub examples: Vec<Example>,
    /// What the loss is measured on.
    pub held_out: Vec<Example>,
    /// The seed of every draw.
    pub seed: u64,
}

impl Course<'_> {
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
        let (config, seed) = (&self.config, self.seed);
        match self.start {
            Start::Base(base) => cpu::Trainer::new(config, &base.weights()?, options),
            Start::Random => cpu::Trainer::new(config, &init(config, seed)?, options),
            Start::ReadyToCopy => cpu::Trainer::new(config, &init_copying(config, seed)?, options),
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

/// The shape of a size, with a tokenizer's vocabulary.
///
/// # Errors
/// `Error::Config` for a size that is none.
pub fn preset(name: &str, tokenizer: &Tokenizer) -> Result<Config, Error> {
    let preset = Config::preset(name).ok_or_else(|| {
        Error::Config(Fault::new(
            Path::new("the new model"),
            format!("{name:?}"),
            "is no size",
            format!("choose from: {}", Config::PRESETS.join(", ")),
        ))
    })?;
    Ok(Config {
        vocab_size: tokenizer.vocab_size(),
        ..preset
    })
}

/// A copy of a model's tokenizer.
///
/// # Errors
/// None that a model which was opened has.
pub fn tokenizer_of(base: &Checkpoint) -> Result<Arc<Tokenizer>, Error> {
    let text = base.tokenizer.to_json();
    Ok(Arc::new(Tokenizer::from_json(base.path(), &text)?))
}

/// Whether a base is so small that all of it learns, and quickly.
pub(crate) fn is_compact(config: &Config) -> bool {
    config.parameters() <= 30_000_000
}

/// Tokens of examples.
pub fn tokens(examples: &[Example]) -> u64 {
    examples.iter().map(|x| x.tree.len() as u64).sum()
}

/// How much is read, and what of a base learns.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The rank of a base's low-rank changes; 0 to train all of it.
    pub rank: usize,
    /// How often every text is read.
    pub epochs: u32,
    /// Tokens to read in all at most; 0 for no bound.
    pub tokens: u64,
    /// The highest learning rate; 0 for the one that suits.
    pub rate: f32,
    /// The seed of every draw.
    pub seed: u64,
}

impl Reading {
    /// What of a model learns.
    pub fn options(&self, base: Option<&Checkpoint>) -> Options {
        let rank = if base.is_some() { self.rank } else { 0 };
        let lora = Lora {
            rank,
            alpha: 2.0 * rank as f32,
            seed: self.seed,
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

    /// How it is trained on texts of so many tokens, begun from a base or not.
    pub fn training(&self, base: Option<&Checkpoint>, epoch_tokens: u64) -> supervised::Settings {
        let all = epoch_tokens * u64::from(self.epochs);
        let defaults = supervised::Settings::default();
        // Low-rank changes want about ten times the rate of full tuning.
        let (rate, schedule, floor) = match (base, self.rank) {
            (None, _) => (defaults.rate, defaults.schedule, defaults.floor),
            (Some(base), 0) if is_compact(&base.config) => {
                (1e-3, defaults.schedule, defaults.floor)
            }
            (Some(_), 0) => (3e-4, defaults.schedule, defaults.floor),
            (Some(_), _) => (1.5e-3, Schedule::Linear, 0.0),
        };
        supervised::Settings {
            epochs: self.epochs,
            tokens: Some(match self.tokens {
                0 => all,
                most => all.min(most),
            }),
            // A large model is looked after more often, so that it can be stopped.
            side_by_side: match base.is_some_and(|base| !is_compact(&base.config)) {
                true => 256,
                false => defaults.side_by_side,
            },
            rate: if self.rate > 0.0 { self.rate } else { rate },
            schedule,
            floor,
            seed: self.seed,
            ..defaults
        }
    }
}
