//! Evaluating: what becomes of a proposed child, but for its place in the map.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use mutate::{Proposal, crew};

use super::News;
use crate::Error;
use crate::domain::{Case, Evaluation, Evaluator, Outcome, held};
use crate::store::{Child, Status};

/// A genotype in the map.
#[derive(Clone)]
pub(super) struct Genome {
    pub id: u64,
    pub program: Arc<str>,
}

/// A child before its evaluation.
pub(super) struct Unborn {
    pub id: u64,
    pub iteration: u64,
    pub replica: u32,
    pub operator: &'static str,
    pub parent: Option<Genome>,
    /// The second parent, where it had a part.
    pub partner: Option<u64>,
    pub proposal: Proposal,
}

/// Children evaluated together where so many wait: no fewer than are worth the exchange between threads,
const LEAST: usize = 16;
/// no more than fill lanes well.
const MOST: usize = 256;

/// What evaluation threads have in common.
pub(super) struct Bench {
    /// Under what the programs of the run are tried.
    pub condition: String,
    /// How many measures a score has.
    pub axes: usize,
    /// How many threads there are.
    pub threads: usize,
    /// Nanoseconds of work so far.
    pub busy: AtomicU64,
}

impl Bench {
    /// An evaluation thread: takes what is there, as far as it is evaluated together.
    pub fn work(
        &self,
        mut evaluator: Box<dyn Evaluator>,
        todo: &Receiver<Unborn>,
        news: &Sender<News>,
        halt: &AtomicBool,
    ) {
        // An even share of what waits: many together fill a simulator's lanes, and the last ones are spread evenly.
        let most = |waiting: usize| (waiting / self.threads).clamp(LEAST, MOST);
        let work = |unborn| {
            let began = Instant::now();
            let children = self.evaluate(evaluator.as_mut(), unborn);
            let spent = began.elapsed().as_nanos() as u64;
            self.busy.fetch_add(spent, Relaxed);
            children
        };
        crew::serve(todo, halt, most, work, |done| {
            let failed = |why| News::Failed(Error::Evaluator(why));
            news.send(done.map_or_else(failed, News::Evaluated)).is_ok()
        });
    }

    /// Evaluates children that have a program; the others are born without.
    pub fn evaluate(
        &self,
        evaluator: &mut dyn Evaluator,
        unborn: Vec<Unborn>,
    ) -> Result<Vec<Child>, String> {
        let cases: Vec<Case<'_>> = unborn
            .iter()
            .filter_map(|child| child.proposal.program.as_deref().ok())
            .map(|program| Case {
                program,
                condition: &self.condition,
            })
            .collect();
        let mut evaluations = held(evaluator, &cases, self.axes)?.into_iter();
        let child = |unborn: Unborn| {
            let evaluation = match unborn.proposal.program {
                Ok(_) => evaluations.next(),
                Err(_) => None,
            };
            born(unborn, evaluation)
        };
        Ok(unborn.into_iter().map(child).collect())
    }
}

/// A child, but for its place in the map.
fn born(unborn: Unborn, evaluation: Option<Evaluation>) -> Child {
    let (program, invalid) = match unborn.proposal.program {
        Ok(program) => (program, None),
        Err(reason) => (String::new(), Some(reason)),
    };
    let mut child = Child {
        id: unborn.id,
        iteration: unborn.iteration,
        replica: unborn.replica,
        operator: unborn.operator.to_owned(),
        parent: unborn.parent.map(|parent| parent.id),
        partner: unborn.partner,
        status: Status::Invalid,
        reason: invalid,
        measures: Vec::new(),
        fitness: None,
        niche: None,
        accepted: false,
        seconds: 0.0,
        at: 0.0,
        cost: unborn.proposal.cost,
        told: unborn.proposal.told,
        weights: unborn.proposal.weights,
        program,
        artifact: None,
    };
    if let Some(evaluation) = evaluation {
        child.seconds = evaluation.time.as_secs_f64();
        child.artifact = evaluation.artifact;
        match evaluation.outcome {
            Outcome::Unrunnable(reason) => {
                child.status = Status::Unrunnable;
                child.reason = Some(reason);
            }
            Outcome::Unscored(reason) => {
                child.status = Status::Unscored;
                child.reason = Some(reason);
            }
            Outcome::Scored { measures, fitness } => {
                child.status = Status::Scored;
                child.measures = measures;
                child.fitness = Some(fitness);
            }
        }
    }
    child
}
