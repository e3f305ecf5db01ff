//! Live progress: a bar on a terminal, lines of JSON elsewhere.

use evolve::search::Progress;
use serde_json::{Value, json};

use crate::meter::Meter;
use crate::say;

/// Shows where a search stands.
pub struct Display {
    meter: Meter,
    niches: u64,
}

impl Display {
    /// A display for a map of so many niches.
    pub fn new(target: u64, niches: u64) -> Self {
        let template = "{bar:30.green} {percent:>3}%  {elapsed_precise}, {msg}";
        Self {
            meter: Meter::new(Some(target), template),
            niches,
        }
    }

    /// Shows a new state.
    pub fn update(&mut self, progress: &Progress) {
        let rate = progress.fresh as f64 / progress.elapsed.as_secs_f64().max(1e-3);
        if let Some(bar) = self.meter.bar() {
            let left = (progress.target - progress.evaluations.min(progress.target)) as f64 / rate;
            let m = &progress.metrics;
            bar.set_position(progress.evaluations);
            bar.set_message(format!(
                "{}{} left  {rate:.0}/s  {}niches {} ({:.1}%)  QD {:.0}  best {:.1}  runnable {:.0}%",
                learning(progress),
                clock(left),
                waiting(progress),
                m.niches,
                100.0 * m.niches as f64 / self.niches as f64,
                m.qd_score,
                m.max_fitness,
                100.0 * m.runnable as f64 / (m.proposed as f64).max(1.0),
            ));
        } else if self.meter.wants_line(false) {
            // Whoever reads may have gone; the run goes on.
            let _ = say!("{}", self.line("progress", progress));
        }
    }

    /// The state as one line of JSON.
    pub fn line(&self, event: &str, progress: &Progress) -> Value {
        json!({
            "event": event,
            "evaluations": progress.evaluations,
            "target": progress.target,
            "niches": progress.metrics.niches,
            "niches_percent": 100.0 * progress.metrics.niches as f64 / self.niches as f64,
            "qd_score": progress.metrics.qd_score,
            "max_fitness": progress.metrics.max_fitness,
            "evaluations_per_second": progress.fresh as f64 / progress.elapsed.as_secs_f64().max(1e-3),
            "busy": progress.busy,
            "proposing": progress.proposing,
            "tokens_per_second": tokens_per_second(progress),
            "learning": progress.learning.as_ref().map(|learning| json!({
                "round": learning.round,
                "says": learning.says,
            })),
        })
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.meter.finish();
    }
}

/// Tokens that models wrote, over the whole time.
pub fn tokens_per_second(progress: &Progress) -> f64 {
    progress.tokens as f64 / progress.elapsed.as_secs_f64().max(1e-3)
}

/// The round of learning in progress.
fn learning(progress: &Progress) -> String {
    match &progress.learning {
        Some(learning) => format!("[learning, round {}: {}]  ", learning.round, learning.says),
        None => String::new(),
    }
}

/// Where a model proposes: how fast, and which side waits for the other.
fn waiting(progress: &Progress) -> String {
    if progress.tokens == 0 {
        return String::new();
    }
    format!(
        "{:.0} tokens/s  proposing {:.0}%  evaluating {:.0}%  ",
        tokens_per_second(progress),
        100.0 * progress.proposing,
        100.0 * progress.busy
    )
}

fn clock(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "--:--".to_owned();
    }
    let s = seconds.round() as u64;
    match s / 3600 {
        0 => format!("{:02}:{:02}", s / 60, s % 60),
        hours => format!("{hours}:{:02}:{:02}", s / 60 % 60, s % 60),
    }
}
