//! How often an operator mends a program with so many bugs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::judge::Verdict;
use mutate::Cost;

/// The counts of one operator on one program. Each of `valid`, `runnable` and `success` is part of the one before.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tally {
    /// The task, as in [`super::TASKS`].
    pub task: &'static str,
    /// The operator.
    pub operator: String,
    /// Bugs in the program.
    pub bugs: usize,
    /// Mutations asked for.
    pub trials: u64,
    /// Changes that apply.
    pub valid: u64,
    /// Children whose function returns a plain value on every unit test.
    pub runnable: u64,
    /// Children that pass all unit tests.
    pub success: u64,
    /// Different texts among the valid children.
    pub distinct: u64,
    /// The share of successes and its 95 % interval.
    #[serde(flatten)]
    pub share: Share,
    /// Children that are not runnable, by reason; those not valid among them.
    pub failures: BTreeMap<String, u64>,
    /// What the mutations took, where the operator says.
    pub cost: Spent,
}

/// A share in per cent with its interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    /// Successes per trial.
    pub success_percent: f64,
    /// Lower end of the interval.
    pub low_percent: f64,
    /// Upper end of the interval.
    pub high_percent: f64,
}

/// What mutations took together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spent {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub tokens: u64,
    /// Seconds of proposing; the one number that no two runs share.
    pub seconds: f64,
    /// Price in dollars, where the settings name one.
    pub dollars: f64,
}

impl Share {
    /// The share `hits` of `trials` with its Wilson score interval at 95 % (E. B. Wilson 1927), which also holds for
    /// shares near 0. Of no trials, 0 to 100 %.
    pub fn new(hits: u64, trials: u64) -> Self {
        if trials == 0 {
            return Self {
                high_percent: 100.0,
                ..Self::default()
            };
        }
        const Z: f64 = 1.959_963_985;
        let (n, p) = (trials as f64, hits as f64 / trials as f64);
        let scale = 1.0 / (1.0 + Z * Z / n);
        let centre = scale * (p + Z * Z / (2.0 * n));
        let reach = scale * Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        // At the ends rounding would leave a crumb.
        let low = if hits == 0 { 0.0 } else { centre - reach };
        let high = if hits == trials { 1.0 } else { centre + reach };
        Self {
            success_percent: 100.0 * p,
            low_percent: 100.0 * low,
            high_percent: 100.0 * high,
        }
    }
}

impl Spent {
    /// Adds what one proposal took.
    pub(super) fn add(&mut self, cost: &Cost) {
        self.prompt_tokens += u64::from(cost.prompt_tokens);
        self.tokens += u64::from(cost.tokens);
        self.seconds += cost.seconds;
        self.dollars += cost.dollars;
    }
}

impl Tally {
    /// No counts yet.
    pub(super) fn new(task: &'static str, operator: &str, bugs: usize) -> Self {
        Self {
            task,
            operator: operator.to_owned(),
            bugs,
            trials: 0,
            valid: 0,
            runnable: 0,
            success: 0,
            distinct: 0,
            share: Share::default(),
            failures: BTreeMap::new(),
            cost: Spent::default(),
        }
    }

    /// Counts `n` children with this verdict.
    pub(super) fn count(&mut self, verdict: &Verdict, n: u64) {
        match verdict {
            Verdict::Unrunnable(reason) => {
                *self.failures.entry(reason.code.clone()).or_default() += n;
            }
            Verdict::Wrong => self.runnable += n,
            Verdict::Right => {
                self.runnable += n;
                self.success += n;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_intervals() {
        // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        for (hits, trials, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let share = Share::new(hits, trials);
            assert!((share.low_percent / 100.0 - low).abs() < 6e-5, "{share:?}");
            assert!(
                (share.high_percent / 100.0 - high).abs() < 6e-5,
                "{share:?}"
            );
        }
        assert_eq!(Share::new(7, 7).high_percent, 100.0);
        assert_eq!(Share::new(0, 0).high_percent, 100.0);
    }
}
