//! The loop: MAP-Elites with operators that propose in batches (Lehman et al. 2022, section 3; Mouret and
//! Clune 2015), spread over threads.
//!
//! Each iteration draws an inhabited niche for every replica, lets an operator propose a batch of changes to
//! its champion, evaluates the children and places them in the order of their ids. Parents of iteration i
//! come from the map after iteration i - 1 - delay, so the next iteration is being evaluated while the
//! last children of this one are still on their way: the cores never wait, and what a run computes does not
//! depend on how many there are. Every replica of every iteration has a random stream of its own, derived from
//! the run's number, so a run taken up again needs nothing but what the store holds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use qd::{Archive, Elite, GridArchive};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::domain::{Domain, Evaluator, Outcome};
use crate::operator::{Active, Proposal, Request, Weights};
use crate::settings::Settings;
use crate::store::{Child, IterationMetrics, Status, Store, Stretch, now};
use crate::{Error, Reason};

/// Children evaluated together by one thread: enough to fill a simulator's lanes with their like, few enough to
/// spread an iteration evenly.
fn chunk_size(iteration: u64, threads: usize) -> usize {
    (iteration as usize / (2 * threads)).clamp(16, 128)
}

/// Where a search stands.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Children in the store, without the seed.
    pub evaluations: u64,
    /// Children wanted.
    pub target: u64,
    /// As of the last complete iteration.
    pub metrics: IterationMetrics,
    /// Children evaluated by this process.
    pub fresh: u64,
    /// Time since this process began.
    pub elapsed: Duration,
    /// Share of the evaluation threads' time spent evaluating.
    pub busy: f64,
}

/// Runs the search in `store` to its end, or until `stop` is set, and calls `observe` as it goes on.
/// `seed` is the program to start from; a run that has begun does not read it.
///
/// # Errors
/// A setting out of its range, a seed that does not run, an evaluator that cannot start, a store that cannot be
/// written. What was evaluated is in the store by then.
pub fn run(
    store: &mut Store,
    domain: &dyn Domain,
    seed: &str,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(&Progress),
) -> Result<Progress, Error> {
    let settings = store.settings().clone();
    settings.check()?;
    let operators = Weights::build(&settings)?;
    let archive = GridArchive::new(domain.axes())
        .map_err(|e| Error::setting("map", e.to_string(), "mend the range of that axis"))?;
    let threads = match settings.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let evaluators = (0..threads)
        .map(|_| domain.evaluator())
        .collect::<Result<Vec<_>, _>>()?;

    let (jobs, todo) = crossbeam_channel::unbounded();
    let (done, results) = crossbeam_channel::unbounded();
    let busy = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for evaluator in evaluators {
            let (todo, done, busy) = (todo.clone(), done.clone(), &busy);
            scope.spawn(move || work(evaluator, &todo, &done, busy, stop));
        }
        drop((todo, done));
        let search = Search {
            settings,
            operators,
            archive,
            stored: store.len()?,
            store,
            jobs,
            results,
            busy: &busy,
            threads,
            placed: 0,
            next: 0,
            counts: Counts::default(),
            last_metrics: None,
            began: (now(), Instant::now()),
            fresh: 0,
        };
        // Its end, good or bad, closes the channel of jobs, which ends the threads.
        search.run(seed, stop, observe)
    })
}

/// A genotype in the map.
#[derive(Clone)]
struct Genome {
    id: u64,
    program: Arc<str>,
}

/// A child before its evaluation.
struct Unborn {
    id: u64,
    iteration: u64,
    replica: u32,
    operator: &'static str,
    parent: Option<Genome>,
    proposal: Proposal,
}

/// What one iteration has brought so far.
#[derive(Clone, Copy, Default)]
struct Counts {
    proposed: u64,
    valid: u64,
    runnable: u64,
    accepted: u64,
}

struct Search<'a> {
    settings: Settings,
    operators: Vec<Active>,
    archive: GridArchive<Genome>,
    store: &'a mut Store,
    /// Children in the store when this process began.
    stored: u64,
    jobs: Sender<Vec<Unborn>>,
    results: Receiver<Vec<Child>>,
    busy: &'a AtomicU64,
    threads: usize,
    /// Iterations that are wholly in the archive.
    placed: u64,
    /// The next child to place.
    next: u64,
    /// Of the iteration that `next` belongs to.
    counts: Counts,
    last_metrics: Option<IterationMetrics>,
    began: (f64, Instant),
    fresh: u64,
}

