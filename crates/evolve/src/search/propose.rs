//! Proposing, beside the evaluation: every operator has a thread of its own, since a language model takes seconds for
//! an iteration. Its children go straight on to the evaluation threads, one by one. One that learns does so between two
//! iterations, in the same queue.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rand_chacha::ChaCha8Rng;

use mutate::crew::guarded;
use mutate::{Active, Lost, Proposal, Request, Tray};

use super::News;
use super::evaluate::{Genome, Unborn};
use super::school::School;
use crate::Error;

/// One replica's share of an iteration: a batch of changes of one parent.
pub(super) struct Share {
    pub iteration: u64,
    pub replica: u32,
    /// The id of its first child.
    pub first: u64,
    /// A flag for each child.
    pub wanted: Vec<bool>,
    pub parent: Genome,
    pub partner: Option<Genome>,
    pub rng: ChaCha8Rng,
}

impl Share {
    /// The child of an id, as proposed.
    pub fn unborn(&self, id: u64, operator: &'static str, proposal: Proposal) -> Unborn {
        let partner = self.partner.as_ref().map(|genome| genome.id);
        Unborn {
            id,
            iteration: self.iteration,
            replica: self.replica,
            operator,
            parent: Some(self.parent.clone()),
            partner: partner.filter(|_| proposal.crossed),
            proposal,
        }
    }
}

/// What one operator is to do.
pub(super) enum Task {
    /// Propose, for one iteration.
    Propose(Vec<Share>),
    /// Learn a round, or get the weights back of one that was kept.
    Learn { round: u32, was_kept: bool },
}

/// An operator at work in its thread.
pub(super) struct Proposer<'a> {
    pub active: Active,
    pub tasks: Receiver<Task>,
    /// The way to the evaluation threads.
    pub jobs: Sender<Unborn>,
    pub news: Sender<News>,
    pub clock: &'a Clock,
    pub halt: &'a AtomicBool,
    pub school: &'a School<'a>,
}

impl Proposer<'_> {
    /// Serves until there are no more tasks, the search halts, or the operator fails.
    pub fn work(mut self) {
        while let Ok(task) = self.tasks.recv() {
            if self.halt.load(Relaxed) {
                break;
            }
            let done = match task {
                Task::Propose(shares) => {
                    self.clock.begin();
                    let done = self.propose(&shares);
                    self.clock.end();
                    done
                }
                Task::Learn { round, was_kept } => self.learn(round, was_kept),
            };
            if let Err(failure) = done {
                let _ = self.news.send(News::Failed(failure));
                break;
            }
        }
        let _ = self.news.send(News::Gone);
    }

    fn propose(&mut self, shares: &[Share]) -> Result<(), Error> {
        let Self { active, halt, .. } = self;
        let mut requests: Vec<_> = shares
            .iter()
            .map(|share| Request {
                parent: &share.parent.program,
                partner: share.partner.as_ref().map(|genome| &*genome.program),
                wanted: share.wanted.clone(),
                rng: share.rng.clone(),
            })
            .collect();
        let mut belt = Belt {
            shares,
            name: active.name,
            is_dear: active.operator.is_dear(),
            jobs: &self.jobs,
            news: &self.news,
            missing: shares.iter().map(|s| s.wanted.clone()).collect(),
            since: Instant::now(),
            fault: None,
        };
        let answer = guarded(|| active.operator.propose(&mut requests, &mut belt, halt));
        let Belt { missing, fault, .. } = belt;
        let flaw = |why| flaw(active.name, why);
        answer.map_err(flaw)??;
        if let Some(fault) = fault {
            return Err(flaw(fault));
        }
        let missing = missing.iter().flatten().filter(|missing| **missing).count();
        // Told to stop, it need not come to the end.
        if missing > 0 && !halt.load(Relaxed) {
            return Err(flaw(format!(
                "{missing} of the children that were wanted are missing"
            )));
        }
        Ok(())
    }
}

/// The way from an operator to the evaluation threads, and to the store for what cannot be had again.
struct Belt<'a> {
    shares: &'a [Share],
    name: &'static str,
    is_dear: bool,
    jobs: &'a Sender<Unborn>,
    news: &'a Sender<News>,
    /// By request and child: wanted, and not handed over yet.
    missing: Vec<Vec<bool>>,
    /// When the last child was handed over.
    since: Instant,
    /// How the operator broke its contract first.
    fault: Option<String>,
}

impl Belt<'_> {
    fn take(&mut self, request: usize, child: usize, mut proposal: Proposal) -> Result<(), String> {
        let place = self
            .missing
            .get_mut(request)
            .and_then(|all| all.get_mut(child));
        let Some(missing) = place else {
            return Err(format!(
                "it proposed child {child} of request {request}, where there is none"
            ));
        };
        let share = &self.shares[request];
        if !std::mem::take(missing) {
            return match share.wanted[child] {
                true => Err(format!(
                    "it proposed child {child} of request {request} twice"
                )),
                false => Ok(()),
            };
        }
        let cost = &mut proposal.cost;
        if let Some(odd) = [cost.seconds, cost.dollars]
            .into_iter()
            .find(|amount| !(amount.is_finite() && *amount >= 0.0))
        {
            return Err(format!("it gave a cost of {odd}"));
        }
        if cost.seconds == 0.0 {
            cost.seconds = self.since.elapsed().as_secs_f64();
        }
        self.since = Instant::now();
        let id = share.first + child as u64;
        // Before its evaluation, so that the store has it before its child.
        if self.is_dear {
            let _ = self.news.send(News::Arrived(id, proposal.clone()));
        }
        // Where nobody evaluates any more, the search knows why.
        let _ = self.jobs.send(share.unborn(id, self.name, proposal));
        Ok(())
    }
}

impl Tray for Belt<'_> {
    fn hand(&mut self, request: usize, child: usize, proposal: Proposal) {
        if self.fault.is_none() {
            self.fault = self.take(request, child, proposal).err();
        }
    }

    fn lose(&mut self, lost: Lost) {
        let _ = self.news.send(News::Lost(lost));
    }
}

/// An operator that does not keep to its contract.
pub(super) fn flaw(name: &str, why: String) -> Error {
    let mend = "this is a mistake in the operator, please report it; what was evaluated is kept";
    mutate::Error::Operator {
        name: name.to_owned(),
        why,
        mend: mend.to_owned(),
    }
    .into()
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
