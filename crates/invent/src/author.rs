//! A model that writes programs: from nothing, or on from a beginning; held to Python, or free.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use edit::guide::{FileGuide, Rules};
use edit::hash;
use evolve::search::collect::Source;
use lm::{Checkpoint, End, Limits, Sampling, Task, Written};
use mutate::reason::{STOPPED, STUCK, UNFINISHED};
use mutate::{Cost, Proposal, Reason, model, syntax};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::domain::Frame;

/// The name under which its programs stand in a run.
pub const NAME: &str = "sample";

/// Bytes of a line that a guided model writes, at most.
const MAX_LINE: usize = 200;

/// How programs are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The model's distribution is sharpened below 1 and flattened above; 0 takes the likeliest token.
    pub temperature: f64,
    /// Tokens less likely than this share of the likeliest are not drawn.
    pub min_p: f64,
    /// Tokens of a program at most, its beginning not counted; 0: as many as the model reads.
    pub max_tokens: usize,
    /// Whether the text is held to Python's grammar.
    pub constrained: bool,
    /// The seed of every draw.
    pub seed: u64,
}

/// A model that writes programs.
pub struct Author {
    writer: lm::Writer,
    settings: Settings,
    frame: Frame,
    /// How programs begin, where nothing else is said.
    beginning: Beginning,
}

/// How a program begins.
#[derive(Clone)]
pub struct Beginning {
    /// What is read before writing.
    tokens: Arc<[u32]>,
    /// What may be written.
    guide: FileGuide,
    /// Tokens of a program after it, at most.
    most: usize,
}

impl Author {
    /// Loads a model that is to write programs which begin with `text`.
    ///
    /// # Errors
    /// A model that cannot be loaded or has no end of text; a beginning that is longer than it reads, or, held to Python, the start of no valid program.
    pub fn open(
        checkpoint: Checkpoint,
        model: &model::Settings,
        settings: Settings,
        text: &str,
    ) -> Result<Self, Error> {
        let run = |e: mutate::Error| Error::Run(e.into());
        model.check().map_err(run)?;
        let device = model.device().map_err(run)?;
        let frame = Frame::of(&checkpoint.tokenizer, &checkpoint.config)?;
        let limits = Limits {
            batch: model.batch,
            memory: model.cache_mb << 20,
        };
        let writer = lm::Writer::load(checkpoint, device, model.precision, limits, model.threads)?;
        Ok(Self {
            beginning: beginning(&writer, &frame, &settings, text)?,
            writer,
            settings,
            frame,
        })
    }

    /// A text with which programs are to begin.
    ///
    /// # Errors
    /// It is longer than the model reads, or, held to Python, the start of no valid program.
    pub fn beginning(&self, text: &str) -> Result<Beginning, Error> {
        beginning(&self.writer, &self.frame, &self.settings, text)
    }

    /// The model's configuration.
    pub fn config(&self) -> &lm::Config {
        self.writer.config()
    }

    /// Takes other weights of the same model.
    ///
    /// # Errors
    /// As [`lm::Writer::swap_weights`].
    pub fn swap<W: lm::Weight + Sync>(&mut self, weights: &lm::Llama<W>) -> Result<(), Error> {
        Ok(self.writer.swap_weights(weights)?)
    }

    /// Writes a program for each stream, in order; each is a function of its stream, and of the vectors that stand in front of it, alone. `None` for what
    /// a stop left unwritten.
    ///
    /// # Errors
    /// The model computes what is no distribution; vectors that are none of the model's.
    pub fn write(
        &mut self,
        tasks: impl IntoIterator<Item = (Arc<[f32]>, ChaCha8Rng)>,
        stop: &AtomicBool,
    ) -> Result<Vec<Option<Piece>>, lm::Error> {
        let beginning = self.beginning.clone();
        let tasks = tasks.into_iter();
        let tasks = tasks.map(|(prefix, rng)| (beginning.clone(), prefix, rng));
        self.write_on(tasks, stop)
    }

    /// As [`write`](Self::write), each program on from its own beginning.
    ///
    /// # Errors
    /// As there.
    pub fn write_on(
        &mut self,
        tasks: impl IntoIterator<Item = (Beginning, Arc<[f32]>, ChaCha8Rng)>,
        stop: &AtomicBool,
    ) -> Result<Vec<Option<Piece>>, lm::Error> {
        let tasks = tasks.into_iter().map(|(beginning, prefix, rng)| Task {
            prefix,
            seen: beginning.tokens.len(),
            beginning: beginning.tokens,
            lead: Vec::new(),
            guide: beginning.guide,
            most: beginning.most,
            rng,
        });
        let tasks: Vec<Task<FileGuide>> = tasks.collect();
        let mut pieces: Vec<Option<Piece>> = vec![None; tasks.len()];
        let sampling = Sampling {
            temperature: self.settings.temperature as f32,
            min_p: self.settings.min_p as f32,
        };
        let mut since = Instant::now();
        let (free, end) = (!self.settings.constrained, self.frame.end);
        let mut done = |task: usize, written: Written<FileGuide>| {
            let cost = Cost {
                prompt_tokens: 0,
                tokens: (written.drawn + written.forced) as u32,
                seconds: since.elapsed().as_secs_f64(),
                dollars: 0.0,
            };
            since = Instant::now();
            if written.end != End::Stopped {
                let mut tokens = written.tokens.clone();
                tokens.extend((written.end == End::Done).then_some(end));
                pieces[task] = Some(Piece {
                    program: program(&written, free),
                    tokens,
                    is_done: written.end == End::Done,
                    cost,
                });
            }
            None
        };
        let stopped = || stop.load(Relaxed);
        self.writer
            .write_each(tasks, sampling, &stopped, &mut done)?;
        Ok(pieces)
    }