impl Search<'_> {
    fn run(
        mut self,
        seed: &str,
        stop: &AtomicBool,
        observe: &mut dyn FnMut(&Progress),
    ) -> Result<Progress, Error> {
        let target = self.settings.evaluations;
        let delay = u64::from(self.settings.search.delay);
        if self.stored == 0 {
            self.plant(seed)?;
        }
        // The first iteration that is not wholly in the store, and the state of the map it was proposed from.
        let unfinished = (self.stored - 1) / self.settings.iteration_size() + 1;
        self.placed = unfinished.saturating_sub(1 + delay);
        self.next = self.first_of(self.placed + 1);
        for champion in self.store.champions(self.next)? {
            self.tell(&champion);
        }

        let mut proposed = unfinished - 1;
        let mut early: BTreeMap<u64, Vec<Child>> = BTreeMap::new();
        while self.next <= target {
            while self.first_of(proposed + 1) <= target && proposed < self.placed + 1 + delay {
                proposed += 1;
                self.propose(proposed);
            }
            if self.next < self.stored {
                self.replay()?;
                continue;
            }
            // Never past the end of an iteration: the next one is proposed from the map as it is there.
            let end = self.first_of(self.placed + 2);
            let mut ready = Vec::new();
            while let Some(entry) = early.first_entry() {
                let due = *entry.key() == self.next + ready.len() as u64 && *entry.key() < end;
                if !due {
                    break;
                }
                ready.extend(entry.remove());
            }
            if ready.is_empty() {
                match self.results.recv_timeout(Duration::from_millis(100)) {
                    Ok(children) => drop(early.insert(children[0].id, children)),
                    Err(RecvTimeoutError::Timeout) => observe(&self.progress()),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                for children in self.results.try_iter() {
                    early.insert(children[0].id, children);
                }
            } else {
                self.append(ready)?;
                observe(&self.progress());
            }
            if stop.load(Relaxed) {
                break;
            }
        }
        // The last iteration may be a short one; a resumed run will complete it.
        if self.next > target && self.counts.proposed > 0 {
            let metrics = self.metrics();
            self.store.append(&[], std::slice::from_ref(&metrics))?;
            self.last_metrics = Some(metrics);
        }
        self.note_stretch()?;
        let progress = self.progress();
        observe(&progress);
        Ok(progress)
    }

    fn note_stretch(&mut self) -> Result<(), Error> {
        let progress = self.progress();
        let stretch = Stretch {
            children: progress.fresh,
            seconds: progress.elapsed.as_secs_f64(),
            threads: self.threads as u32,
            busy: progress.busy,
        };
        self.store.note_stretch(self.began.0, &stretch)
    }

    /// Evaluates and stores the seed, child 0.
    fn plant(&mut self, seed: &str) -> Result<(), Error> {
        let unborn = Unborn {
            id: 0,
            iteration: 0,
            replica: 0,
            operator: "seed",
            parent: None,
            proposal: Ok(seed.to_owned()).into(),
        };
        self.jobs.send(vec![unborn]).expect("threads are waiting");
        let child = self.results.recv().map(|mut children| children.remove(0));
        let child = child.map_err(|_| Error::Evaluator("its thread ended".to_owned()))?;
        if let Some(reason) = child.reason {
            let name = self.settings.seed.clone();
            return Err(Error::Seed { name, reason });
        }
        self.append(vec![child])?;
        self.archive = GridArchive::new(self.archive.axes().to_vec()).expect("as before");
        self.stored = 1;
        Ok(())
    }

    fn first_of(&self, iteration: u64) -> u64 {
        match iteration {
            0 => 0,
            _ => (iteration - 1) * self.settings.iteration_size() + 1,
        }
    }

    /// Has the children of an iteration proposed, and sends out those that are not in the store.
    fn propose(&mut self, iteration: u64) {
        let Settings { search, rng, .. } = &self.settings;
        let batch = u64::from(search.batch);
        let total: f64 = self.operators.iter().map(|active| active.weight).sum();
        let mut replicas = Vec::new();
        for replica in 0..search.replicas {
            let first = self.first_of(iteration) + u64::from(replica) * batch;
            let end = (first + batch).min(self.settings.evaluations + 1);
            if first >= end || end <= self.stored {
                continue;
            }
            let mut draw = stream(*rng, iteration, replica, 0);
            let (_, parent) = self.archive.ask(&mut draw).expect("the seed lives there");
            let mut point = draw.random::<f64>() * total;
            let chosen = self.operators.iter().position(|active| {
                point -= active.weight;
                point < 0.0
            });
            let operator = chosen.unwrap_or(self.operators.len() - 1);
            replicas.push((replica, first, end, operator, parent.genotype.clone()));
        }

        let mut unborn = Vec::new();
        for (index, active) in self.operators.iter_mut().enumerate() {
            let own: Vec<_> = replicas.iter().filter(|r| r.3 == index).collect();
            let mut requests: Vec<_> = own
                .iter()
                .map(|(replica, first, end, _, parent)| Request {
                    parent: &parent.program,
                    partner: None,
                    count: (end - first) as usize,
                    rng: stream(*rng, iteration, *replica, 1),
                })
                .collect();
            if requests.is_empty() {
                continue;
            }
            let proposals = active.operator.propose(&mut requests);
            for ((replica, first, _, _, parent), proposals) in own.into_iter().zip(proposals) {
                unborn.extend((*first..).zip(proposals).map(|(id, proposal)| Unborn {
                    id,
                    iteration,
                    replica: *replica,
                    operator: active.name,
                    parent: Some(parent.clone()),
                    proposal,
                }));
            }
        }
        unborn.retain(|child| child.id >= self.stored);
        unborn.sort_by_key(|child| child.id);
        let size = chunk_size(self.settings.iteration_size(), self.threads);
        let mut unborn = VecDeque::from(unborn);
        while !unborn.is_empty() {
            let chunk = unborn.drain(..size.min(unborn.len())).collect();
            self.jobs.send(chunk).expect("threads are waiting");
        }
    }

    /// Takes what the store holds of the next iteration into the archive.
    fn replay(&mut self) -> Result<(), Error> {
        let end = self.first_of(self.placed + 2).min(self.stored);
        let mut children = Vec::new();
        self.store.each_child(self.next, end, |child| {
            children.push(child);
            Ok(())
        })?;
        for child in &children {
            self.tell(child);
            self.count(child);
            if self.complete() {
                self.turn();
            }
        }
        Ok(())
    }

    /// Places fresh children in the archive and writes them, with the metrics of iterations they complete.
    fn append(&mut self, mut children: Vec<Child>) -> Result<(), Error> {
        let mut iterations = Vec::new();
        for child in &mut children {
            self.tell_fresh(child);
            self.count(child);
            if self.complete() {
                iterations.push(self.turn());
            }
        }
        if !children.is_empty() {
            self.store.append(&children, &iterations)?;
            self.fresh += children.len() as u64;
            if !iterations.is_empty() {
                self.note_stretch()?;
            }
        }
        Ok(())
    }

    fn tell_fresh(&mut self, child: &mut Child) {
        child.at = now();
        if child.status != Status::Scored {
            return;
        }
        match self.archive.tell(elite(child)) {
            Ok(verdict) => {
                child.niche = Some(verdict.niche() as u32);
                child.accepted = verdict.accepted();
            }
            Err(refusal) => {
                child.status = Status::Unscored;
                child.reason = Some(Reason::new("not-finite", refusal.to_string()));
                child.fitness = None;
                child.measures.clear();
            }
        }
    }

    fn tell(&mut self, child: &Child) {
        if child.accepted {
            let told = self.archive.tell(elite(child));
            debug_assert!(told.is_ok_and(|verdict| verdict.accepted()));
        }
    }

    fn count(&mut self, child: &Child) {
        self.next = child.id + 1;
        self.counts.proposed += 1;
        self.counts.valid += u64::from(child.status != Status::Invalid);
        self.counts.runnable +=
            u64::from(matches!(child.status, Status::Unscored | Status::Scored));
        self.counts.accepted += u64::from(child.accepted);
    }

    /// Whether the child placed last was the last of its iteration.
    fn complete(&self) -> bool {
        self.next == 1 || self.next == self.first_of(self.placed + 2)
    }

    /// Closes an iteration.
    fn turn(&mut self) -> IterationMetrics {
        let metrics = self.metrics();
        if self.next > 1 {
            self.placed += 1;
        }
        self.counts = Counts::default();
        self.last_metrics = Some(metrics.clone());
        metrics
    }

    fn metrics(&self) -> IterationMetrics {
        let map = self.archive.metrics();
        IterationMetrics {
            iteration: if self.next > 1 { self.placed + 1 } else { 0 },
            evaluations: self.next - 1,
            proposed: self.counts.proposed,
            valid: self.counts.valid,
            runnable: self.counts.runnable,
            accepted: self.counts.accepted,
            niches: map.niches as u64,
            qd_score: map.qd_score,
            max_fitness: map.max_fitness.unwrap_or(0.0),
        }
    }

    fn progress(&self) -> Progress {
        let elapsed = self.began.1.elapsed();
        let share = self.busy.load(Relaxed) as f64 / 1e9 / elapsed.as_secs_f64();
        Progress {
            evaluations: self.next.saturating_sub(1),
            target: self.settings.evaluations,
            metrics: self.last_metrics.clone().unwrap_or_else(|| self.metrics()),
            fresh: self.fresh,
            elapsed,
            busy: (share / self.threads as f64).min(1.0),
        }
    }
}

