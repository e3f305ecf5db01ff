//! When operators learn: rounds at fixed iterations.
//!
//! Round r learns from the map and the store as they stand after iteration r x period, and is sent to the operator before
//! the first iteration whose parents come from that map. So what an operator has learned by any call of the run is known
//! beforehand, whatever the pace, and a run taken up again repeats it: rounds that were noted are taken as they were
//! noted, the last that was begun and not noted is learned again.

use std::collections::BTreeMap;

use mutate::{Active, Learned};

use super::propose::Task;
use super::{Line, Search};
use crate::Error;
use crate::settings::{Learn, Settings};

/// At which iterations rounds begin, and which ones ask the operator.
#[derive(Clone, Copy)]
pub(super) struct Schedule {
    /// Iterations between two rounds; 0 for none.
    period: u64,
    /// Iterations for which the operator is not asked once a round has begun.
    meanwhile: u64,
    delay: u64,
    /// Children of an iteration.
    size: u64,
}

impl Schedule {
    pub fn new(settings: &Settings) -> Self {
        let size = settings.iteration_size();
        let Learn { every, meanwhile } = settings.learn;
        Self {
            period: every.div_ceil(size),
            meanwhile: meanwhile.div_ceil(size),
            delay: settings.search.delay.into(),
            size,
        }
    }

    /// The id of the first child that a round does not learn from.
    pub fn bound(self, round: u32) -> u64 {
        self.after(round) * self.size + 1
    }

    /// The iteration after which a round begins.
    fn after(self, round: u32) -> u64 {
        u64::from(round) * self.period
    }

    /// The first iteration that is asked after a round has begun.
    fn first(self, round: u32) -> u64 {
        self.after(round) + self.delay + 1
    }

    /// The last round that has begun before an iteration is asked; 0 for none.
    fn begun(self, iteration: u64) -> u32 {
        let parents = iteration.saturating_sub(1 + self.delay);
        parents.checked_div(self.period).unwrap_or(0) as u32
    }

    /// Whether an iteration asks an operator that has learned something.
    fn asks(self, iteration: u64) -> bool {
        let round = self.begun(iteration);
        round > 0 && iteration >= self.first(round) + self.meanwhile
    }
}

/// Where an operator that learns stands.
pub(super) struct Pupil {
    /// Rounds in the store, by number: whether they were kept.
    noted: BTreeMap<u32, bool>,
    /// Whether it has weights to write with, as far as is known.
    pub writes: bool,
    /// Rounds on their way.
    pub open: u32,
}

impl Pupil {
    /// As the store knows it.
    pub fn new(noted: impl Iterator<Item = (u32, Learned)>) -> Self {
        Self {
            noted: noted
                .map(|(round, learned)| (round, learned.kept))
                .collect(),
            writes: false,
            open: 0,
        }
    }
}

/// Refuses operators and settings that do not go together.
pub(super) fn check(operators: &mut [Active], settings: &Settings) -> Result<(), Error> {
    let every = settings.learn.every;
    let learns = |active: &mut Active| active.operator.learner().is_some();
    let pupil = operators
        .iter_mut()
        .find_map(|active| learns(active).then_some(active.name));
    match pupil {
        Some(name) if every == 0 => Err(Error::setting(
            "learn.every",
            format!("the operator {name} learns in rounds, and there are none"),
            "give the evaluations between two, e.g. --self-improve every=5000",
        )),
        Some(name) if operators.iter_mut().all(learns) => Err(Error::setting(
            "operators",
            format!("{name} has nobody to learn from in the beginning"),
            "give it a teacher: --operator gp",
        )),
        None if every > 0 => Err(Error::setting(
            "learn.every",
            "no operator of this run learns",
            "set it to 0, or use --self-improve",
        )),
        _ => Ok(()),
    }
}

