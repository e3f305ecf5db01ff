//! Programs tried on contexts, on several threads.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use evolve::domain::{Case, Domain, Evaluation, Evaluator, Outcome, dealt, held};

use crate::Error;

/// Programs that a thread tries between two looks at whether to stop.
const AT_ONCE: usize = 32;

/// Tries programs.
pub struct Judge {
    /// How many measures a score has.
    axes: usize,
    evaluators: Vec<Box<dyn Evaluator>>,
}

impl Judge {
    /// One with so many threads; 0: one per core.
    ///
    /// # Errors
    /// What the domain needs cannot be started.
    pub fn new(domain: &dyn Domain, threads: usize) -> Result<Self, Error> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let evaluators = (0..threads).map(|_| domain.evaluator());
        Ok(Self {
            axes: domain.axes().len(),
            evaluators: evaluators.collect::<Result<_, _>>()?,
        })
    }

    /// What becomes of each case, in order; `None` for what a stop left untried.
    ///
    /// # Errors
    /// An evaluator that does not keep to its contract.
    pub fn judge(
        &mut self,
        cases: &[Case<'_>],
        stop: &AtomicBool,
    ) -> Result<Vec<Option<Evaluation>>, Error> {
        let axes = self.axes;
        Ok(dealt(
            &mut self.evaluators,
            cases.to_vec(),
            |evaluator, cases| {
                let mut all = Vec::with_capacity(cases.len());
                for part in cases.chunks(AT_ONCE) {
                    match stop.load(Relaxed) {
                        true => all.extend(part.iter().map(|_| None)),
                        false => all.extend(held(evaluator, part, axes)?.into_iter().map(Some)),
                    }
                }
                Ok(all)
            },
        )?)
    }
}

/// The fitness of what was scored with a finite number.
pub fn fitness(evaluation: &Evaluation) -> Option<f64> {
    match &evaluation.outcome {
        Outcome::Scored { fitness, .. } if fitness.is_finite() => Some(*fitness),
        _ => None,
    }
}
