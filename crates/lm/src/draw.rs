//! Drawing a token from a model's distribution over what is possible.

use rand::{Rng, RngExt};

use crate::cpu::{finite, total, weigh};

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// The distribution's logits are divided by it; 0 takes the likeliest token.
    pub temperature: f32,
    /// Tokens less likely than this share of the likeliest are not drawn, unless no other is possible.
    pub min_p: f32,
}

/// Weights summed together, so that a draw need not add up all of them.
const BLOCK: usize = 256;
/// After so many refusals, among the likely or then among all, the whole vocabulary is asked for at once.
const PATIENCE: usize = 64;

/// Logits of which some are infinite or no numbers: they are no distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFinite;

/// Draws a token that `admits` takes: as drawing from the distribution with all others left out, since what is
/// refused is put aside and the draw repeated. `None` if there is no such token.
pub fn draw(
    logits: &mut [f32],
    sampling: Sampling,
    rng: &mut impl Rng,
    admits: impl Fn(u32) -> bool,
) -> Result<Option<u32>, NotFinite> {
    if !finite(logits) {
        return Err(NotFinite);
    }
    // So small a temperature that nothing can be divided by it is none.
    if sampling.temperature <= 0.0 || !(1.0 / sampling.temperature).is_finite() {
        return Ok(likeliest(logits, admits));
    }
    Ok(weighted(logits, sampling, rng, admits))
}

fn weighted(
    logits: &mut [f32],
    sampling: Sampling,
    rng: &mut impl Rng,
    admits: impl Fn(u32) -> bool,
) -> Option<u32> {
    weigh(logits, sampling.temperature);
    for least in [sampling.min_p, 0.0] {
        let mut urn = Urn::new(logits, least);
        let mut refused = 0;
        while refused < PATIENCE {
            let Some(token) = urn.draw(rng) else { break };
            if admits(token as u32) {
                return Some(token as u32);
            }
            urn.discard(token);
            refused += 1;
        }
        if refused == PATIENCE {
            break; // some of the likely may be left
        }
    }
    for (token, weight) in logits.iter_mut().enumerate() {
        let possible = *weight > 0.0 && admits(token as u32);
        if !possible {
            *weight = 0.0;
        }
    }
    let mut drawn = [sampling.min_p, 0.0]
        .into_iter()
        .filter_map(|least| Urn::new(logits, least).draw(rng));
    drawn.next().map(|token| token as u32)
}

fn likeliest(logits: &mut [f32], admits: impl Fn(u32) -> bool) -> Option<u32> {
    for _ in 0..PATIENCE {
        let best = first_maximum(logits)?;
        if admits(best as u32) {
            return Some(best as u32);
        }
        logits[best] = f32::NEG_INFINITY;
    }
    for (token, logit) in logits.iter_mut().enumerate() {
        if *logit > f32::NEG_INFINITY && !admits(token as u32) {
            *logit = f32::NEG_INFINITY;
        }
    }
    first_maximum(logits).map(|best| best as u32)
}

fn first_maximum(logits: &[f32]) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (index, logit) in logits.iter().enumerate() {
        if *logit > best.map_or(f32::NEG_INFINITY, |(_, top)| top) {
            best = Some((index, *logit));
        }
    }
    best.map(|(index, _)| index)
}

/// Weighted drawing without putting back.
struct Urn<'a> {
    weights: &'a mut [f32],
    least: f32,
    sums: Vec<f32>,
}

impl<'a> Urn<'a> {
    /// Weights below `least` are not drawn.
    fn new(weights: &'a mut [f32], least: f32) -> Self {
        let sums = weights
            .chunks(BLOCK)
            .map(|block| Self::sum(block, least))
            .collect();
        Self {
            weights,
            least,
            sums,
        }
    }

    fn sum(block: &[f32], least: f32) -> f32 {
        if least <= 0.0 {
            return total(block);
        }
        block.iter().filter(|weight| **weight >= least).sum()
    }

    fn draw(&mut self, rng: &mut impl Rng) -> Option<usize> {
        let sum: f64 = self.sums.iter().map(|sum| f64::from(*sum)).sum();
        if sum <= 0.0 {
            return None;
        }
        let mut point = rng.random::<f64>() * sum;
        let mut last = None;
        for (index, sum) in self.sums.iter().enumerate() {
            if *sum <= 0.0 {
                continue;
            }
            last = Some(index);
            if point < f64::from(*sum) {
                break;
            }
            point -= f64::from(*sum);
        }
        let start = last? * BLOCK;
        let block = &self.weights[start..self.weights.len().min(start + BLOCK)];
        let mut last = None;
        for (index, weight) in block.iter().enumerate() {
            if *weight <= 0.0 || *weight < self.least {
                continue;
            }
            last = Some(start + index);
            if point < f64::from(*weight) {
                break;
            }
            point -= f64::from(*weight);
        }
        last
    }