    /// What was written as proposals for a run, the first of them with this number.
    pub(crate) fn proposals(&self, first: u64, written: Vec<Option<Piece>>) -> Vec<Proposal> {
        // All programs share a beginning, which the first pays for, whenever it was read.
        let paid = |id| {
            if id == 1 {
                self.beginning.tokens.len() as u32
            } else {
                0
            }
        };
        let written = (first..).zip(written.into_iter().flatten());
        let proposal = |(id, piece): (u64, Piece)| Proposal {
            cost: Cost {
                prompt_tokens: paid(id),
                ..piece.cost
            },
            weights: Some(0),
            ..piece.program.into()
        };
        written.map(proposal).collect()
    }

    /// The tokens that stand before every program.
    pub fn start(&self) -> &[u32] {
        &self.beginning.tokens
    }
}

fn beginning(
    writer: &lm::Writer,
    frame: &Frame,
    settings: &Settings,
    text: &str,
) -> Result<Beginning, Error> {
    let wrong = |why: &str, mend| {
        Error::Run(mutate::Error::setting("the beginning", why.to_owned(), mend).into())
    };
    // The last tokens would perhaps be others if the text went on: they are written anew.
    let tokenizer = writer.tokenizer();
    let mut tokens = tokenizer.encode_within(text);
    let mut seen = text.len();
    let mut words = 0;
    while let Some(last) = tokens.last() {
        let bytes = tokenizer.bytes(*last);
        let at_word = bytes.iter().any(|b| !b.is_ascii_whitespace());
        if words == 1 && text.is_char_boundary(seen) {
            break;
        }
        words += usize::from(at_word && words == 0);
        seen = seen.saturating_sub(bytes.len());
        tokens.pop();
    }
    // What a tokenizer does not give back byte for byte is written anew whole.
    if tokenizer.decode(&tokens) != text[..seen] {
        (tokens, seen) = (Vec::new(), 0);
    }
    let beginning = [&frame.start[..], &tokens].concat();
    let room = writer
        .context()
        .saturating_sub(beginning.len() + (text.len() - seen));
    if room < 2 {
        let why = format!(
            "the model reads {} tokens, and the beginning alone takes as many",
            writer.context()
        );
        return Err(wrong(&why, "give a shorter one, or another model"));
    }
    let most = match settings.max_tokens {
        0 => room,
        most => most.min(room),
    };
    let (rules, max_line) = match settings.constrained {
        true => (python(), MAX_LINE),
        false => (Rules::any(), usize::MAX),
    };
    let Some(guide) = FileGuide::new(text, seen, rules, max_line) else {
        let why = "no Python program begins so";
        let mend = "mend it, or let the model write freely";
        return Err(wrong(why, mend));
    };
    Ok(Beginning {
        tokens: beginning.into(),
        guide,
        most,
    })
}

/// A random stream for each number from `first` on, a function of the seed and the number.
pub(crate) fn streams(seed: u64, first: u64, count: usize) -> impl Iterator<Item = ChaCha8Rng> {
    let numbers = first..first + count as u64;
    numbers.map(move |number| ChaCha8Rng::seed_from_u64(hash::both(seed, number)))
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// The program, or why there is none.
    pub program: Result<String, Reason>,
    /// The tokens after the beginning, with the one that ended it where one did.
    pub tokens: Vec<u32>,
    /// Whether the model ended it.
    pub is_done: bool,
    /// What it took.
    pub cost: Cost,
}

/// A whole program that parses. (Names are not held to those that are known: a model that read whole programs knows them, and what a list offers no text
/// before it tells.)
fn python() -> Rules {
    Rules::default().with(Arc::new(|file| syntax::with(file, |_| ()).is_ok()))
}

/// The program that was written, or why there is none.
fn program(written: &Written<FileGuide>, free: bool) -> Result<String, Reason> {
    let text = written.guide.text();
    let why = match written.end {
        End::Done => return Ok(text.into_owned()),
        // A program without its end may run all the same, where nobody asked for an end.
        End::Length if free => return Ok(text.into_owned()),
        End::Length => (&UNFINISHED, "not complete after the tokens allowed"),
        End::Stuck => (&STUCK, "no token could follow"),
        End::Stopped => (&STOPPED, "the run was interrupted"),
    };
    Err(Reason::new(
        why.0,
        format!("{}: {}", why.1, text.trim_end()),
    ))
}

/// Samples for a run: each program from a stream of its own number.
impl Source for Author {
    fn name(&self) -> &'static str {
        NAME
    }

    fn programs(
        &mut self,
        first: u64,
        count: usize,
        stop: &AtomicBool,
    ) -> Result<Vec<Proposal>, mutate::Error> {
        let tasks = streams(self.settings.seed, first, count).map(|rng| (Arc::default(), rng));
        let written = self
            .write(tasks, stop)
            .map_err(|e| mutate::Error::Model(e.to_string()))?;
        Ok(self.proposals(first, written))
    }
}
