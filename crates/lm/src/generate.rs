//! Writing many continuations of shared beginnings, in batches.
//!
//! A beginning (a prompt) is read once and kept as long as memory allows; of a beginning that starts like one of these,
//! only the rest is read. Every text continues its beginning from a place of its own. A text that ends makes room for the
//! next at once. Tokens that the guide leaves no choice about are not drawn: they are read together, in one step.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use edit::guide::Guide;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::draw::Sampling;
use crate::engine::{Engine, Feed};
use crate::error::{Error, Fault};
use crate::tokenizer::Tokenizer;
pub use follow::{Followed, follow};
use row::{Row, known};

mod follow;
mod row;

/// A text to write.
pub struct Task<G> {
    /// Vectors in front of the beginning, in place of embeddings: rows of as many values as the model is wide; mostly none.
    pub prefix: Arc<[f32]>,
    /// The tokens it continues; those of several tasks are read once if they are equal.
    pub beginning: Arc<[u32]>,
    /// How many of them it sees, at least one.
    pub seen: usize,
    /// Text between the beginning and what is guided.
    pub lead: Vec<u8>,
    /// What may be written.
    pub guide: G,
    /// Tokens that may be written at most, those without a choice included, those of the lead not.
    pub most: usize,
    /// The source of chance.
    pub rng: ChaCha8Rng,
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The model or the guide ended it.
    Done,
    /// It came to the most tokens allowed, or to the end of what the model can read.
    Length,
    /// No token of the vocabulary was possible.
    Stuck,
    /// It was interrupted.
    Stopped,
}

/// A text written.
pub struct Written<G> {
    /// The guide at the end of the text.
    pub guide: G,
    /// The text after the lead.
    pub text: Vec<u8>,
    /// Its tokens, without one that ended it: those drawn, and those that had to come.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub end: End,
    /// Tokens of the beginning that were read for it, 0 where another task or an earlier call had them read.
    pub read: usize,
    /// Tokens drawn.
    pub drawn: usize,
    /// Tokens read without a draw, since they had to come.
    pub forced: usize,
}

/// Settings of a [`Generator`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Texts written side by side.
    pub batch: usize,
    /// Memory for beginnings, in bytes; the latest is always kept.
    pub memory: usize,
}

/// A model that writes.
pub struct Generator<E: Engine> {
    engine: E,
    tokenizer: Arc<Tokenizer>,
    limits: Limits,
    /// The most recently used last.
    beginnings: Vec<Beginning<E::Cache>>,
}

struct Beginning<C> {
    prefix: Arc<[f32]>,
    tokens: Arc<[u32]>,
    cache: Arc<C>,
}

/// Tokens of a beginning read in one step.
const CHUNK: usize = 256;

/// A shorter common beginning is read again.
const WORTH_A_COPY: usize = 16;

impl<E: Engine> Generator<E> {
    /// A writer with `engine`.
    pub fn new(engine: E, tokenizer: Arc<Tokenizer>, limits: Limits) -> Self {
        Self {
            engine,
            tokenizer,
            limits,
            beginnings: Vec::new(),
        }
    }

    /// Takes other weights, of the same configuration. Beginnings are read again; limits stay. What is written
    /// afterwards is what a new generator with the engine would write, to the bit.
    ///
    /// # Errors
    /// `Error::Config` for another configuration; the old weights stay then.
    pub fn swap(&mut self, engine: E) -> Result<(), Error> {
        if engine.config() != self.engine.config() {
            return Err(Error::Config(Fault::new(
                Path::new("the new weights"),
                "the configuration",
                "is not that of the weights in use",
                "give weights of the same configuration, or load the model anew",
            )));
        }
        self.beginnings.clear();
        self.engine = engine;
        Ok(())
    }

