//! A round of learning in an operator's thread: it is given the beginning of the run as lessons, and a judge.

use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use mutate::crew::guarded;
use mutate::{Lesson, Lessons, Round};

use super::commission::stream;
use super::court::Court;
use super::propose::{Proposer, flaw};
use super::rounds::Schedule;
use super::{Learning, News};
use crate::Error;
use crate::domain::Domain;
use crate::settings::Settings;
use crate::store::{Store, WEIGHTS};

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
        let bound = school.schedule.bound(number);
        let mut court = Court::of_run(school.domain, &store, bound)?;
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

/// What kept a round from its lessons or its judge.
pub(super) fn unlearned(error: Error) -> mutate::Error {
    match error {
        Error::Mutate(error) => error,
        other => mutate::Error::Learning(other.to_string()),
    }
}