    fn discard(&mut self, token: usize) {
        self.weights[token] = 0.0;
        let block = token / BLOCK;
        let start = block * BLOCK;
        let end = self.weights.len().min(start + BLOCK);
        self.sums[block] = Self::sum(&self.weights[start..end], self.least);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn shares(min_p: f32, admits: impl Fn(u32) -> bool) -> Vec<f64> {
        let logits: Vec<f32> = (0..600)
            .map(|i| if i < 4 { i as f32 * 0.5 } else { -9.0 })
            .collect();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut counts = vec![0.0; 600];
        let sampling = Sampling {
            temperature: 1.0,
            min_p,
        };
        for _ in 0..20_000 {
            let token = draw(&mut logits.clone(), sampling, &mut rng, &admits)
                .unwrap()
                .unwrap();
            counts[token as usize] += 1.0 / 20_000.0;
        }
        counts
    }

    #[test]
    fn draws_follow_the_distribution_over_what_is_admitted() {
        let got = shares(0.0, |token| token != 3);
        let weights: Vec<f64> = (0..3).map(|i| libm::exp(f64::from(i) * 0.5)).collect();
        let rest = 596.0 * libm::exp(-9.0);
        let sum = weights.iter().sum::<f64>() + rest;
        for (got, weight) in got.iter().zip(&weights) {
            assert!((got - weight / sum).abs() < 0.015, "{got} {}", weight / sum);
        }
        assert_eq!(got[3], 0.0);
        assert!((got[4..].iter().sum::<f64>() - rest / sum).abs() < 0.01);
    }

    #[test]
    fn the_unlikely_come_only_where_nothing_else_is_possible() {
        assert_eq!(shares(0.1, |_| true)[4..].iter().sum::<f64>(), 0.0);
        assert!((shares(0.1, |token| token > 597)[4..].iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for temperature in [0.0, 1.0] {
            let sampling = Sampling {
                temperature,
                min_p: 0.0,
            };
            assert_eq!(
                draw(&mut [1.0, 2.0], sampling, &mut rng, |_| false),
                Ok(None)
            );
            let mut logits: Vec<f32> = (0..300).map(|i| i as f32 / 100.0).collect();
            assert_eq!(
                draw(&mut logits, sampling, &mut rng, |token| token == 7),
                Ok(Some(7))
            );
        }
    }

    #[test]
    fn the_likely_come_first_however_many_are_refused() {
        // 200 equally likely tokens of which one is possible, and a tail of possible ones below min_p.
        let logits: Vec<f32> = (0..10_000)
            .map(|i| if i < 200 { 0.0 } else { -6.0 })
            .collect();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let sampling = Sampling {
            temperature: 1.0,
            min_p: 0.02,
        };
        for _ in 0..50 {
            let admits = |token: u32| token == 150 || token >= 200;
            assert_eq!(
                draw(&mut logits.clone(), sampling, &mut rng, admits),
                Ok(Some(150))
            );
        }
    }

    #[test]
    fn without_temperature_the_likeliest_wins() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let sampling = Sampling {
            temperature: 0.0,
            min_p: 0.5,
        };
        assert_eq!(
            draw(&mut [1.0, 3.0, 2.0, 3.0], sampling, &mut rng, |_| true),
            Ok(Some(1))
        );
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for temperature in [0.0, 1.0] {
            for min_p in [0.0, 0.5] {
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    for at in [0, 150, 299] {
                        let mut logits = vec![0.5; 300];
                        logits[at] = bad;
                        let sampling = Sampling { temperature, min_p };
                        let drawn = draw(&mut logits, sampling, &mut rng, |_| true);
                        assert_eq!(drawn, Err(NotFinite), "{bad} at {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_least_temperatures_are_none() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for temperature in [1e-45, 1e-40, 1e-30, f32::NAN] {
            let sampling = Sampling {
                temperature,
                min_p: 0.0,
            };
            let drawn = draw(&mut [1.0, 3.0, 2.0], sampling, &mut rng, |_| true);
            assert_eq!(drawn, Ok(Some(1)), "{temperature}");
        }
    }
}