    /// The engine.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.tokenizer
    }

    /// Writes all texts; the results in the tasks' order. Each is a function of its task alone. `stopped` is asked
    /// before every step.
    ///
    /// # Errors
    /// As [`Generator::write_each`].
    pub fn write<G: Guide>(
        &mut self,
        tasks: Vec<Task<G>>,
        sampling: Sampling,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Vec<Written<G>>, Error> {
        let mut results: Vec<Option<Written<G>>> = tasks.iter().map(|_| None).collect();
        self.write_each(tasks, sampling, stopped, &mut |index, written| {
            results[index] = Some(written);
            None
        })?;
        let results = results.into_iter();
        Ok(results
            .map(|written| written.expect("every task ends"))
            .collect())
    }

    /// As [`Generator::write`], but hands each text, with its task's number, to `done` as soon as it ends; what `done`
    /// gives back is written in its place, under the same number.
    ///
    /// # Errors
    /// `Error::Numbers` where the model computes logits that are infinite or no numbers, `Error::Tokenizer` where a task
    /// has a token that the model has no row for. Texts that are not done are lost.
    pub fn write_each<G: Guide>(
        &mut self,
        tasks: Vec<Task<G>>,
        sampling: Sampling,
        stopped: &dyn Fn() -> bool,
        done: &mut dyn FnMut(usize, Written<G>) -> Option<Task<G>>,
    ) -> Result<(), Error> {
        let mut waiting: VecDeque<(usize, Task<G>)> = tasks.into_iter().enumerate().collect();
        let mut rows: Vec<Row<G, E::Cache>> = Vec::new();
        let mut finish = |row: Row<G, E::Cache>, end: End, waiting: &mut VecDeque<_>| {
            let (index, written) = row.end(end);
            if let Some(again) = done(index, written) {
                waiting.push_back((index, again));
            }
        };
        loop {
            while rows.len() < self.limits.batch {
                let Some((index, task)) = waiting.pop_front() else {
                    break;
                };
                let row = self.begin(index, task, stopped)?;
                match row.over(self.engine.config()) {
                    Some(end) => finish(row, end, &mut waiting),
                    None => rows.push(row),
                }
            }
            if rows.is_empty() {
                return Ok(());
            }
            if stopped() {
                for row in rows.drain(..) {
                    finish(row, End::Stopped, &mut waiting);
                }
                continue;
            }
            let mut feeds: Vec<_> = rows
                .iter_mut()
                .map(|row| Feed {
                    vectors: &[],
                    tokens: &row.pending,
                    shared: Some((&*row.beginning, row.prefixed + row.task.seen - 1)),
                    own: &mut row.own,
                    logits: 1,
                })
                .collect();
            let logits = self.engine.forward(&mut feeds);
            let (tokenizer, config) = (&*self.tokenizer, self.engine.config());
            let ends: Vec<Result<Option<End>, Error>> = rows
                .par_iter_mut()
                .zip(logits)
                .map(|(row, mut logits)| row.step(&mut logits, sampling, tokenizer, config))
                .collect();
            let mut failed = None;
            for (mut row, end) in std::mem::take(&mut rows).into_iter().zip(ends) {
                if let Some(tokens) = row.cut.take() {
                    self.engine.cut(&mut row.own, tokens);
                }
                match end {
                    Ok(None) => rows.push(row),
                    Ok(Some(end)) => finish(row, end, &mut waiting),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
        }
    }

    fn begin<G: Guide>(
        &mut self,
        index: usize,
        task: Task<G>,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Row<G, E::Cache>, Error> {
        known(&task.beginning, &self.tokenizer, self.engine.config())?;
        let hidden = self.engine.config().hidden_size;
        prefixed(&task.prefix, hidden)?;
        let (beginning, read) = self.read(&task.prefix, &task.beginning, stopped);
        let mut row = Row {
            index,
            prefixed: task.prefix.len() / hidden,
            beginning,
            own: self.engine.cache(),
            pending: vec![task.beginning[task.seen - 1]],
            text: Vec::new(),
            tokens: Vec::new(),
            led: 0,
            read,
            drawn: 0,
            forced: 0,
            mark: None,
            undone: 0,
            lost: 0,
            held: 0,
            cut: None,
            task,
        };
        let lead = std::mem::take(&mut row.task.lead);
        row.force(&self.tokenizer, self.engine.config(), &lead)?;
        Ok(row)
    }

    /// A beginning's cache, and how many tokens had to be read for it.
    fn read(
        &mut self,
        prefix: &Arc<[f32]>,
        tokens: &Arc<[u32]>,
        stopped: &dyn Fn() -> bool,
    ) -> (Arc<E::Cache>, usize) {
        if let Some(place) = self
            .beginnings
            .iter()
            .position(|held| held.tokens == *tokens && held.prefix == *prefix)
        {
            let held = self.beginnings.remove(place);
            let cache = held.cache.clone();
            self.beginnings.push(held);
            return (cache, 0);
        }
        let hidden = self.engine.config().hidden_size;
        let most = self.engine.config().max_position_embeddings;
        let most = most.saturating_sub(prefix.len() / hidden);
        let readable = &tokens[..tokens.len().min(most)];
        let (mut cache, known) = self.start(prefix, readable);
        if known == 0 && !prefix.is_empty() {
            self.engine.forward(&mut [Feed {
                vectors: prefix,
                tokens: &[],
                shared: None,
                own: &mut cache,
                logits: 0,
            }]);
        }
        for chunk in readable[known..].chunks(CHUNK) {
            if stopped() {
                return (Arc::new(cache), 0);
            }
            self.engine.forward(&mut [Feed {
                vectors: &[],
                tokens: chunk,
                shared: None,
                own: &mut cache,
                logits: 0,
            }]);
        }
        let cache = Arc::new(cache);
        self.beginnings.push(Beginning {
            prefix: prefix.clone(),
            tokens: tokens.clone(),
            cache: cache.clone(),
        });
        let bytes = |held: &[Beginning<E::Cache>]| -> usize {
            held.iter()
                .map(|held| held.prefix.len() / hidden + held.tokens.len())
                .map(|positions| self.engine.cache_bytes(positions))
                .sum()
        };
        while self.beginnings.len() > 1 && bytes(&self.beginnings) > self.limits.memory {
            self.beginnings.remove(0);
        }
        (cache, tokens.len() - known)
    }

    /// A cache with what a beginning has in common with one read before, and how many tokens that is.
    fn start(&self, prefix: &[f32], tokens: &[u32]) -> (E::Cache, usize) {
        let common = |held: &[u32]| held.iter().zip(tokens).take_while(|(a, b)| a == b).count();
        let before = prefix.len() / self.engine.config().hidden_size;
        self.beginnings
            .iter()
            .filter(|held| *held.prefix == *prefix)
            .map(|held| (common(&held.tokens), held))
            .max_by_key(|(common, _)| *common)
            .filter(|(common, _)| *common >= WORTH_A_COPY)
            .and_then(|(common, held)| {
                Some((self.engine.start_of(&held.cache, before + common)?, common))
            })
            .unwrap_or_else(|| (self.engine.cache(), 0))
    }
}

/// Refuses vectors that are none of the model's.
fn prefixed(prefix: &[f32], hidden_size: usize) -> Result<(), Error> {
    let why = match prefix {
        _ if !prefix.len().is_multiple_of(hidden_size) => {
            format!("has {} values, not rows of {hidden_size}", prefix.len())
        }
        _ if !crate::cpu::finite(prefix) => "has values that are no finite numbers".to_owned(),
        _ => return Ok(()),
    };
    let mend = "give vectors that were made for this model";
    let fault = Fault::new(Path::new("the model"), "the prefix", why, mend);
    Err(Error::Tensor(fault))
}

/// A guide that lets the model write what it likes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Free;

impl Guide for Free {
    fn admits(&self, _: &[u8]) -> bool {
        true
    }

    fn advance(&mut self, _: &[u8]) {}

    fn forced(&self) -> Vec<u8> {
        Vec::new()
    }

    fn may_end(&self) -> bool {
        true
    }

    fn must_end(&self) -> bool {
        false
    }
}
