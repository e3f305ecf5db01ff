//! Proposing, beside the evaluation: every operator has a thread of its own, since a language model takes seconds for
//! an iteration. Its children go straight on to the evaluation threads.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rand_chacha::ChaCha8Rng;

use super::evaluate::{Genome, News, Unborn};
use super::guarded;
use crate::Error;
use crate::operator::{Active, Cost, Proposal, Request};

/// One replica's share of an iteration: a batch of changes of one parent.
pub(super) struct Share {
    pub replica: u32,
    /// The id of its first child.
    pub first: u64,
    pub count: usize,
    pub parent: Genome,
    pub partner: Option<Genome>,
    pub rng: ChaCha8Rng,
}

impl Share {
    /// One above the id of its last child.
    pub fn end(&self) -> u64 {
        self.first + self.count as u64
    }
}

/// What one operator is to propose for one iteration.
pub(super) struct Task {
    pub iteration: u64,
    pub shares: Vec<Share>,
}

/// An operator at work in its thread.
pub(super) struct Proposer<'a> {
    pub active: Active,
    pub tasks: Receiver<Task>,
    pub jobs: Sender<Vec<Unborn>>,
    /// For word of its failure.
    pub news: Sender<News>,
    /// Children below this id are in the store already.
    pub stored: u64,
    /// Children evaluated together.
    pub chunk: usize,
    pub clock: &'a Clock,
    pub halt: &'a AtomicBool,
}

impl Proposer<'_> {
    /// Serves until there are no more tasks, the search halts, or the operator fails.
    pub fn work(mut self) {
        while let Ok(task) = self.tasks.recv() {
            if self.halt.load(Relaxed) {
                return;
            }
            self.clock.begin();
            let proposals = self.propose(&task);
            self.clock.end();
            // What an operator returns once it is told to stop may be anything.
            if self.halt.load(Relaxed) {
                return;
            }
            match proposals {
                Ok(proposals) => self.send(task, proposals),
                Err(failure) => {
                    let _ = self.news.send(Err(failure));
                    return;
                }
            }
        }
    }

    fn propose(&mut self, task: &Task) -> Result<Vec<Vec<Proposal>>, Error> {
        let Self { active, halt, .. } = self;
        let mut requests: Vec<_> = task
            .shares
            .iter()
            .map(|share| Request {
                parent: &share.parent.program,
                partner: share.partner.as_ref().map(|genome| &*genome.program),
                count: share.count,
                rng: share.rng.clone(),
            })
            .collect();
        let began = Instant::now();
        let answer = guarded(|| active.operator.propose(&mut requests, halt));
        let mut proposals = answer.map_err(|panic| flaw(active.name, panic))??;
        if halt.load(Relaxed) {
            return Ok(Vec::new());
        }

        let wanted: Vec<_> = task.shares.iter().map(|share| share.count).collect();
        let counts: Vec<_> = proposals.iter().map(Vec::len).collect();
        if wanted != counts {
            let why = format!("it proposed {counts:?} children where {wanted:?} were wanted");
            return Err(flaw(active.name, why));
        }
        Cost::spread(&mut proposals, began.elapsed().as_secs_f64());
        let costs = proposals.iter().flatten().map(|proposal| proposal.cost);
        let amounts = costs.flat_map(|cost| [cost.seconds, cost.dollars]);
        if let Some(odd) = amounts
            .into_iter()
            .find(|amount| !(amount.is_finite() && *amount >= 0.0))
        {
            return Err(flaw(active.name, format!("it gave a cost of {odd}")));
        }
        Ok(proposals)
    }

    /// Sends out the children that are not in the store.
    fn send(&self, task: Task, proposals: Vec<Vec<Proposal>>) {
        let mut unborn = Vec::new();
        for (share, proposals) in task.shares.into_iter().zip(proposals) {
            let partner = share.partner.map(|genome| genome.id);
            unborn.extend(
                (share.first..)
                    .zip(proposals)
                    .filter(|(id, _)| *id >= self.stored)
                    .map(|(id, proposal)| Unborn {
                        id,
                        iteration: task.iteration,
                        replica: share.replica,
                        operator: self.active.name,
                        parent: Some(share.parent.clone()),
                        partner: partner.filter(|_| proposal.crossed),
                        proposal,
                    }),
            );
        }
        let mut unborn = unborn.into_iter().peekable();
        while unborn.peek().is_some() {
            let chunk = unborn.by_ref().take(self.chunk).collect();
            // Where nobody evaluates any more, the search knows why.
            let _ = self.jobs.send(chunk);
        }
    }
}

/// An operator that does not keep to its contract.
fn flaw(name: &str, why: String) -> Error {
    Error::Operator {
        name: name.to_owned(),
        why,
        mend: "this is a mistake in the operator, please report it; what was evaluated is kept"
            .to_owned(),
    }
}

/// For how long at least one operator has been at work.
#[derive(Default)]
pub(super) struct Clock(Mutex<Reading>);

#[derive(Default)]
struct Reading {
    working: usize,
    /// When the first of those that work now began.
    since: Option<Instant>,
    before: Duration,
}

impl Clock {
    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) {
        let mut reading = self.reading();
        reading.working += 1;
        reading.since.get_or_insert_with(Instant::now);
    }

    fn end(&self) {
        let mut reading = self.reading();
        reading.working -= 1;
        if reading.working == 0 {
            let stretch = reading.since.take().map_or(Duration::ZERO, |s| s.elapsed());
            reading.before += stretch;
        }
    }

    /// The time so far.
    pub fn time(&self) -> Duration {
        let reading = self.reading();
        reading.before
            + reading
                .since
                .map_or(Duration::ZERO, |since| since.elapsed())
    }
}
