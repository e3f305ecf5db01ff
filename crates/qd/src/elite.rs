use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// A solution with what its evaluation found: what is told to an archive, and what an archive keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Elite<G> {
    /// What varies: a program, a vector, a reference into a store.
    pub genotype: G,
    /// How it behaves, one finite number an axis, in the axes' order and units.
    pub measures: Vec<f64>,
    /// How good it is, finite; more is better.
    pub fitness: f64,
    /// What it costs, such as a program's length; of equal fitness the lower cost wins. Zero where it does not matter.
    #[serde(default)]
    pub cost: u64,
}

impl<G> Elite<G> {
    /// A solution of cost 0.
    pub fn new(genotype: G, measures: Vec<f64>, fitness: f64) -> Self {
        Self {
            genotype,
            measures,
            fitness,
            cost: 0,
        }
    }

    /// The same solution with another cost.
    pub fn with_cost(self, cost: u64) -> Self {
        Self { cost, ..self }
    }

    /// `Greater` if this one is to replace `other`: higher fitness, or equal fitness at a lower cost (parsimony
    /// pressure). `Equal` is a tie, which the incumbent wins. 0.0 and -0.0 are equal; a NaN never wins.
    pub fn rank(&self, other: &Self) -> Ordering {
        self.fitness
            .partial_cmp(&other.fitness)
            .unwrap_or_else(|| other.fitness.is_nan().cmp(&self.fitness.is_nan()))
            .then_with(|| other.cost.cmp(&self.cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elite(fitness: f64, cost: u64) -> Elite<()> {
        Elite::new((), vec![], fitness).with_cost(cost)
    }

    #[test]
    fn fitness_first_then_cost() {
        assert_eq!(elite(2.0, 9).rank(&elite(1.0, 1)), Ordering::Greater);
        assert_eq!(elite(1.0, 1).rank(&elite(1.0, 2)), Ordering::Greater);
        assert_eq!(elite(1.0, 2).rank(&elite(1.0, 1)), Ordering::Less);
        assert_eq!(elite(0.0, 2).rank(&elite(-0.0, 2)), Ordering::Equal);
    }

    #[test]
    fn nan_never_wins() {
        assert_eq!(elite(f64::NAN, 0).rank(&elite(-1e300, 9)), Ordering::Less);
        assert_eq!(
            elite(-1e300, 9).rank(&elite(f64::NAN, 0)),
            Ordering::Greater
        );
        assert_eq!(
            elite(f64::NAN, 0).rank(&elite(f64::NAN, 0)),
            Ordering::Equal
        );
    }
}
