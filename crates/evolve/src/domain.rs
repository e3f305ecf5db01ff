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
