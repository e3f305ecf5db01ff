//! A model loaded once, shared by the operators that write with it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use edit::guide::{Guide, Rules};
use edit::python::{Names, Prefix};
use lm::{Checkpoint, End, Limits, Sampling, Task, Tokenizer, Written};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::model::{self, refused};
use crate::operator::{Cost, Proposal, Request, Tray};
use crate::reason::{PROMPT_TOO_LONG, Reason, STOPPED, STUCK, UNCHANGED, UNFINISHED};
use crate::settings::range;
use crate::{Error, MadeWith};

/// A language model ready to write.
pub struct Writer {
    writer: Mutex<lm::Writer>,
    tokenizer: Arc<Tokenizer>,
    /// Tokens it can read and write in one text.
    context: usize,
    /// Of the weights: 0 as loaded.
    generation: u32,
    made_with: MadeWith,
    /// What the model's card says that it was trained for.
    task: Option<String>,
}

impl Writer {
    /// Loads the model that the settings name.
    ///
    /// # Errors
    /// There is no such model, its file is damaged or of a kind that is not known, or this build lacks the device.
    pub fn load(settings: &model::Settings) -> Result<Self, Error> {
        let failed = |e: lm::Error| Error::Model(e.to_string());
        settings.check()?;
        settings.device()?.check().map_err(refused)?;
        let path = lm::pull::find(&settings.path).map_err(failed)?;
        Self::open(&path, settings, 0)
    }

    /// Loads a generation of a model's weights, whatever model the settings name.
    ///
    /// # Errors
    /// As [`Writer::load`].
    pub fn open(path: &Path, settings: &model::Settings, generation: u32) -> Result<Self, Error> {
        let failed = |e: lm::Error| Error::Model(e.to_string());
        settings.check()?;
        let device = settings.device()?;
        let checkpoint = Checkpoint::open(path).map_err(failed)?;
        let limits = Limits {
            batch: settings.batch,
            memory: settings.cache_mb << 20,
        };
        let began = Instant::now();
        let precision = settings.precision;
        let mut made_with = settings.made_with()?;
        made_with.insert("model".to_owned(), checkpoint.sha256());
        let task = checkpoint
            .card()
            .and_then(|card| Some(card.get("task")?.as_str()?.to_owned()));
        let writer = lm::Writer::load(checkpoint, device, precision, limits, settings.threads)
            .map_err(refused)?;
        log::info!(
            "{}: {:.0} MB of weights on {device} in {:.1} s",
            path.display(),
            writer.bytes() as f64 / 1e6,
            began.elapsed().as_secs_f64()
        );
        Ok(Self {
            tokenizer: writer.tokenizer().clone(),
            context: writer.context(),
            writer: Mutex::new(writer),
            generation,
            made_with,
            task,
        })
    }

    /// What the model was trained for, where its card says so.
    pub(crate) fn task(&self) -> Option<&str> {
        self.task.as_deref()
    }

    /// The model's sum, the device and the precision.
    pub(crate) fn made_with(&self) -> MadeWith {
        self.made_with.clone()
    }

