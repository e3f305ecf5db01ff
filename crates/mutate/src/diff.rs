//! Writing unified diffs.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use edit::diff::{Counts, Diffs};
use edit::guide::{DiffGuide, DiffOptions, Guide};
use edit::hash;
use edit::source::{canonical, is_same};
use lm::{End, Task, Written};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::brief::Brief;
use crate::kind::{Kind, Recipe, Workshop};
use crate::lesson::Lesson;
use crate::line::worth_changing;
use crate::model::{self, WithModel};
use crate::operator::{Gathered, Operator, Proposal, Request, Tray};
use crate::reason::{EDIT_DOES_NOT_APPLY, Reason};
use crate::settings::{range, section};
use crate::writer::{Beginning, Draws, Writer, Writing, children, failure};
pub use frame::Frame;

mod frame;

/// Unified diffs by a language model of our own.
pub static KIND: Kind = Kind {
    name: "diff",
    about: "Unified diffs by the language model inside",
    weight: 0.0,
    settings: include_str!("diff.toml"),
    read: |settings| Ok(Box::new(WithModel::<Settings>::read(settings, KIND.name)?)),
};

/// The section `[diff]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in diff.toml")]
pub struct Settings {
    pub trained: Trained,
    pub crossover: f64,
    pub temperature: f64,
    pub min_p: f64,
    pub max_tokens: usize,
    pub tries: usize,
    pub draw_place: bool,
    pub max_lines: usize,
    pub constrained: bool,
    pub known_names: bool,
    pub comments: bool,
}

/// Whether the model was trained on diffs, so that it is asked once a child and finds the place itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trained {
    /// As the card says that stands beside the model ([`lm::Checkpoint::card`]).
    Auto,
    /// It was.
    Yes,
    /// It was not.
    No,
}

/// What the card of a model trained on diffs has as its `task`.
pub const TASK: &str = "diff";

impl Default for Settings {
    /// As `diff.toml` has them.
    fn default() -> Self {
        let defaults = toml::from_str(KIND.settings).expect("our own file");
        section(&defaults, KIND.name).expect("our own file")
    }
}

impl Settings {
    /// The settings under which an operator that was trained on diffs works.
    pub fn trained() -> Self {
        Self {
            trained: Trained::Yes,
            ..Self::default()
        }
        .with(false)
    }

    /// As they work with a model, whose card says whether it was trained on diffs: where it was, one try, and the model finds
    /// the place.
    fn with(self, card: bool) -> Self {
        match self.trained {
            Trained::Auto if !card => self,
            Trained::No => self,
            Trained::Auto | Trained::Yes => Self {
                tries: 1,
                draw_place: false,
                ..self
            },
        }
    }

    fn draws(&self) -> Draws {
        Draws {
            temperature: self.temperature,
            min_p: self.min_p,
            max_tokens: self.max_tokens,
            tries: self.tries,
        }
    }

    fn check(&self) -> Result<(), Error> {
        range("diff.crossover", self.crossover, 0.0, 1.0)?;
        self.draws().check(KIND.name)?;
        range("diff.max_lines", self.max_lines as f64, 1.0, 10_000.0)
    }
}

impl Recipe for WithModel<Settings> {
    fn check(&self, _: &Brief) -> Result<(), Error> {
        self.own.check()?;
        self.model.check()
    }

    fn make(&self, workshop: &mut Workshop<'_>) -> Result<Box<dyn Operator>, Error> {
        let writer = workshop.writer(&self.model)?;
        let settings = self.own.clone().with(writer.task() == Some(TASK));
        Ok(Box::new(Diff {
            frame: Frame::new(&settings, workshop.brief),
            settings,
            writer,
        }))
    }
}

/// The paper's operator (Lehman et al. 2022, section 2): the model reads the file's name, its contents and a commit
/// message, and writes a unified diff.
pub struct Diff {
    settings: Settings,
    frame: Frame,
    writer: Arc<Writer>,
}

