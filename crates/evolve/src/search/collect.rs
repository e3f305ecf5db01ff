//! A run that is not bred: programs from elsewhere, put into a fresh map one after the other.
//!
//! Child 0 is what all of them begin with, perhaps nothing; it has no score. All others are its children, in iterations as in a search. So
//! whatever looks at runs looks at these.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use mutate::{Lost, Proposal, Reason};
use qd::{Archive, GridArchive};

use super::evaluate::{Bench, Genome, Unborn};
use super::place::{elite, place};
use super::{Counts, Progress};
use crate::domain::{Domain, dealt};
use crate::store::{Child, IterationMetrics, Status, Store, Stretch, now};
use crate::{BEGINNING, Error};

/// Where programs come from.
pub trait Source {
    /// What stands in the column `operator` of the children.
    fn name(&self) -> &'static str;

    /// The programs of the children `first` to `first + count`, in order; a function of their numbers. Fewer only once `stop` is set.
    ///
    /// # Errors
    /// What keeps it from giving any more.
    fn programs(
        &mut self,
        first: u64,
        count: usize,
        stop: &AtomicBool,
    ) -> Result<Vec<Proposal>, mutate::Error>;
}

/// Puts programs into the map of `store` until it has as many as its settings say, or `stop` is set, and calls `observe` after each iteration.
/// A run that was interrupted goes on. `beginning` is what all programs begin with.
///
/// # Errors
/// A setting out of its range, an evaluator that cannot start, a source that cannot go on, a store that cannot be written. What was
/// evaluated is in the store by then.
pub fn run(
    source: &mut dyn Source,
    store: &mut Store,
    domain: &dyn Domain,
    beginning: &str,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(&Progress),
) -> Result<Progress, Error> {
    let settings = store.settings().clone();
    settings.check()?;
    let mut archive = GridArchive::new(store.axes().to_vec())
        .map_err(|e| Error::setting("map", e.to_string(), "mend the range of that axis"))?;
    let threads = match settings.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let mut evaluators = (0..threads)
        .map(|_| domain.evaluator())
        .collect::<Result<Vec<_>, _>>()?;
    if store.is_empty()? {
        store.append(&[begun(beginning)], &[])?;
    }
    for champion in store.champions(u64::MAX)? {
        let _ = archive.tell(elite(&champion));
    }
    let bench = Bench {
        condition: store.condition().to_owned(),
        axes: archive.axes().len(),
        threads,
        busy: AtomicU64::new(0),
    };
    let mut spent = Spent {
        began: now(),
        clock: Instant::now(),
        writing: Duration::ZERO,
        fresh: 0,
        tokens: 0,
    };
    let genome = Genome {
        id: 0,
        program: beginning.into(),
    };
    let size = settings.iteration_size();
    let mut last = store.iterations()?.pop();
    loop {
        let next = store.len()?;
        let metrics = last
            .clone()
            .unwrap_or_else(|| Counts::default().metrics(&archive, 0, next - 1));
        let progress = spent.progress(metrics, next - 1, settings.evaluations, &bench);
        observe(&progress);
        if next > settings.evaluations || stop.load(Relaxed) {
            return Ok(progress);
        }
        // To the end of an iteration, of which a part may be there.
        let iteration = (next - 1) / size + 1;
        let first = (iteration - 1) * size + 1;
        let count = (first + size).min(settings.evaluations + 1) - next;
        let began = Instant::now();
        let proposals = source.programs(next, count as usize, stop)?;
        spent.writing += began.elapsed();
        if proposals.len() as u64 != count {
            if stop.load(Relaxed) {
                continue;
            }
            let given = proposals.len();
            let why = format!("the source gave {given} programs of {count}");
            return Err(Error::Evaluator(why));
        }
        spent.tokens += proposals
            .iter()
            .map(|p| u64::from(p.cost.tokens))
            .sum::<u64>();
        let unborn = (next..).zip(proposals).map(|(id, proposal)| Unborn {
            id,
            iteration,
            replica: 0,
            operator: source.name(),
            parent: Some(genome.clone()),
            partner: None,
            proposal,
        });
        let mut children = dealt(&mut evaluators, unborn.collect(), |evaluator, part| {
            let began = Instant::now();
            let children = bench.evaluate(evaluator, part);
            let spent = began.elapsed().as_nanos() as u64;
            bench.busy.fetch_add(spent, Relaxed);
            children
        })?;
        let mut counts = Counts::default();
        store.each_child(first, next, |child| {
            counts.add(&child);
            Ok(())
        })?;
        for child in &mut children {
            place(&mut archive, child);
            counts.add(child);
        }
        let metrics = counts.metrics(&archive, iteration, next + count - 1);
        store.append(&children, std::slice::from_ref(&metrics))?;
        spent.fresh += count;
        last = Some(metrics);
        let stretch = spent.stretch(&bench);
        store.note_stretch(spent.began, &stretch)?;
    }
}

/// Child 0.
fn begun(beginning: &str) -> Child {
    Child {
        id: 0,
        iteration: 0,
        replica: 0,
        operator: BEGINNING.name.to_owned(),
        parent: None,
        partner: None,
        status: Status::Unrunnable,
        reason: Some(Reason::new(&BEGINNING, "")),
        measures: Vec::new(),
        fitness: None,
        niche: None,
        accepted: false,
        seconds: 0.0,
        at: now(),
        cost: mutate::Cost::default(),
        told: None,
        weights: None,
        program: beginning.to_owned(),
        artifact: None,
    }
}

/// What this process has spent.
struct Spent {
    began: f64,
    clock: Instant,
    writing: Duration,
    fresh: u64,
    tokens: u64,
}

impl Spent {
    /// Shares of the time in which programs were evaluated, by each thread, and written.
    fn shares(&self, bench: &Bench) -> [f64; 2] {
        let elapsed = self.clock.elapsed().as_secs_f64().max(1e-9);
        let busy = bench.busy.load(Relaxed) as f64 / 1e9 / bench.threads as f64;
        [busy, self.writing.as_secs_f64()].map(|seconds| (seconds / elapsed).min(1.0))
    }

    fn progress(
        &self,
        metrics: IterationMetrics,
        evaluations: u64,
        target: u64,
        bench: &Bench,
    ) -> Progress {
        let [busy, proposing] = self.shares(bench);
        Progress {
            evaluations,
            target,
            metrics,
            fresh: self.fresh,
            tokens: self.tokens,
            elapsed: self.clock.elapsed(),
            busy,
            proposing,
            learning: None,
        }
    }

    fn stretch(&self, bench: &Bench) -> Stretch {
        let [busy, proposing] = self.shares(bench);
        Stretch {
            children: self.fresh,
            seconds: self.clock.elapsed().as_secs_f64(),
            threads: bench.threads as u32,
            busy,
            proposing,
            lost: Lost::default(),
        }
    }
}
