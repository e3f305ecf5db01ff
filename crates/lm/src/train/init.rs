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

/// As [`init`], with two heads that copy: where the last token stood earlier in the text, they vote for what followed it there
/// (induction heads, Olsson et al. 2022, arXiv:2209.11895). A small model finds them by itself only after millions of tokens; whether
/// it learns sooner from here has not been shown (docs/lab.md). Training may undo them.
///
/// One head of the first layer looks at the token before and notes it beside the token that stands there; one of the second
/// looks for places whose note is the token at hand, and writes what stands there. For this all embeddings are of one length
/// and have one number in common. Models of one layer, or with normed queries and keys, are as of [`init`].
///
/// # Errors
/// As [`init`].
pub fn init_copying(config: &Config, seed: u64) -> Result<Llama<Tensor>, Error> {
    let mut weights = init(config, seed)?;
    let [first, second, ..] = &mut *weights.layers else {
        return Ok(weights);
    };
    if config.qk_norm || config.head_dim >= config.hidden_size {
        return Ok(weights);
    }
    let (width, head) = (config.hidden_size, config.head_dim);
    let (pairs, root) = (head / 2, (head as f64).sqrt());
    let turn = |pair: usize| libm::pow(config.rope_theta, -2.0 * pair as f64 / head as f64);
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x636f_7079);
    let mut projection = || orthonormal(&mut rng, head, width);
    let scaled = |to: &mut [f32], from: &[f64], factor: f64| {
        for (to, from) in to.iter_mut().zip(from) {
            *to = (factor * from) as f32;
        }
    };

    let common = 3.0 * DEVIATION;
    let length = DEVIATION * (width as f64 - 1.0).sqrt();
    for row in weights.embedding.data.chunks_mut(width) {
        let square: f64 = row[1..].iter().map(|x| f64::from(*x).powi(2)).sum();
        let factor = length / square.sqrt();
        row.iter_mut()
            .for_each(|x| *x = (factor * f64::from(*x)) as f32);
        row[0] = common as f32;
    }
    // What the norm makes of the common number.
    let normed = common / ((length * length + common * common) / width as f64).sqrt();

    // Queries and keys are that number, turned so that they agree at a distance of one; pairs that turn slowly tell no neighbours apart.
    let fast: Vec<usize> = (0..pairs).filter(|pair| turn(*pair) > 0.05).collect();
    let apart: f64 = fast.iter().map(|pair| 1.0 - libm::cos(turn(*pair))).sum();
    let strength = (BEFORE * root / apart).sqrt() / normed;
    first.query.weight.data[..head * width].fill(0.0);
    first.key.weight.data[..head * width].fill(0.0);
    for pair in fast {
        let (sin, cos) = libm::sincos(turn(pair));
        first.query.weight.data[pair * width] = (strength * cos) as f32;
        first.query.weight.data[(pair + pairs) * width] = (-strength * sin) as f32;
        first.key.weight.data[pair * width] = strength as f32;
    }
    // The note: a projection of the token, as large as an embedding.
    let (seen, note) = (projection(), projection());
    let small = DEVIATION * (width as f64 / head as f64).sqrt();
    scaled(&mut first.value.weight.data, &seen, 1.0);
    write(&mut first.output, &note, small);

    // Queries are the same projection of the token at hand, keys the note; in the pairs that turn little over a program.
    let slow: Vec<usize> = (0..pairs).filter(|pair| turn(*pair) < 0.01).collect();
    let stream = DEVIATION * 2f64.sqrt();
    let strength = (MATCH * root / (2.0 * slow.len() as f64)).sqrt();
    for row in slow.iter().flat_map(|pair| [*pair, pair + pairs]) {
        let place = row * width..(row + 1) * width;
        let (query, key) = (&mut second.query.weight.data, &mut second.key.weight.data);
        scaled(
            &mut query[place.clone()],
            &seen[place.clone()],
            strength * stream / DEVIATION,
        );
        scaled(
            &mut key[place.clone()],
            &note[place],
            strength * stream / small,
        );
    }
    let taken = projection();
    scaled(&mut second.value.weight.data, &taken, 1.0);
    write(&mut second.output, &taken, 4.0 * stream);
    Ok(weights)
}

/// How far the token before stands above its neighbours, in the logarithm of attention.
const BEFORE: f64 = 8.0;
/// And a place that matches above others.
const MATCH: f64 = 20.0;

/// Rows at right angles, each of length 1, whose first number is 0.
fn orthonormal(rng: &mut ChaCha8Rng, rows: usize, width: usize) -> Vec<f64> {
    let mut all: Vec<f64> = Vec::with_capacity(rows * width);
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    for _ in 0..rows {
        let mut row: Vec<f64> = normal(rng, 1.0, width).into_iter().map(f64::from).collect();
        row[0] = 0.0;
        for before in all.chunks(width) {
            let along = dot(&row, before);
            row.iter_mut()
                .zip(before)
                .for_each(|(x, b)| *x -= along * b);
        }
        let length = dot(&row, &row).sqrt();
        all.extend(row.iter().map(|x| x / length));
    }
    all
}

/// Makes the first head's part of an output projection of a matrix, `[head, width]`, turned over.
fn write(output: &mut Tensor, matrix: &[f64], factor: f64) {
    let (width, queries) = (output.shape[0], output.shape[1]);
    for (row, values) in matrix.chunks(width).enumerate() {
        for (column, value) in values.iter().enumerate() {
            output.data[column * queries + row] = (factor * value) as f32;
        }
    }
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
    use crate::train::{Options, Text, Trainer, Tree, cpu};

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

    /// How surprising, in nats a token, the second of two same halves of a random text is before anything is learned.
    fn surprise(config: &Config, weights: &Llama<Tensor>) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let half: Vec<u32> = (0..100)
            .map(|_| rng.random_range(0..config.vocab_size as u32))
            .collect();
        let tokens = [&half[..], &half].concat();
        let tree = Tree {
            trunk: Text {
                chosen: (0..tokens.len()).map(|at| at > 101).collect(),
                tokens,
            },
            ..Tree::default()
        };
        let mut trainer = cpu::Trainer::new(config, weights, Options::default()).unwrap();
        let scores = trainer.score(&[tree]).unwrap();
        let logs = &scores[0].log_probs;
        -logs.iter().map(|x| f64::from(*x)).sum::<f64>() / logs.len() as f64
    }

    #[test]
    fn what_begins_with_copying_heads_copies() {
        // The wider the heads, the fewer tokens they take for each other.
        for (preset, gain) in [("0.1m", 0.03), ("1m", 0.25), ("6m", 0.6)] {
            let config = Config {
                vocab_size: 1000,
                ..Config::preset(preset).unwrap()
            };
            let plain = surprise(&config, &init(&config, 1).unwrap());
            let copies = surprise(&config, &init_copying(&config, 1).unwrap());
            assert!(copies < plain - gain, "{preset}: {plain} {copies}");
        }
    }
}
