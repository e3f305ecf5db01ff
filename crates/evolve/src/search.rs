//! The loop: MAP-Elites with operators that propose in batches (Lehman et al. 2022, section 3; Mouret and
//! Clune 2015), spread over threads.
//!
//! Each iteration draws an inhabited niche for every replica, lets an operator propose a batch of changes to
//! its champion, evaluates the children and places them in the order of their ids. Parents of iteration i
//! come from the map after iteration i - 1 - delay, so the next iteration is being proposed and evaluated while the
//! last children of this one are still on their way: the cores never wait, and what a run computes does not
//! depend on how many there are. Every replica of every iteration has random streams of its own, derived from
//! the run's number, so a run taken up again needs nothing but what the store holds.
//!
//! Every operator proposes in a thread of its own (`propose`) and hands its children on one by one, as many threads as
//! the settings say evaluate them (`evaluate`), and the caller's thread hands out the tasks, places the children
//! and writes them (`place`). Iterations are always asked for whole; children past the end of the run are dropped.
//! An operator may learn from the run meanwhile, in rounds at fixed iterations (`rounds`, `school`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use qd::GridArchive;

use mutate::{Active, Learned, Lost, Proposal, Reason};

use crate::domain::Domain;
use crate::settings::Settings;
use crate::store::{Child, IterationMetrics, Store, Stretch, now};
use crate::{Error, NOT_FINITE};
use evaluate::{Bench, Genome, Unborn};
use propose::{Clock, Proposer, Task};
use rounds::{Pupil, Schedule};
use school::School;

pub mod collect;
mod commission;
pub mod court;
mod evaluate;
mod place;
mod propose;
mod rounds;
mod school;

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
    /// Tokens that models wrote for these.
    pub tokens: u64,
    /// Time since this process began.
    pub elapsed: Duration,
    /// Share of the evaluation threads' time spent evaluating.
    pub busy: f64,
    /// Share of the time in which at least one operator was proposing.
    pub proposing: f64,
    /// The round of learning in progress.
    pub learning: Option<Learning>,
}

/// A round of learning in progress.
#[derive(Clone, Debug, PartialEq)]
pub struct Learning {
    /// Counted from 1.
    pub round: u32,
    /// How far it is, in the operator's words; may be empty.
    pub says: String,
}

/// What the threads report.
enum News {
    /// Children, but for their places in the map.
    Evaluated(Vec<Child>),
    /// A proposal that cannot be had again, on its way to its evaluation.
    Arrived(u64, Proposal),
    /// What an operator asked for and will not get.
    Lost(Lost),
    /// What a round of learning came to.
    Learned {
        operator: &'static str,
        round: u32,
        seconds: f64,
        learned: Learned,
    },
    /// A thread cannot go on.
    Failed(Error),
    /// An operator's thread has ended.
    Gone,
}