/// A line drawn among those worth changing.
fn place(program: &str, rng: &mut ChaCha8Rng) -> Option<usize> {
    let worth = worth_changing(program).into_iter().enumerate();
    let places: Vec<usize> = worth
        .filter(|(_, worth)| *worth)
        .map(|(at, _)| at)
        .collect();
    (!places.is_empty()).then(|| places[rng.random_range(0..places.len())])
}

/// A diff held to what applies, or any text.
enum Held {
    Guided(Box<DiffGuide>),
    Free(Vec<u8>),
}

impl Guide for Held {
    fn admits(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Guided(guide) => guide.admits(bytes),
            Self::Free(_) => true,
        }
    }

    fn advance(&mut self, bytes: &[u8]) {
        match self {
            Self::Guided(guide) => guide.advance(bytes),
            Self::Free(text) => text.extend_from_slice(bytes),
        }
    }

    fn forced(&self) -> Vec<u8> {
        match self {
            Self::Guided(guide) => guide.forced(),
            Self::Free(_) => Vec::new(),
        }
    }

    fn may_end(&self) -> bool {
        match self {
            Self::Guided(guide) => guide.may_end(),
            Self::Free(_) => true,
        }
    }

    fn must_end(&self) -> bool {
        match self {
            Self::Guided(guide) => guide.must_end(),
            Self::Free(_) => false,
        }
    }

    fn may_mark(&self) -> bool {
        match self {
            Self::Guided(guide) => guide.may_mark(),
            Self::Free(_) => false,
        }
    }

    fn mark(&mut self) {
        if let Self::Guided(guide) = self {
            guide.mark();
        }
    }

    fn undoes(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Guided(guide) => guide.undoes(bytes),
            Self::Free(_) => false,
        }
    }

    fn undo(&mut self) {
        if let Self::Guided(guide) = self {
            guide.undo();
        }
    }
}

impl Diff {
    /// The operator on a generation of a model's weights, whatever model its settings name.
    ///
    /// # Errors
    /// A setting that cannot be; a model that cannot be loaded.
    pub fn open(
        path: &Path,
        model: &model::Settings,
        settings: &Settings,
        brief: &Brief,
        generation: u32,
    ) -> Result<Self, Error> {
        settings.check()?;
        let writer = Arc::new(Writer::open(path, model, generation)?);
        let settings = settings.clone().with(writer.task() == Some(TASK));
        Ok(Self {
            frame: Frame::new(&settings, brief),
            settings,
            writer,
        })
    }

    /// Writes one change for each lesson: of its parent and file, asked for as the lesson was. What the lessons came to is not seen.
    /// Those that were told nothing are asked as the domain asks. `None` for what a stop left unwritten.
    ///
    /// # Errors
    /// As [`Operator::propose`].
    pub fn answer(
        &mut self,
        lessons: &[&Lesson],
        seed: u64,
        stop: &AtomicBool,
    ) -> Result<Vec<Option<Proposal>>, Error> {
        let stream = |at| ChaCha8Rng::seed_from_u64(hash::both(seed, at as u64));
        let requests = lessons.iter().enumerate();
        let mut requests: Vec<Request<'_>> = requests
            .map(|(at, lesson)| Request::new(&lesson.parent, 1, stream(at)))
            .collect();
        let plans = lessons.iter().map(|lesson| {
            let frame = self.frame.of(lesson);
            let told = lesson.told.clone().filter(|told| !told.trim().is_empty());
            self.plan(&canonical(&lesson.parent), None, frame, told)
        });
        let plans = plans.collect();
        let counts: Vec<usize> = requests.iter().map(Request::count).collect();
        let mut gathered = Gathered::new(&counts);
        self.write(&mut requests, plans, &mut gathered, stop)?;
        Ok(gathered.0.into_iter().flatten().collect())
    }

