//! `samara stats`: the figures of a run.

use std::collections::BTreeMap;

use evolve::store::{Generation, Noted, Spent, Status, Store, Tally};
use mutate::Lost;
use serde::Serialize;

use crate::cli::StatsArgs;
use crate::{Done, say};

/// How many children came how far, each count including the next ones, and what proposing them took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the field's usual measures")]
pub struct Counts {
    pub proposed: u64,
    pub valid: u64,
    pub runnable: u64,
    pub accepted: u64,
    /// Why the others came no further, by the reason's code.
    pub failures: BTreeMap<String, u64>,
    #[serde(flatten)]
    pub spent: Spent,
    /// Tokens written in a second of proposing.
    pub tokens_per_second: f64,
    /// Seconds of proposing for one child.
    pub seconds_per_child: f64,
    /// Seconds of proposing for one child that the map took, where there is one.
    pub seconds_per_accepted: Option<f64>,
}

impl Counts {
    fn add(&mut self, tally: &Tally) {
        let (valid, runnable) = match tally.status {
            Status::Invalid => (false, false),
            Status::Unrunnable => (true, false),
            Status::Unscored | Status::Scored => (true, true),
        };
        let n = tally.count;
        self.proposed += n;
        self.valid += if valid { n } else { 0 };
        self.runnable += if runnable { n } else { 0 };
        self.accepted += if tally.accepted { n } else { 0 };
        if let Some(reason) = &tally.reason {
            *self.failures.entry(reason.clone()).or_default() += n;
        }
        self.spent += tally.spent;
        let seconds = self.spent.propose_seconds;
        self.tokens_per_second = ratio(self.spent.tokens as f64, seconds);
        self.seconds_per_child = ratio(seconds, self.proposed as f64);
        self.seconds_per_accepted = (self.accepted > 0).then(|| seconds / self.accepted as f64);
    }

    /// Why children failed and how many, the most frequent reason first.
    pub fn failures(&self) -> Vec<(&str, u64)> {
        let mut failures: Vec<_> = self
            .failures
            .iter()
            .map(|(reason, n)| (reason.as_str(), *n))
            .collect();
        failures.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        failures
    }
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
    /// Share of the time in which at least one operator was proposing.
    pub proposing: f64,
    /// What was asked of an endpoint and never came, since the run was interrupted.
    pub lost: Lost,
    /// The same counts for every operator.
    pub operators: BTreeMap<String, Counts>,
    /// Of the operators that write with a model inside, by generation of its weights.
    pub generations: Vec<Generation>,
    /// The rounds of learning.
    pub rounds: Vec<Noted>,
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
            counts.add(&tally);
            operators
                .entry(tally.operator.clone())
                .or_default()
                .add(&tally);
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
        let proposing: f64 = stretches.iter().map(|s| s.proposing * s.seconds).sum();
        let lost = stretches.iter().fold(Lost::default(), |sum, s| Lost {
            requests: sum.requests + s.lost.requests,
            prompt_tokens: sum.prompt_tokens + s.lost.prompt_tokens,
            dollars: sum.dollars + s.lost.dollars,
        });
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
            proposing: ratio(proposing, seconds),
            lost,
            operators,
            generations: store.generations()?,
            rounds: store.rounds()?,
        })
    }
}

/// a / b, or 0 of nothing.
pub fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// Seconds, for people; a dash for none.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s <= 0.0 => "-".to_owned(),
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.2} ms", 1e3 * s),
        s => format!("{:.1} \u{b5}s", 1e6 * s),
    }
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
        "speed        {:.0} evaluations/s over {:.0} s, evaluation threads {:.0}% busy, operators {:.0}%",
        stats.evaluations_per_second,
        stats.seconds,
        100.0 * stats.busy,
        100.0 * stats.proposing
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
        for (reason, n) in counts.failures() {
            say!("  {reason:<20} {n:>8} {:>8}", percent(n))?;
        }
    }
    say!("proposing     s/child s/accepted  tokens in tokens out   tokens/s    dollars")?;
    for (name, counts) in &stats.operators {
        let accepted = counts.seconds_per_accepted.map(duration);
        let spent = &counts.spent;
        say!(
            "{name:<12} {:>8} {:>10} {:>10} {:>10} {:>10.1} {:>10.4}",
            duration(counts.seconds_per_child),
            accepted.as_deref().unwrap_or("-"),
            spent.prompt_tokens,
            spent.tokens,
            counts.tokens_per_second,
            spent.dollars
        )?;
    }
    if !stats.rounds.is_empty() {
        learning(&stats)?;
    }
    if stats.lost.requests > 0 {
        say!(
            "lost in interrupts: {} requests, {} prompt tokens, ${:.4}",
            stats.lost.requests,
            stats.lost.prompt_tokens,
            stats.lost.dollars
        )?;
    }
    Ok(())
}

/// Prints the rounds of learning, and what became of the children of each generation of weights.
fn learning(stats: &Stats) -> Done {
    say!("learning      round    lessons     tokens    seconds       loss")?;
    for round in &stats.rounds {
        let learned = &round.learned;
        let loss = learned.loss.map(|loss| format!("{loss:.3}"));
        say!(
            "{:<12} {:>6} {:>10} {:>10} {:>10.1} {:>10}  {}: {}",
            round.operator,
            round.round,
            learned.lessons,
            learned.tokens,
            round.seconds,
            loss.as_deref().unwrap_or("-"),
            if learned.kept { "kept" } else { "not kept" },
            learned.why
        )?;
    }
    say!("generation          proposed      valid   runnable   accepted")?;
    for generation in &stats.generations {
        let percent = |n: u64| {
            let share = ratio(n as f64, generation.proposed as f64);
            format!("{:.2}%", 100.0 * share)
        };
        say!(
            "{:<12} {:>6} {:>8} {:>10} {:>10} {:>10}",
            generation.operator,
            generation.weights,
            generation.proposed,
            percent(generation.valid),
            percent(generation.runnable),
            percent(generation.accepted)
        )?;
    }
    Ok(())
}
