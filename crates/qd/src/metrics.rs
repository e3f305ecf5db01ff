use serde::{Deserialize, Serialize};

/// What an archive amounts to, in the three figures the field reports.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Niches that hold at least one elite.
    pub niches: usize,
    /// The same in per cent of all niches, 0 to 100.
    pub niches_percent: f64,
    /// QD score: the sum of the champions' fitness, one champion a niche. No offset is taken off, so with negative
    /// fitness a new niche lowers it; [`Metrics::qd_score_above`] takes one off.
    pub qd_score: f64,
    /// The best champion's fitness, or `None` if there is none.
    pub max_fitness: Option<f64>,
}

impl Metrics {
    /// Metrics of an archive of `niches` niches whose champions have these fitnesses.
    ///
    /// The sum runs in the order given and nothing is carried over from call to call: champions in niche order give
    /// the same bits whatever came before, and no error piles up over a long run.
    pub fn of(niches: usize, champions: impl IntoIterator<Item = f64>) -> Self {
        let mut metrics = Self {
            niches: 0,
            niches_percent: 0.0,
            qd_score: 0.0,
            max_fitness: None,
        };
        for fitness in champions {
            metrics.niches += 1;
            metrics.qd_score += fitness;
            metrics.max_fitness = Some(metrics.max_fitness.map_or(fitness, |max| max.max(fitness)));
        }
        if niches > 0 {
            metrics.niches_percent = 100.0 * metrics.niches as f64 / niches as f64;
        }
        metrics
    }

    /// The QD score with `offset`, usually the least fitness there can be, taken off every champion's fitness, so
    /// that no new niche lowers the score (pyribs's `qd_score_offset`).
    pub fn qd_score_above(&self, offset: f64) -> f64 {
        self.qd_score - offset * self.niches as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_sums_and_maximum() {
        let metrics = Metrics::of(8, [1.0, -3.0, 2.5]);
        assert_eq!(
            metrics,
            Metrics {
                niches: 3,
                niches_percent: 37.5,
                qd_score: 0.5,
                max_fitness: Some(2.5)
            }
        );
        assert_eq!(metrics.qd_score_above(-3.0), 9.5);
    }

    #[test]
    fn an_empty_archive_has_no_maximum() {
        assert_eq!(
            Metrics::of(8, []),
            Metrics {
                niches: 0,
                niches_percent: 0.0,
                qd_score: 0.0,
                max_fitness: None
            }
        );
    }
}