/// How long operators may take to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs the search in `store` to its end, or until `stop` is set, and calls `observe` as it goes on.
/// `seed` is the program to start from; a run that has begun does not read it.
///
/// # Errors
/// A setting out of its range, a seed that does not run, an evaluator that cannot start, an operator that cannot go on,
/// a store that cannot be written, an operator that learns where there are no rounds or no teacher. What was evaluated is
/// in the store by then.
pub fn run(
    mut operators: Vec<Active>,
    store: &mut Store,
    domain: &dyn Domain,
    seed: &str,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(&Progress),
) -> Result<Progress, Error> {
    let settings = store.settings().clone();
    settings.check()?;
    rounds::check(&mut operators, &settings)?;
    let archive = GridArchive::new(domain.axes())
        .map_err(|e| Error::setting("map", e.to_string(), "mend the range of that axis"))?;
    let threads = match settings.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let evaluators = (0..threads)
        .map(|_| domain.evaluator())
        .collect::<Result<Vec<_>, _>>()?;
    let stored = store.len()?;
    let kept = store.kept()?.into_iter().collect();
    log::info!("{stored} children in the store, {threads} evaluation threads");

    let (jobs, todo) = crossbeam_channel::unbounded();
    let (done, results) = crossbeam_channel::unbounded();
    let (clock, halt) = (Clock::default(), AtomicBool::new(false));
    let bench = Bench {
        condition: store.condition().to_owned(),
        axes: archive.axes().len(),
        threads,
        busy: AtomicU64::new(0),
    };
    let school = School {
        folder: store.folder().to_owned(),
        settings: &settings,
        schedule: Schedule::new(&settings),
        domain,
        learning: Mutex::default(),
    };
    let mut noted = store.rounds()?;
    std::thread::scope(|scope| {
        for evaluator in evaluators {
            let (todo, done, bench, halt) = (todo.clone(), done.clone(), &bench, &halt);
            scope.spawn(move || bench.work(evaluator, &todo, &done, halt));
        }
        let operators: Vec<_> = operators
            .into_iter()
            .map(|mut active| {
                let (tasks, receiver) = crossbeam_channel::unbounded();
                let (name, weight) = (active.name, active.weight);
                let own = noted.extract_if(.., |round| round.operator == name);
                let own = Pupil::new(own.map(|noted| (noted.round, noted.learned)));
                let pupil = active.operator.learner().is_some().then_some(own);
                let proposer = Proposer {
                    active,
                    tasks: receiver,
                    jobs: jobs.clone(),
                    news: done.clone(),
                    clock: &clock,
                    halt: &halt,
                    school: &school,
                };
                scope.spawn(move || mutate::roomy(|| proposer.work()));
                Line {
                    name,
                    weight,
                    tasks,
                    pupil,
                }
            })
            .collect();
        drop((todo, done));
        let search = Search {
            settings: &settings,
            schedule: school.schedule,
            begun: 0,
            learning: &school.learning,
            working: operators.len(),
            operators,
            archive,
            stored,
            kept,
            store,
            jobs,
            results,
            early: BTreeMap::new(),
            busy: &bench.busy,
            clock: &clock,
            halt: &halt,
            threads,
            placed: 0,
            next: 0,
            counts: Counts::default(),
            last_metrics: None,
            began: (now(), Instant::now()),
            noted: Instant::now(),
            fresh: 0,
            tokens: 0,
            lost: Lost::default(),
        };
        // Its end, good or bad, ends the threads: it closes the channels, and halts those at work.
        let _halt = OnDrop(&halt);
        search.run(seed, stop, observe)
    })
}

/// Where a run stands that has all its evaluations.
///
/// # Errors
/// The database cannot be read.
pub fn finished(store: &Store) -> Result<Progress, Error> {
    let metrics = store.iterations()?.pop();
    let map = store.metrics()?;
    let evaluations = store.len()?.saturating_sub(1);
    let none = IterationMetrics {
        iteration: 0,
        evaluations,
        proposed: 0,
        valid: 0,
        runnable: 0,
        accepted: 0,
        niches: map.niches as u64,
        qd_score: map.qd_score,
        max_fitness: map.max_fitness.unwrap_or(0.0),
    };
    Ok(Progress {
        evaluations,
        target: store.settings().evaluations,
        metrics: metrics.unwrap_or(none),
        fresh: 0,
        tokens: 0,
        elapsed: Duration::ZERO,
        busy: 0.0,
        proposing: 0.0,
        learning: None,
    })
}

/// The way to an operator.
struct Line {
    name: &'static str,
    weight: f64,
    tasks: Sender<Task>,
    /// Where it stands as one that learns.
    pupil: Option<Pupil>,
}

