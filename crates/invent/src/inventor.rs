//! The inventor: a model that writes programs for the context that it is shown (Lehman et al. 2022, section 3.3).
//!
//! It begins as a model of the domain. A network makes vectors of the context, which stand in front of the program. Texts of its own, written before any vectors stood
//! there, teach it to write on behind them as before; or pairs of contexts and good programs do ([`Settings::pairs`]; appendix I suggests them).
//! Then comes reinforcement learning ([`crate::ppo`]).

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use edit::hash;
use evolve::domain::{Case, Domain};
use evolve::search::collect::Source;
use lm::error::Fault;
use lm::snapshot::{Snapshot, read_tensors, write_tensors};
use lm::train::{Adam, Options, Scores, Trainer, cpu};
use lm::{Checkpoint, Tensor, Weight};
use mutate::{Proposal, model};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Error;
use crate::author::{self, Author, Piece, streams};
use crate::dataset::Entry;
use crate::domain::Frame;
use crate::judge::{Judge, fitness};
use crate::ppo::{self, Episode, Learner, Place, Report};
use crate::ten::{Context, Kind, Ten};

/// What the card of an inventor has as its `task`.
pub const TASK: &str = "inventor";
/// The name under which its programs stand in a run.
pub const NAME: &str = "invent";
/// The file of the network, beside the model's.
pub const TEN: &str = "ten.safetensors";

/// How an inventor is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How contexts become vectors.
    pub ten: Kind,
    /// Vectors in front of a program.
    pub vectors: usize,
    /// Programs of an iteration.
    pub samples: usize,
    /// Iterations of reinforcement learning.
    pub iterations: u32,
    /// Of them, those at the beginning in which the value model alone learns.
    pub warm_up: u32,
    /// Tokens of a program at most; 0: as many as the model reads.
    pub max_tokens: usize,
    /// Fitness that is worth a reward of 1.
    pub unit: f64,
    /// What a program earns that has no fitness, or no end.
    pub failure: f32,
    /// Pairs of context and good program that are learned before, of each context at most; 0 for texts of its own in their place.
    pub pairs: usize,
    /// How often these, or those, are read.
    pub pair_epochs: u32,
    /// The algorithm's numbers.
    pub ppo: ppo::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ten: Kind::Codes,
            vectors: 4,
            samples: 1024,
            iterations: 100,
            warm_up: 2,
            max_tokens: 0,
            unit: 100.0,
            failure: -0.5,
            pairs: 0,
            pair_epochs: 3,
            ppo: ppo::Settings::default(),
        }
    }
}

/// What an iteration came to, by context and in all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// Counted from 1.
    pub iteration: u32,
    /// How many there are.
    pub iterations: u32,
    /// The algorithm's report.
    pub report: Report,
    /// Of each context.
    pub contexts: Vec<Earned>,
    /// Share of the programs that are different.
    pub unique: f64,
    /// Mean tokens of a program.
    pub tokens: f64,
    /// Seconds of writing, trying and learning.
    pub seconds: [f64; 3],
    /// Seconds since the first iteration, of all stretches.
    pub spent: f64,
}

/// What the programs for a context earned.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Earned {
    /// The context's name.
    pub name: String,
    /// Programs.
    pub programs: u64,
    /// Those with a fitness.
    pub scored: u64,
    /// Mean fitness of all, 0 where there is none.
    pub mean: f64,
    /// The best.
    pub best: f64,
}

/// A training of an inventor.
pub struct School<'a> {
    /// How.
    pub settings: Settings,
    /// What it is asked for.
    pub contexts: Vec<Context>,
    /// The model of the domain that it begins as.
    pub base: &'a Checkpoint,
    /// How the model is run while it writes.
    pub model: model::Settings,
    /// What programs are worth.
    pub domain: &'a dyn Domain,
    /// Threads that try programs; 0: one per core.
    pub threads: usize,
}

/// What came of it.
pub struct Trained {
    /// The weights.
    pub weights: lm::Llama<Tensor>,
    /// The network.
    pub ten: Ten,
    /// Whether it came to its end, and was not stopped.
    pub is_done: bool,
    /// Iterations made.
    pub iterations: u32,
}

