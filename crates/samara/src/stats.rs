//! `samara stats`: the figures of a run.

use std::collections::BTreeMap;

use evolve::store::{Status, Store};
use serde::Serialize;

use crate::cli::StatsArgs;
use crate::{Done, say};

/// How many children came how far; each count includes the next ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the field's usual measures")]
pub struct Counts {
    pub proposed: u64,
    pub valid: u64,
    pub runnable: u64,
    pub accepted: u64,
    /// Why the others came no further, by the reason's code.
    pub failures: BTreeMap<String, u64>,
}

/// The figures of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the field's usual measures")]
pub struct Stats {
    pub evaluations: u64,
    #[serde(flatten)]
    pub counts: Counts,
    pub niches: u64,
    pub niches_percent: f64,
    pub qd_score: f64,
    pub max_fitness: f64,
    pub evaluations_per_second: f64,
    /// Time spent on the run, in seconds.
    pub seconds: f64,
    /// Share of the evaluation threads' time spent evaluating.
    pub busy: f64,
    /// The same counts for every operator.
    pub operators: BTreeMap<String, Counts>,
}

impl Stats {
    /// Reads them from a run.
    ///
    /// # Errors
    /// The run cannot be read.
    pub fn of(store: &Store) -> Result<Self, evolve::Error> {
        let mut counts = Counts::default();
        let mut operators: BTreeMap<String, Counts> = BTreeMap::new();
        for tally in store.tallies()? {
            let own = operators.entry(tally.operator).or_default();
            for counts in [&mut counts, own] {
                let n = tally.count;
                counts.proposed += n;
                counts.valid += if tally.status == Status::Invalid {
                    0
                } else {
                    n
                };
                counts.runnable += match tally.status {
                    Status::Unscored | Status::Scored => n,
                    Status::Invalid | Status::Unrunnable => 0,
                };
                counts.accepted += if tally.accepted { n } else { 0 };
                if let Some(reason) = &tally.reason {
                    *counts.failures.entry(reason.clone()).or_default() += n;
                }
            }
        }
        let stretches = store.stretches()?;
        let seconds: f64 = stretches.iter().map(|s| s.seconds).sum();
        let children: u64 = stretches.iter().map(|s| s.children).sum();
        let thread_seconds: f64 = stretches
            .iter()
            .map(|s| s.seconds * f64::from(s.threads))
            .sum();
        let busy: f64 = stretches
            .iter()
            .map(|s| s.busy * s.seconds * f64::from(s.threads))
            .sum();
        let map = store.metrics()?;
        Ok(Self {
            evaluations: counts.proposed,
            counts,
            niches: map.niches as u64,
            niches_percent: map.niches_percent,
            qd_score: map.qd_score,
            max_fitness: map.max_fitness.unwrap_or(0.0),
            evaluations_per_second: ratio(children as f64, seconds),
            seconds,
            busy: ratio(busy, thread_seconds),
            operators,
        })
    }
}

/// a / b, or 0 of nothing.
pub fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// Prints a run's figures.
pub fn stats(args: &StatsArgs) -> Done {
    let stats = Stats::of(&Store::open(&args.run)?)?;
    if args.json {
        return Ok(say!(
            "{}",
            serde_json::to_string(&stats).expect("plain data")
        )?);
    }
    say!("evaluations  {}", stats.evaluations)?;
    say!(
        "niches       {} ({:.1}%)",
        stats.niches,
        stats.niches_percent
    )?;
    say!("QD score     {:.0}", stats.qd_score)?;
    say!("best         {:.1} world units", stats.max_fitness)?;
    say!(
        "speed        {:.0} evaluations/s over {:.0} s, evaluation threads {:.0}% busy",
        stats.evaluations_per_second,
        stats.seconds,
        100.0 * stats.busy
    )?;
    say!("operator     proposed      valid   runnable   accepted")?;
    for (name, counts) in &stats.operators {
        let percent = |n: u64| format!("{:.2}%", 100.0 * ratio(n as f64, counts.proposed as f64));
        say!(
            "{name:<12} {:>8} {:>10} {:>10} {:>10}",
            counts.proposed,
            percent(counts.valid),
            percent(counts.runnable),
            percent(counts.accepted)
        )?;
        let mut failures: Vec<_> = counts.failures.iter().collect();
        failures.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        for (reason, n) in failures {
            say!("  {reason:<20} {n:>8} {:>8}", percent(*n))?;
        }
    }
    Ok(())
}