/// Sets a flag when it goes, even in a panic.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
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
    settings: &'a Settings,
    schedule: Schedule,
    /// The last round that has begun.
    begun: u32,
    learning: &'a Mutex<Option<Learning>>,
    operators: Vec<Line>,
    /// Operators whose threads have not ended.
    working: usize,
    archive: GridArchive<Genome>,
    store: &'a mut Store,
    /// Children in the store when this process began.
    stored: u64,
    /// Proposals in the store whose children are not there yet, when this process began.
    kept: BTreeMap<u64, Proposal>,
    jobs: Sender<Unborn>,
    results: Receiver<News>,
    /// Children that are evaluated but not placed, since an older one is missing.
    early: BTreeMap<u64, Child>,
    busy: &'a AtomicU64,
    clock: &'a Clock,
    halt: &'a AtomicBool,
    threads: usize,
    /// Iterations that are wholly in the archive.
    placed: u64,
    /// The next child to place.
    next: u64,
    /// Of the iteration that `next` belongs to.
    counts: Counts,
    last_metrics: Option<IterationMetrics>,
    began: (f64, Instant),
    /// When the log was last told where the search stands.
    noted: Instant,
    fresh: u64,
    tokens: u64,
    lost: Lost,
}

impl Search<'_> {
    fn run(
        mut self,
        seed: &str,
        stop: &AtomicBool,
        observe: &mut dyn FnMut(&Progress),
    ) -> Result<Progress, Error> {
        if self.stored == 0 {
            self.plant(seed)?;
        }
        let ended = self.search(stop, observe);
        // A store that would not take some children must not be given those that follow them.
        let kept = match ended {
            Err(Error::Database { .. }) => Ok(()),
            _ => self.wind_up(),
        };
        ended.and(kept)?;
        let progress = self.progress();
        observe(&progress);
        log::info!(
            "{} of {} evaluations, {}",
            progress.evaluations,
            progress.target,
            summary(&progress.metrics)
        );
        Ok(progress)
    }

    fn search(
        &mut self,
        stop: &AtomicBool,
        observe: &mut dyn FnMut(&Progress),
    ) -> Result<(), Error> {
        let target = self.settings.evaluations;
        let delay = u64::from(self.settings.search.delay);
        // The first iteration that is not wholly in the store, and the state of the map it was proposed from.
        let unfinished = (self.stored - 1) / self.settings.iteration_size() + 1;
        self.placed = unfinished.saturating_sub(1 + delay);
        self.next = self.first_of(self.placed + 1);
        for champion in self.store.champions(self.next)? {
            self.tell(&champion);
        }

        self.recall_rounds(unfinished);
        let mut drawn = unfinished - 1;
        let mut drafts = VecDeque::new();
        while self.next <= target && !stop.load(Relaxed) {
            while self.first_of(drawn + 1) <= target && drawn < self.placed + 1 + delay {
                drawn += 1;
                drafts.push_back(self.draw(drawn));
            }
            while let Some(draft) = drafts.pop_front() {
                self.begin_round(draft.iteration);
                if self.is_uncertain(draft.iteration) {
                    drafts.push_front(draft);
                    break;
                }
                self.commission(draft);
            }
            if self.next < self.stored {
                self.replay()?;
                continue;
            }
            let ready = self.ready();
            if ready.is_empty() {
                match self.results.recv_timeout(Duration::from_millis(100)) {
                    Ok(news) => self.receive(news)?,
                    Err(RecvTimeoutError::Timeout) => observe(&self.progress()),
                    Err(RecvTimeoutError::Disconnected) => return Err(lost()),
                }
            } else {
                self.append(ready)?;
                observe(&self.progress());
            }
        }
        Ok(())
    }

    /// Ends the operators, and writes what that and the end of the search leave at hand.
    fn wind_up(&mut self) -> Result<(), Error> {
        self.halt.store(true, Relaxed);
        self.operators.clear();
        let end = Instant::now() + PATIENCE;
        while self.working > 0 {
            match self.results.recv_deadline(end) {
                // What goes wrong now changes nothing any more.
                Ok(News::Failed(_)) => {}
                Ok(news) => self.receive(news)?,
                Err(_) => break,
            }
        }
        self.keep()
    }

    /// Writes what the end of a search leaves at hand.
    fn keep(&mut self) -> Result<(), Error> {
        loop {
            let ready = self.ready();
            if ready.is_empty() {
                break;
            }
            self.append(ready)?;
        }
        // The last iteration may be a short one; a resumed run will complete it.
        if self.next > self.settings.evaluations && self.counts.proposed > 0 {
            let metrics = self.metrics();
            self.store.append(&[], std::slice::from_ref(&metrics))?;
            self.last_metrics = Some(metrics);
        }
        self.note_stretch()
    }

    /// Takes this news and all that is there by now.
    fn receive(&mut self, news: News) -> Result<(), Error> {
        let mut arrived = Vec::new();
        let mut next = Some(news);
        while let Some(news) = next {
            match news {
                News::Evaluated(children) => {
                    let children = children.into_iter().map(|child| (child.id, child));
                    self.early.extend(children);
                }
                News::Arrived(id, proposal) => arrived.push((id, proposal)),
                News::Lost(lost) => {
                    self.lost.requests += lost.requests;
                    self.lost.prompt_tokens += lost.prompt_tokens;
                    self.lost.dollars += lost.dollars;
                }
                News::Learned {
                    operator,
                    round,
                    seconds,
                    learned,
                } => self.note_round(operator, round, seconds, &learned)?,
                News::Failed(failure) => return Err(failure),
                News::Gone => self.working -= 1,
            }
            next = self.results.try_recv().ok();
        }
        match arrived.is_empty() {
            true => Ok(()),
            false => self.store.keep(&arrived),
        }
    }

    /// The next children to place, as far as they are here. Never past the end of an iteration, since
    /// parents are drawn from the map as it is at that point.
    fn ready(&mut self) -> Vec<Child> {
        let end = self.first_of(self.placed + 2);
        let mut ready = Vec::new();
        while let Some(entry) = self.early.first_entry() {
            if *entry.key() != self.next + ready.len() as u64 || *entry.key() >= end {
                break;
            }
            ready.push(entry.remove());
        }
        ready
    }

    fn note_stretch(&mut self) -> Result<(), Error> {
        let progress = self.progress();
        let stretch = Stretch {
            children: progress.fresh,
            seconds: progress.elapsed.as_secs_f64(),
            threads: self.threads as u32,
            busy: progress.busy,
            proposing: progress.proposing,
            lost: self.lost,
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
            partner: None,
            proposal: Ok(seed.to_owned()).into(),
        };
        let _ = self.jobs.send(unborn);
        let child = match self.results.recv().map_err(|_| lost())? {
            News::Evaluated(mut children) => children.remove(0),
            News::Failed(failure) => return Err(failure),
            _ => return Err(lost()),
        };
        let odd = || {
            child
                .measures
                .iter()
                .chain(&child.fitness)
                .find(|x| !x.is_finite())
        };
        let odd = odd().map(|x| Reason::new(&NOT_FINITE, format!("its score holds {x}")));
        if let Some(reason) = child.reason.clone().or(odd) {
            let name = self.settings.seed.clone();
            return Err(Error::Seed { name, reason });
        }
        self.append(vec![child])?;
        self.fresh = 0; // the seed was not proposed
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

    fn progress(&self) -> Progress {
        let elapsed = self.began.1.elapsed();
        let share = self.busy.load(Relaxed) as f64 / 1e9 / elapsed.as_secs_f64();
        let proposing = self.clock.time().as_secs_f64() / elapsed.as_secs_f64();
        Progress {
            evaluations: self.next.saturating_sub(1),
            target: self.settings.evaluations,
            metrics: self.last_metrics.clone().unwrap_or_else(|| self.metrics()),
            fresh: self.fresh,
            tokens: self.tokens,
            elapsed,
            busy: (share / self.threads as f64).min(1.0),
            proposing: proposing.min(1.0),
            learning: self
                .learning
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }
}

/// The map, in a line of the log.
fn summary(metrics: &IterationMetrics) -> String {
    format!(
        "niches {}, QD score {:.0}, best {:.1}",
        metrics.niches, metrics.qd_score, metrics.max_fitness
    )
}

fn lost() -> Error {
    Error::Evaluator("its threads ended".to_owned())
}