/// An evaluation thread.
fn work(
    mut evaluator: Box<dyn Evaluator>,
    todo: &Receiver<Vec<Unborn>>,
    done: &Sender<Vec<Child>>,
    busy: &AtomicU64,
    stop: &AtomicBool,
) {
    for unborn in todo {
        if stop.load(Relaxed) {
            return;
        }
        let began = Instant::now();
        let programs: Vec<&str> = unborn
            .iter()
            .filter_map(|child| child.proposal.program.as_deref().ok())
            .collect();
        let mut evaluations = evaluator.evaluate(&programs).into_iter();
        let children = unborn
            .into_iter()
            .map(|unborn| {
                let evaluation = match unborn.proposal.program {
                    Ok(_) => evaluations.next(),
                    Err(_) => None,
                };
                born(unborn, evaluation)
            })
            .collect();
        busy.fetch_add(began.elapsed().as_nanos() as u64, Relaxed);
        if done.send(children).is_err() {
            return;
        }
    }
}

/// A child, but for its place in the map.
fn born(unborn: Unborn, evaluation: Option<crate::domain::Evaluation>) -> Child {
    let (program, invalid) = match unborn.proposal.program {
        Ok(program) => (program, None),
        Err(reason) => (String::new(), Some(reason)),
    };
    let diff = match &unborn.parent {
        Some(parent) if invalid.is_none() => difference(&parent.program, &program),
        _ => String::new(),
    };
    let mut child = Child {
        id: unborn.id,
        iteration: unborn.iteration,
        replica: unborn.replica,
        operator: unborn.operator.to_owned(),
        parent: unborn.parent.map(|parent| parent.id),
        status: Status::Invalid,
        reason: invalid,
        measures: Vec::new(),
        fitness: None,
        niche: None,
        accepted: false,
        seconds: 0.0,
        at: 0.0,
        program,
        diff,
        artifact: None,
    };
    if let Some(evaluation) = evaluation {
        child.seconds = evaluation.time.as_secs_f64();
        child.artifact = evaluation.artifact;
        match evaluation.outcome {
            Outcome::Unrunnable(reason) => {
                child.status = Status::Unrunnable;
                child.reason = Some(reason);
            }
            Outcome::Unscored(reason) => {
                child.status = Status::Unscored;
                child.reason = Some(reason);
            }
            Outcome::Scored { measures, fitness } => {
                child.status = Status::Scored;
                child.measures = measures;
                child.fitness = Some(fitness);
            }
        }
    }
    child
}

/// Of equals the shorter program wins: its length in bytes is the elite's cost.
fn elite(child: &Child) -> Elite<Genome> {
    let genome = Genome {
        id: child.id,
        program: child.program.as_str().into(),
    };
    let fitness = child.fitness.unwrap_or(f64::NAN);
    Elite::new(genome, child.measures.clone(), fitness).with_cost(child.program.len() as u64)
}

/// A unified diff with three lines of context and no header.
fn difference(old: &str, new: &str) -> String {
    similar::TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(3)
        .to_string()
}

/// The random stream of one replica in one iteration, for one purpose.
fn stream(run: u64, iteration: u64, replica: u32, purpose: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (slot, part) in key
        .chunks_exact_mut(8)
        .zip([run, iteration, replica.into(), purpose])
    {
        slot.copy_from_slice(&part.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