/// All that changes while it learns.
struct State {
    policy: cpu::Trainer,
    value: cpu::Trainer,
    tens: [Ten; 2],
    iteration: u32,
    /// Whether it has learned what goes before.
    prepared: bool,
    spent: f64,
}

impl School<'_> {
    /// Trains; `pairs` are programs with their contexts' names, best first where it matters. A training whose state is in `keep` goes on there, and comes to
    /// the same bits as one that was never stopped.
    ///
    /// # Errors
    /// Settings that cannot be, a state of another training, whatever models and evaluators say.
    pub fn train(
        &self,
        pairs: &[Entry],
        keep: Option<&Path>,
        stop: &AtomicBool,
        observe: &mut dyn FnMut(&Progress),
    ) -> Result<Trained, Error> {
        let mut state = self.begin()?;
        let mut reference = self.trainer(Options::still())?;
        let identity = self.identity(&reference, pairs);
        if let Some(folder) = keep {
            state.restore(folder, &identity)?;
        }
        let mut author = self.author()?;
        let mut judge = Judge::new(self.domain, self.threads)?;
        if !state.prepared {
            let texts = match self.settings.pairs {
                0 => self.own_texts(&mut author, stop)?,
                _ => Some(self.pairs(pairs, &author)?),
            };
            let prepared = match texts {
                Some(texts) => self.prepare(&mut state, &texts, stop)?,
                None => false,
            };
            if !prepared {
                return self.done(state, false);
            }
            state.prepared = true;
            self.keep(&state, keep, &identity)?;
        }
        while state.iteration < self.settings.iterations {
            let Some(progress) =
                self.iterate(&mut state, &mut reference, &mut author, &mut judge, stop)?
            else {
                return self.done(state, false);
            };
            // First what is told, so that a kill between costs no line: the iteration is made again then.
            observe(&progress);
            self.keep(&state, keep, &identity)?;
        }
        self.done(state, true)
    }

    fn done(&self, state: State, is_done: bool) -> Result<Trained, Error> {
        let [ten, _] = state.tens;
        Ok(Trained {
            weights: state.policy.weights()?,
            ten,
            is_done,
            iterations: state.iteration,
        })
    }

    /// Bytes of memory that the training needs at most: policy, value model and reference, beside the model that writes.
    pub fn bytes(&self) -> u64 {
        let config = &self.base.config;
        let tokens = config.max_position_embeddings;
        let all = [options(false), options(true), Options::still()];
        let bytes = all
            .iter()
            .map(|options| cpu::Trainer::bytes(config, options, tokens));
        bytes.sum::<u64>() + 4 * config.parameters()
    }

    /// Bytes of disk: the state, twice while it is replaced, and what is written at the end.
    pub fn disk(&self) -> u64 {
        4 * self.base.config.parameters() * (2 * 6 + 2)
    }

    fn trainer(&self, options: Options) -> Result<cpu::Trainer, Error> {
        let weights = self.base.weights()?;
        Ok(cpu::Trainer::new(&self.base.config, &weights, options)?)
    }

    fn begin(&self) -> Result<State, Error> {
        let like = first_embedding(self.base)?;
        let Settings { ten, vectors, .. } = self.settings;
        let seed = self.settings.ppo.seed;
        let network =
            |which| Ten::new(ten, &self.contexts, vectors, &like, hash::both(seed, which));
        Ok(State {
            policy: self.trainer(options(false))?,
            value: self.trainer(options(true))?,
            tens: [network(1), network(2)],
            iteration: 0,
            prepared: false,
            spent: 0.0,
        })
    }

    /// What the training is a function of.
    fn identity(&self, trainer: &cpu::Trainer, pairs: &[Entry]) -> String {
        let settings = serde_json::to_string(&self.settings).expect("plain data");
        let contexts = self.contexts.iter().flat_map(|c| [&*c.name, &*c.condition]);
        let pairs = pairs
            .iter()
            .flat_map(|pair| [&*pair.terrain, &*pair.program]);
        format!(
            "{settings} contexts {:016x} pairs {:016x} base {} {} samara {}",
            hash::of(contexts),
            hash::of(pairs),
            self.base.sha256(),
            trainer.arithmetic(),
            env!("CARGO_PKG_VERSION")
        )
    }

    /// Writes free and at temperature 1, so that what was drawn is the model's own distribution.
    fn author(&self) -> Result<Author, Error> {
        let settings = author::Settings {
            temperature: 1.0,
            min_p: 0.0,
            max_tokens: self.settings.max_tokens,
            constrained: false,
            seed: 0,
        };
        let again = Checkpoint::open(self.base.path())?;
        Author::open(again, &self.model, settings, "")
    }

    /// Texts that the model writes when nothing stands in front, for the contexts in turns; nothing once it is stopped.
    fn own_texts(
        &self,
        author: &mut Author,
        stop: &AtomicBool,
    ) -> Result<Option<Vec<Episode>>, Error> {
        let seed = hash::both(self.settings.ppo.seed, OWN);
        let tasks = streams(seed, 0, self.settings.samples).map(|rng| (Arc::default(), rng));
        let written = author.write(tasks, stop)?;
        let Some(written) = written.into_iter().collect::<Option<Vec<Piece>>>() else {
            return Ok(None);
        };
        let texts = written.into_iter().enumerate();
        let texts = texts.filter(|(_, piece)| !piece.tokens.is_empty());
        let room = self.room() - author.start().len();
        Ok(Some(
            texts
                .map(|(at, mut piece)| {
                    piece.tokens.truncate(room);
                    Episode {
                        context: at % self.contexts.len(),
                        start: author.start().to_vec(),
                        tokens: piece.tokens,
                        reward: 0.0,
                    }
                })
                .collect(),
        ))
    }

    /// Positions that a text may have behind the vectors.
    fn room(&self) -> usize {
        self.base.config.max_position_embeddings - self.settings.vectors
    }

    /// The best programs of each context.
    fn pairs(&self, pairs: &[Entry], author: &Author) -> Result<Vec<Episode>, Error> {
        let frame = Frame::of(&self.base.tokenizer, &self.base.config)?;
        let mut episodes: Vec<Episode> = Vec::new();
        for (at, context) in self.contexts.iter().enumerate() {
            let mut own: Vec<&Entry> = pairs
                .iter()
                .filter(|pair| pair.terrain == context.name && !pair.held_out)
                .collect();
            own.sort_by(|a, b| {
                b.fitness
                    .total_cmp(&a.fitness)
                    .then(a.program.cmp(&b.program))
            });
            let texts = own
                .iter()
                .map(|pair| frame.text(&self.base.tokenizer, &pair.program));
            let texts = texts.filter(|text| text.tokens.len() <= self.room());
            let before = episodes.len();
            episodes.extend(texts.take(self.settings.pairs).map(|text| Episode {
                context: at,
                start: author.start().to_vec(),
                tokens: text.tokens[author.start().len()..].to_vec(),
                reward: 0.0,
            }));
            if episodes.len() == before {
                let problem = "has no program that fits";
                let mend = "give a dataset with runs on it, or leave out the pairs";
                let file = Path::new("the dataset of pairs");
                return Err(
                    lm::Error::Training(Fault::new(file, &context.name, problem, mend)).into(),
                );
            }
        }
        Ok(episodes)
    }

    /// Learns texts with their contexts in front; `false` once it is stopped: they are learned from the beginning then.
    fn prepare(
        &self,
        state: &mut State,
        texts: &[Episode],
        stop: &AtomicBool,
    ) -> Result<bool, Error> {
        let settings = &self.settings;
        let updates = settings.pair_epochs as usize * texts.len().div_ceil(AT_ONCE);
        let mut done = 0;
        for epoch in 0..settings.pair_epochs {
            for part in ppo::order(texts.len(), hash::both(settings.ppo.seed, OWN), 0, epoch)
                .chunks(AT_ONCE)
            {
                if stop.load(Relaxed) {
                    return Ok(false);
                }
                let some: Vec<&Episode> = part.iter().map(|at| &texts[*at]).collect();
                let count: usize = some.iter().map(|episode| episode.tokens.len()).sum();
                let weight = 1.0 / (count as f32).max(1.0);
                let left = 1.0 - done as f32 / updates.max(1) as f32;
                let rates = [RATE * left, settings.ppo.ten_rate * left];
                let mut policy = Learner {
                    model: &mut state.policy,
                    ten: &mut state.tens[0],
                };
                policy.climb(&some, &self.contexts, rates, &mut |_, scores| Scores {
                    log_probs: vec![weight; scores.log_probs.len()],
                    values: Vec::new(),
                })?;
                done += 1;
            }
        }
        Ok(true)
    }

    /// Writes programs, tries them, learns; nothing once it is stopped, and then nothing has changed.
    fn iterate(
        &self,
        state: &mut State,
        reference: &mut cpu::Trainer,
        author: &mut Author,
        judge: &mut Judge,
        stop: &AtomicBool,
    ) -> Result<Option<Progress>, Error> {
        let settings = &self.settings;
        let began = Instant::now();
        author.swap(&state.policy.weights()?)?;
        let prefixes = self.contexts.iter().map(|context| {
            let (vectors, _) = state.tens[0].forward(context)?;
            Ok::<Arc<[f32]>, lm::Error>(vectors.into())
        });
        let prefixes = prefixes.collect::<Result<Vec<_>, _>>()?;
        // Contexts in turns, so that each has its share.
        let asked: Vec<usize> = (0..settings.samples)
            .map(|at| at % prefixes.len())
            .collect();
        let seed = hash::both(settings.ppo.seed, u64::from(state.iteration));
        let tasks = asked.iter().zip(streams(seed, 0, asked.len()));
        let tasks = tasks.map(|(context, rng)| (prefixes[*context].clone(), rng));
        let written = author.write(tasks, stop)?;
        let Some(written) = written.into_iter().collect::<Option<Vec<Piece>>>() else {
            return Ok(None);
        };
        let writing = began.elapsed();
        let Some(fitness) = self.fitness(&asked, &written, judge, stop)? else {
            return Ok(None);
        };
        let trying = began.elapsed() - writing;
        let episodes: Vec<Episode> = asked
            .iter()
            .zip(&written)
            .zip(&fitness)
            .filter(|((_, piece), _)| !piece.tokens.is_empty())
            .map(|((context, piece), fitness)| Episode {
                context: *context,
                start: author.start().to_vec(),
                tokens: piece.tokens.clone(),
                // A text without its end is a failure whatever it does: else it never learns to end.
                reward: match fitness.filter(|_| piece.is_done) {
                    Some(fitness) => (fitness / settings.unit) as f32,
                    None => settings.failure,
                },
            })
            .collect();
        let place = Place {
            iteration: state.iteration,
            iterations: settings.iterations,
            warm_up: state.iteration < settings.warm_up,
        };
        let [policy_ten, value_ten] = &mut state.tens;
        let mut policy = Learner {
            model: &mut state.policy,
            ten: policy_ten,
        };
        let mut value = Learner {
            model: &mut state.value,
            ten: value_ten,
        };
        let report = ppo::iterate(
            &settings.ppo,
            &mut policy,
            &mut value,
            reference,
            &self.contexts,
            &episodes,
            place,
        )?;
        state.iteration += 1;
        let all = began.elapsed();
        state.spent += all.as_secs_f64();
        let programs: HashSet<&str> = written
            .iter()
            .filter_map(|piece| piece.program.as_deref().ok())
            .collect();
        let tokens: usize = written.iter().map(|piece| piece.tokens.len()).sum();
        Ok(Some(Progress {
            iteration: state.iteration,
            iterations: settings.iterations,
            report,
            contexts: self.earned(&asked, &fitness),
            unique: programs.len() as f64 / settings.samples as f64,
            tokens: tokens as f64 / settings.samples as f64,
            seconds: [writing, trying, all - writing - trying].map(|t| t.as_secs_f64()),
            spent: state.spent,
        }))
    }

    /// The fitness of each program on the context that it was written for; nothing once it is stopped.
    fn fitness(
        &self,
        asked: &[usize],
        written: &[Piece],
        judge: &mut Judge,
        stop: &AtomicBool,
    ) -> Result<Option<Vec<Option<f64>>>, Error> {
        let cases: Vec<Case<'_>> = asked
            .iter()
            .zip(written)
            .map(|(context, piece)| Case {
                // What could not even be written is no program either.
                program: piece.program.as_deref().unwrap_or(""),
                condition: &self.contexts[*context].condition,
            })
            .collect();
        let tried = judge.judge(&cases, stop)?;
        let tried = tried.into_iter().collect::<Option<Vec<_>>>();
        Ok(tried.map(|all| all.iter().map(fitness).collect()))
    }

    fn earned(&self, asked: &[usize], fitness: &[Option<f64>]) -> Vec<Earned> {
        let mut all: Vec<Earned> = self
            .contexts
            .iter()
            .map(|context| Earned {
                name: context.name.clone(),
                ..Earned::default()
            })
            .collect();
        for (context, fitness) in asked.iter().zip(fitness) {
            let earned = &mut all[*context];
            earned.programs += 1;
            earned.scored += u64::from(fitness.is_some());
            earned.mean += fitness.unwrap_or_default();
            earned.best = earned.best.max(fitness.unwrap_or_default());
        }
        for earned in &mut all {
            earned.mean /= (earned.programs as f64).max(1.0);
        }
        all
    }

    fn keep(&self, state: &State, keep: Option<&Path>, identity: &str) -> Result<(), Error> {
        let Some(folder) = keep else {
            return Ok(());
        };
        let snapshot = Snapshot {
            about: json!({
                "identity": identity, "iteration": state.iteration, "prepared": state.prepared, "spent": state.spent,
            }),
            files: vec![
                ("policy".to_owned(), state.policy.state()),
                ("value".to_owned(), state.value.state()),
                ("policy-ten".to_owned(), state.tens[0].state()),
                ("value-ten".to_owned(), state.tens[1].state()),
            ],
        };
        Ok(snapshot.write(folder)?)
    }
}

