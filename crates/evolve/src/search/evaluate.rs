//! Evaluating: what becomes of a proposed child, but for its place in the map.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::guarded;
use crate::Error;
use crate::domain::{Evaluation, Evaluator, Outcome};
use crate::operator::Proposal;
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

/// What the threads report: children in the order they were sent out, or why a thread cannot go on.
pub(super) type News = Result<Vec<Child>, Error>;

/// An evaluation thread.
pub(super) fn work(
    mut evaluator: Box<dyn Evaluator>,
    todo: &Receiver<Vec<Unborn>>,
    done: &Sender<News>,
    busy: &AtomicU64,
    halt: &AtomicBool,
) {
    for unborn in todo {
        if halt.load(Relaxed) {
            return;
        }
        let began = Instant::now();
        let news = guarded(|| evaluate(evaluator.as_mut(), unborn)).map_err(Error::Evaluator);
        busy.fetch_add(began.elapsed().as_nanos() as u64, Relaxed);
        let failed = news.is_err();
        if done.send(news).is_err() || failed {
            return;
        }
    }
}

fn evaluate(evaluator: &mut dyn Evaluator, unborn: Vec<Unborn>) -> Vec<Child> {
    let programs: Vec<&str> = unborn
        .iter()
        .filter_map(|child| child.proposal.program.as_deref().ok())
        .collect();
    let mut evaluations = evaluator.evaluate(&programs).into_iter();
    unborn
        .into_iter()
        .map(|unborn| {
            let evaluation = match unborn.proposal.program {
                Ok(_) => evaluations.next(),
                Err(_) => None,
            };
            born(unborn, evaluation)
        })
        .collect()
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
