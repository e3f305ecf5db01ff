//! A round of learning in an operator's thread: it is given the beginning of the run as lessons, and a judge.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use mutate::crew::guarded;
use mutate::{Judge, Lesson, Lessons, Round, Verdict};
use qd::{Archive, Elite, GridArchive};

use super::commission::stream;
use super::propose::{Proposer, flaw};
use super::rounds::Schedule;
use super::{Learning, News};
use crate::Error;
use crate::domain::{Case, Domain, Evaluator, Outcome};
use crate::settings::Settings;
use crate::store::{Store, WEIGHTS};

/// Programs judged between two looks at whether to stop.
const AT_ONCE: usize = 16;

/// What all rounds of a search have in common.
pub(super) struct School<'a> {
    pub folder: PathBuf,
    pub settings: &'a Settings,
    pub schedule: Schedule,
    pub domain: &'a dyn Domain,
    /// The round in progress.
    pub learning: Mutex<Option<Learning>>,
}

impl School<'_> {
    /// The id of the first child that a round does not learn from.
    pub fn bound(&self, round: u32) -> u64 {
        self.schedule.after(round) * self.settings.iteration_size() + 1
    }

    /// Tells people where a round is; none where it has ended.
    pub fn tell(&self, learning: Option<Learning>) {
        *self.learning.lock().unwrap_or_else(PoisonError::into_inner) = learning;
    }
}

impl Proposer<'_> {
    /// Has the operator learn a round.
    pub(super) fn learn(&mut self, number: u32, was_kept: bool) -> Result<(), Error> {
        let Self { active, school, .. } = self;
        let name = active.name;
        let Some(learner) = active.operator.learner() else {
            return Err(flaw(name, "it learns no more".to_owned()));
        };
        let began = Instant::now();
        let store = Store::open(&school.folder)?;
        let bound = school.bound(number);
        let mut court = Court::new(school.domain, &store, bound)?;
        let says = |says: &str| {
            let says = says.to_owned();
            school.tell(Some(Learning {
                round: number,
                says,
            }));
        };
        says("");
        log::info!("{name}: round {number} of learning begins");
        let round = Round {
            number,
            was_kept,
            lessons: &Beginning {
                store: &store,
                bound,
            },
            judge: &mut court,
            folder: &school.folder.join(WEIGHTS),
            rng: stream(school.settings.rng, number.into(), 0, 3),
            tell: &says,
        };
        let answer = guarded(|| learner.learn(round, self.halt));
        school.tell(None);
        let learned = answer.map_err(|why| flaw(name, why))??;
        let seconds = began.elapsed().as_secs_f64();
        match learned {
            None if self.halt.load(Relaxed) => {}
            None => return Err(flaw(name, "it left a round of learning".to_owned())),
            Some(_) if was_kept => log::info!("{name}: the weights of round {number} are back"),
            Some(learned) => {
                let kept = if learned.kept { "kept" } else { "not kept" };
                let why = &learned.why;
                log::info!("{name}: round {number}, {seconds:.1} s: {kept}, {why}");
                let _ = self.news.send(News::Learned {
                    operator: name,
                    round: number,
                    seconds,
                    learned,
                });
            }
        }
        Ok(())
    }
}

/// The children of a store with an id below a bound, read as it is being written.
pub(super) struct Beginning<'a> {
    pub store: &'a Store,
    pub bound: u64,
}

impl Lessons for Beginning<'_> {
    fn each(
        &self,
        accepted_only: bool,
        take: &mut dyn FnMut(Lesson) -> bool,
    ) -> Result<(), mutate::Error> {
        let mut goes_on = true;
        self.store
            .each_lesson(self.bound, accepted_only, |lesson| {
                // The run itself: wherever it lies, the lessons are the same.
                let source = String::new();
                goes_on = goes_on && take(Lesson { source, ..lesson });
                Ok(())
            })
            .map_err(unlearned)
    }
}

/// Judges by a domain and by the map as it stood.
pub(super) struct Court<'a> {
    domain: &'a dyn Domain,
    condition: String,
    archive: GridArchive<()>,
    /// Made for the first program.
    evaluator: Option<Box<dyn Evaluator>>,
}

impl<'a> Court<'a> {
    /// One with the champions of the children with an id below a bound.
    pub fn new(domain: &'a dyn Domain, store: &Store, bound: u64) -> Result<Self, Error> {
        let mut archive = GridArchive::new(store.axes().to_vec())
            .map_err(|e| Error::setting("map", e.to_string(), "mend the range of that axis"))?;
        for champion in store.champions(bound)? {
            let fitness = champion.fitness.unwrap_or(f64::NAN);
            let length = champion.program.len() as u64;
            let _ = archive.tell(Elite::new((), champion.measures, fitness).with_cost(length));
        }
        Ok(Self {
            domain,
            condition: store.condition().to_owned(),
            archive,
            evaluator: None,
        })
    }

    /// What a score is worth.
    fn scored(&self, program: &str, measures: Vec<f64>, fitness: f64) -> Verdict {
        let runnable = Verdict {
            runnable: true,
            ..Verdict::default()
        };
        if measures.len() != self.archive.axes().len() || !fitness.is_finite() {
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
            let evaluator = match &mut self.evaluator {
                Some(evaluator) => evaluator,
                none => none.insert(self.domain.evaluator().map_err(unlearned)?),
            };
            let condition = &self.condition;
            let cases: Vec<_> = some
                .iter()
                .map(|program| Case { program, condition })
                .collect();
            let evaluations = evaluator.evaluate(&cases);
            if evaluations.len() != cases.len() {
                let (given, wanted) = (evaluations.len(), cases.len());
                let why = format!("it gave {given} results for {wanted} programs");
                return Err(unlearned(Error::Evaluator(why)));
            }
            for (program, evaluation) in some.iter().zip(evaluations) {
                verdicts.push(match evaluation.outcome {
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

/// What kept a round from its lessons or its judge.
fn unlearned(error: Error) -> mutate::Error {
    match error {
        Error::Mutate(error) => error,
        other => mutate::Error::Learning(other.to_string()),
    }
}
