//! A domain gives programs their meaning: it runs one, and says where its artifact lies and how good it is.

use std::time::Duration;

use mutate::{MadeWith, Reason};
use qd::Axis;

use crate::Error;

/// What the search needs to know of a problem. A new domain is one file that implements this.
///
/// What operators are told of it stands in its section `[brief]` of the settings ([`mutate::Brief`]).
pub trait Domain: Sync {
    /// The axes of behaviour space, whose names also name the columns of the store.
    fn axes(&self) -> Vec<Axis>;

    /// A fresh evaluator; every evaluation thread has its own.
    ///
    /// # Errors
    /// What it needs cannot be started.
    fn evaluator(&self) -> Result<Box<dyn Evaluator>, Error>;

    /// Versions of what evaluations are made with outside of this program, by a short name.
    fn made_with(&self) -> MadeWith {
        MadeWith::new()
    }
}

/// A program, and under what it is tried.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The program.
    pub program: &'a str,
    /// What the domain varies from case to case, in a form that the domain reads; for Sodarace a terrain as JSON.
    pub condition: &'a str,
}

/// Evaluates programs, on one thread.
pub trait Evaluator: Send {
    /// One result per case, in order. A result is a function of its case alone, never of its neighbours.
    fn evaluate(&mut self, cases: &[Case<'_>]) -> Vec<Evaluation>;
}

/// What became of one program.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The score, or why there is none.
    pub outcome: Outcome,
    /// The artifact as JSON, where the program made one.
    pub artifact: Option<String>,
    /// Time spent on this program.
    pub time: Duration,
}

/// The three ways an evaluation ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The program did not run, or yielded no artifact: not *runnable*.
    Unrunnable(Reason),
    /// It yielded an artifact which cannot be scored.
    Unscored(Reason),
    /// It yielded an artifact with a place in behaviour space and a fitness.
    Scored {
        /// One number per axis; those that are not finite numbers leave the child unscored.
        measures: Vec<f64>,
        /// Larger is better.
        fitness: f64,
    },
}

/// What an evaluator makes of cases, held to its contract: a result for each, a measure for each axis.
///
/// # Errors
/// How it broke it.
pub fn held(
    evaluator: &mut dyn Evaluator,
    cases: &[Case<'_>],
    axes: usize,
) -> Result<Vec<Evaluation>, String> {
    let wanted = cases.len();
    let evaluations = match wanted {
        0 => Vec::new(),
        _ => evaluator.evaluate(cases),
    };
    if evaluations.len() != wanted {
        let given = evaluations.len();
        return Err(format!("it gave {given} results for {wanted} programs"));
    }
    for evaluation in &evaluations {
        if let Outcome::Scored { measures, .. } = &evaluation.outcome
            && measures.len() != axes
        {
            let given = measures.len();
            return Err(format!("it gave {given} measures for {axes} axes"));
        }
    }
    Ok(evaluations)
}

/// Deals items to evaluators, an even share to each on a thread of its own; the results in the items' order.
///
/// # Errors
/// What `work` says, or that it panicked.
pub fn dealt<T: Send, R: Send>(
    evaluators: &mut [Box<dyn Evaluator>],
    items: Vec<T>,
    work: impl Fn(&mut dyn Evaluator, Vec<T>) -> Result<Vec<R>, String> + Sync,
) -> Result<Vec<R>, Error> {
    let share = items.len().div_ceil(evaluators.len().max(1)).max(1);
    let (mut rest, work) = (items.into_iter(), &work);
    std::thread::scope(|scope| {
        let threads = evaluators.iter_mut().map(|evaluator| {
            let part: Vec<T> = rest.by_ref().take(share).collect();
            scope.spawn(move || mutate::roomy(|| work(evaluator.as_mut(), part)))
        });
        let threads: Vec<_> = threads.collect();
        let mut all = Vec::new();
        for thread in threads {
            let part = thread
                .join()
                .unwrap_or_else(|_| Err("it panicked".to_owned()));
            all.extend(part.map_err(Error::Evaluator)?);
        }
        Ok(all)
    })
}