/// How policy and value model learn.
fn options(values: bool) -> Options {
    Options {
        values,
        bf16: true,
        // An update's gradient is noisy, and an early one small (Huang et al. 2022, detail 3).
        adam: Adam {
            epsilon: 1e-5,
            beta2: 0.999,
            ..Adam::default()
        },
        ..Options::default()
    }
}

/// Texts of an update before reinforcement learning, and the highest rate.
const AT_ONCE: usize = 8;
const RATE: f32 = 5e-4;
/// Keeps the draws of what goes before apart from those of iterations.
const OWN: u64 = 0x6f77_6e00;

impl State {
    /// Takes up what a folder holds, if it holds anything.
    fn restore(&mut self, folder: &Path, identity: &str) -> Result<(), Error> {
        let Some(mut kept) = Snapshot::read(folder)? else {
            return Ok(());
        };
        if kept.about["identity"].as_str() != Some(identity) {
            let problem = "is of a training with other settings, terrains, base or pairs";
            let mend = "give the same, or remove the folder to begin again";
            let fault = Fault::new(folder, "identity", problem, mend);
            return Err(lm::Error::Training(fault).into());
        }
        self.policy.restore(kept.take("policy"))?;
        self.value.restore(kept.take("value"))?;
        self.tens[0].restore(folder, &kept.take("policy-ten"))?;
        self.tens[1].restore(folder, &kept.take("value-ten"))?;
        self.iteration = kept.about["iteration"].as_u64().unwrap_or_default() as u32;
        self.prepared = kept.about["prepared"].as_bool().unwrap_or_default();
        self.spent = kept.about["spent"].as_f64().unwrap_or_default();
        Ok(())
    }
}

