//! What a store holds: children, and what is counted of them.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use mutate::{Cost, Lost, Reason};

/// How far a child came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The operator's change does not apply: no program.
    Invalid,
    /// *Valid*, but the program does not run or yields no artifact.
    Unrunnable,
    /// *Runnable*, but its artifact cannot be scored.
    Unscored,
    /// Runnable, with behaviour and fitness.
    Scored,
}

impl Status {
    pub(super) const ALL: [(Self, &str); 4] = [
        (Self::Invalid, "invalid"),
        (Self::Unrunnable, "unrunnable"),
        (Self::Unscored, "unscored"),
        (Self::Scored, "scored"),
    ];

    /// As written in the store.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// A child and all that is known of it. The seed is child 0, of iteration 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Child {
    /// Counted from 0 in the order of proposal.
    pub id: u64,
    /// The iteration that proposed it.
    pub iteration: u64,
    /// The replica in that iteration.
    pub replica: u32,
    /// Name of the operator, "seed" for child 0.
    pub operator: String,
    /// The child it was made from; none for the seed.
    pub parent: Option<u64>,
    /// The second parent, where one had a part in it.
    pub partner: Option<u64>,
    /// How far it came.
    pub status: Status,
    /// Why it came no further.
    pub reason: Option<Reason>,
    /// One number per axis, empty where not scored.
    pub measures: Vec<f64>,
    /// Its fitness, where scored.
    pub fitness: Option<f64>,
    /// Its niche, where scored.
    pub niche: Option<u32>,
    /// Whether the map took it.
    pub accepted: bool,
    /// Seconds of evaluation.
    pub seconds: f64,
    /// When it was written, in seconds since 1970.
    pub at: f64,
    /// What proposing it took.
    #[serde(flatten)]
    pub cost: Cost,
    /// What the operator was told for it: a commit message, an instruction.
    pub told: Option<String>,
    /// Generation of the weights that wrote it, 0 as loaded; none where no model of our own did.
    pub weights: Option<u32>,
    /// The program; empty where invalid. [`Store::diff`](super::Store::diff) compares it with its parent's.
    pub program: String,
    /// The artifact (for Sodarace the walker) as JSON.
    pub artifact: Option<String>,
}

/// The state of the map after an iteration, and what the iteration did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the field's usual measures")]
pub struct IterationMetrics {
    pub iteration: u64,
    /// Children proposed so far, this iteration included.
    pub evaluations: u64,
    pub proposed: u64,
    pub valid: u64,
    pub runnable: u64,
    pub accepted: u64,
    pub niches: u64,
    pub qd_score: f64,
    pub max_fitness: f64,
}

/// How often something happened under an operator, and what it took; `status` and `reason` as in the store.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "plain columns")]
pub struct Tally {
    pub operator: String,
    pub status: Status,
    pub reason: Option<String>,
    pub accepted: bool,
    pub count: u64,
    #[serde(flatten)]
    pub spent: Spent,
}

/// What proposing several children took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spent {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub tokens: u64,
    /// Seconds of proposing.
    pub propose_seconds: f64,
    /// Price in dollars, where the settings name one.
    pub dollars: f64,
}

impl AddAssign for Spent {
    fn add_assign(&mut self, more: Self) {
        self.prompt_tokens += more.prompt_tokens;
        self.tokens += more.tokens;
        self.propose_seconds += more.propose_seconds;
        self.dollars += more.dollars;
    }
}

/// One stretch of work on a run: from a start or resume to its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "plain columns")]
pub struct Stretch {
    /// Children written.
    pub children: u64,
    pub seconds: f64,
    pub threads: u32,
    /// Share of the evaluation threads' time spent evaluating.
    pub busy: f64,
    /// Share of the time in which at least one operator was proposing.
    pub proposing: f64,
    /// Requests to an endpoint that were on their way when it was stopped, and whose answers nobody read.
    pub lost: Lost,
}