    fn plan<'a>(
        &self,
        parent: &str,
        partner: Option<&str>,
        frame: Cow<'a, Frame>,
        told: Option<String>,
    ) -> Plan<'a> {
        let text = frame.contents(parent, partner);
        Plan {
            crossed: partner.is_some(),
            beginning: self.writer.read(&text, self.settings.max_tokens),
            options: frame.options(parent, partner),
            frame,
            told,
        }
    }

    fn write(
        &self,
        requests: &mut [Request<'_>],
        plans: Vec<Plan<'_>>,
        tray: &mut dyn Tray,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        let children = children(requests);
        let call = Call {
            diff: self,
            parents: requests.iter().map(|x| canonical(x.parent)).collect(),
            plans,
        };
        let draws = self.settings.draws();
        self.writer.write(children, &call, &draws, tray, stop)
    }

    fn task(
        &self,
        parent: &str,
        plan: &Plan<'_>,
        mut rng: ChaCha8Rng,
    ) -> Result<(Task<Held>, Option<String>), Reason> {
        let settings = &self.settings;
        let beginning = plan.beginning.as_ref().map_err(Reason::clone)?;
        // Drawn in any case, so that the stream goes on the same.
        let drawn = plan.frame.draw(&mut rng);
        let told = plan.told.as_deref().unwrap_or(drawn).to_owned();
        let guide = match settings.constrained {
            true => {
                let options = DiffOptions {
                    first: settings
                        .draw_place
                        .then(|| place(parent, &mut rng))
                        .flatten(),
                    ..plan.options.clone()
                };
                Held::Guided(Box::new(plan.frame.guide(parent, options)))
            }
            false => Held::Free(Vec::new()),
        };
        let lead = Frame::lead(&told);
        let most = settings.max_tokens;
        let task = beginning.task(beginning.len(), &lead, guide, most, rng);
        Ok((task, Some(told)))
    }
}

/// What the children of a parent have in common.
struct Plan<'a> {
    frame: Cow<'a, Frame>,
    /// What they are told; none where it is drawn.
    told: Option<String>,
    /// Whether they are shown a second program.
    crossed: bool,
    beginning: Result<Beginning, Reason>,
    options: DiffOptions,
}

/// The program that a diff makes of its parent.
fn changed(parent: &str, written: &Written<Held>) -> Result<String, Reason> {
    match &written.guide {
        Held::Guided(guide) => match guide.result().or_else(|| guide.closed()) {
            Some((_, program)) => Ok(program),
            None => Err(failure(written)),
        },
        Held::Free(text) => {
            if written.end != End::Done {
                return Err(failure(written));
            }
            let text = String::from_utf8_lossy(text);
            let diffs = Diffs::parse(&canonical(&text), Counts::Doubted)
                .map_err(|e| Reason::new(&EDIT_DOES_NOT_APPLY, e.to_string()))?;
            let applied = diffs
                .apply(parent)
                .map_err(|e| Reason::new(&EDIT_DOES_NOT_APPLY, e.to_string()))?;
            match is_same(&applied, parent) {
                true => Err(failure(written)),
                false => Ok(applied),
            }
        }
    }
}

/// The children of one call.
struct Call<'a> {
    diff: &'a Diff,
    parents: Vec<Cow<'a, str>>,
    plans: Vec<Plan<'a>>,
}

impl Writing for Call<'_> {
    type Guide = Held;

    fn task(
        &self,
        request: usize,
        rng: ChaCha8Rng,
    ) -> Result<(Task<Held>, Option<String>), Reason> {
        self.diff
            .task(&self.parents[request], &self.plans[request], rng)
    }

    fn finish(&self, request: usize, written: Written<Held>) -> Result<String, Reason> {
        changed(&self.parents[request], &written)
    }

    fn crossed(&self, request: usize) -> bool {
        self.plans[request].crossed
    }
}

impl Operator for Diff {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        tray: &mut dyn Tray,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        // Each plan takes from its replica's stream before the children do.
        let plans = requests.iter_mut().map(|request| {
            let crossover = self.settings.crossover;
            let crosses = crossover > 0.0 && request.rng.random::<f64>() < crossover;
            let partner = request.partner.filter(|_| crosses).map(canonical);
            let frame = Cow::Borrowed(&self.frame);
            self.plan(&canonical(request.parent), partner.as_deref(), frame, None)
        });
        let plans = plans.collect();
        self.write(requests, plans, tray, stop)
    }
}
