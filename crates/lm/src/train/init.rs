//! Weights to begin with.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::Config;
use crate::error::Error;
use crate::llama::Llama;
use crate::tensor::Tensor;

/// Standard deviation of matrices.
const DEVIATION: f64 = 0.02;

/// Random weights of a configuration, as GPT-2's (Radford et al. 2019): matrices normal with deviation 0.02, those that
/// write to the residual stream (output and down projections) smaller by the root of twice the number of layers; norms
/// 1, biases 0. The same seed gives the same bits on every machine.
///
/// # Errors
/// `Error::Config` for a configuration that cannot be.
pub fn init(config: &Config, seed: u64) -> Result<Llama<Tensor>, Error> {
    config.check()?;
    let residual = DEVIATION / (2.0 * config.num_hidden_layers as f64).sqrt();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Ok(Llama::shapes(config).map(|name, shape| {
        let count = shape.iter().product();
        let data = if name.ends_with("norm.weight") {
            vec![1.0; count]
        } else if name.ends_with(".bias") {
            vec![0.0; count]
        } else if name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight") {
            normal(&mut rng, residual, count)
        } else {
            normal(&mut rng, DEVIATION, count)
        };
        Tensor { shape, data }
    }))
}

/// Normal numbers around 0 (Box and Muller 1958).
fn normal(rng: &mut ChaCha8Rng, deviation: f64, count: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        // From above 0 to 1, so that the logarithm is finite.
        let radius = (-2.0 * libm::log(1.0 - rng.random::<f64>())).sqrt();
        let (sin, cos) = libm::sincos(std::f64::consts::TAU * rng.random::<f64>());
        values.push((deviation * radius * cos) as f32);
        values.push((deviation * radius * sin) as f32);
    }
    values.truncate(count);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f32]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        let square = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n;
        (mean, (square - mean * mean).sqrt())
    }

    #[test]
    fn weights_are_as_large_as_said_and_repeatable() {
        let config = Config {
            attention_bias: true,
            ..Config::preset("0.1m").unwrap()
        };
        let weights = init(&config, 7).unwrap();
        weights.check(&config).unwrap();
        assert_eq!(weights, init(&config, 7).unwrap());
        assert_ne!(weights, init(&config, 8).unwrap());
        let (mean, deviation) = moments(&weights.embedding.data);
        assert!(mean.abs() < 2e-4 && (deviation - 0.02).abs() < 2e-4);
        let (_, deviation) = moments(&weights.layers[1].down.data);
        assert!((deviation - 0.01).abs() < 3e-4, "{deviation}");
        assert!(weights.norm.data.iter().all(|x| *x == 1.0));
        assert!(weights.layers[0].query_norm.is_none());
        let bias = weights.layers[0].query.bias.as_ref().unwrap();
        assert!(bias.data.iter().all(|x| *x == 0.0));
        // A change here changes every model made from scratch.
        assert_eq!(weights.embedding.data[0].to_bits(), FIRST);
    }

    const FIRST: u32 = 1_002_259_689;
}
