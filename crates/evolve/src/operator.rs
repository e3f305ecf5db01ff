//! Mutation operators: they propose changed programs, and know nothing of what becomes of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::gp::{Gp, GpError};
use crate::model::{Diff, Line, Writer};
use crate::prompt::Prompt;
use crate::settings::Settings;
use crate::{Error, Reason};

/// One replica's share of an iteration: several changes of one parent.
pub struct Request<'a> {
    /// The program to change.
    pub parent: &'a str,
    /// Another champion of the map, for an operator that crosses two.
    pub partner: Option<&'a str>,
    /// How many children are wanted.
    pub count: usize,
    /// This replica's own random stream; the only source of chance there is.
    pub rng: ChaCha8Rng,
}

/// A proposed child.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The changed program, or why the operator's change does not apply
    /// (such a child counts as proposed but not as *valid*).
    pub program: Result<String, Reason>,
    /// Whether the request's partner had a part in it.
    pub crossed: bool,
    /// What it took.
    pub cost: Cost,
    /// What the operator was told for it: a commit message, an instruction.
    pub told: Option<String>,
    /// Generation of the weights that wrote it, 0 as loaded; none where no model of our own did.
    pub weights: Option<u32>,
}

/// What a proposal took. Sums over children are meant: what several share is spread over them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Tokens of its prompt; one shared by children of a call counts for the first of them.
    pub prompt_tokens: u32,
    /// Tokens written.
    pub tokens: u32,
    /// Seconds of proposing; the one part that no two runs share. Where an operator gives none to any child of a
    /// call, the call's time is spread over them.
    #[serde(rename = "propose_seconds")]
    pub seconds: f64,
    /// Price in dollars, where the settings name one.
    pub dollars: f64,
}

impl Cost {
    /// Where an operator gave no seconds to any child of a call, those of the call are spread over them.
    pub(crate) fn spread(proposals: &mut [Vec<Proposal>], seconds: f64) {
        let children = proposals.iter().map(Vec::len).sum::<usize>() as f64;
        let told = |proposal: &Proposal| proposal.cost.seconds != 0.0;
        if !proposals.iter().flatten().any(told) {
            for proposal in proposals.iter_mut().flatten() {
                proposal.cost.seconds = seconds / children;
            }
        }
    }
}

impl From<Result<String, Reason>> for Proposal {
    /// A proposal that cost nothing worth counting.
    fn from(program: Result<String, Reason>) -> Self {
        Self {
            program,
            crossed: false,
            cost: Cost::default(),
            told: None,
            weights: None,
        }
    }
}

/// A mutation operator. It works in a thread of its own, beside the evaluation.
///
/// What it proposes is a function of the requests of a call alone, so that a run can be repeated and resumed (a resumed
/// run asks for the whole of an iteration again and keeps what is missing).
pub trait Operator: Send {
    /// For each request its `count` proposals, in order. One call is one iteration's requests to this operator.
    ///
    /// Once `stop` is set it returns within half a second, whatever it has: nobody reads it.
    ///
    /// # Errors
    /// What keeps it from proposing anything more; it ends the run, which can be resumed. What goes wrong with a single
    /// child belongs in its [`Proposal`].
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        stop: &AtomicBool,
    ) -> Result<Vec<Vec<Proposal>>, Error>;
}

/// The operators there are, with the weight at which a replica draws each; 0 switches one off.
/// To add one: a file of its own, a field here, and a line in each method below.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Typed node mutation on the syntax tree ([`Gp`]).
    pub gp: f64,
    /// Lines rewritten by a language model of our own ([`Line`]).
    pub line: f64,
    /// Unified diffs by the same ([`Diff`]).
    pub diff: f64,
    /// A language model behind an endpoint ([`Prompt`]).
    pub prompt: f64,
}

/// An operator ready to run.
pub struct Active {
    /// Its name, as in the settings.
    pub name: &'static str,
    /// Its weight, above 0.
    pub weight: f64,
    /// The operator itself.
    pub operator: Box<dyn Operator>,
}

