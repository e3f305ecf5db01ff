//! Placing: children enter the archive and the store in the order of their ids.

use std::time::{Duration, Instant};

use mutate::Reason;
use qd::{Archive, Elite, GridArchive};

use super::evaluate::Genome;
use super::{Counts, Search, summary};
use crate::store::{Child, IterationMetrics, Status, now};
use crate::{Error, NOT_FINITE};

/// How often the log is told where the search stands.
const EVERY: Duration = Duration::from_secs(60);

impl Search<'_> {
    /// Takes what the store holds of the next iteration into the archive.
    pub(super) fn replay(&mut self) -> Result<(), Error> {
        let end = self.first_of(self.placed + 2).min(self.stored);
        let mut children = Vec::new();
        self.store.each_child(self.next, end, |child| {
            children.push(child);
            Ok(())
        })?;
        for child in &children {
            self.expect(child.id)?;
            self.tell(child);
            self.count(child);
            if self.complete() {
                self.turn();
            }
        }
        self.expect(end.max(self.next))
    }

    /// Refuses a store where the next child is not the one with this id.
    fn expect(&self, id: u64) -> Result<(), Error> {
        match id == self.next {
            true => Ok(()),
            false => Err(Error::file(
                self.store.folder().join(crate::store::DATABASE),
                format!("damaged: child {} is missing", self.next),
                "the run can be looked at, but not resumed",
            )),
        }
    }

    /// Places fresh children in the archive and writes them, with the metrics of iterations they complete.
    pub(super) fn append(&mut self, mut children: Vec<Child>) -> Result<(), Error> {
        let mut iterations = Vec::new();
        for child in &mut children {
            place(&mut self.archive, child);
            self.count(child);
            if self.complete() {
                iterations.push(self.turn());
            }
        }
        if !children.is_empty() {
            self.store.append(&children, &iterations)?;
            self.fresh += children.len() as u64;
            self.tokens += children
                .iter()
                .map(|child| u64::from(child.cost.tokens))
                .sum::<u64>();
            if !iterations.is_empty() {
                self.note_stretch()?;
            }
        }
        Ok(())
    }

    pub(super) fn tell(&mut self, child: &Child) {
        if child.accepted {
            let told = self.archive.tell(elite(child));
            debug_assert!(told.is_ok_and(|verdict| verdict.accepted()));
        }
    }

    fn count(&mut self, child: &Child) {
        self.next = child.id + 1;
        self.counts.add(child);
    }

    /// Whether the child placed last was the last of its iteration.
    pub(super) fn complete(&self) -> bool {
        self.next == 1 || self.next == self.first_of(self.placed + 2)
    }

    /// Closes an iteration.
    pub(super) fn turn(&mut self) -> IterationMetrics {
        let metrics = self.metrics();
        if self.next > 1 {
            self.placed += 1;
        }
        self.counts = Counts::default();
        self.last_metrics = Some(metrics.clone());
        let line = || format!("{} evaluations, {}", metrics.evaluations, summary(&metrics));
        if self.noted.elapsed() >= EVERY {
            self.noted = Instant::now();
            log::info!("{}", line());
        } else {
            log::debug!("iteration {}: {}", metrics.iteration, line());
        }
        metrics
    }

    pub(super) fn metrics(&self) -> IterationMetrics {
        let iteration = if self.next > 1 { self.placed + 1 } else { 0 };
        self.counts.metrics(&self.archive, iteration, self.next - 1)
    }
}

impl Counts {
    pub(super) fn add(&mut self, child: &Child) {
        self.proposed += 1;
        self.valid += u64::from(child.status != Status::Invalid);
        self.runnable += u64::from(matches!(child.status, Status::Unscored | Status::Scored));
        self.accepted += u64::from(child.accepted);
    }

    /// The state of a map after these children of an iteration.
    pub(super) fn metrics(
        &self,
        archive: &GridArchive<Genome>,
        iteration: u64,
        evaluations: u64,
    ) -> IterationMetrics {
        let map = archive.metrics();
        IterationMetrics {
            iteration,
            evaluations,
            proposed: self.proposed,
            valid: self.valid,
            runnable: self.runnable,
            accepted: self.accepted,
            niches: map.niches as u64,
            qd_score: map.qd_score,
            max_fitness: map.max_fitness.unwrap_or(0.0),
        }
    }
}

/// Gives a fresh child its place in the map, as far as it has a score.
pub(super) fn place(archive: &mut GridArchive<Genome>, child: &mut Child) {
    child.at = now();
    if child.status != Status::Scored {
        return;
    }
    match archive.tell(elite(child)) {
        Ok(verdict) => {
            child.niche = Some(verdict.niche() as u32);
            child.accepted = verdict.accepted();
        }
        Err(refusal) => {
            child.status = Status::Unscored;
            child.reason = Some(Reason::new(&NOT_FINITE, refusal.to_string()));
            child.fitness = None;
            child.measures.clear();
        }
    }
}

/// Of equals the shorter program wins: its length in bytes is the elite's cost.
pub(super) fn elite(child: &Child) -> Elite<Genome> {
    let genome = Genome {
        id: child.id,
        program: child.program.as_str().into(),
    };
    let fitness = child.fitness.unwrap_or(f64::NAN);
    Elite::new(genome, child.measures.clone(), fitness).with_cost(child.program.len() as u64)
}
