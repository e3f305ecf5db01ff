//! Small draws on a random stream.

use rand::{Rng, RngExt};

/// True with probability `p`.
pub fn chance(rng: &mut dyn Rng, p: f64) -> bool {
    rng.random::<f64>() < p
}

/// A uniform index below `n`, which must not be 0.
pub fn below(rng: &mut dyn Rng, n: usize) -> usize {
    rng.random_range(0..n)
}

/// A uniform element, or `None` of nothing.
pub fn pick<'s, T>(rng: &mut dyn Rng, items: &'s [T]) -> Option<&'s T> {
    (!items.is_empty()).then(|| &items[below(rng, items.len())])
}

/// An index drawn in proportion to the weights, or `None` if they are all 0.
pub fn weighted(rng: &mut dyn Rng, weights: &[f64]) -> Option<usize> {
    let total: f64 = weights.iter().sum();
    let mut left = rng.random::<f64>() * total;
    let mut last = None;
    for (i, w) in weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
        if left < *w {
            return Some(i);
        }
        left -= w;
        last = Some(i); // rounding may leave a crumb
    }
    last
}

/// A bell-shaped draw of mean 0 and variance 1, within [-3, 3]: three uniforms summed, so that it
/// needs no transcendental function and is the same on every machine.
pub fn bell(rng: &mut dyn Rng) -> f64 {
    let sum: f64 = (0..3).map(|_| rng.random::<f64>()).sum();
    2.0 * (sum - 1.5)
}
