//! A model loaded once, shared by the operators that write with it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use edit::guide::{Guide, Rules};
use edit::python::{Names, Prefix};
use lm::cpu::Decoder;
use lm::{Checkpoint, End, Generator, Limits, Sampling, Task, Tokenizer, Written};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::settings::Model;
use crate::operator::{Cost, Proposal};
use crate::{Error, Reason};

/// A language model ready to write.
pub struct Writer {
    generator: Mutex<Generator<Decoder>>,
    tokenizer: Arc<Tokenizer>,
    threads: rayon::ThreadPool,
    /// Tokens it can read and write in one text.
    context: usize,
}

impl Writer {
    /// Loads the model that the settings name.
    ///
    /// # Errors
    /// There is no such model, its file is damaged or of a kind that is not known, or this build lacks the device.
    pub fn load(settings: &Model) -> Result<Self, Error> {
        let failed = |e: lm::Error| Error::Model(e.to_string());
        settings.check()?;
        if settings.device != "cpu" {
            return Err(Error::setting(
                "model.device",
                format!("this build does not compute on {}", settings.device),
                format!("build with --features {}, or choose cpu", settings.device),
            ));
        }
        let cache = lm::pull::cache_folder().map_err(failed)?;
        let path = lm::pull::resolve(&settings.path, &cache).map_err(failed)?;
        let checkpoint = Checkpoint::open(&path).map_err(failed)?;
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(settings.threads)
            .thread_name(|index| format!("model {index}"))
            .build()
            .map_err(|e| Error::setting("model.threads", e.to_string(), "give fewer"))?;
        let decoder = threads
            .install(|| Decoder::load(&checkpoint, settings.precision))
            .map_err(failed)?;
        let context = checkpoint.config.max_position_embeddings;
        let tokenizer = Arc::new(checkpoint.tokenizer);
        let limits = Limits {
            batch: settings.batch,
            memory: settings.cache_mb << 20,
        };
        Ok(Self {
            generator: Mutex::new(Generator::new(decoder, tokenizer.clone(), limits)),
            tokenizer,
            threads,
            context,
        })
    }

    /// A text's tokens, if the model can read them and write `more`.
    ///
    /// # Errors
    /// It is too long; a reason with the code `prompt-too-long`.
    pub(super) fn read(&self, text: &str, more: usize) -> Result<Beginning, Reason> {
        let tokens = self.tokenizer.encode(text);
        if tokens.is_empty() || tokens.len() + more > self.context {
            return Err(Reason::new(
                "prompt-too-long",
                format!(
                    "{} tokens and {more} to write; the model takes {}",
                    tokens.len(),
                    self.context
                ),
            ));
        }
        let mut ends = Vec::with_capacity(tokens.len());
        let mut end = 0;
        for token in &tokens {
            end += self.tokenizer.bytes(*token).len();
            ends.push(end);
        }
        Ok(Beginning {
            text: text.to_owned(),
            tokens: tokens.into(),
            ends,
        })
    }

    /// Writes the children of a call: for each the task, or why there is none, becomes a proposal by `finish`.
    pub(super) fn write<G: Guide>(
        &self,
        tasks: Vec<Result<Task<G>, Reason>>,
        sampling: Sampling,
        stop: &AtomicBool,
        finish: impl Fn(usize, Written<G>) -> Proposal,
    ) -> Vec<Proposal> {
        let began = Instant::now();
        let mut ready = Vec::new();
        let failed: Vec<Option<Reason>> = tasks
            .into_iter()
            .map(|task| task.map(|task| ready.push(task)).err())
            .collect();
        let count = ready.len().max(1);
        let written = self.threads.install(|| {
            let mut generator = self
                .generator
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            generator.write(ready, sampling, &|| stop.load(Relaxed))
        });
        let seconds = began.elapsed().as_secs_f64() / count as f64;
        let mut written = written.into_iter();
        let finished = failed
            .into_iter()
            .enumerate()
            .map(|(index, reason)| match reason {
                Some(reason) => Err(reason).into(),
                None => {
                    let written = written.next().expect("one per task");
                    let cost = Cost {
                        prompt_tokens: written.read as u32,
                        tokens: (written.drawn + written.forced) as u32,
                        seconds,
                        dollars: 0.0,
                    };
                    Proposal {
                        cost,
                        ..finish(index, written)
                    }
                }
            });
        finished.collect()
    }
}

/// A text read before writing, with its tokens.
pub(super) struct Beginning {
    text: String,
    tokens: Arc<[u32]>,
    /// Where each token ends in the text.
    ends: Vec<usize>,
}

impl Beginning {
    /// A task that goes on after the first `place` bytes of the text, with `lead` before what is guided.
    ///
    /// A token that reaches over the place is not seen; its beginning is put before the lead.
    pub fn task<G>(
        &self,
        place: usize,
        lead: &str,
        guide: G,
        most: usize,
        rng: ChaCha8Rng,
    ) -> Task<G> {
        let seen = self.ends.partition_point(|end| *end <= place).max(1);
        let lead = [
            &self.text.as_bytes()[self.ends[seen - 1].min(place)..place],
            lead.as_bytes(),
        ]
        .concat();
        Task {
            beginning: self.tokens.clone(),
            seen,
            lead,
            guide,
            most,
            rng,
        }
    }

    /// Bytes of the text.
    pub fn len(&self) -> usize {
        self.text.len()
    }
}

/// What a changed program must be.
pub(super) fn rules(program: &str, known_names: bool, comments: bool) -> Rules {
    let start = match known_names {
        true => Prefix::with_names(Arc::new(Names::of(program, HOST_NAMES))),
        false => Prefix::new(),
    };
    Rules {
        start: Some(start),
        comments,
        accept: Some(Arc::new(|file| {
            ruff_python_parser::parse_module(file).is_ok()
        })),
    }
}

/// The same reason for all of a request's children.
pub(super) fn refused<T>(reason: Reason, count: usize) -> Vec<Result<T, Reason>> {
    (0..count).map(|_| Err(reason.clone())).collect()
}

/// Why a text came to no change.
pub(super) fn failure(end: End) -> Reason {
    match end {
        End::Length => Reason::new(
            "unfinished",
            "the change was not complete after the tokens allowed",
        ),
        End::Stuck => Reason::new("stuck", "no token could follow"),
        End::Stopped => Reason::new("stopped", "the run was interrupted"),
        End::Done => Reason::new("unchanged", "the model changed nothing"),
    }
}

/// Draws an index by weight.
pub(super) fn weighted(weights: impl Iterator<Item = f64> + Clone, rng: &mut ChaCha8Rng) -> usize {
    let sum: f64 = weights.clone().sum();
    let mut point = rng.random::<f64>() * sum;
    let mut last = 0;
    for (index, weight) in weights.enumerate() {
        if weight > 0.0 {
            last = index;
            if point < weight {
                break;
            }
            point -= weight;
        }
    }
    last
}

/// Names of the host that programs may use without having done so before.
const HOST_NAMES: &[&str] = &[
    "walk_creator",
    "walker_creator",
    "wc",
    "add_joint",
    "add_muscle",
    "get_walker",
    "rigid",
    "amplitude",
    "phase",
    "query_cppn",
    "math",
    "np",
    "numpy",
    "pi",
    "sin",
    "cos",
    "tan",
    "sqrt",
    "floor",
    "ceil",
    "exp",
    "sign",
];