impl Search<'_> {
    /// Sends again what a run taken up needs: of the rounds that had begun before the iteration is asked, the last one kept,
    /// whose weights write, and those that were never noted.
    pub(super) fn recall_rounds(&mut self, iteration: u64) {
        let begun = self.schedule.begun(iteration.saturating_sub(1));
        self.begun = begun;
        for line in &mut self.operators {
            let Some(pupil) = &mut line.pupil else {
                continue;
            };
            let last = pupil.noted.range(..=begun).rfind(|(_, kept)| **kept);
            if let Some((round, _)) = last {
                let round = *round;
                line.send_round(round);
            }
            let Some(pupil) = &line.pupil else { continue };
            let open: Vec<u32> = (1..=begun)
                .filter(|round| !pupil.noted.contains_key(round))
                .collect();
            for round in open {
                line.send_round(round);
            }
        }
    }

    /// Begins the round that is due before an iteration is asked, unless the run ends before anybody would be asked for what
    /// it teaches: a longer run sends it later.
    pub(super) fn begin_round(&mut self, iteration: u64) {
        let round = self.schedule.begun(iteration);
        let first = self.schedule.first(round) + self.schedule.meanwhile;
        if round == self.begun || self.first_of(first) > self.settings.evaluations {
            return;
        }
        self.begun = round;
        for line in &mut self.operators {
            line.send_round(round);
        }
    }

    /// Whether nobody can say yet which operators an iteration may ask.
    pub(super) fn is_uncertain(&self, iteration: u64) -> bool {
        let pupils = self.operators.iter().filter_map(|line| line.pupil.as_ref());
        let uncertain = |pupil: &Pupil| !pupil.writes && pupil.open > 0;
        self.schedule.asks(iteration) && pupils.into_iter().any(uncertain)
    }

    /// The operators' weights in an iteration.
    pub(super) fn weights(&self, iteration: u64) -> Vec<f64> {
        let asks = self.schedule.asks(iteration);
        let weight = |line: &Line| match &line.pupil {
            Some(pupil) if !(asks && pupil.writes) => 0.0,
            _ => line.weight,
        };
        self.operators.iter().map(weight).collect()
    }

    /// Notes what a round came to.
    pub(super) fn note_round(
        &mut self,
        operator: &'static str,
        round: u32,
        seconds: f64,
        learned: &Learned,
    ) -> Result<(), Error> {
        let bound = self.schedule.bound(round);
        self.store
            .note_round(operator, round, bound, seconds, learned)?;
        for line in &mut self.operators {
            if let Some(pupil) = line.pupil.as_mut().filter(|_| line.name == operator) {
                pupil.writes |= learned.kept;
                pupil.open -= 1;
            }
        }
        Ok(())
    }
}

impl Line {
    /// Sends a round to an operator that learns; nothing where it is known that it came to nothing.
    fn send_round(&mut self, round: u32) {
        let Some(pupil) = &mut self.pupil else {
            return;
        };
        let was_kept = match pupil.noted.get(&round) {
            Some(false) => return,
            Some(true) => true,
            None => false,
        };
        match was_kept {
            true => pupil.writes = true,
            false => pupil.open += 1,
        }
        // An operator that has failed has said so.
        let _ = self.tasks.send(Task::Learn { round, was_kept });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(every: u64, meanwhile: u64, delay: u32) -> Schedule {
        let mut settings = Settings::default();
        settings.search.replicas = 2;
        settings.search.batch = 5;
        settings.search.delay = delay;
        settings.learn = Learn { every, meanwhile };
        settings.check().unwrap();
        Schedule::new(&settings)
    }

    #[test]
    fn rounds_begin_at_fixed_iterations() {
        let asked =
            |schedule: Schedule| -> Vec<u64> { (1..12).filter(|i| schedule.asks(*i)).collect() };
        let plain = schedule(25, 0, 0);
        let begun: Vec<u32> = (1..9).map(|i| plain.begun(i)).collect();
        assert_eq!(begun, [0, 0, 0, 1, 1, 1, 2, 2]);
        assert_eq!(asked(plain), (4..12).collect::<Vec<_>>());
        assert_eq!((plain.after(2), plain.first(2)), (6, 7));
        let late = schedule(30, 11, 1);
        assert_eq!((late.begun(4), late.begun(5)), (0, 1));
        assert_eq!(asked(late), [7, 10]);
        assert!(asked(schedule(0, 0, 1)).is_empty());
    }

    #[test]
    fn what_is_never_asked_is_refused() {
        let learn = Learn {
            every: 600,
            meanwhile: 513,
        };
        let settings = Settings {
            learn,
            ..Settings::default()
        };
        let error = settings.check().unwrap_err().to_string();
        assert!(error.contains("learn.meanwhile"), "{error}");
    }
}
