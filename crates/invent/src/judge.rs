//! Programs tried on contexts, on several threads.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use evolve::domain::{Case, Domain, Evaluation, Evaluator, Outcome};

use crate::Error;

/// Programs that a thread tries between two looks at whether to stop.
const AT_ONCE: usize = 32;

/// Tries programs.
pub struct Judge {
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
        let share = cases.len().div_ceil(self.evaluators.len()).max(1);
        let failed = |why: String| Error::Run(evolve::Error::Evaluator(why));
        std::thread::scope(|scope| {
            let parts = self.evaluators.iter_mut().zip(cases.chunks(share));
            let threads: Vec<_> = parts
                .map(|(evaluator, part)| scope.spawn(move || tried(evaluator.as_mut(), part, stop)))
                .collect();
            let mut all = Vec::with_capacity(cases.len());
            for thread in threads {
                let part = thread
                    .join()
                    .unwrap_or_else(|_| Err("it panicked".to_owned()));
                all.extend(part.map_err(failed)?);
            }
            Ok(all)
        })
    }
}

fn tried(
    evaluator: &mut dyn Evaluator,
    cases: &[Case<'_>],
    stop: &AtomicBool,
) -> Result<Vec<Option<Evaluation>>, String> {
    let mut all = Vec::with_capacity(cases.len());
    for part in cases.chunks(AT_ONCE) {
        if stop.load(Relaxed) {
            all.extend(part.iter().map(|_| None));
            continue;
        }
        let evaluations = mutate::roomy(|| evaluator.evaluate(part));
        if evaluations.len() != part.len() {
            let (given, wanted) = (evaluations.len(), part.len());
            return Err(format!("it gave {given} results for {wanted} programs"));
        }
        all.extend(evaluations.into_iter().map(Some));
    }
    Ok(all)
}

/// The fitness of what was scored with a finite number.
pub fn fitness(evaluation: &Evaluation) -> Option<f64> {
    match &evaluation.outcome {
        Outcome::Scored { fitness, .. } if fitness.is_finite() => Some(*fitness),
        _ => None,
    }
}