/// The embedding of what stands before every text.
fn first_embedding(base: &Checkpoint) -> Result<Vec<f32>, Error> {
    let frame = Frame::of(&base.tokenizer, &base.config)?;
    let weights = base.weights()?;
    let all = weights.embedding.values()?;
    let (token, width) = (frame.start[0] as usize, base.config.hidden_size);
    Ok(all[token * width..][..width].to_vec())
}

/// A trained inventor, ready to write.
pub struct Inventor {
    author: Author,
    ten: Ten,
}

/// What an inventor's card says of its network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// How contexts become vectors.
    pub ten: Kind,
    /// Vectors in front of a program.
    pub vectors: usize,
    /// The contexts that it was trained for, by name.
    pub contexts: Vec<String>,
}

/// Writes the network's file beside a saved model.
///
/// # Errors
/// `Error::Model` for a folder that cannot be written.
pub fn save_ten(folder: &Path, ten: &Ten) -> Result<(), Error> {
    Ok(write_tensors(&folder.join(TEN), &ten.tensors())?)
}

impl Inventor {
    /// Loads one, to write programs that begin with `text` as the settings say.
    ///
    /// # Errors
    /// A folder that holds none, or one that is damaged; as [`Author::open`].
    pub fn open(
        path: &Path,
        model: &model::Settings,
        settings: author::Settings,
        text: &str,
    ) -> Result<Self, Error> {
        let checkpoint = Checkpoint::open(path)?;
        let about = about(&checkpoint).ok_or_else(|| {
            let problem = "is no inventor's";
            let mend = "give a folder as `samara train inventor` writes it";
            lm::Error::Missing(Fault::new(path, "card.json", problem, mend))
        })?;
        let contexts: Vec<Context> = about
            .contexts
            .iter()
            .map(|name| Context {
                name: name.clone(),
                ..Context::default()
            })
            .collect();
        let like = vec![0.0; checkpoint.config.hidden_size];
        let mut ten = Ten::new(about.ten, &contexts, about.vectors, &like, 0);
        let file = checkpoint.path().with_file_name(TEN);
        ten.restore(&file, &read_tensors(&file)?)?;
        Ok(Self {
            author: Author::open(checkpoint, model, settings, text)?,
            ten,
        })
    }

