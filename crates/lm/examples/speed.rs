//! Tokens a second: `speed MODEL [--rows N] [--steps N] [--prompt N] [--precision int8|f32] [--repeat N]`.
//!
//! Reads one prompt, then decodes rows side by side that share it, as the mutation operators do. Instead of a model's
//! path, `--random LAYERSxWIDTH` makes one of random weights: heads of 64, half as many for keys and values, 2,048 tokens.

use std::time::Instant;

use lm::cpu::{Decoder, Precision};
use lm::engine::{Engine, Feed};
use lm::{Config, Llama, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut model = arguments.next().ok_or("which model? give its path")?;
    let random = model == "--random";
    if random {
        model = arguments.next().ok_or("--random: give LAYERSxWIDTH")?;
    }
    let (mut rows, mut steps, mut prompt, mut repeat) = (32, 32, 398, 3);
    let mut precision = Precision::Int8;
    while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
        match name.as_str() {
            "--rows" => rows = value.parse()?,
            "--steps" => steps = value.parse()?,
            "--prompt" => prompt = value.parse()?,
            "--repeat" => repeat = value.parse()?,
            "--precision" if value == "f32" => precision = Precision::F32,
            "--precision" if value == "int8" => {}
            _ => return Err(format!("{name} {value}: not known").into()),
        }
    }
    let began = Instant::now();
    let mut decoder = match random {
        true => drawn(&model, precision)?,
        false => Decoder::load(&lm::Checkpoint::open(model.as_ref())?, precision)?,
    };
    eprintln!(
        "loaded in {:.1} s, {} MB",
        began.elapsed().as_secs_f64(),
        decoder.bytes() / 1_000_000
    );
    let vocabulary = decoder.config().vocab_size;
    let token = |i: usize| (i * 7919 % (vocabulary - 100) + 100) as u32;
    let tokens: Vec<u32> = (0..prompt).map(token).collect();
    for _ in 0..repeat {
        let began = Instant::now();
        let mut shared = decoder.cache();
        decoder.forward(&mut [Feed {
            vectors: &[],
            tokens: &tokens,
            shared: None,
            own: &mut shared,
            logits: 1,
        }]);
        let read = began.elapsed().as_secs_f64();
        let mut own: Vec<_> = (0..rows).map(|_| decoder.cache()).collect();
        let began = Instant::now();
        for step in 0..steps {
            let next: Vec<[u32; 1]> = (0..rows).map(|row| [token(step * rows + row)]).collect();
            let mut feeds: Vec<_> = own
                .iter_mut()
                .zip(&next)
                .map(|(own, tokens)| Feed {
                    vectors: &[],
                    tokens,
                    shared: Some((&shared, prompt)),
                    own,
                    logits: 1,
                })
                .collect();
            std::hint::black_box(decoder.forward(&mut feeds));
        }
        let decoded = began.elapsed().as_secs_f64();
        println!(
            "samara {precision:?} rows {rows}: prompt {:.0} tok/s  decode {:.0} tok/s, {:.1} ms/step",
            prompt as f64 / read,
            (rows * steps) as f64 / decoded,
            1e3 * decoded / steps as f64
        );
    }
    Ok(())
}

/// A model of random weights, of layers and a width such as "8x256".
fn drawn(shape: &str, precision: Precision) -> Result<Decoder, Box<dyn std::error::Error>> {
    let (layers, width) = shape.split_once('x').ok_or("--random: give LAYERSxWIDTH")?;
    let width: usize = width.parse()?;
    let heads = (width / 64).max(1);
    let config = Config {
        vocab_size: 2048,
        hidden_size: width,
        intermediate_size: (width * 8).div_ceil(3).next_multiple_of(32),
        num_hidden_layers: layers.parse()?,
        num_attention_heads: heads,
        num_key_value_heads: heads.div_ceil(2),
        head_dim: 64,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        max_position_embeddings: 4096,
        tie_word_embeddings: true,
        rope_scaling: lm::RopeScaling::None,
        attention_bias: false,
        qk_norm: false,
        bos_token_id: None,
        eos_token_ids: vec![0],
    };
    config.check()?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let spread = (3.0 / width as f32).sqrt();
    let weights = Llama::shapes(&config).map(|_, shape: Vec<usize>| {
        let mut value = || match shape.len() {
            1 => 1.0,
            _ => rng.random_range(-spread..spread),
        };
        let data = (0..shape.iter().product()).map(|_| value()).collect();
        Tensor { shape, data }
    });
    Ok(Decoder::new(&config, &weights, precision)?)
}
