//! A model loaded once, shared by the operators that write with it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use edit::guide::{Guide, Rules};
use edit::python::{Names, Prefix};
use lm::{Checkpoint, End, Limits, Sampling, Task, Tokenizer, Written};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::settings::{Model, refused};
use crate::operator::{Cost, Proposal, Request};
use crate::{Error, Reason};

/// A language model ready to write.
pub struct Writer {
    writer: Mutex<lm::Writer>,
    tokenizer: Arc<Tokenizer>,
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
        let device = settings.device()?;
        device.check().map_err(refused)?;
        let cache = lm::pull::cache_folder().map_err(failed)?;
        let path = lm::pull::resolve(&settings.path, &cache).map_err(failed)?;
        let checkpoint = Checkpoint::open(&path).map_err(failed)?;
        let limits = Limits {
            batch: settings.batch,
            memory: settings.cache_mb << 20,
        };
        let writer = lm::Writer::load(
            checkpoint,
            device,
            settings.precision,
            limits,
            settings.threads,
        )
        .map_err(failed)?;
        Ok(Self {
            tokenizer: writer.tokenizer().clone(),
            context: writer.context(),
            writer: Mutex::new(writer),
        })
    }

    /// A text's tokens, if the model can read them and write `more`.
    ///
    /// # Errors
    /// It is too long; a reason with the code `prompt-too-long`.
    pub(super) fn read(&self, text: &str, more: usize) -> Result<Beginning, Reason> {
        let start = self.tokenizer.start();
        let tokens: Vec<u32> = start
            .into_iter()
            .chain(self.tokenizer.encode_within(text))
            .collect();
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

    /// A place between tokens within a line, after its indentation and at the latest before its end; not within a
    /// name, which may have no other known continuation.
    pub(super) fn place_within(&self, line: &str, rng: &mut ChaCha8Rng) -> usize {
        let body = line.trim_start();
        let mut end = line.len() - body.len();
        let mut places = Vec::new();
        for token in self.tokenizer.encode_within(body.trim_end()) {
            places.push(end);
            end += self.tokenizer.bytes(token).len();
        }
        places.push(end);
        let word = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        let bytes = line.as_bytes();
        places.retain(|at| {
            *at == 0 || !(word(bytes[at - 1]) && bytes.get(*at).is_some_and(|b| word(*b)))
        });
        places[rng.random_range(0..places.len())]
    }

    /// Writes a call's children: `task` says what the model is to write for a child, `finish` what becomes of it. A child that comes
    /// to nothing is drawn again, up to `tries` times in all.
    pub(super) fn write<G: Guide>(
        &self,
        mut children: Vec<ChaCha8Rng>,
        tries: usize,
        sampling: Sampling,
        stop: &AtomicBool,
        task: impl Fn(usize, ChaCha8Rng) -> Result<Task<G>, Reason>,
        finish: impl Fn(usize, Written<G>) -> Result<String, Reason>,
    ) -> Vec<Proposal> {
        let began = Instant::now();
        let mut waited = Duration::ZERO;
        let mut programs = vec![None; children.len()];
        let mut costs = vec![Cost::default(); children.len()];
        // Counted once a call, whether or not an earlier one had it read: a resumed run counts the same.
        let mut seen = HashSet::new();
        let mut open: Vec<usize> = (0..children.len()).collect();
        for _ in 0..tries.max(1) {
            let mut tasks = Vec::new();
            let mut owners = Vec::new();
            for child in std::mem::take(&mut open) {
                let rng = ChaCha8Rng::seed_from_u64(children[child].random());
                match task(child, rng) {
                    Ok(task) => {
                        if seen.insert(task.beginning.clone()) {
                            costs[child].prompt_tokens += task.beginning.len() as u32;
                        }
                        owners.push(child);
                        tasks.push(task);
                    }
                    Err(reason) => programs[child] = Some(Err(reason)),
                }
            }
            // Locked outside the pool: a thread of it that waits takes up other work, another operator's too.
            let asked = Instant::now();
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            waited += asked.elapsed();
            let written = writer.write(tasks, sampling, &|| stop.load(Relaxed));
            drop(writer);
            for (child, written) in owners.into_iter().zip(written) {
                costs[child].tokens += (written.drawn + written.forced) as u32;
                let program = finish(child, written);
                if program.is_err() && !stop.load(Relaxed) {
                    open.push(child);
                }
                programs[child] = Some(program);
            }
        }
        let spent = began.elapsed().saturating_sub(waited);
        let seconds = spent.as_secs_f64() / children.len().max(1) as f64;
        let proposals = programs
            .into_iter()
            .zip(costs)
            .map(|(program, cost)| Proposal {
                cost: Cost { seconds, ..cost },
                ..program.expect("every child is drawn").into()
            });
        proposals.collect()
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

/// How tokens are drawn, from the settings.
pub(super) fn sampling(temperature: f64, min_p: f64) -> Sampling {
    Sampling {
        temperature: temperature as f32,
        min_p: min_p as f32,
    }
}

/// What a changed program must be.
pub(super) fn rules(program: &str, known_names: bool, comments: bool) -> Rules {
    let start = match known_names {
        true => Prefix::with_names(Arc::new(Names::of(program, HOST))),
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

/// A random stream for every child of a call, and the index of its request.
pub(super) fn children(requests: &mut [Request<'_>]) -> (Vec<ChaCha8Rng>, Vec<usize>) {
    let mut streams = Vec::new();
    let mut owners = Vec::new();
    for (index, request) in requests.iter_mut().enumerate() {
        for _ in 0..request.count {
            streams.push(ChaCha8Rng::seed_from_u64(request.rng.random()));
            owners.push(index);
        }
    }
    (streams, owners)
}

/// Proposals of a call, by request.
pub(super) fn deal(requests: &[Request<'_>], proposals: Vec<Proposal>) -> Vec<Vec<Proposal>> {
    let mut proposals = proposals.into_iter();
    requests
        .iter()
        .map(|request| proposals.by_ref().take(request.count).collect())
        .collect()
}

/// Why a text came to no change, with the text.
pub(super) fn failure<G>(written: &Written<G>) -> Reason {
    let (code, why) = match written.end {
        End::Length => ("unfinished", "not complete after the tokens allowed"),
        End::Stuck => ("stuck", "no token could follow"),
        End::Stopped => ("stopped", "the run was interrupted"),
        End::Done => ("unchanged", "the model changed nothing"),
    };
    let text = String::from_utf8_lossy(&written.text);
    Reason::new(code, format!("{why}: {}", text.trim_end()))
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

/// What walker programs find at the host, in Python that nothing runs.
const HOST: &str = include_str!("host.py");