impl Weights {
    fn by_name(&mut self) -> [(&'static str, &mut f64); 4] {
        [
            ("gp", &mut self.gp),
            ("line", &mut self.line),
            ("diff", &mut self.diff),
            ("prompt", &mut self.prompt),
        ]
    }

    /// Keeps only the named operators, with the weights given.
    ///
    /// # Errors
    /// An unknown name, a weight that is negative or not a number, or nothing left to draw.
    pub fn select(&mut self, chosen: &[(String, f64)]) -> Result<(), Error> {
        let mut weights = self.by_name();
        let known: Vec<_> = weights.iter().map(|(name, _)| *name).collect();
        for (_, weight) in &mut weights {
            **weight = 0.0;
        }
        for (name, value) in chosen {
            let Some((_, weight)) = weights.iter_mut().find(|(known, _)| known == name) else {
                return Err(Error::setting(
                    "operator",
                    format!("there is no operator {name:?}"),
                    format!("choose from: {}", known.join(", ")),
                ));
            };
            **weight = *value;
        }
        Ok(())
    }

    /// Checks the weights and the settings of the operators whose weight is above 0, without making them.
    ///
    /// # Errors
    /// A setting out of its range, or no operator with a weight above 0.
    pub fn check(settings: &Settings) -> Result<(), Error> {
        let mut weights = settings.operators.clone();
        let mut some = false;
        for (name, weight) in weights.by_name() {
            if !(weight.is_finite() && *weight >= 0.0) {
                return Err(Error::setting(
                    &format!("operators.{name}"),
                    format!("{weight} is not a weight"),
                    "give a number of 0 or more",
                ));
            }
            some |= *weight > 0.0;
        }
        if !some {
            return Err(Error::setting(
                "operators",
                "no operator has a weight above 0",
                "give one, e.g. --operator gp",
            ));
        }
        if weights.gp > 0.0 {
            gp(settings)?;
        }
        if weights.line > 0.0 {
            settings.line.check()?;
        }
        if weights.diff > 0.0 {
            settings.diff.check()?;
        }
        if weights.line + weights.diff > 0.0 {
            settings.model.check()?;
        }
        if weights.prompt > 0.0 {
            settings.prompt.check()?;
        }
        Ok(())
    }

    /// Makes the operators whose weight is above 0: loads the model that one needs, asks the endpoint that one needs.
    ///
    /// # Errors
    /// As [`Weights::check`], and what keeps an operator from working at all.
    pub fn build(settings: &Settings) -> Result<Vec<Active>, Error> {
        Self::check(settings)?;
        let weights = &settings.operators;
        let writer = match weights.line + weights.diff > 0.0 {
            true => Some(Arc::new(Writer::load(&settings.model)?)),
            false => None,
        };
        let mut active = Vec::new();
        let mut add = |name, weight, operator| {
            active.push(Active {
                name,
                weight,
                operator,
            });
        };
        if weights.gp > 0.0 {
            add(
                "gp",
                weights.gp,
                Box::new(gp(settings)?) as Box<dyn Operator>,
            );
        }
        if let Some(writer) = writer {
            if weights.line > 0.0 {
                let line = Line::new(settings.line.clone(), writer.clone())?;
                add("line", weights.line, Box::new(line));
            }
            if weights.diff > 0.0 {
                let diff = Diff::new(settings.diff.clone(), writer)?;
                add("diff", weights.diff, Box::new(diff));
            }
        }
        if weights.prompt > 0.0 {
            let prompt = Prompt::new(settings.prompt.clone())?;
            prompt.probe()?;
            add("prompt", weights.prompt, Box::new(prompt));
        }
        Ok(active)
    }
}

fn gp(settings: &Settings) -> Result<Gp, Error> {
    Gp::new(settings.gp.clone())
        .map_err(|e| Error::setting("gp", e.to_string(), "mend it in the settings"))
}

impl Operator for Gp {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        stop: &AtomicBool,
    ) -> Result<Vec<Vec<Proposal>>, Error> {
        let barren = |e: GpError| Reason::new("no-mutation", e.to_string());
        Ok(requests
            .iter_mut()
            .take_while(|_| !stop.load(Relaxed))
            .map(
                |Request {
                     parent, count, rng, ..
                 }| {
                    let streams = (0..*count).map(|_| ChaCha8Rng::seed_from_u64(rng.random()));
                    match self.brood(parent, streams) {
                        Ok(children) => children
                            .into_iter()
                            .map(|child| child.map(|child| child.source).map_err(barren).into())
                            .collect(),
                        Err(e) => vec![Err(barren(e)).into(); *count],
                    }
                },
            )
            .collect())
    }
}