    /// How it sees.
    pub fn kind(&self) -> Kind {
        self.ten.kind()
    }

    /// Writes programs for a context: those of the numbers from `first` on, each a function of the seed and its number.
    ///
    /// # Errors
    /// A context that it does not know.
    pub fn write(
        &mut self,
        context: &Context,
        seed: u64,
        first: u64,
        count: usize,
        stop: &AtomicBool,
    ) -> Result<Vec<Option<Piece>>, Error> {
        let (vectors, _) = self.ten.forward(context)?;
        let prefix: Arc<[f32]> = vectors.into();
        let tasks = streams(seed, first, count).map(|rng| (prefix.clone(), rng));
        Ok(self.author.write(tasks, stop)?)
    }
}

/// An inventor that writes for one context, into a run.
pub struct Commission {
    inventor: Inventor,
    context: Context,
    seed: u64,
}

impl Commission {
    /// Programs for a context, each a function of the seed and its number.
    ///
    /// # Errors
    /// A context that the inventor does not know.
    pub fn new(inventor: Inventor, context: Context, seed: u64) -> Result<Self, Error> {
        inventor.ten.forward(&context)?;
        Ok(Self {
            inventor,
            context,
            seed,
        })
    }
}

impl Source for Commission {
    fn name(&self) -> &'static str {
        NAME
    }

    fn programs(
        &mut self,
        first: u64,
        count: usize,
        stop: &AtomicBool,
    ) -> Result<Vec<Proposal>, mutate::Error> {
        let written = self
            .inventor
            .write(&self.context, self.seed, first, count, stop)
            .map_err(|e| mutate::Error::Model(e.to_string()))?;
        Ok(self.inventor.author.proposals(first, written))
    }
}

/// What a model's card says, where it is an inventor's.
pub fn about(checkpoint: &Checkpoint) -> Option<About> {
    let card = checkpoint.card()?;
    (card.get("task")?.as_str()? == TASK).then_some(())?;
    serde_json::from_value(card.get("inventor")?.clone()).ok()
}