    /// A text's tokens, if the model can read them and write `more`.
    ///
    /// # Errors
    /// It is too long; a reason with the code `prompt-too-long`.
    pub(crate) fn read(&self, text: &str, more: usize) -> Result<Beginning, Reason> {
        let start = self.tokenizer.start();
        let tokens = beginning(&self.tokenizer, text);
        if tokens.is_empty() || tokens.len() + more > self.context {
            return Err(Reason::new(
                &PROMPT_TOO_LONG,
                format!(
                    "{} tokens and {more} to write; the model takes {}",
                    tokens.len(),
                    self.context
                ),
            ));
        }
        let mut ends = vec![0; start.len()];
        let mut end = 0;
        for token in &tokens[start.len()..] {
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
    pub(crate) fn place_within(&self, line: &str, rng: &mut ChaCha8Rng) -> usize {
        let body = line.trim_start();
        let mut end = line.len() - body.len();
        let mut places = Vec::new();
        for token in self.tokenizer.encode_within(body.trim_end()) {
            places.push(end);
            end += self.tokenizer.bytes(token).len();
        }
        places.push(end);
        // Some tokens are parts of a character.
        places.retain(|at| line.is_char_boundary(*at));
        let word = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        let bytes = line.as_bytes();
        places.retain(|at| {
            *at == 0 || !(word(bytes[at - 1]) && bytes.get(*at).is_some_and(|b| word(*b)))
        });
        places[rng.random_range(0..places.len())]
    }

    /// Writes a call's children and hands each over as soon as it is there. A child that comes to nothing is drawn
    /// again, up to `draws.tries` times in all.
    ///
    /// # Errors
    /// The model computes what is no distribution, or has no row for a token of a prompt; the error names its file.
    pub(crate) fn write<W: Writing>(
        &self,
        mut children: Vec<Child>,
        job: &W,
        draws: &Draws,
        tray: &mut dyn Tray,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        let mut open: Vec<Open> = children.iter().map(|_| Open::default()).collect();
        // Counted once a call, whether or not an earlier one had it read: a resumed run counts the same.
        let mut seen = HashSet::new();
        let mut paid = HashSet::new();
        let (mut tasks, mut owners) = (Vec::new(), Vec::new());
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut since = Instant::now();
        let mut hand = |child: &Child, open: &Open, program, since: &mut Instant| {
            let seconds = since.elapsed().as_secs_f64();
            *since = Instant::now();
            let proposal = Proposal {
                program,
                crossed: job.crossed(child.request),
                told: open.told.clone(),
                weights: Some(self.generation),
                cost: Cost {
                    seconds,
                    ..open.cost
                },
            };
            tray.hand(child.request, child.number, proposal);
        };
        for (index, child) in children.iter_mut().enumerate() {
            // Of one that is not wanted only what it would have paid for matters.
            if !child.wanted && paid.contains(&child.request) {
                continue;
            }
            match job.task(child.request, child.stream()) {
                Ok((task, told)) => {
                    paid.insert(child.request);
                    if seen.insert(task.beginning.clone()) {
                        open[index].cost.prompt_tokens = task.beginning.len() as u32;
                    }
                    open[index].told = told;
                    if child.wanted {
                        owners.push(index);
                        tasks.push(task);
                    }
                }
                Err(reason) if child.wanted => {
                    hand(child, &open[index], Err(reason), &mut since);
                }
                Err(_) => {}
            }
        }
        let mut done = |task: usize, written: Written<W::Guide>| {
            let index = owners[task];
            let (child, open) = (&mut children[index], &mut open[index]);
            open.tries += 1;
            open.cost.tokens += (written.drawn + written.forced) as u32;
            if written.end == End::Stopped {
                return None;
            }
            let mut program = job.finish(child.request, written);
            if program.is_err() && open.tries < draws.tries.max(1) {
                match job.task(child.request, child.stream()) {
                    Ok((task, told)) => {
                        open.told = told;
                        return Some(task);
                    }
                    Err(reason) => program = Err(reason),
                }
            }
            hand(child, open, program, &mut since);
            None
        };
        let stopped = || stop.load(Relaxed);
        writer
            .write_each(tasks, draws.sampling(), &stopped, &mut done)
            .map_err(|e| Error::Model(e.to_string()))
    }
}

/// What one operator has a model write for the children of one call.
pub(crate) trait Writing: Sync {
    /// What holds the model to what may be written.
    type Guide: Guide;

    /// The text to write for a child of a request, and what the model is told for it.
    ///
    /// # Errors
    /// Why nothing can be written.
    fn task(
        &self,
        request: usize,
        rng: ChaCha8Rng,
    ) -> Result<(Task<Self::Guide>, Option<String>), Reason>;

    /// The program that a text makes.
    ///
    /// # Errors
    /// Why it makes none.
    fn finish(&self, request: usize, written: Written<Self::Guide>) -> Result<String, Reason>;

    /// Whether the children of a request are shown a second program.
    fn crossed(&self, request: usize) -> bool;
}

/// How the children of a call are drawn: what the settings of both operators have in common.
pub(crate) struct Draws {
    pub temperature: f64,
    pub min_p: f64,
    pub max_tokens: usize,
    /// How often a child is drawn at most.
    pub tries: usize,
}

impl Draws {
    /// Checks them, as settings of a section.
    ///
    /// # Errors
    /// Names the first setting out of its range.
    pub fn check(&self, section: &str) -> Result<(), Error> {
        let bounds = [
            ("temperature", self.temperature, 0.0, 10.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("max_tokens", self.max_tokens as f64, 1.0, 1e6),
            ("tries", self.tries as f64, 1.0, 100.0),
        ];
        bounds
            .into_iter()
            .try_for_each(|(field, value, low, high)| {
                range(&format!("{section}.{field}"), value, low, high)
            })
    }

    fn sampling(&self) -> Sampling {
        Sampling {
            temperature: self.temperature as f32,
            min_p: self.min_p as f32,
        }
    }
}

/// A child to write.
pub(crate) struct Child {
    /// Whose child it is, and which.
    request: usize,
    number: usize,
    wanted: bool,
    rng: ChaCha8Rng,
}

impl Child {
    /// The random stream of the next try.
    fn stream(&mut self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.rng.random())
    }
}

/// A child on its way.
#[derive(Default)]
struct Open {
    tries: usize,
    told: Option<String>,
    cost: Cost,
}

/// The tokens of a text that is read before writing, with those that the model is used to see before one.
pub(crate) fn beginning(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    [tokenizer.start(), &tokenizer.encode_within(text)].concat()
}

/// A text read before writing, with its tokens.
pub(crate) struct Beginning {
    text: String,
    tokens: Arc<[u32]>,
    /// Where each token ends in the text.
    ends: Vec<usize>,
}

impl Beginning {
    /// A task that goes on after the first `place` bytes of the text, with `lead` before what is guided.
    ///
    /// A token that reaches over the place is not seen, nor one that ends within a character; what stands there up to the
    /// place is put before the lead.
    pub fn task<G>(
        &self,
        place: usize,
        lead: &str,
        guide: G,
        most: usize,
        rng: ChaCha8Rng,
    ) -> Task<G> {
        let mut seen = self.ends.partition_point(|end| *end <= place).max(1);
        // A token that ends within a character goes with the rest of it.
        while seen > 1 && !self.text.is_char_boundary(self.ends[seen - 1]) {
            seen -= 1;
        }
        let lead = [
            &self.text.as_bytes()[self.ends[seen - 1].min(place)..place],
            lead.as_bytes(),
        ]
        .concat();
        Task {
            prefix: Arc::default(),
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

/// What a changed program must be: `host` is Python that nothing runs, whose names may be used as the program's own.
pub(crate) fn rules(program: &str, host: &str, known_names: bool, comments: bool) -> Rules {
    let start = match known_names {
        true => Prefix::with_names(Arc::new(Names::of(program, host))),
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

/// The children of a call.
pub(crate) fn children(requests: &mut [Request<'_>]) -> Vec<Child> {
    let mut children = Vec::new();
    for (index, request) in requests.iter_mut().enumerate() {
        for (number, rng) in request.streams().into_iter().enumerate() {
            children.push(Child {
                request: index,
                number,
                wanted: request.wanted[number],
                rng,
            });
        }
    }
    children
}

/// Why a text came to no change, with the text.
pub(crate) fn failure<G>(written: &Written<G>) -> Reason {
    let (code, why) = match written.end {
        End::Length => (&UNFINISHED, "not complete after the tokens allowed"),
        End::Stuck => (&STUCK, "no token could follow"),
        End::Stopped => (&STOPPED, "the run was interrupted"),
        End::Done => (&UNCHANGED, "the model changed nothing"),
    };
    let text = String::from_utf8_lossy(&written.text);
    Reason::new(code, format!("{why}: {}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_begins_with_a_whole_character() {
        // The second token ends within the second character.
        let beginning = Beginning {
            text: "a\u{e9} b".to_owned(),
            tokens: vec![1, 2, 3].into(),
            ends: vec![1, 2, 5],
        };
        for (place, seen, lead) in [(3, 1, "\u{e9}"), (4, 1, "\u{e9} "), (5, 3, ""), (1, 1, "")] {
            let task = beginning.task(place, "!", (), 1, ChaCha8Rng::seed_from_u64(0));
            assert_eq!(
                (task.seen, task.lead),
                (seen, format!("{lead}!").into_bytes())
            );
        }
    }
}
