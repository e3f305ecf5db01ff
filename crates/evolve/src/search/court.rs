//! Whether a map would take a program.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use mutate::{Judge, Verdict};
use qd::{Archive, Axis, Elite, GridArchive};

use super::school::unlearned;
use crate::Error;
use crate::domain::{Case, Domain, Evaluator, Outcome, held};
use crate::store::Store;

/// Programs judged between two looks at whether to stop.
const AT_ONCE: usize = 16;

/// Judges by a domain and by the map as it stood.
pub struct Court<'a> {
    domain: &'a dyn Domain,
    condition: String,
    archive: GridArchive<()>,
    /// Made for the first program.
    evaluator: Option<Box<dyn Evaluator>>,
}

impl<'a> Court<'a> {
    /// One with an empty map.
    ///
    /// # Errors
    /// Axes that cannot be.
    pub fn new(domain: &'a dyn Domain, condition: &str) -> Result<Self, Error> {
        Self::of(domain, domain.axes(), condition)
    }

    fn of(domain: &'a dyn Domain, axes: Vec<Axis>, condition: &str) -> Result<Self, Error> {
        let archive = GridArchive::new(axes)
            .map_err(|e| Error::setting("map", e.to_string(), "mend the range of that axis"))?;
        Ok(Self {
            domain,
            condition: condition.to_owned(),
            archive,
            evaluator: None,
        })
    }

    /// One with the champions of a run's children with an id below a bound.
    pub(super) fn of_run(domain: &'a dyn Domain, store: &Store, bound: u64) -> Result<Self, Error> {
        let mut court = Self::of(domain, store.axes().to_vec(), store.condition())?;
        for champion in store.champions(bound)? {
            let fitness = champion.fitness.unwrap_or(f64::NAN);
            court.place(&champion.program, champion.measures, fitness);
        }
        Ok(court)
    }

    /// Puts programs on the map, those that get a score.
    ///
    /// # Errors
    /// They cannot be evaluated at all.
    pub fn admit(&mut self, programs: &[&str]) -> Result<(), Error> {
        for program in programs {
            if let Outcome::Scored { measures, fitness } = self.evaluate(&[program])?.remove(0) {
                self.place(program, measures, fitness);
            }
        }
        Ok(())
    }

    fn place(&mut self, program: &str, measures: Vec<f64>, fitness: f64) {
        let elite = Elite::new((), measures, fitness).with_cost(program.len() as u64);
        let _ = self.archive.tell(elite);
    }

    fn evaluate(&mut self, programs: &[&str]) -> Result<Vec<Outcome>, Error> {
        let evaluator = match &mut self.evaluator {
            Some(evaluator) => evaluator,
            none => none.insert(self.domain.evaluator()?),
        };
        let condition = &self.condition;
        let cases: Vec<_> = programs
            .iter()
            .map(|program| Case { program, condition })
            .collect();
        let axes = self.archive.axes().len();
        let evaluations = held(evaluator.as_mut(), &cases, axes).map_err(Error::Evaluator)?;
        let outcomes = evaluations.into_iter().map(|evaluation| evaluation.outcome);
        Ok(outcomes.collect())
    }

    /// What a score is worth.
    fn scored(&self, program: &str, measures: Vec<f64>, fitness: f64) -> Verdict {
        let runnable = Verdict {
            runnable: true,
            ..Verdict::default()
        };
        if !fitness.is_finite() {
            return runnable;
        }
        let Ok(niche) = self.archive.niche_of(&measures) else {
            return runnable;
        };
        let elite = Elite::new((), measures, fitness).with_cost(program.len() as u64);
        let verdict = qd::Verdict::of(niche, &elite, self.archive.elite(niche));
        Verdict {
            niche: Some(niche as u32),
            fitness: Some(fitness),
            accepted: verdict.accepted(),
            ..runnable
        }
    }
}

impl Judge for Court<'_> {
    fn judge(
        &mut self,
        programs: &[&str],
        stop: &AtomicBool,
    ) -> Result<Vec<Verdict>, mutate::Error> {
        let mut verdicts = Vec::new();
        for some in programs.chunks(AT_ONCE) {
            if stop.load(Relaxed) {
                break;
            }
            for (program, outcome) in some.iter().zip(self.evaluate(some).map_err(unlearned)?) {
                verdicts.push(match outcome {
                    Outcome::Unrunnable(_) => Verdict::default(),
                    Outcome::Unscored(_) => Verdict {
                        runnable: true,
                        ..Verdict::default()
                    },
                    Outcome::Scored { measures, fitness } => {
                        self.scored(program, measures, fitness)
                    }
                });
            }
        }
        Ok(verdicts)
    }
}
